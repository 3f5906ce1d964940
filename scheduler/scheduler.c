#include "scheduler/scheduler.h"

#include "client/cache.h"
#include "client/events.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"
#include "scheduler/queue.h"

#define SLICE_US 5000    /* the loop is given back after so long */
#define BATCH_MAX 128    /* bindings in one request */
#define BATCHES_MAX 8    /* requests under way; more wait, and with them the search */

/* A pod that has a node: bound, or assumed to be while its binding is under way. */
typedef struct {
    SchedPod *pod;
    char *node_name;
    gint node; /* position; -1: the node is not known (yet, or any more) */
    gboolean assumed;
} Placed;

struct Scheduler {
    Client *client;
    char *name;
    gboolean active;
    ClientCache *nodes;
    ClientCache *pods;
    ClientEvents *events;
    SchedEngine *engine;
    SchedQueue *queue;
    GHashTable *placed;  /* pod key -> Placed*, owns */
    GHashTable *by_node; /* node name -> GHashTable set of Placed* */
    GPtrArray *batch;    /* Core__V1__Binding*, owns */
    guint batches;       /* requests under way */
    GSource *work;       /* runs while there is something to place */
    GSource *timer;      /* for pods in back-off */
};

static void scheduler_schedule(Scheduler *scheduler);

/* --- pods with a node ---------------------------------------------------------------------------------------------------*/

static void placed_free(gpointer data)
{
    Placed *placed = data;
    sched_pod_free(placed->pod);
    g_free(placed->node_name);
    g_free(placed);
}

/* Takes over pod. */
static void scheduler_place(Scheduler *scheduler, SchedPod *pod, const char *node_name, gboolean assumed)
{
    Placed *placed = g_new0(Placed, 1);
    placed->pod = pod;
    placed->node_name = g_strdup(node_name);
    placed->node = sched_nodes_find(sched_engine_nodes(scheduler->engine), node_name);
    placed->assumed = assumed;
    if (placed->node >= 0)
        sched_engine_assign(scheduler->engine, pod, (guint)placed->node);
    g_hash_table_insert(scheduler->placed, pod->key, placed);
    GHashTable *set = g_hash_table_lookup(scheduler->by_node, node_name);
    if (!set) {
        set = g_hash_table_new(NULL, NULL);
        g_hash_table_insert(scheduler->by_node, g_strdup(node_name), set);
    }
    g_hash_table_add(set, placed);
}

/* Takes a pod off its node and returns it, NULL if it has none. */
static SchedPod *scheduler_unplace(Scheduler *scheduler, const char *key)
{
    Placed *placed = g_hash_table_lookup(scheduler->placed, key);
    if (!placed)
        return NULL;
    if (placed->node >= 0)
        sched_engine_unassign(scheduler->engine, placed->pod, (guint)placed->node);
    GHashTable *set = g_hash_table_lookup(scheduler->by_node, placed->node_name);
    g_hash_table_remove(set, placed);
    if (g_hash_table_size(set) == 0)
        g_hash_table_remove(scheduler->by_node, placed->node_name);
    g_hash_table_steal(scheduler->placed, key);
    SchedPod *pod = g_steal_pointer(&placed->pod);
    placed_free(placed);
    sched_queue_wake(scheduler->queue, SCHED_EVENT_ROOM, g_get_monotonic_time());
    scheduler_schedule(scheduler);
    return pod;
}

/* The pods of a node follow it: counted while it is known. node -1: it is not. */
static void scheduler_move_pods(Scheduler *scheduler, const char *node_name, gint node)
{
    GHashTable *set = g_hash_table_lookup(scheduler->by_node, node_name);
    if (!set)
        return;
    GHashTableIter iter;
    gpointer item;
    g_hash_table_iter_init(&iter, set);
    while (g_hash_table_iter_next(&iter, &item, NULL)) {
        Placed *placed = item;
        if (placed->node >= 0)
            sched_engine_unassign(scheduler->engine, placed->pod, (guint)placed->node);
        placed->node = node;
        if (node >= 0)
            sched_engine_assign(scheduler->engine, placed->pod, (guint)node);
    }
}

/* --- what the caches tell ------------------------------------------------------------------------------------------------*/

