#include "scheduler/queue.h"

#define BACKOFF_FIRST (1 * G_USEC_PER_SEC)
#define BACKOFF_MAX (10 * G_USEC_PER_SEC)
#define WAIT_MAX (300 * G_USEC_PER_SEC)

typedef enum { PLACE_ACTIVE, PLACE_BACKOFF, PLACE_WAITING } Place;

typedef struct {
    SchedPod *pod;
    Place place;
    GSequenceIter *at; /* in active or in timed */
    gint64 due;        /* back-off: when it becomes active; waiting: when it has waited long enough */
    gint64 ready;      /* waiting: not to be tried before this, whatever happens */
    guint events;      /* waiting */
} Item;

struct SchedQueue {
    GHashTable *items; /* key -> Item*, owns */
    GSequence *active; /* Item*, by priority and age */
    GSequence *timed;  /* Item* in back-off or waiting, by due */
};

static void item_free(gpointer data)
{
    Item *item = data;
    sched_pod_free(item->pod);
    g_free(item);
}

static gint compare_active(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    const SchedPod *x = ((const Item *)a)->pod, *y = ((const Item *)b)->pod;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->created_ns < y->created_ns ? -1 : x->created_ns > y->created_ns;
}

static gint compare_due(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    gint64 x = ((const Item *)a)->due, y = ((const Item *)b)->due;
    return x < y ? -1 : x > y;
}

SchedQueue *sched_queue_new(void)
{
    SchedQueue *queue = g_new0(SchedQueue, 1);
    queue->items = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, item_free);
    queue->active = g_sequence_new(NULL);
    queue->timed = g_sequence_new(NULL);
    return queue;
}

void sched_queue_free(SchedQueue *queue)
{
    if (!queue)
        return;
    g_sequence_free(queue->active);
    g_sequence_free(queue->timed);
    g_hash_table_unref(queue->items);
    g_free(queue);
}

static void queue_put(SchedQueue *queue, Item *item, Place place)
{
    item->place = place;
    item->at = place == PLACE_ACTIVE ? g_sequence_insert_sorted(queue->active, item, compare_active, NULL)
                                     : g_sequence_insert_sorted(queue->timed, item, compare_due, NULL);
}

static Item *queue_take_over(SchedQueue *queue, SchedPod *pod)
{
    sched_queue_remove(queue, pod->key);
    Item *item = g_new0(Item, 1);
    item->pod = pod;
    g_hash_table_insert(queue->items, pod->key, item);
    return item;
}

void sched_queue_add(SchedQueue *queue, SchedPod *pod)
{
    queue_put(queue, queue_take_over(queue, pod), PLACE_ACTIVE);
}

void sched_queue_remove(SchedQueue *queue, const char *key)
{
    Item *item = g_hash_table_lookup(queue->items, key);
    if (!item)
        return;
    g_sequence_remove(item->at);
    g_hash_table_remove(queue->items, key);
}

gboolean sched_queue_has(const SchedQueue *queue, const char *key)
{
    return g_hash_table_contains(queue->items, key);
}

SchedPod *sched_queue_pop(SchedQueue *queue)
{
    GSequenceIter *first = g_sequence_get_begin_iter(queue->active);
    if (g_sequence_iter_is_end(first))
        return NULL;
    Item *item = g_sequence_get(first);
    SchedPod *pod = g_steal_pointer(&item->pod);
    g_sequence_remove(first);
    g_hash_table_steal(queue->items, pod->key);
    g_free(item);
    return pod;
}

/* Counts the attempt; the time before which the pod is not tried again. */
static gint64 pod_tried(SchedPod *pod, gint64 now)
{
    gint64 delay = BACKOFF_FIRST << MIN(pod->attempts, 10);
    pod->attempts++;
    return now + MIN(delay, BACKOFF_MAX);
}

void sched_queue_retry(SchedQueue *queue, SchedPod *pod, gint64 now)
{
    Item *item = queue_take_over(queue, pod);
    item->due = pod_tried(pod, now);
    queue_put(queue, item, PLACE_BACKOFF);
}

void sched_queue_wait(SchedQueue *queue, SchedPod *pod, guint events, gint64 now)
{
    Item *item = queue_take_over(queue, pod);
    item->ready = pod_tried(pod, now);
    item->due = now + WAIT_MAX;
    item->events = events;
    queue_put(queue, item, PLACE_WAITING);
}

void sched_queue_wake(SchedQueue *queue, guint events, gint64 now)
{
    g_autoptr(GPtrArray) woken = g_ptr_array_new();
    for (GSequenceIter *at = g_sequence_get_begin_iter(queue->timed); !g_sequence_iter_is_end(at); at = g_sequence_iter_next(at)) {
        Item *item = g_sequence_get(at);
        if (item->place == PLACE_WAITING && item->events & events)
            g_ptr_array_add(woken, item);
    }
    for (guint i = 0; i < woken->len; i++) {
        Item *item = woken->pdata[i];
        g_sequence_remove(item->at);
        item->due = item->ready;
        queue_put(queue, item, item->ready <= now ? PLACE_ACTIVE : PLACE_BACKOFF);
    }
}

gint64 sched_queue_flush(SchedQueue *queue, gint64 now)
{
    for (;;) {
        GSequenceIter *first = g_sequence_get_begin_iter(queue->timed);
        if (g_sequence_iter_is_end(first))
            return -1;
        Item *item = g_sequence_get(first);
        if (item->due > now)
            return item->due;
        g_sequence_remove(first);
        queue_put(queue, item, PLACE_ACTIVE);
    }
}

guint sched_queue_active(const SchedQueue *queue)
{
    return (guint)g_sequence_get_length(queue->active);
}

guint sched_queue_size(const SchedQueue *queue)
{
    return g_hash_table_size(queue->items);
}
