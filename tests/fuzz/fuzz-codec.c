/* A text is refused with an error, or gives objects whose own text, in every format, reads back as the same. */
#include <string.h>

#include "lib/api/codec.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const ApiManifest *manifest, ApiFormat format)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = api_encode(manifest->object, format);
    ProtobufCMessage *again = api_decode(manifest->resource->object, text, strlen(text), "again", &error);
    if (!again)
        g_error("%s\n%s", error->message, text);
    if (!api_message_equal(manifest->object, again))
        g_error("reads back as something else:\n%s", text);
    g_autofree char *text_again = api_encode(again, format);
    if (!g_str_equal(text, text_again))
        g_error("prints as something else:\n%s\n%s", text, text_again);
    api_message_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests((const char *)data, size, "input", &error);
    g_assert((manifests == NULL) == (error != NULL));
    for (guint i = 0; manifests && i < manifests->len; i++) {
        for (ApiFormat format = API_FORMAT_JSON; format <= API_FORMAT_YAML; format++)
            check_round_trip(manifests->pdata[i], format);
    }
    return 0;
}
