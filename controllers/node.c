/* The node controller: signs of life, zones, and wiring. node-plan.c decides. */
#include "controllers/node.h"

#include <string.h>

#include "lib/api/labels.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

#define ANSWER_US (2 * G_USEC_PER_SEC) /* in which a server that is well answers */
#define LABEL_ZONE "topology.kubernetes.io/zone"

typedef struct {
    char *name;
    guint nodes, ready;
    NodeZoneState state;
    NodeBucket bucket;
} Zone;

/* What is known of a node besides its object. */
typedef struct {
    Zone *zone;
    gboolean ready;
    gint64 renewed_ns;   /* the lease, by the agent's clock, which need not agree with ours */
    gint64 seen_us;      /* when we saw the last sign of life, monotonic */
    GHashTable *doubted; /* of a lost node: uids of pods that were called not ready, to the revision that was doubted */
} Record;

typedef struct {
    GHashTable *records; /* node name to Record */
    GHashTable *zones;   /* Zone by name */
    gint64 grace_us;
    gint64 deaf_us; /* when we last found that we could not hear anybody, monotonic */
    double rate;
} State;

/* --- records --- */

static void record_free(gpointer pointer)
{
    Record *record = pointer;
    g_hash_table_unref(record->doubted);
    g_free(record);
}

static void zone_free(gpointer pointer)
{
    Zone *zone = pointer;
    g_free(zone->name);
    g_free(zone);
}

static void state_free(gpointer pointer)
{
    State *state = pointer;
    g_hash_table_unref(state->records);
    g_hash_table_unref(state->zones);
    g_free(state);
}

static Zone *get_zone(State *state, const char *name)
{
    Zone *zone = g_hash_table_lookup(state->zones, name);
    if (!zone) {
        zone = g_new0(Zone, 1);
        zone->name = g_strdup(name);
        g_hash_table_insert(state->zones, zone->name, zone);
    }
    return zone;
}

static Record *get_record(State *state, const char *node)
{
    Record *record = g_hash_table_lookup(state->records, node);
    if (!record) {
        record = g_new0(Record, 1);
        record->seen_us = g_get_monotonic_time();
        record->doubted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_hash_table_insert(state->records, g_strdup(node), record);
    }
    return record;
}

/* A renewal counts by its change, seen with our clock: a node with a wrong clock is not lost, and after a restart of
 * ours everyone has the whole grace period. */
static void note_renewal(State *state, const char *node, gint64 renewed_ns)
{
    Record *record = get_record(state, node);
    if (renewed_ns == 0 || renewed_ns == record->renewed_ns)
        return;
    record->renewed_ns = renewed_ns;
    record->seen_us = g_get_monotonic_time();
}

/* Only the agent writes a condition Ready that is not Unknown, so that a new one is a sign of life too. */
static void note_status(Record *record, const Node *old, const Node *now)
{
    const Core__V1__NodeCondition *before = old ? node_condition(old, "Ready") : NULL,
                                  *after = node_condition(now, "Ready");
    if (after && !api_str_equal(after->status, "Unknown") && !API_EQUAL(before, after))
        record->seen_us = g_get_monotonic_time();
}

static gint64 lease_renewed(const ProtobufCMessage *lease)
{
    const Coordination__V1__LeaseSpec *spec = lease ? ((const Coordination__V1__Lease *)lease)->spec : NULL;
    return spec ? api_micro_time_ns(spec->renewtime) : 0;
}

/* --- zones --- */

static void wake_all(Controller *controller)
{
    g_autoptr(GPtrArray) nodes = client_cache_list(controller_cache(controller, API_NODE), NULL);
    for (guint i = 0; i < nodes->len; i++)
        controller_wake_self(controller, NULL, nodes->pdata[i]);
}

