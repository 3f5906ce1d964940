#include "cleat/core/v1/core.pb-c.h"
#include "cleat/v1/core.pb-c.h"
#include "lib/api/status.h"
#include "lib/base/error.h"
#include "lib/base/time.h"
#include "server/store/key.h"
#include "server/verbs/write.h"

/* Binding assigns pods to nodes, many in one request: one etcd transaction, one write to its log. Each binding stands for itself: what
 * hinders one (the pod is gone, or bound already) is told in its result and leaves the others alone. */

#define BINDINGS_MAX 10000

typedef struct {
    Request *request;
    Cleat__V1__BindPodsRequest *message;
    StoreMutation *mutations; /* of those that are to be tried */
    guint n;
    guint *index;               /* which binding a mutation is for */
    Meta__V1__Status **results; /* of the bindings */
} BindOp;

/* One binding as a decision sees it. */
typedef struct {
    const Request *request;
    const Core__V1__Binding *binding;
} BindOne;

static void bind_free(BindOp *op)
{
    gsize n = op->message ? op->message->n_bindings : 0;
    for (guint i = 0; i < op->n; i++) {
        g_free(op->mutations[i].data);
        store_mutation_clear(&op->mutations[i]);
    }
    for (gsize i = 0; op->results && i < n; i++)
        API_FREE(op->results[i]);
    API_FREE(op->message);
    g_free(op->mutations);
    g_free(op->index);
    g_free(op->results);
    g_free(op);
}

static void set_condition(Core__V1__Pod *pod)
{
    Core__V1__PodCondition *condition = NULL;
    if (!pod->status)
        pod->status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    for (gsize i = 0; i < pod->status->n_conditions && !condition; i++) {
        if (api_str_equal(pod->status->conditions[i]->type, "PodScheduled"))
            condition = pod->status->conditions[i];
    }
    if (!condition) {
        condition = API_NEW(Core__V1__PodCondition, core__v1__pod_condition);
        condition->type = g_strdup("PodScheduled");
        api_append(pod->status->conditions, pod->status->n_conditions, condition);
    }
    api_set_string(&condition->status, "True");
    api_set_string(&condition->reason, NULL);
    api_set_string(&condition->message, NULL);
    api_set(condition->lasttransitiontime, api_time_new(time_now_ns()));
}

G_GNUC_PRINTF(4, 5)
static StoreAction refuse(const Core__V1__Binding *binding, GError **error, CleatErrorCode code, const char *format,
                          ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    GError *made = g_error_new(CLEAT_ERROR, (int)code, "pods \"%s\" %s", binding->metadata->name, text);
    cleat_error_set_object(made, "", "pods", binding->metadata->name);
    g_propagate_error(error, made);
    return STORE_KEEP;
}

/* StoreDecide */
static StoreAction decide_bind(StoreMutation *mutation, const StoreEntry *current, StoreChange *change, GError **error)
{
    const BindOne *one = mutation->data;
    const Core__V1__Binding *binding = one->binding;
    if (!current)
        return refuse(binding, error, CLEAT_ERROR_NOT_FOUND, "not found in namespace \"%s\"",
                      binding->metadata->namespace_);
    API_AUTO(ProtobufCMessage) object = store_entry_decode(current, error);
    if (!object)
        return STORE_KEEP;
    Core__V1__Pod *pod = (Core__V1__Pod *)object;
    const char *uid = api_str(binding->metadata->uid), *version = api_str(binding->metadata->resourceversion);
    if (uid[0] && !g_str_equal(uid, api_object_uid(object)))
        return refuse(binding, error, CLEAT_ERROR_CONFLICT, "has another uid: %s, not %s", api_object_uid(object), uid);
    if (version[0] && g_ascii_strtoll(version, NULL, 10) != current->revision)
        return refuse(binding, error, CLEAT_ERROR_CONFLICT, "has been modified");
    if (pod->metadata->deletiontimestamp)
        return refuse(binding, error, CLEAT_ERROR_CONFLICT, "is being deleted, cannot be assigned to a host");
    if (!pod->spec || api_str(pod->spec->nodename)[0])
        return refuse(binding, error, CLEAT_ERROR_CONFLICT, "is already assigned to node \"%s\"",
                      pod->spec ? pod->spec->nodename : "");
    api_set_string(&pod->spec->nodename, binding->target->name);
    set_condition(pod);
    return write_put(object, current, change);
}

static Meta__V1__Status *success(void)
{
    Meta__V1__Status *status = API_NEW(Meta__V1__Status, meta__v1__status);
    status->status = g_strdup("Success");
    return status;
}

static void bind_done(gpointer data)
{
    BindOp *op = data;
    for (guint i = 0; i < op->n; i++) {
        const GError *error = op->mutations[i].error;
        op->results[op->index[i]] = error ? api_status_from_error(error) : success();
    }
    Cleat__V1__BindPodsResponse response = CLEAT__V1__BIND_PODS_RESPONSE__INIT;
    response.results = op->results;
    response.n_results = op->message->n_bindings;
    g_autoptr(GBytes) bytes = api_message_pack(&response.base);
    rpc_server_call_reply(op->request->call, bytes);
    request_free(op->request);
    bind_free(op);
}

/* What is wrong with a binding in itself, if anything; seen: the keys of those before it. New error. */
static GError *bind_check(const Core__V1__Binding *binding, GHashTable *seen)
{
    const Meta__V1__ObjectMeta *meta = binding->metadata;
    const Core__V1__ObjectReference *target = binding->target;
    if (!meta || !api_str(meta->name)[0] || !api_str(meta->namespace_)[0])
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                           "binding: metadata.name and metadata.namespace are required");
    if (!target || !api_str(target->name)[0] || (api_str(target->kind)[0] && !g_str_equal(target->kind, "Node")))
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "binding of pods \"%s\": target.name must name a Node",
                           meta->name);
    g_autofree char *key = store_key_new(meta->namespace_, meta->name);
    if (!g_hash_table_add(seen, g_steal_pointer(&key)))
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_CONFLICT, "pods \"%s\" is bound twice in one request", meta->name);
    return NULL;
}

static void bind_run(BindOp *op)
{
    gsize n = op->message->n_bindings;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    op->results = g_new0(Meta__V1__Status *, n);
    op->mutations = g_new0(StoreMutation, n);
    op->index = g_new(guint, n);
    for (gsize i = 0; i < n; i++) {
        const Core__V1__Binding *binding = op->message->bindings[i];
        g_autoptr(GError) error = bind_check(binding, seen);
        if (error) {
            op->results[i] = api_status_from_error(error);
            continue;
        }
        BindOne one = {op->request, binding};
        op->index[op->n] = (guint)i;
        op->mutations[op->n++] = (StoreMutation){
            .resource = op->request->resource,
            .key = store_key_new(binding->metadata->namespace_, binding->metadata->name),
            .data = g_memdup2(&one, sizeof one),
        };
    }
    store_mutate(op->request->context->store, op->mutations, op->n, decide_bind, bind_done, op);
}

void verb_bind(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(body, &size);
    BindOp *op = g_new0(BindOp, 1);
    op->request = request;
    op->message =
        (Cleat__V1__BindPodsRequest *)request_decode(&cleat__v1__bind_pods_request__descriptor, bytes, size, &error);
    if (op->message && op->message->n_bindings > BINDINGS_MAX)
        error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_TOO_LARGE, "%zu bindings in one request; %d are allowed",
                            op->message->n_bindings, BINDINGS_MAX);
    if (!error && request_authorize(request, NULL, &error)) {
        bind_run(op);
        return;
    }
    request_fail(request, error);
    bind_free(op);
}