static void on_node(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    (void)cache;
    Scheduler *scheduler = data;
    SchedNodes *nodes = sched_engine_nodes(scheduler->engine);
    if (!now) {
        scheduler_move_pods(scheduler, api_object_name(old), -1);
        sched_nodes_remove(nodes, api_object_name(old));
        return;
    }
    gboolean grew;
    gint node = (gint)sched_nodes_put(nodes, (const Core__V1__Node *)now, &grew);
    if (!old)
        scheduler_move_pods(scheduler, api_object_name(now), node);
    if (grew) {
        sched_queue_wake(scheduler->queue, SCHED_EVENT_NODE, g_get_monotonic_time());
        scheduler_schedule(scheduler);
    }
}

static gboolean pod_is_finished(const Core__V1__Pod *pod)
{
    const char *phase = pod->status ? api_str(pod->status->phase) : "";
    return g_str_equal(phase, "Succeeded") || g_str_equal(phase, "Failed");
}

/* The node that the pod takes room on, or NULL. */
static const char *pod_node(const Core__V1__Pod *pod)
{
    if (!pod || !pod->spec || !pod->spec->nodename || !*pod->spec->nodename || pod_is_finished(pod))
        return NULL;
    return pod->spec->nodename;
}

static gboolean pod_is_pending(const Scheduler *scheduler, const Core__V1__Pod *pod)
{
    return pod && pod->spec && !*api_str(pod->spec->nodename) && !pod_is_finished(pod) && !pod->metadata->deletiontimestamp &&
           g_str_equal(api_str(pod->spec->schedulername), scheduler->name);
}

static void scheduler_pod_placed(Scheduler *scheduler, const char *key, const Core__V1__Pod *pod, const char *node_name)
{
    sched_queue_remove(scheduler->queue, key);
    Placed *placed = g_hash_table_lookup(scheduler->placed, key);
    if (placed && g_str_equal(placed->node_name, node_name) && g_str_equal(placed->pod->uid, api_object_uid(&pod->base))) {
        placed->assumed = FALSE;
        return;
    }
    sched_pod_free(scheduler_unplace(scheduler, key));
    scheduler_place(scheduler, sched_pod_new(pod, sched_engine_nodes(scheduler->engine)), node_name, FALSE);
}

static void on_pod(ClientCache *cache, const ProtobufCMessage *old_object, const ProtobufCMessage *now_object, gpointer data)
{
    (void)cache;
    Scheduler *scheduler = data;
    const Core__V1__Pod *old = (const Core__V1__Pod *)old_object, *now = (const Core__V1__Pod *)now_object;
    g_autofree char *key = api_object_key(now ? now_object : old_object);
    const char *node_name = pod_node(now);
    if (node_name) {
        scheduler_pod_placed(scheduler, key, now, node_name);
        return;
    }
    gboolean pending = pod_is_pending(scheduler, now);
    const Placed *placed = g_hash_table_lookup(scheduler->placed, key);
    if (pending && placed && placed->assumed && g_str_equal(placed->pod->uid, api_object_uid(now_object)))
        return; /* its binding is under way */
    sched_pod_free(scheduler_unplace(scheduler, key));
    if (!pending) {
        sched_queue_remove(scheduler->queue, key);
        return;
    }
    gboolean same = old && g_str_equal(api_object_uid(old_object), api_object_uid(now_object)) && API_EQUAL(old->spec, now->spec);
    if (same && sched_queue_has(scheduler->queue, key))
        return; /* only its status changed: it goes on waiting for what it waits for */
    sched_queue_add(scheduler->queue, sched_pod_new(now, sched_engine_nodes(scheduler->engine)));
    scheduler_schedule(scheduler);
}

/* --- binding -------------------------------------------------------------------------------------------------------------*/

typedef struct {
    Scheduler *scheduler;
    GPtrArray *bindings; /* Core__V1__Binding*, owns */
} Batch;

/* A binding failed: if the pod still has no node, it is tried again. */
static void scheduler_bind_failed(Scheduler *scheduler, const char *key, const char *why)
{
    const Placed *placed = g_hash_table_lookup(scheduler->placed, key);
    if (!placed || !placed->assumed)
        return; /* the cache knew better already */
    SchedPod *pod = scheduler_unplace(scheduler, key);
    const Core__V1__Pod *message = (const Core__V1__Pod *)client_cache_get_key(scheduler->pods, key);
    if (!pod_is_pending(scheduler, message) || !g_str_equal(api_object_uid(&message->base), pod->uid)) {
        sched_pod_free(pod);
        return;
    }
    log_warning("pod %s: not bound: %s", key, why);
    client_event(scheduler->events, &message->base, "Warning", "FailedScheduling", "binding failed: %s", why);
    sched_queue_retry(scheduler->queue, pod, g_get_monotonic_time());
}