static gboolean zone_update(Zone *zone)
{
    static const char *const names[] = {"normal", "partial disruption", "full disruption"};
    NodeZoneState state = node_zone_state(zone->nodes, zone->ready);
    if (zone->nodes == 0 || state == zone->state)
        return FALSE;
    log_info("zone \"%s\": %u of %u nodes are ready: %s", zone->name, zone->ready, zone->nodes, names[state]);
    zone->state = state;
    return TRUE;
}

/* What is right for a node depends on how its zone fares, and on whether any zone is left. */
static void zones_update(Controller *controller)
{
    GHashTableIter iter;
    gpointer zone;
    gboolean changed = FALSE;
    g_hash_table_iter_init(&iter, ((State *)controller_state(controller))->zones);
    while (g_hash_table_iter_next(&iter, NULL, &zone))
        changed |= zone_update(zone);
    if (changed)
        wake_all(controller);
}

static void record_leave_zone(Record *record)
{
    if (!record->zone)
        return;
    record->zone->nodes--;
    record->zone->ready -= record->ready;
    record->zone = NULL;
}

static gboolean all_zones_down(const State *state)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, state->zones);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Zone *zone = value;
        if (zone->ready > 0)
            return FALSE;
    }
    return TRUE;
}

/* --- waking --- */

static void wake_node(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    State *state = controller_state(controller);
    const char *name = api_object_name(now ? now : old);
    Record *record = get_record(state, name);
    record_leave_zone(record);
    if (now) {
        const Node *node = (const Node *)now;
        note_status(record, (const Node *)old, node);
        const char *zone = api_label(node->metadata, LABEL_ZONE);
        if (*node_ready(node)) { /* one that has just been made is no loss yet */
            record->zone = get_zone(state, zone ? zone : "");
            record->ready = g_str_equal(node_ready(node), "True");
            record->zone->nodes++;
            record->zone->ready += record->ready;
        }
    } else {
        g_hash_table_remove(state->records, name);
    }
    controller_add(controller, name);
}

/* Heartbeats are many: they only move the time at which the node would be lost. */
static void wake_lease(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    (void)old;
    if (now && g_str_equal(api_object_namespace(now), API_NAMESPACE_NODE_LEASE))
        note_renewal(controller_state(controller), api_object_name(now), lease_renewed(now));
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    (void)old;
    const char *name = now ? pod_node_name((const Pod *)now) : "";
    const Node *node = *name ? controller_get(controller, API_NODE, name) : NULL;
    if (node && g_str_equal(node_ready(node), "Unknown") && pod_is_ready((const Pod *)now))
        controller_add(controller, name);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    State *state = g_new0(State, 1);
    state->records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, record_free);
    state->zones = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, zone_free);
    state->grace_us = (gint64)options->node_grace_s * G_USEC_PER_SEC;
    state->rate = options->node_eviction_rate;
    controller_set_state(controller, state, state_free);
    controller_index(controller, API_POD, pod_index_node);
}

/* --- reconcile --- */

static gboolean may_evict(State *state, const Record *record, const Node *node, Plan *plan)
{
    gint64 wait_us;
    if (!record->zone || !node_wants_eviction(node))
        return FALSE;
    double rate = node_zone_rate(record->zone->state, record->zone->nodes, state->rate);
    if (node_bucket_take(&record->zone->bucket, rate, g_get_monotonic_time(), &wait_us))
        return TRUE;
    if (wait_us < G_MAXINT64)
        plan_after(plan, wait_us * 1000);
    return FALSE;
}

/* Ready pods of a lost node are doubted once. If one is reported ready after that, somebody there is alive, and is
 * believed: to insist would be a quarrel without end. */
