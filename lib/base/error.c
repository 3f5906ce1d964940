#include "lib/base/error.h"

#include <gio/gio.h>

typedef struct {
    CleatErrorObject object;
    GPtrArray *causes;
} CleatErrorPrivate;

/* Row order is the enum's. Where two rows share a gRPC code, the first is what an unknown reason becomes. */
static const struct {
    int grpc;
    int http;
    const char *reason;
} codes[CLEAT_ERROR_MAX_] = {
    [CLEAT_ERROR_INTERNAL] = {13, 500, "InternalError"},
    [CLEAT_ERROR_BAD_REQUEST] = {3, 400, "BadRequest"},
    [CLEAT_ERROR_INVALID] = {3, 422, "Invalid"},
    [CLEAT_ERROR_NOT_FOUND] = {5, 404, "NotFound"},
    [CLEAT_ERROR_ALREADY_EXISTS] = {6, 409, "AlreadyExists"},
    [CLEAT_ERROR_CONFLICT] = {10, 409, "Conflict"},
    [CLEAT_ERROR_EXPIRED] = {11, 410, "Expired"},
    [CLEAT_ERROR_UNAUTHORIZED] = {16, 401, "Unauthorized"},
    [CLEAT_ERROR_FORBIDDEN] = {7, 403, "Forbidden"},
    [CLEAT_ERROR_TOO_MANY_REQUESTS] = {8, 429, "TooManyRequests"},
    [CLEAT_ERROR_TOO_LARGE] = {8, 413, "RequestEntityTooLarge"},
    [CLEAT_ERROR_TIMEOUT] = {4, 504, "Timeout"},
    [CLEAT_ERROR_UNAVAILABLE] = {14, 503, "ServiceUnavailable"},
    [CLEAT_ERROR_CANCELLED] = {1, 499, "Cancelled"},
    [CLEAT_ERROR_UNIMPLEMENTED] = {12, 405, "MethodNotAllowed"},
};

static void cause_free(gpointer data)
{
    CleatCause *cause = data;
    g_free(cause->field);
    g_free(cause->reason);
    g_free(cause->message);
    g_free(cause);
}

static CleatCause *cause_new(const char *field, const char *reason, const char *message)
{
    CleatCause *cause = g_new0(CleatCause, 1);
    cause->field = g_strdup(field);
    cause->reason = g_strdup(reason);
    cause->message = g_strdup(message);
    return cause;
}

static void cleat_error_private_init(CleatErrorPrivate *priv)
{
    priv->causes = g_ptr_array_new_with_free_func(cause_free);
}

static void cleat_error_private_copy(const CleatErrorPrivate *src, CleatErrorPrivate *dest)
{
    dest->object.group = g_strdup(src->object.group);
    dest->object.kind = g_strdup(src->object.kind);
    dest->object.name = g_strdup(src->object.name);
    for (guint i = 0; i < src->causes->len; i++) {
        const CleatCause *cause = src->causes->pdata[i];
        g_ptr_array_add(dest->causes, cause_new(cause->field, cause->reason, cause->message));
    }
}

static void cleat_error_private_clear(CleatErrorPrivate *priv)
{
    g_free(priv->object.group);
    g_free(priv->object.kind);
    g_free(priv->object.name);
    g_ptr_array_unref(priv->causes);
}

G_DEFINE_EXTENDED_ERROR(CleatError, cleat_error)

void cleat_error_set_object(GError *error, const char *group, const char *kind, const char *name)
{
    CleatErrorPrivate *priv = cleat_error_get_private(error);
    g_free(priv->object.group);
    g_free(priv->object.kind);
    g_free(priv->object.name);
    priv->object = (CleatErrorObject){g_strdup(group), g_strdup(kind), g_strdup(name)};
}

void cleat_error_add_cause(GError *error, const char *field, const char *reason, const char *message)
{
    g_ptr_array_add(cleat_error_get_private(error)->causes, cause_new(field, reason, message));
}

const CleatErrorObject *cleat_error_object(const GError *error)
{
    return error->domain == CLEAT_ERROR ? &cleat_error_get_private(error)->object : NULL;
}

const GPtrArray *cleat_error_causes(const GError *error)
{
    return error->domain == CLEAT_ERROR ? cleat_error_get_private(error)->causes : NULL;
}

CleatErrorCode cleat_error_code(const GError *error)
{
    if (error->domain == CLEAT_ERROR)
        return (CleatErrorCode)error->code;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return CLEAT_ERROR_CANCELLED;
    return CLEAT_ERROR_INTERNAL;
}

gboolean cleat_error_is(const GError *error, CleatErrorCode code)
{
    return error != NULL && cleat_error_code(error) == code;
}

int cleat_error_to_grpc(CleatErrorCode code)
{
    return codes[code].grpc;
}

int cleat_error_to_http(CleatErrorCode code)
{
    return codes[code].http;
}

const char *cleat_error_to_reason(CleatErrorCode code)
{
    return codes[code].reason;
}

CleatErrorCode cleat_error_from_grpc(int grpc_code, const char *reason)
{
    int first = -1;
    for (int i = 0; i < CLEAT_ERROR_MAX_; i++) {
        if (codes[i].grpc != grpc_code)
            continue;
        if (reason && g_str_equal(reason, codes[i].reason))
            return (CleatErrorCode)i;
        if (first < 0)
            first = i;
    }
    if (grpc_code == 9) /* FAILED_PRECONDITION: nothing of ours sends it */
        return CLEAT_ERROR_CONFLICT;
    return first < 0 ? CLEAT_ERROR_INTERNAL : (CleatErrorCode)first;
}