static void on_bound(Meta__V1__Status *const *results, gsize n, const GError *error, gpointer data)
{
    g_autofree Batch *batch = data;
    Scheduler *scheduler = batch->scheduler;
    if (cleat_error_is(error, CLEAT_ERROR_CANCELLED)) {
        g_ptr_array_unref(batch->bindings);
        return; /* by the end of the client, and of the scheduler with it */
    }
    scheduler->batches--;
    for (guint i = 0; i < batch->bindings->len; i++) {
        const Core__V1__Binding *binding = batch->bindings->pdata[i];
        g_autofree char *key = api_object_key(&binding->base);
        if (error || i >= n) {
            scheduler_bind_failed(scheduler, key, error ? error->message : "the server gave no result");
        } else if (!api_str_equal(results[i]->status, "Success")) {
            scheduler_bind_failed(scheduler, key, api_str(results[i]->message));
        } else {
            const ProtobufCMessage *pod = client_cache_get_key(scheduler->pods, key);
            if (pod)
                client_event(scheduler->events, pod, "Normal", "Scheduled", "Successfully assigned %s to %s", key,
                             binding->target->name);
        }
    }
    g_ptr_array_unref(batch->bindings);
    scheduler_schedule(scheduler);
}

static void scheduler_flush_batch(Scheduler *scheduler)
{
    if (scheduler->batch->len == 0)
        return;
    Batch *batch = g_new(Batch, 1);
    *batch = (Batch){scheduler, scheduler->batch};
    scheduler->batch = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    scheduler->batches++;
    client_bind(scheduler->client, (Core__V1__Binding *const *)batch->bindings->pdata, batch->bindings->len, on_bound, batch);
}

static Core__V1__Binding *binding_new(const SchedPod *pod, const char *node_name)
{
    Core__V1__Binding *binding = API_NEW(Core__V1__Binding, core__v1__binding);
    binding->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    api_key_split(pod->key, &binding->metadata->namespace_, &binding->metadata->name);
    binding->metadata->uid = g_strdup(pod->uid);
    binding->target = API_NEW(Core__V1__ObjectReference, core__v1__object_reference);
    binding->target->kind = g_strdup("Node");
    binding->target->name = g_strdup(node_name);
    return binding;
}

/* --- placing -------------------------------------------------------------------------------------------------------------*/

static Core__V1__PodCondition *pod_condition(Core__V1__PodStatus *status, const char *type)
{
    for (gsize i = 0; i < status->n_conditions; i++)
        if (api_str_equal(status->conditions[i]->type, type))
            return status->conditions[i];
    Core__V1__PodCondition *condition = API_NEW(Core__V1__PodCondition, core__v1__pod_condition);
    condition->type = g_strdup(type);
    api_append(status->conditions, status->n_conditions, condition);
    return condition;
}

/* Tells the user why a pod fits nowhere: an event, and the condition PodScheduled. */
static void scheduler_tell_unschedulable(Scheduler *scheduler, const SchedPod *pod, const char *why)
{
    const ProtobufCMessage *known = client_cache_get_key(scheduler->pods, pod->key);
    if (!known)
        return;
    client_event(scheduler->events, known, "Warning", "FailedScheduling", "%s", why);
    API_AUTO(Core__V1__Pod) changed = (Core__V1__Pod *)api_message_clone(known);
    if (!changed->status)
        changed->status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    Core__V1__PodCondition *condition = pod_condition(changed->status, "PodScheduled");
    if (api_str_equal(condition->status, "False") && api_str_equal(condition->message, why))
        return;
    if (!api_str_equal(condition->status, "False"))
        api_set(condition->lasttransitiontime, api_time_new(time_now_ns()));
    api_set_string(&condition->status, "False");
    api_set_string(&condition->reason, "Unschedulable");
    api_set_string(&condition->message, why);
    client_update_status(scheduler->client, &changed->base, NULL, NULL); /* told anew by the next attempt if it fails */
}

static void scheduler_try(Scheduler *scheduler, SchedPod *pod)
{
    gint node = sched_engine_place(scheduler->engine, pod);
    if (node < 0) {
        guint events;
        g_autofree char *why = sched_engine_explain(scheduler->engine, pod, &events);
        scheduler_tell_unschedulable(scheduler, pod, why);
        sched_queue_wait(scheduler->queue, pod, events, g_get_monotonic_time());
        return;
    }
    const char *node_name = sched_engine_nodes(scheduler->engine)->names[node];
    g_ptr_array_add(scheduler->batch, binding_new(pod, node_name));
    scheduler_place(scheduler, pod, node_name, TRUE);
    if (scheduler->batch->len >= BATCH_MAX)
        scheduler_flush_batch(scheduler);
}

