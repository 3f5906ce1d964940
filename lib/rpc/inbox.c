#include "lib/rpc/inbox.h"

#include "lib/rpc/poller.h"

struct RpcInbox {
    GSource source; /* first: the inbox is its own source */
    GMutex lock;
    RpcWork *first, **last; /* lock */
    guint n;                /* lock */
};

static GMutex inboxes_lock;
static GHashTable *inboxes; /* GMainContext (referenced) -> RpcInbox; inboxes_lock */

static RpcWork *inbox_pop(RpcInbox *inbox)
{
    g_mutex_lock(&inbox->lock);
    RpcWork *work = inbox->first;
    if (work) {
        inbox->first = work->next;
        if (!inbox->first)
            inbox->last = &inbox->first;
        inbox->n--;
    }
    g_mutex_unlock(&inbox->lock);
    return work;
}

/* Runs as many items as there were at the start, so that a busy peer cannot keep the loop's other sources waiting. Items are
 * taken one by one: a callback may iterate the context, and the inner iteration must find those that follow. */
static gboolean inbox_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    (void)callback, (void)data;
    RpcInbox *inbox = (RpcInbox *)source;
    g_source_set_ready_time(source, -1);
    g_mutex_lock(&inbox->lock);
    guint n = inbox->n;
    g_mutex_unlock(&inbox->lock);
    for (RpcWork *work; n > 0 && (work = inbox_pop(inbox)) != NULL; n--)
        work->run(work, !rpc_is_stopping());
    g_mutex_lock(&inbox->lock);
    gboolean more = inbox->first != NULL;
    g_mutex_unlock(&inbox->lock);
    if (more)
        g_source_set_ready_time(source, 0);
    return G_SOURCE_CONTINUE;
}

static void inbox_finalize(GSource *source)
{
    RpcInbox *inbox = (RpcInbox *)source;
    g_mutex_clear(&inbox->lock);
}

static GSourceFuncs inbox_funcs = {.dispatch = inbox_dispatch, .finalize = inbox_finalize};

static RpcInbox *inbox_new(GMainContext *context)
{
    GSource *source = g_source_new(&inbox_funcs, sizeof(RpcInbox));
    RpcInbox *inbox = (RpcInbox *)source;
    g_mutex_init(&inbox->lock);
    inbox->last = &inbox->first;
    g_source_set_static_name(source, "rpc");
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, context);
    return inbox;
}

RpcInbox *rpc_inbox_for(GMainContext *context)
{
    if (!context)
        return NULL;
    g_mutex_lock(&inboxes_lock);
    if (!inboxes)
        inboxes = g_hash_table_new(NULL, NULL);
    RpcInbox *inbox = g_hash_table_lookup(inboxes, context);
    if (!inbox) {
        inbox = inbox_new(context);
        g_hash_table_insert(inboxes, g_main_context_ref(context), inbox);
    }
    g_mutex_unlock(&inboxes_lock);
    return inbox;
}

void rpc_inbox_post(RpcInbox *inbox, RpcWork *work)
{
    if (!inbox) {
        work->run(work, !rpc_is_stopping());
        return;
    }
    work->next = NULL;
    g_mutex_lock(&inbox->lock);
    gboolean wake = inbox->first == NULL;
    *inbox->last = work;
    inbox->last = &work->next;
    inbox->n++;
    g_mutex_unlock(&inbox->lock);
    if (wake)
        g_source_set_ready_time(&inbox->source, 0);
}

void rpc_inbox_free_all(void)
{
    if (!inboxes)
        return;
    GHashTableIter iter;
    gpointer context, value;
    g_hash_table_iter_init(&iter, inboxes);
    while (g_hash_table_iter_next(&iter, &context, &value)) {
        RpcInbox *inbox = value;
        for (RpcWork *work; (work = inbox_pop(inbox)) != NULL;)
            work->run(work, FALSE);
        g_source_destroy(&inbox->source);
        g_source_unref(&inbox->source);
        g_main_context_unref(context);
    }
    g_clear_pointer(&inboxes, g_hash_table_destroy);
}
