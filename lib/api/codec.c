#include "lib/api/codec.h"

#include <string.h>

#include "lib/api/codec-node.h"
#include "lib/base/error.h"

void api_manifest_free(ApiManifest *manifest)
{
    if (!manifest)
        return;
    api_message_free(manifest->object);
    g_free(manifest);
}

static void manifest_free(gpointer data)
{
    api_manifest_free(data);
}

/* A member that must be a string with a text, or NULL after an error. */
static const char *required_string(const CodecNode *map, const char *key, CodecErrors *errors)
{
    const CodecMember *member = codec_node_get(map, key);
    if (member && member->value->kind == CODEC_STRING && *member->value->text)
        return member->value->text;
    gsize mark = codec_path_push(errors, key);
    const CodecNode *at = member ? member->value : map;
    codec_errors_add(errors, at->line, at->column, member ? "expected a string" : "missing; every object needs it");
    codec_path_pop(errors, mark);
    return NULL;
}

/* Says why no row has this kind: the version is another one, the kind is misspelt, or there is none. */
static void add_unknown_kind(const CodecNode *map, const char *version, const char *kind, CodecErrors *errors)
{
    const CodecMember *at = codec_node_get(map, "kind");
    guint n;
    const ApiResource *table = api_resources(&n);
    g_autoptr(GPtrArray) kinds = g_ptr_array_new();
    for (guint i = 0; i < n; i++) {
        if (g_str_equal(table[i].kind, kind)) {
            g_autofree char *known = api_resource_api_version(&table[i]);
            codec_errors_add(errors, at->line, at->column, "kind %s is in apiVersion %s, not in %s", kind, known,
                             version);
            return;
        }
        g_ptr_array_add(kinds, (gpointer)table[i].kind);
    }
    const char *nearest = codec_nearest(kind, (const char *const *)kinds->pdata, kinds->len);
    g_autofree char *hint = nearest ? g_strdup_printf(" (did you mean \"%s\"?)", nearest) : NULL;
    codec_errors_add(errors, at->line, at->column, "no kind \"%s\" in apiVersion \"%s\"%s", kind, version,
                     api_str(hint));
}

static const ApiResource *find_kind(const char *version, const char *kind, gsize kind_size)
{
    const char *slash = strchr(version, '/');
    g_autofree char *group = g_strndup(version, slash ? (gsize)(slash - version) : 0);
    g_autofree char *name = g_strndup(kind, kind_size);
    return api_resource_by_kind(group, slash ? slash + 1 : version, name);
}

static void decode_object(const ApiResource *implied, const CodecNode *node, CodecErrors *errors, GPtrArray *manifests);

/* kind List of v1, or PodList and its like, whose items may leave out what the list says already. */
static void decode_list(const ApiResource *implied, const CodecNode *node, CodecErrors *errors, GPtrArray *manifests)
{
    static const char *const known[] = {"apiVersion", "kind", "metadata", "items"};
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < node->n; i++) {
        const CodecMember *member = &node->members[i];
        if (!codec_take_once(seen, member, errors))
            continue;
        gsize mark = codec_path_push(errors, member->key);
        const CodecNode *value = member->value;
        if (!g_strv_contains((const char *const[]){"apiVersion", "kind", "metadata", "items", NULL}, member->key)) {
            const char *nearest = codec_nearest(member->key, known, G_N_ELEMENTS(known));
            codec_errors_add(errors, member->line, member->column,
                             nearest ? "unknown field (did you mean \"%s\"?)" : "unknown field", nearest);
        } else if (g_str_equal(member->key, "metadata") && value->kind != CODEC_NULL) {
            api_message_free(codec_decode_message(&meta__v1__list_meta__descriptor, value, errors));
        } else if (g_str_equal(member->key, "items") && value->kind != CODEC_NULL && value->kind != CODEC_LIST) {
            codec_errors_add(errors, value->line, value->column, "expected a list");
        }
        codec_path_pop(errors, mark);
    }
    const CodecMember *items = codec_node_get(node, "items");
    for (guint i = 0; items && items->value->kind == CODEC_LIST && i < items->value->n; i++) {
        gsize mark = codec_path_push(errors, "items");
        codec_path_push_index(errors, i);
        decode_object(implied, items->value->items[i], errors, manifests);
        codec_path_pop(errors, mark);
    }
}

