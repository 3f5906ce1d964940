#include "lib/rpc/details.h"

#include <string.h>

#include "foreign/grpc/status.pb-c.h"
#include "lib/api/status.h"
#include "lib/base/error.h"

#define STATUS_TYPE_URL "type.googleapis.com/meta.v1.Status"

/* At most <max> bytes of a text, ending with a whole character. */
static gsize text_cut(const char *text, gsize max)
{
    gsize size = strlen(text);
    if (size <= max)
        return size;
    while (max > 0 && ((guchar)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

grpc_slice rpc_status_message_from_error(const GError *error)
{
    return grpc_slice_from_copied_buffer(error->message, text_cut(error->message, RPC_MAX_STATUS_MESSAGE_BYTES));
}

static void status_shorten(Meta__V1__Status *status)
{
    Meta__V1__StatusDetails *details = status->details;
    while (details && details->n_causes > 0 && meta__v1__status__get_packed_size(status) > RPC_MAX_DETAILS_BYTES) {
        details->n_causes--;
        api_set(details->causes[details->n_causes], NULL);
    }
    if (meta__v1__status__get_packed_size(status) > RPC_MAX_DETAILS_BYTES)
        status->message[text_cut(status->message, RPC_MAX_STATUS_MESSAGE_BYTES)] = '\0';
}

grpc_slice rpc_details_from_error(const GError *error)
{
    API_AUTO(Meta__V1__Status) status = api_status_from_error(error);
    status_shorten(status);
    g_autoptr(GBytes) packed = api_message_pack(&status->base);
    Grpc__Status__Detail detail = GRPC__STATUS__DETAIL__INIT;
    detail.type_url = (char *)STATUS_TYPE_URL;
    detail.value.data = (guint8 *)g_bytes_get_data(packed, &detail.value.len);
    Grpc__Status__Detail *list[] = {&detail};
    Grpc__Status__Status outer = GRPC__STATUS__STATUS__INIT;
    outer.code = cleat_error_to_grpc(cleat_error_code(error));
    outer.message = status->message;
    outer.n_details = 1;
    outer.details = list;
    grpc_slice slice = grpc_slice_malloc(grpc__status__status__get_packed_size(&outer));
    grpc__status__status__pack(&outer, GRPC_SLICE_START_PTR(slice));
    return slice;
}

/* The meta.v1.Status in the trailers, or NULL. The two types do not nest, so unpacking cannot recurse far. */
static Meta__V1__Status *trailers_status(const grpc_metadata_array *trailers)
{
    for (gsize i = 0; i < trailers->count; i++) {
        const grpc_metadata *entry = &trailers->metadata[i];
        if (grpc_slice_str_cmp(entry->key, RPC_DETAILS_KEY) != 0)
            continue;
        Grpc__Status__Status *outer =
            grpc__status__status__unpack(NULL, GRPC_SLICE_LENGTH(entry->value), GRPC_SLICE_START_PTR(entry->value));
        Meta__V1__Status *status = NULL;
        for (gsize j = 0; outer && !status && j < outer->n_details; j++) {
            const Grpc__Status__Detail *detail = outer->details[j];
            if (g_str_equal(detail->type_url, STATUS_TYPE_URL))
                status = meta__v1__status__unpack(NULL, detail->value.len, detail->value.data);
        }
        if (outer)
            grpc__status__status__free_unpacked(outer, NULL);
        return status;
    }
    return NULL;
}

GError *rpc_error_from_status(grpc_status_code code, grpc_slice message, const grpc_metadata_array *trailers)
{
    API_AUTO(Meta__V1__Status) status = trailers_status(trailers);
    g_autofree char *text = grpc_slice_to_c_string(message);
    GError *error = api_status_to_error((int)code, text, status);
    /* gRPC, ours and Go's, says RESOURCE_EXHAUSTED both for overload and for a message beyond the limit. */
    if (code == GRPC_STATUS_RESOURCE_EXHAUSTED && !status && strstr(text, "larger than max"))
        error->code = CLEAT_ERROR_TOO_LARGE;
    return error;
}
