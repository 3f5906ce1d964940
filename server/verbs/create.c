#include "lib/base/error.h"
#include "server/store/key.h"
#include "server/verbs/write.h"

#define NAME_TRIES 8 /* of generateName, before giving up on finding a free one */

/* StoreDecide. What depends on other objects is decided on a copy each time, as it may have to be taken back. */
static StoreAction decide_create(StoreMutation *mutation, const StoreEntry *current, StoreChange *change,
                                 GError **error)
{
    const WriteOp *op = mutation->data;
    const Request *request = op->request;
    const AdmissionKind *kind = admission_kind(request->resource);
    if (current) {
        request_set_error(request, error, CLEAT_ERROR_ALREADY_EXISTS, "already exists");
        return STORE_KEEP;
    }
    if (!admission_namespace(request->context, request->resource, request->namespace_, request->name, change, error))
        return STORE_KEEP;
    if (!kind->admit)
        return write_put(op->object, NULL, change);
    API_AUTO(ProtobufCMessage) object = api_message_clone(op->object);
    return kind->admit(request->context, object, NULL, change, error) ? write_put(object, NULL, change) : STORE_KEEP;
}

/* Name, server-side metadata, defaults, and the rules of the kind. */
static gboolean create_prepare(WriteOp *op, GError **error)
{
    const ApiResource *resource = op->request->resource;
    Meta__V1__ObjectMeta *meta = api_meta(op->object);
    if (op->generated || (!api_str(meta->name)[0] && api_str(meta->generatename)[0])) {
        op->generated = TRUE;
        g_free(meta->name);
        meta->name = api_generate_name(meta->generatename);
        g_free(op->request->name);
        op->request->name = g_strdup(meta->name);
    }
    write_prepare_meta(meta, resource->has_generation);
    if (resource->set_defaults)
        resource->set_defaults(op->object);
    if (resource->prepare_create)
        resource->prepare_create(op->object);
    return api_validate(resource, op->object, NULL, FALSE, error);
}

static void create_done(gpointer data);

static void create_run(WriteOp *op)
{
    g_autoptr(GError) error = NULL;
    op->tries++;
    if (create_prepare(op, &error))
        write_op_run(op, decide_create, create_done);
    else
        write_op_fail(op, error);
}

/* A generated name that is taken is no reason to fail: another one is made. */
static void create_done(gpointer data)
{
    WriteOp *op = data;
    if (op->generated && cleat_error_is(op->mutation.error, CLEAT_ERROR_ALREADY_EXISTS) && op->tries < NAME_TRIES) {
        store_mutation_clear(&op->mutation);
        op->mutation = (StoreMutation){.resource = op->request->resource, .data = op};
        create_run(op);
        return;
    }
    write_op_reply(op);
}

void verb_create(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    WriteOp *op = write_op_new(request);
    if (!request_parse_write(request, body, &meta__v1__create_options__descriptor, &op->object, &op->options, &error) ||
        !request_authorize(request, NULL, &error) ||
        !write_refuse_dry_run(((Meta__V1__CreateOptions *)op->options)->n_dryrun, &error)) {
        write_op_fail(op, error);
        return;
    }
    if (api_str(api_meta(op->object)->resourceversion)[0]) {
        error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                            "metadata.resourceVersion must not be set on an object to be created");
        write_op_fail(op, error);
        return;
    }
    create_run(op);
}
