#include "client/queue.h"

#include "lib/base/backoff.h"

#define RETRY_FIRST_MS 5
#define RETRY_MAX_MS 60000

typedef struct {
    ClientQueue *queue;
    char *key;
    Backoff backoff;
    gboolean waiting; /* in queue->waiting */
    gboolean working;
    gboolean again;  /* added while in work */
    gint64 due;      /* of delay, in monotonic us */
    GSource *delay;  /* adds the key later; NULL: none */
} Item;

/* An item exists while its key waits, is delayed, is in work or has failed. */
struct ClientQueue {
    GMainContext *context;
    guint concurrency;
    guint working;
    ClientQueueWork work;
    gpointer data;
    GHashTable *items;  /* key -> Item* */
    GQueue waiting;     /* Item*, oldest first */
    GSource *dispatch;  /* starts work from the loop; NULL: nothing to start */
};

static void item_stop_delay(Item *item)
{
    if (!item->delay)
        return;
    g_source_destroy(item->delay);
    g_clear_pointer(&item->delay, g_source_unref);
}

static void item_free(gpointer data)
{
    Item *item = data;
    item_stop_delay(item);
    g_free(item->key);
    g_free(item);
}

ClientQueue *client_queue_new(GMainContext *context, guint concurrency, ClientQueueWork work, gpointer data)
{
    ClientQueue *queue = g_new0(ClientQueue, 1);
    queue->context = g_main_context_ref(context ? context : g_main_context_default());
    queue->concurrency = concurrency;
    queue->work = work;
    queue->data = data;
    queue->items = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, item_free);
    g_queue_init(&queue->waiting);
    return queue;
}

void client_queue_free(ClientQueue *queue)
{
    if (!queue)
        return;
    if (queue->dispatch) {
        g_source_destroy(queue->dispatch);
        g_source_unref(queue->dispatch);
    }
    g_queue_clear(&queue->waiting);
    g_hash_table_unref(queue->items);
    g_main_context_unref(queue->context);
    g_free(queue);
}

static Item *queue_item(ClientQueue *queue, const char *key)
{
    Item *item = g_hash_table_lookup(queue->items, key);
    if (!item) {
        item = g_new0(Item, 1);
        item->queue = queue;
        item->key = g_strdup(key);
        item->backoff = (Backoff){.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS};
        g_hash_table_insert(queue->items, item->key, item);
    }
    return item;
}

static gboolean queue_dispatch(gpointer data)
{
    ClientQueue *queue = data;
    g_clear_pointer(&queue->dispatch, g_source_unref);
    while (queue->working < queue->concurrency && !g_queue_is_empty(&queue->waiting)) {
        Item *item = g_queue_pop_head(&queue->waiting);
        item->waiting = FALSE;
        item->working = TRUE;
        queue->working++;
        g_autofree char *key = g_strdup(item->key); /* the work may be done, and the item gone, before it returns */
        queue->work(queue, key, queue->data);
    }
    return G_SOURCE_REMOVE;
}

/* Work starts from the loop only: add() and done() never call back into their caller. */
static void queue_schedule(ClientQueue *queue)
{
    if (queue->dispatch || queue->working >= queue->concurrency || g_queue_is_empty(&queue->waiting))
        return;
    queue->dispatch = g_idle_source_new();
    g_source_set_priority(queue->dispatch, G_PRIORITY_DEFAULT);
    g_source_set_callback(queue->dispatch, queue_dispatch, queue, NULL);
    g_source_attach(queue->dispatch, queue->context);
}

static void item_add(Item *item)
{
    if (item->working) {
        item->again = TRUE;
        return;
    }
    if (!item->waiting) {
        item->waiting = TRUE;
        g_queue_push_tail(&item->queue->waiting, item);
    }
    queue_schedule(item->queue);
}

void client_queue_add(ClientQueue *queue, const char *key)
{
    item_add(queue_item(queue, key));
}

static gboolean item_due(gpointer data)
{
    Item *item = data;
    g_clear_pointer(&item->delay, g_source_unref);
    item_add(item);
    return G_SOURCE_REMOVE;
}

static void item_add_after(Item *item, guint ms)
{
    gint64 due = g_get_monotonic_time() + (gint64)ms * 1000;
    if (item->delay && item->due <= due)
        return;
    item_stop_delay(item);
    item->due = due;
    item->delay = g_timeout_source_new(ms);
    g_source_set_callback(item->delay, item_due, item, NULL);
    g_source_attach(item->delay, item->queue->context);
}

void client_queue_add_after(ClientQueue *queue, const char *key, guint ms)
{
    item_add_after(queue_item(queue, key), ms);
}

void client_queue_done(ClientQueue *queue, const char *key, gboolean ok)
{
    Item *item = g_hash_table_lookup(queue->items, key);
    g_assert(item && item->working);
    item->working = FALSE;
    queue->working--;
    if (ok)
        backoff_reset(&item->backoff);
    else
        item_add_after(item, backoff_next(&item->backoff));
    if (item->again) {
        item->again = FALSE;
        item_add(item);
    }
    if (!item->waiting && !item->delay && item->backoff.failures == 0)
        g_hash_table_remove(queue->items, item->key);
    queue_schedule(queue);
}

guint client_queue_failures(const ClientQueue *queue, const char *key)
{
    const Item *item = g_hash_table_lookup(queue->items, key);
    return item ? item->backoff.failures : 0;
}

guint client_queue_length(const ClientQueue *queue)
{
    return g_queue_get_length((GQueue *)&queue->waiting) + queue->working;
}
