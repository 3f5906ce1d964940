#include "agent/node.h"

#include "agent/node-status.h"
#include "lib/api/labels.h"
#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

#define LEASE_DURATION_S 40
#define STATUS_EVERY_S 300
#define CHECK_EVERY_MS 1000

struct Node {
    NodeOptions options;
    int refs; /* the owner's and one per call under way */
    gboolean closed;
    gboolean registered;
    gboolean held;                  /* the server has confirmed that the lease is ours */
    gint64 renewed_at; /* monotonic us; 0: not yet */
    Coordination__V1__Lease *lease; /* as the server last gave it; NULL: get it first */
    Core__V1__Node *object;         /* likewise */
    RuntimeReadiness readiness;
    char *message; /* of readiness */
    char *runtime_name;
    char *runtime_version;
    gboolean lease_busy; /* a call is under way */
    gboolean node_busy;
    gint64 lease_due; /* monotonic us */
    gint64 node_due;
    Backoff lease_backoff;
    Backoff node_backoff;
    guint timer;
};

gboolean node_lease_is_taken(const Coordination__V1__LeaseSpec *spec, const char *instance, gint64 now_ns)
{
    if (!spec || !spec->holderidentity || !spec->holderidentity[0] || g_str_equal(spec->holderidentity, instance))
        return FALSE;
    gint64 duration = (spec->has_leasedurationseconds ? spec->leasedurationseconds : LEASE_DURATION_S) * TIME_NS_PER_S;
    return now_ns - api_micro_time_ns(spec->renewtime) < duration;
}

static void node_unref(Node *node)
{
    if (--node->refs > 0)
        return;
    API_FREE(node->lease);
    API_FREE(node->object);
    g_free(node->message);
    g_free(node->runtime_name);
    g_free(node->runtime_version);
    g_free(node);
}

static void work(Node *node);

/* --- lease ------------------------------------------------------------------------------------------------------------*/

static void lease_failed(Node *node, const GError *error)
{
    guint wait = backoff_next(&node->lease_backoff);
    node->lease_due = g_get_monotonic_time() + wait * 1000;
    if (node->lease_backoff.failures == 1)
        log_warning("lease of node %s: %s; trying again", node->options.config->node_name, error->message);
}

static void refuse(Node *node, const Coordination__V1__LeaseSpec *spec)
{
    g_autofree char *since = time_format(api_micro_time_ns(spec->renewtime), 0);
    g_autofree char *why = g_strdup_printf(
        "node name \"%s\" is taken: agent instance %s renewed its lease at %s. Give this machine another "
        "--node-name, or stop that agent and try again after %d s",
        node->options.config->node_name, spec->holderidentity, since, LEASE_DURATION_S);
    node->options.refused(why, node->options.data);
}

/* After a silence the Node may have been called Unknown meanwhile: it is read again, so that its status is set right now and
 * not with the next heartbeat of five minutes. */
static void lease_renewed(Node *node, gint64 now)
{
    backoff_reset(&node->lease_backoff);
    gint64 silence = (gint64)2 * node->options.config->heartbeat_s * G_USEC_PER_SEC;
    if (node->renewed_at > 0 && now - node->renewed_at > silence && !node->node_busy) {
        api_set(node->object, NULL);
        node->node_due = now;
    }
    node->renewed_at = now;
}

