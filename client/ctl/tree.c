#include "client/ctl/tree.h"

#include <string.h>

#include "lib/api/codec.h"

static json_t *parse(char *text)
{
    json_t *tree = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    g_assert(tree); /* what the codec writes is JSON */
    g_free(text);
    return tree;
}

json_t *tree_from_object(const ProtobufCMessage *object)
{
    return parse(api_encode(object, API_FORMAT_JSON));
}

json_t *tree_from_list(const GPtrArray *objects)
{
    return parse(api_encode_list((const ProtobufCMessage *const *)objects->pdata, objects->len, API_FORMAT_JSON));
}

ProtobufCMessage *tree_to_object(const json_t *tree, const ProtobufCMessageDescriptor *type, GError **error)
{
    char *text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
    ProtobufCMessage *object = api_decode(type, text, strlen(text), "merged object", error);
    free(text);
    return object;
}
