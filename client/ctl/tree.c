#include "client/ctl/tree.h"

#include <string.h>

#include "lib/api/codec.h"

static json_t *parse(const ProtobufCMessage *object)
{
    g_autofree char *text = api_encode(object, API_FORMAT_JSON);
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* What the codec writes is JSON that jansson reads, but for numbers beyond 64 bits. Only metadata.managedFields may hold any
 * number: then it is left out. */
json_t *tree_from_object(const ProtobufCMessage *object)
{
    json_t *tree = parse(object);
    if (tree)
        return tree;
    ProtobufCMessage *copy = api_message_clone(object);
    Meta__V1__ObjectMeta *meta = api_meta(copy);
    for (size_t i = 0; i < meta->n_managedfields; i++)
        API_FREE(meta->managedfields[i]);
    g_clear_pointer(&meta->managedfields, g_free);
    meta->n_managedfields = 0;
    tree = parse(copy);
    g_assert(tree);
    api_message_free(copy);
    return tree;
}

json_t *tree_from_list(const GPtrArray *objects)
{
    json_t *items = json_array();
    for (guint i = 0; i < objects->len; i++)
        json_array_append_new(items, tree_from_object(objects->pdata[i]));
    return json_pack("{s:s, s:s, s:o, s:{s:s}}", "apiVersion", "v1", "kind", "List", "items", items, "metadata",
                     "resourceVersion", "");
}

ProtobufCMessage *tree_to_object(const json_t *tree, const ProtobufCMessageDescriptor *type, GError **error)
{
    char *text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
    ProtobufCMessage *object = api_decode(type, text, strlen(text), "merged object", error);
    free(text);
    return object;
}
