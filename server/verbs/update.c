#include <string.h>

#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "server/verbs/write.h"

/* What the server alone sets stays as it is; where the client gives it all the same, validation compares. */
static void carry_meta(Meta__V1__ObjectMeta *meta, const Meta__V1__ObjectMeta *old)
{
    api_set_string(&meta->selflink, NULL);
    api_set_string(&meta->resourceversion, NULL);
    while (meta->n_managedfields > 0)
        API_FREE(meta->managedfields[--meta->n_managedfields]);
    if (!api_str(meta->uid)[0])
        api_set_string(&meta->uid, old->uid);
    if (!meta->creationtimestamp)
        api_set(meta->creationtimestamp, API_CLONE(old->creationtimestamp));
    if (!meta->deletiontimestamp)
        api_set(meta->deletiontimestamp, API_CLONE(old->deletiontimestamp));
    meta->has_deletiongraceperiodseconds = old->has_deletiongraceperiodseconds;
    meta->deletiongraceperiodseconds = old->deletiongraceperiodseconds;
    meta->has_generation = old->has_generation;
    meta->generation = old->generation;
}

static ProtobufCMessage **status_of(ProtobufCMessage *object)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(object->descriptor, "status");
    return G_STRUCT_MEMBER_P(object, field->offset);
}

/* Moves to the next top-level field that is neither metadata nor status; FALSE at the end. */
static gboolean next_counted(ApiWireReader *reader, guint32 status)
{
    while (api_wire_next(reader)) {
        if (reader->number != 1 && reader->number != status)
            return TRUE;
    }
    return FALSE;
}

/* Whether two encodings of a kind differ outside metadata and status. Both are canonical: fields come in one order. */
static gboolean differs(const ApiResource *resource, GBytes *object, const StoreEntry *current)
{
    const ProtobufCFieldDescriptor *field =
        resource->has_status ? protobuf_c_message_descriptor_get_field_by_name(resource->object, "status") : NULL;
    guint32 status = field ? field->id : 0;
    ApiWireReader a, b;
    gsize size;
    const void *data = g_bytes_get_data(object, &size);
    api_wire_reader_init(&a, data, size);
    api_wire_reader_init(&b, store_entry_object(current), current->object_size);
    for (;;) {
        gboolean more_a = next_counted(&a, status), more_b = next_counted(&b, status);
        if (!more_a || !more_b)
            return more_a != more_b;
        if (a.number != b.number || a.wire_type != b.wire_type)
            return TRUE;
        if (a.wire_type == 2 ? a.size != b.size || memcmp(a.data, b.data, a.size) != 0 : a.value != b.value)
            return TRUE;
    }
}

static void bump_generation(const ApiResource *resource, ProtobufCMessage *object, const StoreEntry *current)
{
    if (!resource->has_generation)
        return;
    api_message_normalize(object);
    g_autoptr(GBytes) bytes = api_message_pack(object);
    if (differs(resource, bytes, current))
        api_set_scalar(api_meta(object), generation, api_meta(object)->generation + 1);
}

/* The object as an Update leaves it; NULL with an error. New. */
static ProtobufCMessage *updated(const WriteOp *op, const ProtobufCMessage *old, const StoreEntry *current,
                                 StoreChange *change, GError **error)
{
    const ApiResource *resource = op->request->resource;
    const AdmissionKind *kind = admission_kind(resource);
    API_AUTO(ProtobufCMessage) object = api_message_clone(op->object);
    carry_meta(api_meta(object), api_meta_peek(old));
    if (resource->set_defaults)
        resource->set_defaults(object);
    if (resource->prepare_update)
        resource->prepare_update(object, old);
    if (!api_validate(resource, object, old, FALSE, error))
        return NULL;
    if (kind->admit && !kind->admit(op->request->context, object, old, change, error))
        return NULL;
    bump_generation(resource, object, current);
    return g_steal_pointer(&object);
}

/* The stored object with the client's status; NULL with an error. New. */
static ProtobufCMessage *with_status(const WriteOp *op, const ProtobufCMessage *old, GError **error)
{
    API_AUTO(ProtobufCMessage) object = api_message_clone(old);
    api_set(*status_of(object), api_message_clone(*status_of(op->object)));
    if (!api_validate(op->request->resource, object, old, TRUE, error))
        return NULL;
    return g_steal_pointer(&object);
}

/* StoreDecide, for both verbs. An Update that takes the last finalizer off an object that is being deleted removes it. */
static StoreAction decide_update(StoreMutation *mutation, const StoreEntry *current, StoreChange *change,
                                 GError **error)
{
    const WriteOp *op = mutation->data;
    const Request *request = op->request;
    const Meta__V1__ObjectMeta *given = api_meta_peek(op->object);
    if (!current) {
        request_set_not_found(request, error);
        return STORE_KEEP;
    }
    if (!request_allows(request, current, error) ||
        !write_check_version(request, current, given->resourceversion, given->uid, error))
        return STORE_KEEP;
    API_AUTO(ProtobufCMessage) old = store_entry_decode(current, error);
    if (!old)
        return STORE_KEEP;
    gboolean status_only = request->verb == AUTH_UPDATE_STATUS;
    API_AUTO(ProtobufCMessage)
    object = status_only ? with_status(op, old, error) : updated(op, old, current, change, error);
    if (!object)
        return STORE_KEEP;
    if (!status_only && write_is_to_go(request, object))
        return write_remove(request, object, change);
    return write_put(object, current, change);
}

static void update(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    WriteOp *op = write_op_new(request);
    if (request_parse_write(request, body, &meta__v1__update_options__descriptor, &op->object, &op->options, &error) &&
        request_require_name(request, &error) && request_authorize(request, NULL, &error) &&
        write_refuse_dry_run(((Meta__V1__UpdateOptions *)op->options)->n_dryrun, &error))
        write_op_run(op, decide_update, write_op_reply);
    else
        write_op_fail(op, error);
}

void verb_update(Request *request, GBytes *body)
{
    update(request, body);
}

void verb_update_status(Request *request, GBytes *body)
{
    if (request->resource->has_status) {
        update(request, body);
        return;
    }
    g_autoptr(GError) error =
        g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNIMPLEMENTED, "%s have no status", request->resource->plural);
    request_fail(request, error);
}
