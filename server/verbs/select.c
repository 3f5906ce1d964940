#include "server/verbs/select.h"

#include "lib/base/error.h"

static gboolean parse_selection(const Request *request, const Meta__V1__ListOptions *options, StoreSelection *ret,
                                GError **error)
{
    g_autoptr(ApiSelector) labels = NULL;
    g_autoptr(ApiFieldSelector) fields = NULL;
    const char *label_text = options ? api_str(options->labelselector) : "";
    const char *field_text = options ? api_str(options->fieldselector) : "";
    if (options && api_str(options->shardselector)[0]) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "shardSelector is not supported");
        return FALSE;
    }
    if (label_text[0] && !(labels = api_selector_parse(label_text, error)))
        return FALSE;
    if (field_text[0] && !(fields = api_field_selector_parse(request->resource, field_text, error)))
        return FALSE;
    *ret = (StoreSelection){g_strdup(request->namespace_), g_steal_pointer(&labels), g_steal_pointer(&fields)};
    return TRUE;
}

gboolean select_parse(Request *request, GBytes *body, Cleat__V1__ListRequest **ret_message,
                      StoreSelection *ret_selection, GError **error)
{
    gsize size;
    const void *bytes = g_bytes_get_data(body, &size);
    StoreSelection selection;
    API_AUTO(Cleat__V1__ListRequest)
    message = (Cleat__V1__ListRequest *)request_decode(&cleat__v1__list_request__descriptor, bytes, size, error);
    if (!message || !request_set_target(request, message->namespace_, NULL, TRUE, error) ||
        !parse_selection(request, message->options, &selection, error))
        return FALSE;
    if (!request_authorize(request, selection.fields, error)) {
        store_selection_clear(&selection);
        return FALSE;
    }
    *ret_message = g_steal_pointer(&message);
    *ret_selection = selection;
    return TRUE;
}
