#include "cleat/core/v1/core.pb-c.h"
#include "lib/base/error.h"
#include "server/admission/admission.h"
#include "server/admission/service-range.h"

#define HEADLESS "None"

/* Cluster addresses. A service claims its address by a key of its own in the transaction that creates the service, and gives it
 * back in the one that removes it: no two services ever have the same address, and none is lost. */

static Core__V1__ServiceSpec *spec_of(const ProtobufCMessage *object)
{
    return ((const Core__V1__Service *)object)->spec;
}

/* The address that a service holds, or NULL. */
static const char *address_of(const ProtobufCMessage *object)
{
    const Core__V1__ServiceSpec *spec = spec_of(object);
    const char *address = spec ? api_str(spec->clusterip) : "";
    return address[0] && !g_str_equal(address, HEADLESS) ? address : NULL;
}

/* Whether the server is to choose one. */
static gboolean wants_address(const ProtobufCMessage *object)
{
    const Core__V1__ServiceSpec *spec = spec_of(object);
    return spec && !api_str(spec->clusterip)[0] && !api_str_equal(spec->type, "ExternalName");
}

static gboolean refuse(const ProtobufCMessage *object, const char *address, const char *detail, GError **error)
{
    g_autoptr(ApiFieldErrors) errors = api_field_errors_new();
    api_field_invalid(errors, "spec.clusterIP", address, detail);
    return api_field_errors_check(errors, API_SERVICE, api_object_name(object), error);
}

static gboolean claim(Context *context, const ProtobufCMessage *object, const char *address, StoreChange *change,
                      GError **error)
{
    if (!service_range_contains(context->service_range, address)) {
        g_autofree char *detail = g_strdup_printf("provided IP is not in the valid range %s of service addresses",
                                                  service_range_text(context->service_range));
        return refuse(object, address, detail, error);
    }
    if (store_is_claimed(context->store, SERVICE_RANGE_CLAIMS, address))
        return refuse(object, address, "provided IP is already allocated", error);
    g_autofree char *owner = api_object_key(object);
    store_change_claim(change, context->store, SERVICE_RANGE_CLAIMS, address, owner);
    return TRUE;
}

static gboolean choose(Context *context, ProtobufCMessage *object, GError **error)
{
    Core__V1__ServiceSpec *spec = spec_of(object);
    g_autofree char *address = service_range_pick(context->service_range, context->store);
    if (!address) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TOO_MANY_REQUESTS,
                    "services \"%s\": the range %s has no free address; delete services or widen --service-cidr",
                    api_object_name(object), service_range_text(context->service_range));
        return FALSE;
    }
    api_set_string(&spec->clusterip, address);
    while (spec->n_clusterips > 0)
        g_free(spec->clusterips[--spec->n_clusterips]);
    api_append(spec->clusterips, spec->n_clusterips, g_strdup(address));
    return TRUE;
}

static gboolean admit(Context *context, ProtobufCMessage *object, const ProtobufCMessage *old, StoreChange *change,
                      GError **error)
{
    if (wants_address(object) && !choose(context, object, error))
        return FALSE;
    const char *address = address_of(object), *held = old ? address_of(old) : NULL;
    if (g_strcmp0(address, held) == 0)
        return TRUE;
    if (held)
        store_change_release(change, context->store, SERVICE_RANGE_CLAIMS, held);
    return !address || claim(context, object, address, change, error);
}

static void release(Context *context, const ProtobufCMessage *object, StoreChange *change)
{
    const char *held = address_of(object);
    if (held)
        store_change_release(change, context->store, SERVICE_RANGE_CLAIMS, held);
}

const AdmissionKind admission_service = {
    .admit = admit,
    .release = release,
};