/* The answer to any call about the lease. */
static void on_lease(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    Node *node = data;
    node->lease_busy = FALSE;
    if (node->closed) {
        node_unref(node);
        return;
    }
    const Coordination__V1__Lease *lease = (const Coordination__V1__Lease *)object;
    gint64 now = g_get_monotonic_time();
    if (!error && node_lease_is_taken(lease->spec, node->options.instance, time_now_ns())) {
        refuse(node, lease->spec);
    } else if (!error) {
        gboolean ours = lease->spec && api_str_equal(lease->spec->holderidentity, node->options.instance);
        gboolean renewed = ours && node->lease;
        api_set(node->lease, API_CLONE((Coordination__V1__Lease *)lease));
        node->lease_due = renewed ? now + node->options.config->heartbeat_s * G_USEC_PER_SEC : now;
        node->held |= renewed;
        if (renewed)
            lease_renewed(node, now);
    } else if (cleat_error_is(error, CLEAT_ERROR_CONFLICT) || cleat_error_is(error, CLEAT_ERROR_ALREADY_EXISTS) ||
               (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND) && node->lease)) {
        api_set(node->lease, NULL); /* read it again */
        lease_failed(node, error);
    } else if (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
        node->lease = API_NEW(Coordination__V1__Lease, coordination__v1__lease);
        node->lease_due = now;
    } else {
        lease_failed(node, error);
    }
    work(node);
    node_unref(node);
}

static void lease_fill(Node *node)
{
    const char *name = node->options.config->node_name;
    Meta__V1__ObjectMeta *meta = API_META(node->lease);
    if (!node->lease->spec)
        node->lease->spec = API_NEW(Coordination__V1__LeaseSpec, coordination__v1__lease_spec);
    Coordination__V1__LeaseSpec *spec = node->lease->spec;
    api_set_string(&meta->name, name);
    api_set_string(&meta->namespace_, API_NAMESPACE_NODE_LEASE);
    if (!api_str_equal(spec->holderidentity, node->options.instance)) {
        if (spec->holderidentity)
            api_set_scalar(spec, leasetransitions, spec->leasetransitions + 1);
        api_set_string(&spec->holderidentity, node->options.instance);
        api_set(spec->acquiretime, api_micro_time_new(time_now_ns()));
    }
    api_set_scalar(spec, leasedurationseconds, LEASE_DURATION_S);
    api_set(spec->renewtime, api_micro_time_new(time_now_ns()));
    if (meta->n_ownerreferences == 0 && node->object && api_object_uid(&node->object->base)[0]) {
        Meta__V1__OwnerReference *owner = api_owner_reference_new(API_NODE, &node->object->base);
        owner->has_controller = owner->has_blockownerdeletion = FALSE;
        api_append(meta->ownerreferences, meta->n_ownerreferences, owner);
    }
}

static void lease_work(Node *node)
{
    node->lease_busy = TRUE;
    node->refs++;
    if (!node->lease) {
        client_get(node->options.client, API_LEASE, API_NAMESPACE_NODE_LEASE, node->options.config->node_name, on_lease,
                   node);
        return;
    }
    lease_fill(node);
    if (api_object_revision(&node->lease->base) > 0)
        client_update(node->options.client, &node->lease->base, on_lease, node);
    else
        client_create(node->options.client, &node->lease->base, on_lease, node);
}

/* --- node -------------------------------------------------------------------------------------------------------------*/

static NodeInput input_of(Node *node)
{
    return (NodeInput){
        .config = node->options.config,
        .facts = node->options.facts,
        .readiness = node->readiness,
        .runtime_name = node->runtime_name,
        .runtime_version = node->runtime_version,
        .now_ns = time_now_ns(),
    };
}

static void node_failed(Node *node, const GError *error)
{
    guint wait = backoff_next(&node->node_backoff);
    node->node_due = g_get_monotonic_time() + wait * 1000;
    if (node->node_backoff.failures == 1)
        log_warning("node %s: %s; trying again", node->options.config->node_name, error->message);
}

/* Nothing to say: until the next change, or five minutes. */
static void node_settled(Node *node)
{
    backoff_reset(&node->node_backoff);
    node->node_due = g_get_monotonic_time() + STATUS_EVERY_S * G_USEC_PER_SEC;
    if (node->registered)
        return;
    node->registered = TRUE;
    node->options.registered(node->options.data);
}