static gboolean on_timer(gpointer data)
{
    Scheduler *scheduler = data;
    g_clear_pointer(&scheduler->timer, g_source_unref);
    scheduler_schedule(scheduler);
    return G_SOURCE_REMOVE;
}

static void scheduler_arm_timer(Scheduler *scheduler, gint64 due)
{
    if (scheduler->timer) {
        g_source_destroy(scheduler->timer);
        g_clear_pointer(&scheduler->timer, g_source_unref);
    }
    if (due < 0)
        return;
    scheduler->timer = g_timeout_source_new(0);
    g_source_set_ready_time(scheduler->timer, due);
    g_source_set_callback(scheduler->timer, on_timer, scheduler, NULL);
    g_source_attach(scheduler->timer, client_context(scheduler->client));
}

/* One slice of work: places pods for SLICE_US, then sends what it has. */
static gboolean on_work(gpointer data)
{
    Scheduler *scheduler = data;
    gint64 now = g_get_monotonic_time(), end = now + SLICE_US;
    gint64 due = sched_queue_flush(scheduler->queue, now);
    SchedPod *pod;
    while (scheduler->batches < BATCHES_MAX && g_get_monotonic_time() < end && (pod = sched_queue_pop(scheduler->queue)))
        scheduler_try(scheduler, pod);
    scheduler_flush_batch(scheduler);
    if (scheduler->batches < BATCHES_MAX && sched_queue_active(scheduler->queue) > 0)
        return G_SOURCE_CONTINUE;
    gint64 later = sched_queue_flush(scheduler->queue, now); /* pods that this slice has put aside */
    scheduler_arm_timer(scheduler, later >= 0 ? later : due);
    g_clear_pointer(&scheduler->work, g_source_unref);
    return G_SOURCE_REMOVE;
}

/* Makes the loop look for work, when there may be some. */
static void scheduler_schedule(Scheduler *scheduler)
{
    if (scheduler->work || !scheduler->active || !client_cache_is_synced(scheduler->pods) ||
        !client_cache_is_synced(scheduler->nodes) || scheduler->batches >= BATCHES_MAX)
        return;
    scheduler->work = g_idle_source_new();
    g_source_set_priority(scheduler->work, G_PRIORITY_DEFAULT);
    g_source_set_callback(scheduler->work, on_work, scheduler, NULL);
    g_source_attach(scheduler->work, client_context(scheduler->client));
}

static void on_synced(ClientCache *cache, gpointer data)
{
    log_info("%u %s known", client_cache_size(cache), client_cache_resource(cache)->plural);
    scheduler_schedule(data);
}

Scheduler *scheduler_new(Client *client, const char *name)
{
    Scheduler *scheduler = g_new0(Scheduler, 1);
    scheduler->client = client;
    scheduler->name = g_strdup(name);
    scheduler->engine = sched_engine_new();
    scheduler->queue = sched_queue_new();
    scheduler->events = client_events_new(client, name, NULL);
    scheduler->placed = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, placed_free);
    scheduler->by_node = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    scheduler->batch = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    ClientCacheOptions options = {.changed = on_node, .synced = on_synced, .data = scheduler};
    scheduler->nodes = client_cache_new(client, API_NODE, &options);
    options.changed = on_pod;
    scheduler->pods = client_cache_new(client, API_POD, &options);
    return scheduler;
}

static void source_stop(GSource *source)
{
    if (!source)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}

void scheduler_free(Scheduler *scheduler)
{
    if (!scheduler)
        return;
    source_stop(scheduler->work);
    source_stop(scheduler->timer);
    client_cache_free(scheduler->pods);
    client_cache_free(scheduler->nodes);
    client_events_free(scheduler->events);
    g_ptr_array_unref(scheduler->batch);
    g_hash_table_unref(scheduler->by_node);
    g_hash_table_unref(scheduler->placed);
    sched_queue_free(scheduler->queue);
    sched_engine_free(scheduler->engine);
    g_free(scheduler->name);
    g_free(scheduler);
}

void scheduler_activate(Scheduler *scheduler)
{
    scheduler->active = TRUE;
    scheduler_schedule(scheduler);
}
