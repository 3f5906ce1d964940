#include "server/admission/admission.h"

#include "lib/base/error.h"

static const AdmissionKind *const kinds[API_INDEX_MAX_] = {
    [API_INDEX_SERVICE] = &admission_service,
    [API_INDEX_NAMESPACE] = &admission_of_namespace,
};

const AdmissionKind *admission_kind(const ApiResource *resource)
{
    static const AdmissionKind nothing;
    const AdmissionKind *kind = kinds[api_resource_index(resource)];
    return kind ? kind : &nothing;
}

gboolean admission_namespace(Context *context, const ApiResource *resource, const char *namespace_, const char *name,
                             StoreChange *change, GError **error)
{
    if (!resource->namespaced)
        return TRUE;
    g_autoptr(StoreEntry) entry = store_cache_get(store_cache(context->store, API_NAMESPACE), namespace_);
    if (entry && !store_entry_is_terminating(entry)) {
        store_change_require(change, context->store, entry);
        return TRUE;
    }
    GError *made;
    if (!entry) {
        made = g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND,
                           "namespaces \"%s\" not found; create the namespace first", namespace_);
        cleat_error_set_object(made, "", "namespaces", namespace_);
    } else {
        made = g_error_new(
            CLEAT_ERROR, CLEAT_ERROR_FORBIDDEN,
            "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being terminated",
            resource->plural, name, namespace_);
        cleat_error_set_object(made, resource->group, resource->plural, name);
    }
    g_propagate_error(error, made);
    return FALSE;
}
