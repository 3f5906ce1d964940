#include "lib/api/kinds/kinds.h"
#include "lib/api/labels.h"

static char *print_status(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__NamespaceStatus *status = ((const Core__V1__Namespace *)object)->status;
    return g_strdup(status ? api_str(status->phase) : "");
}

const ApiColumn namespace_columns[] = {
    {"STATUS", FALSE, print_status},
    {NULL, FALSE, NULL},
};

/* The label by which other objects can select namespaces by name. */
void namespace_set_defaults(ProtobufCMessage *object)
{
    const char *name = api_object_name(object);
    if (name[0])
        api_label_set(api_meta(object), API_LABEL_NAMESPACE_NAME, name);
}

static Core__V1__NamespaceSpec *spec_ensure(Core__V1__Namespace *namespace)
{
    if (!namespace->spec)
    namespace->spec = API_NEW(Core__V1__NamespaceSpec, core__v1__namespace_spec);
    return namespace->spec;
}

static gboolean has_finalizer(const Core__V1__NamespaceSpec *spec, const char *finalizer)
{
    for (gsize i = 0; i < spec->n_finalizers; i++) {
        if (g_str_equal(spec->finalizers[i], finalizer))
            return TRUE;
    }
    return FALSE;
}

/* The finalizer keeps the namespace until what is in it is gone. */
void namespace_prepare_create(ProtobufCMessage *object)
{
    Core__V1__Namespace *namespace = (Core__V1__Namespace *)object;
    status_prepare_create(object);
    namespace->status = API_NEW(Core__V1__NamespaceStatus, core__v1__namespace_status);
    namespace->status->phase = g_strdup("Active");
    Core__V1__NamespaceSpec *spec = spec_ensure(namespace);
    if (!has_finalizer(spec, API_FINALIZER_NAMESPACE))
        api_append(spec->finalizers, spec->n_finalizers, g_strdup(API_FINALIZER_NAMESPACE));
}

/* Finalizers can be taken away only from a namespace that is being deleted: by the controller that has emptied it. */
void namespace_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    Core__V1__Namespace *namespace = (Core__V1__Namespace *)object;
    const Core__V1__Namespace *before = (const Core__V1__Namespace *)old;
    status_prepare_update(object, old);
    if (!before->metadata || !before->metadata->deletiontimestamp)
        api_set(namespace->spec, API_CLONE(before->spec));
}