static void keep_doubtful(Record *record, const Node *node, GPtrArray *pods)
{
    if (!g_str_equal(node_ready(node), "Unknown"))
        g_hash_table_remove_all(record->doubted);
    guint kept = 0;
    for (guint i = 0; i < pods->len; i++) {
        const Pod *pod = pods->pdata[i];
        gint64 revision = api_object_revision(&pod->base);
        const gint64 *doubted = g_hash_table_lookup(record->doubted, pod->metadata->uid);
        if (!pod_is_ready(pod) || (doubted && *doubted != revision))
            continue;
        if (!doubted && g_str_equal(node_ready(node), "Unknown"))
            g_hash_table_insert(record->doubted, g_strdup(pod->metadata->uid), g_memdup2(&revision, sizeof revision));
        pods->pdata[kept++] = pods->pdata[i];
    }
    g_ptr_array_set_size(pods, kept);
}

static void plan_node(Controller *controller, const Node *node, gboolean silent, Plan *plan)
{
    State *state = controller_state(controller);
    Record *record = get_record(state, node->metadata->name);
    g_autoptr(GPtrArray) pods = controller_by_index(controller, API_POD, pod_index_node, node->metadata->name);
    keep_doubtful(record, node, pods);
    NodeSituation situation = {.silent = silent, .evict_none = all_zones_down(state)};
    gboolean known = !silent || g_str_equal(node_ready(node), "Unknown"); /* otherwise only the status is written now */
    if (known && !situation.evict_none)
        situation.may_evict = may_evict(state, record, node, plan);
    node_plan(plan, node, (const Pod *const *)pods->pdata, pods->len, situation);
}

/* By how much the grace period is exceeded; negative: how much is left. */
static gint64 silence_us(const State *state, const Record *record)
{
    return g_get_monotonic_time() - MAX(record->seen_us, state->deaf_us) - state->grace_us;
}

/* What a node that seems silent is asked about. */
typedef struct {
    char *node;
    gint64 asked_us;
} Inquiry;

static void inquiry_free(gpointer pointer)
{
    Inquiry *inquiry = pointer;
    g_free(inquiry->node);
    g_free(inquiry);
}

/* The server was asked for the lease of a node that seemed silent. Only then do we know that not we are deaf. If the
 * answer took long, the server was away: nobody could renew anything, and all have the grace period once more. */
static void lease_asked(Plan *plan, const ProtobufCMessage *lease, const GError *error, gpointer data)
{
    (void)error;
    Controller *controller = data;
    State *state = controller_state(controller);
    const Inquiry *inquiry = plan->data;
    const char *name = inquiry->node;
    const Node *node = controller_get(controller, API_NODE, name);
    if (!node)
        return;
    if (g_get_monotonic_time() - inquiry->asked_us > ANSWER_US)
        state->deaf_us = g_get_monotonic_time();
    note_renewal(state, name, lease_renewed(lease));
    gint64 over_us = silence_us(state, get_record(state, name));
    if (over_us < 0)
        plan_after(plan, -over_us * 1000);
    else
        plan_node(controller, node, TRUE, plan);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    State *state = controller_state(controller);
    const Node *node = controller_get(controller, API_NODE, key);
    zones_update(controller);
    if (!node)
        return;
    PlanVerb verb;
    if (controller_failure(controller, key, &verb) && verb == PLAN_GET)
        state->deaf_us = g_get_monotonic_time();
    gint64 over_us = silence_us(state, get_record(state, key));
    if (over_us < 0) {
        plan_after(plan, -over_us * 1000);
        plan_node(controller, node, FALSE, plan);
    } else if (g_str_equal(node_ready(node), "Unknown")) {
        plan_node(controller, node, TRUE, plan);
    } else {
        Inquiry *inquiry = g_new0(Inquiry, 1);
        inquiry->node = g_strdup(key);
        inquiry->asked_us = g_get_monotonic_time();
        plan->data = inquiry;
        plan->free_data = inquiry_free;
        plan_get(plan, API_LEASE, API_NAMESPACE_NODE_LEASE, key, lease_asked, controller);
    }
}

static const ControllerWake wakes[] = {
    {API_INDEX_NODE, wake_node},
    {API_INDEX_LEASE, wake_lease},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow node_controller = {
    .name = "node",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
