#include "lib/api/status.h"

#include "lib/base/error.h"

/* Group, kind, name and causes of an error of our domain. */
static Meta__V1__StatusDetails *details_new(const GError *error)
{
    const CleatErrorObject *object = cleat_error_object(error);
    const GPtrArray *causes = cleat_error_causes(error);
    if (!object || (!object->group && !object->kind && !object->name && causes->len == 0))
        return NULL;
    Meta__V1__StatusDetails *details = API_NEW(Meta__V1__StatusDetails, meta__v1__status_details);
    details->group = g_strdup(object->group);
    details->kind = g_strdup(object->kind);
    details->name = g_strdup(object->name);
    for (guint i = 0; i < causes->len; i++) {
        const CleatCause *cause = causes->pdata[i];
        Meta__V1__StatusCause *item = API_NEW(Meta__V1__StatusCause, meta__v1__status_cause);
        item->field = g_strdup(cause->field);
        item->reason = g_strdup(cause->reason);
        item->message = g_strdup(cause->message);
        api_append(details->causes, details->n_causes, item);
    }
    return details;
}

Meta__V1__Status *api_status_from_error(const GError *error)
{
    CleatErrorCode code = cleat_error_code(error);
    Meta__V1__Status *status = API_NEW(Meta__V1__Status, meta__v1__status);
    status->status = g_strdup("Failure");
    status->message = g_strdup(error->message);
    status->reason = g_strdup(cleat_error_to_reason(code));
    status->details = details_new(error);
    api_set_scalar(status, code, cleat_error_to_http(code));
    return status;
}

GError *api_status_to_error(int grpc_code, const char *message, const Meta__V1__Status *status)
{
    CleatErrorCode code = cleat_error_from_grpc(grpc_code, status ? status->reason : NULL);
    const char *text = status && api_str(status->message)[0] ? status->message : api_str(message);
    GError *error = g_error_new_literal(CLEAT_ERROR, (int)code, text[0] ? text : "the peer gave no reason");
    const Meta__V1__StatusDetails *details = status ? status->details : NULL;
    if (!details)
        return error;
    cleat_error_set_object(error, details->group, details->kind, details->name);
    for (gsize i = 0; i < details->n_causes; i++) {
        const Meta__V1__StatusCause *cause = details->causes[i];
        cleat_error_add_cause(error, cause->field, cause->reason, cause->message);
    }
    return error;
}
