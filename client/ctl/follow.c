#include "client/ctl/follow.h"

#include "lib/base/backoff.h"
#include "lib/base/error.h"

typedef struct {
    const FollowHandlers *handlers;
    gpointer data;
    GMainLoop *loop;
    RpcStream *stream;
    gint64 deadline; /* of g_get_monotonic_time(), in us; G_MAXINT64: none */
    guint timer;
    gboolean stopped, timed_out, warned;
    GError *problem; /* why the watch ended */
} Follow;

static void watch_event(const char *type, const ProtobufCMessage *object, gpointer data)
{
    Follow *follow = data;
    if (follow->stopped || g_str_equal(type, "BOOKMARK"))
        return;
    follow->stopped = follow->handlers->event(type, object, follow->data);
    if (follow->stopped)
        rpc_stream_cancel(follow->stream);
}

/* The last that is heard of a watch, also of one that was cancelled. */
static void watch_end(const GError *error, gpointer data)
{
    Follow *follow = data;
    follow->problem = error ? g_error_copy(error) : NULL;
    g_main_loop_quit(follow->loop);
}

static gboolean at_deadline(gpointer data)
{
    Follow *follow = data;
    follow->timer = 0;
    follow->timed_out = TRUE;
    rpc_stream_cancel(follow->stream);
    return G_SOURCE_REMOVE;
}

/* One watch from a revision to its end. */
static void run_watch(Follow *follow, Client *client, const ApiResource *resource, const char *namespace_,
                      const ClientListOptions *options, const char *revision)
{
    static const ClientWatchHandlers handlers = {watch_event, watch_end};
    ClientListOptions from = options ? *options : (ClientListOptions){0};
    from.resource_version = revision;
    follow->loop = g_main_loop_new(client_context(client), FALSE);
    follow->stream = client_watch(client, resource, namespace_, &from, &handlers, follow);
    if (follow->deadline != G_MAXINT64) {
        gint64 left_ms = MAX(0, follow->deadline - g_get_monotonic_time()) / 1000;
        follow->timer = g_timeout_add((guint)MIN(left_ms, G_MAXINT), at_deadline, follow);
    }
    g_main_loop_run(follow->loop);
    g_clear_handle_id(&follow->timer, g_source_remove);
    g_clear_pointer(&follow->stream, rpc_stream_unref);
    g_clear_pointer(&follow->loop, g_main_loop_unref);
}

/* Whether it makes sense to begin again after an error. NULL: the server ended the watch, as it may. */
static gboolean may_pass(const GError *error)
{
    static const CleatErrorCode passing[] = {CLEAT_ERROR_UNAVAILABLE, CLEAT_ERROR_EXPIRED, CLEAT_ERROR_TIMEOUT,
                                             CLEAT_ERROR_TOO_MANY_REQUESTS, CLEAT_ERROR_CANCELLED};
    for (gsize i = 0; error && i < G_N_ELEMENTS(passing); i++) {
        if (ctl_server_said(error, passing[i]) || cleat_error_is(error, passing[i]))
            return TRUE;
    }
    return error == NULL;
}

/* Waits before the next try; FALSE when that would be too late. */
static gboolean pause_before_retry(Follow *follow, Backoff *backoff)
{
    gint64 pause_us = (gint64)backoff_next(backoff) * 1000;
    if (follow->deadline - g_get_monotonic_time() < pause_us) {
        follow->timed_out = TRUE;
        return FALSE;
    }
    g_usleep((gulong)pause_us);
    return TRUE;
}

/* An outage is told once, so that nobody wonders why nothing comes. problem NULL: there is none. */
static void warn_once(Follow *follow, const GError *problem)
{
    if (problem && !follow->warned)
        fprintf(stderr, "Warning: %s (trying again)\n", problem->message);
    follow->warned = problem != NULL;
}

gboolean follow_list(Ctl *ctl, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                     gint64 timeout_ms, const FollowHandlers *handlers, gpointer data, gboolean *ret_timed_out,
                     GError **error)
{
    Client *client = ctl_client(ctl, error);
    if (!client)
        return FALSE;
    Follow follow = {.handlers = handlers, .data = data};
    follow.deadline = timeout_ms < 0 ? G_MAXINT64 : g_get_monotonic_time() + timeout_ms * 1000;
    Backoff backoff = {.first_ms = 100, .max_ms = 2000};
    for (gboolean first = TRUE;; first = FALSE) {
        g_autofree char *revision = NULL;
        g_autoptr(GError) problem = NULL;
        g_autoptr(GPtrArray) objects = ctl_list(ctl, resource, namespace_, options, &revision, &problem);
        if (objects) {
            if (handlers->state(objects, data))
                break;
            run_watch(&follow, client, resource, namespace_, options, revision);
            problem = g_steal_pointer(&follow.problem);
            if (follow.stopped || follow.timed_out)
                break;
        }
        if (!may_pass(problem) || (first && !objects)) {
            g_propagate_error(error, problem->domain == CTL_SERVER_ERROR ? g_steal_pointer(&problem)
                                                                         : ctl_server_error(problem));
            return FALSE;
        }
        if (!problem || objects)
            backoff_reset(&backoff);
        warn_once(&follow, objects ? NULL : problem);
        if (!pause_before_retry(&follow, &backoff))
            break;
    }
    *ret_timed_out = follow.timed_out;
    return TRUE;
}

typedef struct {
    FollowTest test;
    gpointer data;
} One;

static gboolean one_state(const GPtrArray *objects, gpointer data)
{
    One *one = data;
    return one->test(objects->len > 0 ? objects->pdata[0] : NULL, one->data);
}

static gboolean one_event(const char *type, const ProtobufCMessage *object, gpointer data)
{
    One *one = data;
    return one->test(g_str_equal(type, "DELETED") ? NULL : object, one->data);
}

gboolean follow_object(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                       gint64 timeout_ms, FollowTest test, gpointer data, gboolean *ret_timed_out, GError **error)
{
    static const FollowHandlers handlers = {one_state, one_event};
    g_autofree char *selector = g_strdup_printf("metadata.name=%s", name);
    ClientListOptions options = {.field_selector = selector};
    One one = {test, data};
    return follow_list(ctl, resource, namespace_, &options, timeout_ms, &handlers, &one, ret_timed_out, error);
}
