#include "server/store/internal.h"

#include "lib/base/error.h"

/* Consistent reads. A reader must see everything that was in etcd when it began. Asking etcd for its revision after the reader
 * came, and waiting until the caches have reached that revision, gives just this. All readers that come while one question is
 * under way share the next one: at most one is under way at a time, so the load on etcd does not grow with the readers. */

#define PATROL_MS 500 /* how often waiting readers are checked for having waited too long */

typedef struct {
    StoreJob job;
    gint64 revision; /* to be reached */
    gint64 deadline; /* monotonic, us */
    StoreDone done;
    gpointer data;
    GError *error;
} Waiter;

struct StoreProbe {
    Store *store;
    guint patrol; /* timer */

    GMutex lock;      /* guards what follows */
    gboolean asking;  /* a question is under way */
    GPtrArray *asked; /* of Waiter: those that it is for */
    GPtrArray *next;  /* those that came after it was sent */
    GQueue waiting;   /* of Waiter, ordered by revision: for the caches to catch up */
    gboolean stopped;
};

static void probe_ask(StoreProbe *probe);

static void waiter_finish(Waiter *waiter)
{
    waiter->done(waiter->error, waiter->data);
    g_clear_error(&waiter->error);
    g_free(waiter);
}

static void run_waiter(StoreJob *job)
{
    waiter_finish((Waiter *)job);
}

static Waiter *waiter_new(gint64 revision, StoreDone done, gpointer data)
{
    Waiter *waiter = g_new0(Waiter, 1);
    waiter->job.run = run_waiter;
    waiter->revision = revision;
    waiter->deadline = g_get_monotonic_time() + STORE_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
    waiter->done = done;
    waiter->data = data;
    return waiter;
}

/* With the lock held. Newer waiters mostly wait for newer revisions: searched from the end. */
static void queue_insert(GQueue *queue, Waiter *waiter)
{
    GList *before = queue->tail;
    while (before && ((Waiter *)before->data)->revision > waiter->revision)
        before = before->prev;
    g_queue_insert_after(queue, before, waiter);
}

static GError *stopping_error(void)
{
    return g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "the server is stopping");
}

void store_probe_wait(StoreProbe *probe, gint64 revision, StoreDone done, gpointer data)
{
    Waiter *waiter = waiter_new(revision, done, data);
    g_mutex_lock(&probe->lock);
    gboolean wait = store_revision(probe->store) < revision && !probe->stopped;
    if (wait)
        queue_insert(&probe->waiting, waiter);
    else if (probe->stopped)
        waiter->error = stopping_error();
    g_mutex_unlock(&probe->lock);
    if (!wait)
        waiter_finish(waiter);
}

void store_probe_reached(StoreProbe *probe, gint64 revision)
{
    StoreJobList jobs = {0};
    Waiter *waiter;
    g_mutex_lock(&probe->lock);
    while ((waiter = g_queue_peek_head(&probe->waiting)) && waiter->revision <= revision) {
        g_queue_pop_head(&probe->waiting);
        store_job_list_add(&jobs, &waiter->job);
    }
    g_mutex_unlock(&probe->lock);
    store_pump_push(probe->store->pump, &jobs);
}

/* etcd has answered: asks for those who came meanwhile, then lets go those who can go. */
static void on_revision(const EtcdRangeReply *reply, const GError *error, gpointer data)
{
    StoreProbe *probe = data;
    g_mutex_lock(&probe->lock);
    GPtrArray *asked = probe->asked;
    probe->asked = g_ptr_array_new();
    gboolean again = probe->next->len > 0;
    probe->asking = again;
    if (again) {
        GPtrArray *empty = probe->asked;
        probe->asked = probe->next;
        probe->next = empty;
    }
    gint64 reached = store_revision(probe->store);
    guint behind = 0;
    for (guint i = 0; i < asked->len; i++) {
        Waiter *waiter = asked->pdata[i];
        waiter->revision = reply ? reply->revision : 0;
        if (error)
            waiter->error = g_error_copy(error);
        else if (probe->stopped)
            waiter->error = stopping_error();
        else if (reached < reply->revision)
            queue_insert(&probe->waiting, waiter), behind++;
    }
    g_mutex_unlock(&probe->lock);
    if (again)
        probe_ask(probe);
    for (guint i = 0; behind == 0 && i < asked->len; i++)
        waiter_finish(asked->pdata[i]);
    g_ptr_array_unref(asked);
}

/* Any linearizable read tells the revision; this one returns nothing else. */
static void probe_ask(StoreProbe *probe)
{
    EtcdRange range = {.key = probe->store->prefix, .keys_only = TRUE};
    etcd_range(probe->store->etcd, &range, STORE_TIMEOUT_MS, on_revision, probe);
}

void store_probe_sync(StoreProbe *probe, StoreDone done, gpointer data)
{
    Waiter *waiter = waiter_new(0, done, data);
    g_mutex_lock(&probe->lock);
    gboolean stopped = probe->stopped, ask = !stopped && !probe->asking;
    if (stopped) {
        waiter->error = stopping_error();
    } else {
        g_ptr_array_add(ask ? probe->asked : probe->next, waiter);
        probe->asking = TRUE;
    }
    g_mutex_unlock(&probe->lock);
    if (ask)
        probe_ask(probe);
    if (stopped)
        waiter_finish(waiter);
}

/* Main context: gives up on what has waited too long; all of it when stopping. */
static void probe_expire(StoreProbe *probe, gboolean all)
{
    StoreJobList jobs = {0};
    gint64 now = g_get_monotonic_time(), reached = store_revision(probe->store);
    g_mutex_lock(&probe->lock);
    for (GList *link = probe->waiting.head, *next; link; link = next) {
        Waiter *waiter = link->data;
        next = link->next;
        if (!all && waiter->deadline > now)
            continue;
        waiter->error = all ? stopping_error()
                            : g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                                          "this server lags behind etcd: it has seen revision %" G_GINT64_FORMAT
                                          " of %" G_GINT64_FORMAT "; try again",
                                          reached, waiter->revision);
        g_queue_delete_link(&probe->waiting, link);
        store_job_list_add(&jobs, &waiter->job);
    }
    g_mutex_unlock(&probe->lock);
    store_pump_push(probe->store->pump, &jobs);
}

static gboolean on_patrol(gpointer data)
{
    probe_expire(data, FALSE);
    return G_SOURCE_CONTINUE;
}

StoreProbe *store_probe_new(Store *store)
{
    StoreProbe *probe = g_new0(StoreProbe, 1);
    probe->store = store;
    g_mutex_init(&probe->lock);
    g_queue_init(&probe->waiting);
    probe->asked = g_ptr_array_new();
    probe->next = g_ptr_array_new();
    probe->patrol = g_timeout_add(PATROL_MS, on_patrol, probe);
    return probe;
}

void store_probe_stop(StoreProbe *probe)
{
    g_clear_handle_id(&probe->patrol, g_source_remove);
    g_mutex_lock(&probe->lock);
    probe->stopped = TRUE;
    g_mutex_unlock(&probe->lock);
    probe_expire(probe, TRUE);
}

void store_probe_free(StoreProbe *probe)
{
    g_assert(!probe->asking && probe->waiting.length == 0);
    g_ptr_array_unref(probe->asked);
    g_ptr_array_unref(probe->next);
    g_mutex_clear(&probe->lock);
    g_free(probe);
}
