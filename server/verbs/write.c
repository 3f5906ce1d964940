#include "server/verbs/write.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/time.h"
#include "server/store/key.h"

WriteOp *write_op_new(Request *request)
{
    WriteOp *op = g_new0(WriteOp, 1);
    op->request = request;
    op->mutation.resource = request->resource;
    op->mutation.data = op;
    return op;
}

void write_op_free(WriteOp *op)
{
    API_FREE(op->object);
    API_FREE(op->options);
    store_mutation_clear(&op->mutation);
    g_free(op);
}

void write_op_fail(WriteOp *op, const GError *error)
{
    request_fail(op->request, error);
    write_op_free(op);
}

void write_op_run(WriteOp *op, StoreDecide decide, void (*done)(gpointer op))
{
    op->mutation.key = store_key_new(op->request->namespace_, op->request->name);
    store_mutate(op->request->context->store, &op->mutation, 1, decide, done, op);
}

void write_op_reply(gpointer data)
{
    WriteOp *op = data;
    const StoreMutation *mutation = &op->mutation;
    if (mutation->error)
        request_fail(op->request, mutation->error);
    else if (mutation->object)
        request_reply_object(op->request, mutation->object, mutation->revision);
    else
        request_reply_entry(op->request, mutation->entry);
    write_op_free(op);
}

gboolean write_refuse_dry_run(gsize n_dry_run, GError **error)
{
    if (n_dry_run == 0)
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "dryRun is not supported");
    return FALSE;
}

gboolean write_check_version(const Request *request, const StoreEntry *current, const char *resource_version,
                             const char *uid, GError **error)
{
    gint64 revision;
    gsize size;
    resource_version = api_str(resource_version);
    uid = api_str(uid);
    const char *current_uid = store_entry_uid(current, &size);
    if (uid[0] && (size != strlen(uid) || memcmp(uid, current_uid, size) != 0)) {
        request_set_error(request, error, CLEAT_ERROR_CONFLICT,
                          "has another uid: %.*s, not %s; it was deleted and created anew", (int)size, current_uid,
                          uid);
        return FALSE;
    }
    if (!resource_version[0] || g_str_equal(resource_version, "0"))
        return TRUE;
    if (!g_ascii_string_to_signed(resource_version, 10, 1, G_MAXINT64, &revision, NULL)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "metadata.resourceVersion \"%s\" is not a number that a server gave", resource_version);
        return FALSE;
    }
    if (revision == current->revision)
        return TRUE;
    request_set_error(request, error, CLEAT_ERROR_CONFLICT,
                      "has been modified: it is at resourceVersion %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT
                      "; apply your changes to the latest version and try again",
                      current->revision, revision);
    return FALSE;
}

StoreAction write_put(ProtobufCMessage *object, const StoreEntry *current, StoreChange *change)
{
    api_message_normalize(object);
    g_autoptr(GBytes) bytes = api_message_pack(object);
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    if (current && size == current->object_size && memcmp(data, store_entry_object(current), size) == 0)
        return STORE_KEEP;
    change->object = g_steal_pointer(&bytes);
    return STORE_PUT;
}

StoreAction write_remove(const Request *request, const ProtobufCMessage *object, StoreChange *change)
{
    const AdmissionKind *kind = admission_kind(request->resource);
    if (kind->release)
        kind->release(request->context, object, change);
    return STORE_REMOVE;
}

gboolean write_is_to_go(const Request *request, const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    const AdmissionKind *kind = admission_kind(request->resource);
    return meta->deletiontimestamp && meta->deletiongraceperiodseconds == 0 && meta->n_finalizers == 0 &&
           !(kind->is_held && kind->is_held(object));
}

static void drop_managed_fields(Meta__V1__ObjectMeta *meta)
{
    while (meta->n_managedfields > 0)
        API_FREE(meta->managedfields[--meta->n_managedfields]);
}

void write_prepare_meta(Meta__V1__ObjectMeta *meta, gboolean has_generation)
{
    api_set_string(&meta->selflink, NULL);
    api_set_string(&meta->resourceversion, NULL);
    drop_managed_fields(meta);
    api_set(meta->deletiontimestamp, NULL);
    meta->has_deletiongraceperiodseconds = FALSE;
    meta->deletiongraceperiodseconds = 0;
    g_free(meta->uid);
    meta->uid = g_uuid_string_random();
    api_set(meta->creationtimestamp, api_time_new(time_now_ns()));
    meta->has_generation = has_generation;
    meta->generation = has_generation ? 1 : 0;
}