/* An object, or a list of them, whose own apiVersion and kind say what it is; implied stands in when both are absent. */
static void decode_object(const ApiResource *implied, const CodecNode *node, CodecErrors *errors, GPtrArray *manifests)
{
    if (node->kind != CODEC_MAP) {
        g_autofree char *found = codec_node_describe(node);
        codec_errors_add(errors, node->line, node->column,
                         "expected an object (a mapping with apiVersion and kind), found %s", found);
        return;
    }
    const ApiResource *resource = implied;
    if (!implied || codec_node_get(node, "apiVersion") || codec_node_get(node, "kind")) {
        const char *version = required_string(node, "apiVersion", errors);
        const char *kind = required_string(node, "kind", errors);
        if (!version || !kind)
            return;
        if (g_str_equal(kind, "List") && g_str_equal(version, "v1")) {
            decode_list(NULL, node, errors, manifests);
            return;
        }
        resource = find_kind(version, kind, strlen(kind));
        const ApiResource *item = g_str_has_suffix(kind, "List") ? find_kind(version, kind, strlen(kind) - 4) : NULL;
        if (!resource && item) {
            decode_list(item, node, errors, manifests);
            return;
        }
        if (!resource) {
            add_unknown_kind(node, version, kind, errors);
            return;
        }
    }
    ProtobufCMessage *object = codec_decode_message(resource->object, node, errors);
    if (!object)
        return;
    ApiManifest *manifest = g_new0(ApiManifest, 1);
    *manifest = (ApiManifest){resource, object, node->line};
    g_ptr_array_add(manifests, manifest);
}

GPtrArray *api_decode_manifests(const char *text, gsize size, const char *file, GError **error)
{
    g_autoptr(CodecArena) arena = codec_arena_new();
    g_autoptr(GPtrArray) documents = codec_read(arena, text, size, file, error);
    if (!documents)
        return NULL;
    g_autoptr(GPtrArray) manifests = g_ptr_array_new_with_free_func(manifest_free);
    CodecErrors errors;
    codec_errors_init(&errors, file);
    for (guint i = 0; i < documents->len; i++) {
        const CodecNode *node = documents->pdata[i];
        if (node->kind != CODEC_NULL)
            decode_object(NULL, node, &errors, manifests);
    }
    gboolean good = codec_errors_check(&errors, error);
    codec_errors_done(&errors);
    return good ? g_steal_pointer(&manifests) : NULL;
}

ProtobufCMessage *api_decode(const ProtobufCMessageDescriptor *type, const char *text, gsize size, const char *file,
                             GError **error)
{
    g_autoptr(CodecArena) arena = codec_arena_new();
    g_autoptr(GPtrArray) documents = codec_read(arena, text, size, file, error);
    if (!documents)
        return NULL;
    if (documents->len != 1) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: expected one value, found %u", file,
                    documents->len);
        return NULL;
    }
    CodecErrors errors;
    codec_errors_init(&errors, file);
    ProtobufCMessage *message = codec_decode_message(type, documents->pdata[0], &errors);
    if (!codec_errors_check(&errors, error))
        g_clear_pointer(&message, api_message_free);
    codec_errors_done(&errors);
    return message;
}

static char *write_node(const CodecNode *node, ApiFormat format)
{
    GString *out = g_string_new(NULL);
    if (format == API_FORMAT_YAML) {
        codec_write_yaml(out, node);
    } else {
        codec_write_json(out, node, format == API_FORMAT_JSON_PRETTY ? 4 : 0);
        if (format == API_FORMAT_JSON_PRETTY)
            g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

char *api_encode(const ProtobufCMessage *message, ApiFormat format)
{
    g_autoptr(CodecArena) arena = codec_arena_new();
    return write_node(codec_encode_message(arena, message), format);
}

/* A map of the arena from pairs key, node, ..., NULL. */
static CodecNode *map_of(CodecArena *arena, const char *key, ...) G_GNUC_NULL_TERMINATED;

static CodecNode *map_of(CodecArena *arena, const char *key, ...)
{
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    va_list args;
    va_start(args, key);
    for (; key; key = va_arg(args, const char *)) {
        CodecMember member = {.key = key, .value = va_arg(args, CodecNode *)};
        g_array_append_val(members, member);
    }
    va_end(args);
    CodecNode *map = codec_node_new(arena, CODEC_MAP, NULL);
    codec_node_set_members(arena, map, members);
    return map;
}

char *api_encode_list(const ProtobufCMessage *const *objects, gsize n, ApiFormat format)
{
    g_autoptr(CodecArena) arena = codec_arena_new();
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (gsize i = 0; i < n; i++)
        g_ptr_array_add(items, codec_encode_message(arena, objects[i]));
    CodecNode *list = codec_node_new(arena, CODEC_LIST, NULL);
    codec_node_set_items(arena, list, items);
    CodecNode *metadata = map_of(arena, "resourceVersion", codec_node_new(arena, CODEC_STRING, ""), NULL);
    CodecNode *root = map_of(arena, "apiVersion", codec_node_new(arena, CODEC_STRING, "v1"), "kind",
                             codec_node_new(arena, CODEC_STRING, "List"), "items", list, "metadata", metadata, NULL);
    return write_node(root, format);
}
