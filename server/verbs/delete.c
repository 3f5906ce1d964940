#include "cleat/v1/requests.pb-c.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "lib/base/time.h"
#include "server/verbs/write.h"

/* Deletion. An object goes at once if nothing holds it. Otherwise deletionTimestamp says that it is to go: finalizers hold it
 * until whoever put them there has taken them off (by Update), and a grace holds a pod until its node's agent, having stopped
 * the containers, deletes it again with a grace of 0. */

typedef struct {
    const char *policy;    /* propagationPolicy */
    const char *finalizer; /* by which it is carried out; NULL: none */
} Propagation;

static const Propagation propagations[] = {
    {"Background", NULL},
    {"Foreground", API_FINALIZER_FOREGROUND},
    {"Orphan", API_FINALIZER_ORPHAN},
};

static const Propagation *find_propagation(const char *policy)
{
    for (guint i = 0; i < G_N_ELEMENTS(propagations); i++) {
        if (g_str_equal(propagations[i].policy, policy))
            return &propagations[i];
    }
    return NULL;
}

static gboolean check_options(const Meta__V1__DeleteOptions *options, GError **error)
{
    if (!write_refuse_dry_run(options->n_dryrun, error))
        return FALSE;
    const char *policy = api_str(options->propagationpolicy);
    if (policy[0] && !find_propagation(policy)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "propagationPolicy \"%s\" is none of Background, Foreground, Orphan", policy);
        return FALSE;
    }
    if (policy[0] && options->has_orphandependents) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "propagationPolicy and orphanDependents must not both be given");
        return FALSE;
    }
    if (options->graceperiodseconds < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "gracePeriodSeconds must not be negative");
        return FALSE;
    }
    return TRUE;
}

static void finalizer_set(Meta__V1__ObjectMeta *meta, const char *finalizer, gboolean wanted)
{
    for (gsize i = 0; i < meta->n_finalizers; i++) {
        if (!g_str_equal(meta->finalizers[i], finalizer))
            continue;
        if (wanted)
            return;
        g_free(meta->finalizers[i]);
        meta->n_finalizers--;
        for (gsize k = i; k < meta->n_finalizers; k++)
            meta->finalizers[k] = meta->finalizers[k + 1];
        i--;
    }
    if (wanted)
        api_append(meta->finalizers, meta->n_finalizers, g_strdup(finalizer));
}

/* The finalizers that carry out what becomes of the objects that this one owns. */
static void set_propagation(Meta__V1__ObjectMeta *meta, const Meta__V1__DeleteOptions *options)
{
    const char *policy = api_str(options->propagationpolicy);
    if (options->has_orphandependents)
        policy = options->orphandependents ? "Orphan" : "Background";
    if (!policy[0])
        return;
    const Propagation *chosen = find_propagation(policy);
    for (guint i = 0; i < G_N_ELEMENTS(propagations); i++) {
        if (propagations[i].finalizer)
            finalizer_set(meta, propagations[i].finalizer, &propagations[i] == chosen);
    }
}

/* Seconds of grace for this deletion: the kind's, which the client may change, but not where there is nobody to wait for. */
static gint64 grace_of(const Request *request, const ProtobufCMessage *object, const Meta__V1__DeleteOptions *options)
{
    gint64 grace = request->resource->deletion_grace ? request->resource->deletion_grace(object) : 0;
    return grace > 0 && options->has_graceperiodseconds ? options->graceperiodseconds : grace;
}

static void begin_deletion(const Request *request, ProtobufCMessage *object, gint64 grace)
{
    Meta__V1__ObjectMeta *meta = api_meta(object);
    const AdmissionKind *kind = admission_kind(request->resource);
    api_set(meta->deletiontimestamp, api_time_new(time_now_ns() + grace * TIME_NS_PER_S));
    api_set_scalar(meta, deletiongraceperiodseconds, grace);
    if (request->resource->has_generation)
        api_set_scalar(meta, generation, meta->generation + 1);
    if (kind->deletion_begins)
        kind->deletion_begins(object);
}

/* A second Delete can only shorten the grace. */
static void shorten_grace(ProtobufCMessage *object, gint64 grace)
{
    Meta__V1__ObjectMeta *meta = api_meta(object);
    gint64 less = meta->deletiongraceperiodseconds - grace;
    if (less <= 0)
        return;
    api_set(meta->deletiontimestamp, api_time_new(api_time_ns(meta->deletiontimestamp) - less * TIME_NS_PER_S));
    api_set_scalar(meta, deletiongraceperiodseconds, grace);
}

/* StoreDecide */
static StoreAction decide_delete(StoreMutation *mutation, const StoreEntry *current, StoreChange *change,
                                 GError **error)
{
    const WriteOp *op = mutation->data;
    const Request *request = op->request;
    const Meta__V1__DeleteOptions *options = (const Meta__V1__DeleteOptions *)op->options;
    const Meta__V1__Preconditions *must = options->preconditions;
    const AdmissionKind *kind = admission_kind(request->resource);
    if (!current) {
        request_set_not_found(request, error);
        return STORE_KEEP;
    }
    if (!request_allows(request, current, error) ||
        !write_check_version(request, current, must ? must->resourceversion : NULL, must ? must->uid : NULL, error))
        return STORE_KEEP;
    API_AUTO(ProtobufCMessage) object = store_entry_decode(current, error);
    if (!object || (kind->may_delete && !kind->may_delete(object, error)))
        return STORE_KEEP;
    gboolean terminating = store_entry_is_terminating(current);
    set_propagation(api_meta(object), options);
    if (!terminating)
        begin_deletion(request, object, grace_of(request, object, options));
    else if (options->has_graceperiodseconds)
        shorten_grace(object, options->graceperiodseconds);
    if (write_is_to_go(request, object))
        return write_remove(request, object, change);
    return write_put(object, current, change);
}

void verb_delete(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(body, &size);
    WriteOp *op = write_op_new(request);
    API_AUTO(Cleat__V1__DeleteRequest)
    message = (Cleat__V1__DeleteRequest *)request_decode(&cleat__v1__delete_request__descriptor, bytes, size, &error);
    if (!message || !request_set_target(request, message->namespace_, message->name, FALSE, &error) ||
        !request_require_name(request, &error) || !request_authorize(request, NULL, &error)) {
        write_op_fail(op, error);
        return;
    }
    Meta__V1__DeleteOptions *options = g_steal_pointer(&message->options);
    op->options = (ProtobufCMessage *)(options ? options : API_NEW(Meta__V1__DeleteOptions, meta__v1__delete_options));
    if (check_options((const Meta__V1__DeleteOptions *)op->options, &error))
        write_op_run(op, decide_delete, write_op_reply);
    else
        write_op_fail(op, error);
}
