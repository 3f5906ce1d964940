/* Bytes from anywhere: the wire check refuses them, or they decode, encode to bytes that pass the check again and mean the
 * same, and can be printed; and whatever they say, the functions of the kind's row take them. The first byte picks the kind. */
#include "lib/api/codec.h"
#include "lib/api/envelope.h"
#include "lib/api/validate.h"
#include "lib/api/wire.h"
#include "tests/fuzz/fuzz.h"

/* As on Create and then on Update, with what was created as the old object. */
static void check_kind(const ApiResource *resource, ProtobufCMessage *object)
{
    ProtobufCMessage *old = api_message_clone(object);
    api_message_normalize(object);
    if (resource->set_defaults)
        resource->set_defaults(object);
    if (resource->prepare_create)
        resource->prepare_create(object);
    api_validate(resource, object, NULL, FALSE, NULL);
    if (resource->prepare_update)
        resource->prepare_update(object, old);
    g_autoptr(GError) error = NULL;
    api_validate(resource, object, old, FALSE, &error);
    api_validate(resource, object, old, TRUE, NULL);
    for (const ApiColumn *column = resource->columns; column->title; column++)
        g_free(column->print(object, 0));
    if (resource->deletion_grace)
        g_assert_cmpint(resource->deletion_grace(object), >=, 0);
    api_message_free(old);
}

static void check_object(const ApiResource *resource, const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    if (!api_wire_check(resource->object, data, size, &error)) {
        g_assert_nonnull(error);
        return;
    }
    ProtobufCMessage *object = api_message_unpack(resource->object, data, size, &error);
    if (!object)
        g_error("%s: passed the check, but: %s", resource->kind, error->message);
    g_autoptr(GBytes) packed = api_message_pack(object);
    gsize packed_size;
    const guint8 *bytes = g_bytes_get_data(packed, &packed_size);
    if (!api_wire_check(resource->object, bytes, packed_size, &error))
        g_error("%s: encodes to what the check refuses: %s", resource->kind, error->message);
    ProtobufCMessage *again = api_message_unpack(resource->object, bytes, packed_size, &error);
    g_assert_true(api_message_equal(object, again));

    for (ApiFormat format = API_FORMAT_JSON; format <= API_FORMAT_YAML; format++)
        g_free(api_encode(object, format));
    check_kind(resource, object);
    api_message_free(again);
    api_message_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ApiResource *resource;
    const guint8 *object;
    gsize object_size;
    if (api_envelope_open(data, size, &resource, &object, &object_size, NULL)) {
        g_assert_true(object >= data && object + object_size <= data + size);
        check_object(resource, object, object_size);
    }
    if (size > 0) {
        guint n;
        const ApiResource *table = api_resources(&n);
        check_object(&table[data[0] % n], data + 1, size - 1);
    }
    return 0;
}