/* The answer to any call about the node. What differs is found by the next node_work(). */
static void on_node(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    Node *node = data;
    node->node_busy = FALSE;
    if (node->closed) {
        node_unref(node);
        return;
    }
    if (!error) {
        api_set(node->object, API_CLONE((Core__V1__Node *)object));
        node->node_due = 0;
    } else if (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND) && !node->object) {
        node->object = API_NEW(Core__V1__Node, core__v1__node);
        node->node_due = 0;
    } else {
        if (cleat_error_is(error, CLEAT_ERROR_CONFLICT) || cleat_error_is(error, CLEAT_ERROR_NOT_FOUND) ||
            cleat_error_is(error, CLEAT_ERROR_ALREADY_EXISTS))
            api_set(node->object, NULL);
        node_failed(node, error);
    }
    work(node);
    node_unref(node);
}

static void node_create(Node *node, const NodeInput *input)
{
    api_set_string(&API_META(node->object)->name, node->options.config->node_name);
    node_set_labels(node->object, input);
    api_set(node->object->status, node_status_new(input, NULL));
    client_create(node->options.client, &node->object->base, on_node, node);
}

/* A status that is the same but for its heartbeat is written when the last one is five minutes old. */
static gboolean status_is_due(Node *node, const Core__V1__NodeStatus *status)
{
    const Core__V1__NodeStatus *old = node->object->status;
    if (!old || !node_status_same(old, status))
        return TRUE;
    gint64 written = 0;
    for (gsize i = 0; i < old->n_conditions; i++)
        written = MAX(written, api_time_ns(old->conditions[i]->lastheartbeattime));
    return time_now_ns() - written >= (STATUS_EVERY_S - 1) * TIME_NS_PER_S;
}

static void node_work(Node *node)
{
    NodeInput input = input_of(node);
    node->node_busy = TRUE;
    node->refs++;
    if (!node->object) {
        client_get(node->options.client, API_NODE, NULL, node->options.config->node_name, on_node, node);
        return;
    }
    if (api_object_revision(&node->object->base) == 0) {
        node_create(node, &input);
        return;
    }
    if (node_set_labels(node->object, &input)) {
        client_update(node->options.client, &node->object->base, on_node, node);
        return;
    }
    Core__V1__NodeStatus *status = node_status_new(&input, node->object->status);
    if (status_is_due(node, status)) {
        api_set(node->object->status, status);
        client_update_status(node->options.client, &node->object->base, on_node, node);
        return;
    }
    API_FREE(status);
    node->node_busy = FALSE;
    node->refs--;
    node_settled(node);
}

/* --- both -------------------------------------------------------------------------------------------------------------*/

/* The lease comes first: nothing is written to the Node before the name is ours. */
static void work(Node *node)
{
    gint64 now = g_get_monotonic_time();
    if (!node->lease_busy && now >= node->lease_due)
        lease_work(node);
    if (!node->node_busy && now >= node->node_due && node->held && node->readiness.heard)
        node_work(node);
}

static gboolean on_timer(gpointer data)
{
    work(data);
    return G_SOURCE_CONTINUE;
}

Node *node_new(const NodeOptions *options)
{
    Node *node = g_new0(Node, 1);
    node->options = *options;
    node->refs = 1;
    node->runtime_name = g_strdup("");
    node->runtime_version = g_strdup("");
    node->message = g_strdup("");
    node->readiness.message = node->message;
    node->lease_backoff = (Backoff){.first_ms = 200, .max_ms = 7000};
    node->node_backoff = (Backoff){.first_ms = 200, .max_ms = 10000};
    node->timer = g_timeout_add(CHECK_EVERY_MS, on_timer, node);
    work(node);
    return node;
}

void node_free(Node *node)
{
    if (!node)
        return;
    node->closed = TRUE;
    g_source_remove(node->timer);
    node_unref(node);
}

void node_set_runtime(Node *node, const Runtime *runtime)
{
    RuntimeReadiness readiness = runtime_readiness(runtime);
    g_free(node->message);
    g_free(node->runtime_name);
    g_free(node->runtime_version);
    node->message = g_strdup(readiness.message);
    node->runtime_name = g_strdup(runtime_name(runtime));
    node->runtime_version = g_strdup(runtime_version(runtime));
    node->readiness = readiness;
    node->readiness.message = node->message;
    node->node_due = 0;
    work(node);
}
