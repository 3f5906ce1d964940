#include "cleat/v1/requests.pb-c.h"
#include "lib/base/error.h"
#include "server/store/key.h"
#include "server/verbs/request.h"

static void get_ready(const GError *failure, gpointer data)
{
    Request *request = data;
    if (failure) {
        request_fail(request, failure);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *key = store_key_new(request->namespace_, request->name);
    g_autoptr(StoreEntry) entry = store_cache_get(store_cache(request->context->store, request->resource), key);
    if (!entry)
        request_set_not_found(request, &error);
    if (entry && request_allows(request, entry, &error))
        request_reply_entry(request, entry);
    else
        request_fail(request, error);
}

void verb_get(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(body, &size);
    API_AUTO(Cleat__V1__GetRequest)
    message = (Cleat__V1__GetRequest *)request_decode(&cleat__v1__get_request__descriptor, bytes, size, &error);
    if (message && request_set_target(request, message->namespace_, message->name, FALSE, &error) &&
        request_require_name(request, &error) && request_authorize(request, NULL, &error))
        request_await(request, message->options ? message->options->resourceversion : NULL, get_ready, request);
    else
        request_fail(request, error);
}
