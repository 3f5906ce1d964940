#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "server/admission/admission.h"

static const char *const immortal[] = {API_NAMESPACE_DEFAULT, API_NAMESPACE_SYSTEM, API_NAMESPACE_PUBLIC, NULL};

static gboolean may_delete(const ProtobufCMessage *object, GError **error)
{
    const char *name = api_object_name(object);
    if (!g_strv_contains(immortal, name))
        return TRUE;
    GError *made = g_error_new(CLEAT_ERROR, CLEAT_ERROR_FORBIDDEN,
                               "namespaces \"%s\" is forbidden: this namespace may not be deleted", name);
    cleat_error_set_object(made, "", "namespaces", name);
    g_propagate_error(error, made);
    return FALSE;
}

static void deletion_begins(ProtobufCMessage *object)
{
    Core__V1__Namespace *namespace = (Core__V1__Namespace *)object;
    if (!namespace->status)
    namespace->status = API_NEW(Core__V1__NamespaceStatus, core__v1__namespace_status);
    api_set_string(&namespace->status->phase, "Terminating");
}

/* spec.finalizers: the namespace controller takes its own away when the namespace is empty. */
static gboolean is_held(const ProtobufCMessage *object)
{
    const Core__V1__Namespace *namespace = (const Core__V1__Namespace *)object;
    return namespace->spec && namespace->spec->n_finalizers > 0;
}

const AdmissionKind admission_of_namespace = {
    .may_delete = may_delete,
    .deletion_begins = deletion_begins,
    .is_held = is_held,
};
