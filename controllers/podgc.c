#include "controllers/podgc.h"

#include <string.h>

#include "lib/base/time.h"

#define NODE_KEY_PREFIX "node:"
#define FINISHED_KEY "finished"
#define FINISHED_DELAY_MS 20000 /* many finish together */

void podgc_plan_lost(Plan *plan, const Pod *const *pods, gsize n)
{
    for (gsize i = 0; i < n; i++)
        plan_delete(plan, pods[i])->grace_s = 0; /* there is no agent that could confirm */
}

static int compare_age(const void *a, const void *b)
{
    const Pod *x = *(const Pod *const *)a, *y = *(const Pod *const *)b;
    gint64 created_x = api_time_ns(x->metadata->creationtimestamp),
           created_y = api_time_ns(y->metadata->creationtimestamp);
    if (created_x != created_y)
        return created_x < created_y ? -1 : 1;
    return g_strcmp0(x->metadata->name, y->metadata->name);
}

void podgc_plan_finished(Plan *plan, const Pod **pods, gsize n, guint max)
{
    if (n <= max)
        return;
    qsort(pods, n, sizeof *pods, compare_age);
    for (gsize i = 0; i < n - max; i++)
        plan_delete(plan, pods[i])->grace_s = 0;
}

/* --- wiring --- */

typedef struct {
    GHashTable *missing; /* node name to when it was first missed, monotonic us */
    guint finished;      /* pods */
    guint max;
    gint64 quarantine_us; /* a node may be deleted and come back: its pods have as long as those of a silent node */
} State;

static void state_free(gpointer pointer)
{
    State *state = pointer;
    g_hash_table_unref(state->missing);
    g_free(state);
}

static void wake_missing(Controller *controller, const char *node)
{
    State *state = controller_state(controller);
    if (!*node || controller_get(controller, API_NODE, node))
        return;
    if (!g_hash_table_contains(state->missing, node))
        g_hash_table_insert(state->missing, g_strdup(node),
                            g_memdup2(&(gint64){g_get_monotonic_time()}, sizeof(gint64)));
    g_autofree char *key = g_strconcat(NODE_KEY_PREFIX, node, NULL);
    controller_add(controller, key);
}

static void wake_node(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    State *state = controller_state(controller);
    if (now)
        g_hash_table_remove(state->missing, api_object_name(now));
    else
        wake_missing(controller, api_object_name(old));
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    State *state = controller_state(controller);
    state->finished += now && pod_is_finished((const Pod *)now);
    state->finished -= old && pod_is_finished((const Pod *)old);
    if (state->max > 0 && state->finished > state->max)
        controller_add_after(controller, FINISHED_KEY, FINISHED_DELAY_MS);
    if (now)
        wake_missing(controller, pod_node_name((const Pod *)now));
}

static void start(Controller *controller, const ControllersOptions *options)
{
    State *state = g_new0(State, 1);
    state->missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    state->max = options->terminated_pods_max;
    state->quarantine_us = (gint64)options->node_grace_s * G_USEC_PER_SEC;
    controller_set_state(controller, state, state_free);
    controller_index(controller, API_POD, pod_index_node);
}

/* data: the controller. */
static void node_asked(Plan *plan, const ProtobufCMessage *node, const GError *error, gpointer data)
{
    (void)error;
    if (node) /* the cache will learn of it */
        return;
    g_autoptr(GPtrArray) pods = controller_by_index(data, API_POD, pod_index_node, plan->data);
    podgc_plan_lost(plan, (const Pod *const *)pods->pdata, pods->len);
}

static void reconcile_node(Controller *controller, const char *node, Plan *plan)
{
    State *state = controller_state(controller);
    const gint64 *since = g_hash_table_lookup(state->missing, node);
    g_autoptr(GPtrArray) pods = controller_by_index(controller, API_POD, pod_index_node, node);
    if (!since || pods->len == 0) {
        g_hash_table_remove(state->missing, node);
        return;
    }
    gint64 wait_us = *since + state->quarantine_us - g_get_monotonic_time();
    if (wait_us > 0) {
        plan_after(plan, wait_us * 1000);
        return;
    }
    plan->data = g_strdup(node);
    plan->free_data = g_free;
    plan_get(plan, API_NODE, NULL, node, node_asked, controller);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const State *state = controller_state(controller);
    if (g_str_has_prefix(key, NODE_KEY_PREFIX)) {
        reconcile_node(controller, key + strlen(NODE_KEY_PREFIX), plan);
        return;
    }
    g_autoptr(GPtrArray) pods = client_cache_list(controller_cache(controller, API_POD), NULL);
    guint kept = 0;
    for (guint i = 0; i < pods->len; i++)
        if (pod_is_finished(pods->pdata[i]) && !pod_is_terminating(pods->pdata[i]))
            pods->pdata[kept++] = pods->pdata[i];
    podgc_plan_finished(plan, (const Pod **)pods->pdata, kept, state->max);
}

static const ControllerWake wakes[] = {
    {API_INDEX_NODE, wake_node},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow podgc_controller = {
    .name = "podgc",
    .concurrency = 4,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
