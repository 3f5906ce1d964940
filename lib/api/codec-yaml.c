/* YAML by libyaml: its events become nodes with positions; the writer prints as kubectl does. */
#include <string.h>
#include <yaml.h>

#include "lib/api/codec-node.h"
#include "lib/base/error.h"

typedef struct {
    CodecArena *arena;
    const char *file;
    const char *text;
    gsize size;
    yaml_parser_t parser;
    GHashTable *anchors; /* name to CodecNode; NULL while the node is not complete. Of one document */
    guint64 aliased;     /* nodes that the aliases so far stand for */
    GError **error;
} Reader;

static gpointer reader_fail(Reader *reader, yaml_mark_t mark, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gpointer reader_fail(Reader *reader, yaml_mark_t mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(reader->error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s:%d:%d: %s", reader->file, (int)mark.line + 1,
                (int)mark.column + 1, message);
    return NULL;
}

/* The byte at a line and column, which libyaml counts from 0; 0 at the end. */
static char char_at(const Reader *reader, yaml_mark_t mark)
{
    const char *p = reader->text, *end = reader->text + reader->size;
    for (size_t line = 0; line < mark.line && p < end; p++)
        line += *p == '\n';
    for (size_t column = 0; column < mark.column && p < end; column++)
        p = g_utf8_next_char(p);
    return p < end ? *p : '\0';
}

/* libyaml's own error, which knows its position in characters only where its scanner has been. */
static gboolean reader_syntax_error(Reader *reader)
{
    yaml_parser_t *parser = &reader->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR) {
        mark = (yaml_mark_t){0};
        const char *start = reader->text, *bad = reader->text + MIN(parser->problem_offset, reader->size);
        for (const char *p = reader->text; p < bad; p++) {
            if (*p == '\n') {
                mark.line++;
                start = p + 1;
            }
        }
        mark.column = (size_t)g_utf8_strlen(start, bad - start);
    }
    gboolean at_tab = parser->error == YAML_SCANNER_ERROR && char_at(reader, mark) == '\t';
    const char *hint = at_tab ? " (a tab; YAML is indented by spaces)" : "";
    reader_fail(reader, mark, "%s%s%s%s", parser->problem ? parser->problem : "out of memory", hint,
                parser->context ? " " : "", parser->context ? parser->context : "");
    return FALSE;
}

static gboolean next_event(Reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) ? TRUE : reader_syntax_error(reader);
}

/* What a tag says a scalar is. plain: it may be anything that its text looks like. */
static gboolean apply_tag(Reader *reader, const yaml_event_t *event, CodecNode *node)
{
    static const struct {
        const char *tag;
        int kind; /* CodecKind */
    } tags[] = {{YAML_STR_TAG, CODEC_STRING},   {"!", CODEC_STRING},
                {YAML_BOOL_TAG, CODEC_BOOL},    {YAML_INT_TAG, CODEC_NUMBER},
                {YAML_FLOAT_TAG, CODEC_NUMBER}, {YAML_NULL_TAG, CODEC_NULL}};
    const char *tag = (const char *)event->data.scalar.tag, *text = (const char *)event->data.scalar.value;
    gboolean plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int wanted = tag || plain ? -1 : CODEC_STRING;
    for (gsize i = 0; tag && wanted < 0 && i < G_N_ELEMENTS(tags); i++)
        wanted = g_str_equal(tag, tags[i].tag) ? tags[i].kind : -1;
    if (tag && wanted < 0)
        return reader_fail(reader, event->start_mark, "the tag %s is not supported", tag) != NULL;

    node->text = codec_arena_strndup(reader->arena, text, strlen(text));
    if (wanted == CODEC_STRING) {
        node->kind = CODEC_STRING;
        return TRUE;
    }
    node->written = node->text;
    if (!codec_yaml_resolve(reader->arena, node->written, node))
        return reader_fail(reader, event->start_mark, "%s is no number that JSON can hold", text) != NULL;
    if (wanted >= 0 && node->kind != (CodecKind)wanted)
        return reader_fail(reader, event->start_mark, "\"%s\" does not fit its tag %s", text, tag) != NULL;
    return TRUE;
}

static CodecNode *read_scalar(Reader *reader, const yaml_event_t *event, CodecNode *node)
{
    if (event->data.scalar.length != strlen((const char *)event->data.scalar.value))
        return reader_fail(reader, event->start_mark, "a NUL character, which no string of an object may hold");
    return apply_tag(reader, event, node) ? node : NULL;
}

/* An alias stands for the node itself: nothing is copied, but the decoder will walk it again, and aliases of aliases multiply
 * ("billion laughs"). So what each stands for counts against a limit. */
static CodecNode *read_alias(Reader *reader, const yaml_event_t *event, guint depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    gpointer target;
    if (!g_hash_table_lookup_extended(reader->anchors, name, NULL, &target))
        return reader_fail(reader, event->start_mark, "no anchor &%s before this", name);
    if (!target)
        return reader_fail(reader, event->start_mark, "the anchor &%s contains itself", name);
    CodecNode *node = target;
    reader->aliased += node->size;
    if (reader->aliased > CODEC_MAX_ALIASED)
        return reader_fail(reader, event->start_mark, "the aliases stand for more than %d values", CODEC_MAX_ALIASED);
    if (depth + node->height - 1 > CODEC_MAX_DEPTH)
        return reader_fail(reader, event->start_mark, "nested too deeply");
    return node;
}

static CodecNode *read_node(Reader *reader, const yaml_event_t *event, guint depth);

static CodecNode *read_list(Reader *reader, CodecNode *node, guint depth)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return NULL;
        gboolean at_end = event.type == YAML_SEQUENCE_END_EVENT;
        CodecNode *item = at_end ? NULL : read_node(reader, &event, depth + 1);
        yaml_event_delete(&event);
        if (at_end)
            break;
        if (!item)
            return NULL;
        g_ptr_array_add(items, item);
    }
    node->kind = CODEC_LIST;
    codec_node_set_items(reader->arena, node, items);
    return node;
}

/* The merge key "<<": the members of other mappings, unless the mapping has its own of that name. Of several, the first to
 * have a name gives it. */
static gboolean merge_members(Reader *reader, const CodecMember *merge, GArray *members, GHashTable *seen)
{
    const CodecNode *value = merge->value;
    guint n = value->kind == CODEC_LIST ? value->n : 1;
    for (guint i = 0; i < n; i++) {
        const CodecNode *map = value->kind == CODEC_LIST ? value->items[i] : value;
        if (map->kind != CODEC_MAP) {
            yaml_mark_t mark = {0, (size_t)merge->line - 1, (size_t)merge->column - 1};
            return reader_fail(reader, mark, "<< needs a mapping or a list of mappings") != NULL;
        }
        for (guint j = 0; j < map->n; j++) {
            if (g_hash_table_add(seen, (gpointer)map->members[j].key))
                g_array_append_val(members, map->members[j]);
        }
    }
    return TRUE;
}

/* A key is the text of its scalar, whatever it looks like: 8080, on and true are names here. */
static gboolean read_key(Reader *reader, CodecMember *member, gboolean *ret_is_merge, gboolean *ret_at_end)
{
    yaml_event_t event;
    if (!next_event(reader, &event))
        return FALSE;
    *ret_at_end = event.type == YAML_MAPPING_END_EVENT;
    CodecNode *node = NULL;
    CodecNode *key = codec_node_new(reader->arena, CODEC_STRING, NULL);
    gboolean plain = FALSE;
    if (event.type == YAML_SCALAR_EVENT) {
        node = read_scalar(reader, &event, key);
        plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event.data.scalar.tag;
        if (node && plain && node->kind == CODEC_NULL)
            node = reader_fail(reader, event.start_mark, "a mapping key is missing or null");
        if (node && event.data.scalar.anchor)
            node = reader_fail(reader, event.start_mark, "an anchor on a mapping key is not supported");
    } else if (!*ret_at_end) {
        reader_fail(reader, event.start_mark, "a mapping key must be a string");
    }
    member->line = (int)event.start_mark.line + 1;
    member->column = (int)event.start_mark.column + 1;
    if (node) {
        member->key = node->written ? node->written : node->text;
        *ret_is_merge = plain && g_str_equal(member->key, "<<");
    }
    yaml_event_delete(&event);
    return *ret_at_end || node != NULL;
}

static CodecNode *read_map(Reader *reader, CodecNode *node, guint depth)
{
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    g_autoptr(GArray) merges = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (;;) {
        CodecMember member = {0};
        gboolean is_merge = FALSE, at_end = FALSE;
        if (!read_key(reader, &member, &is_merge, &at_end))
            return NULL;
        if (at_end)
            break;
        yaml_event_t event;
        if (!next_event(reader, &event))
            return NULL;
        member.value = read_node(reader, &event, depth + 1);
        yaml_event_delete(&event);
        if (!member.value)
            return NULL;
        g_array_append_val(is_merge ? merges : members, member);
        g_hash_table_add(seen, (gpointer)member.key);
    }
    for (guint i = 0; i < merges->len; i++) {
        if (!merge_members(reader, &g_array_index(merges, CodecMember, i), members, seen))
            return NULL;
    }
    node->kind = CODEC_MAP;
    codec_node_set_members(reader->arena, node, members);
    return node;
}

static gboolean collection_tag_fits(Reader *reader, const yaml_event_t *event)
{
    gboolean is_map = event->type == YAML_MAPPING_START_EVENT;
    const char *tag = (const char *)(is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    if (!tag || g_str_equal(tag, "!") || g_str_equal(tag, is_map ? YAML_MAP_TAG : YAML_SEQ_TAG))
        return TRUE;
    return reader_fail(reader, event->start_mark, "the tag %s is not supported", tag) != NULL;
}

static CodecNode *read_node(Reader *reader, const yaml_event_t *event, guint depth)
{
    if (depth > CODEC_MAX_DEPTH)
        return reader_fail(reader, event->start_mark, "nested too deeply");
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth);

    CodecNode *node = codec_node_new(reader->arena, CODEC_NULL, NULL);
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    gboolean is_scalar = event->type == YAML_SCALAR_EVENT, is_map = event->type == YAML_MAPPING_START_EVENT;
    const char *anchor = (const char *)(is_scalar ? event->data.scalar.anchor
                                        : is_map  ? event->data.mapping_start.anchor
                                                  : event->data.sequence_start.anchor);
    if (anchor)
        g_hash_table_replace(reader->anchors, g_strdup(anchor), NULL);
    CodecNode *result = NULL;
    if (is_scalar)
        result = read_scalar(reader, event, node);
    else if (collection_tag_fits(reader, event))
        result = is_map ? read_map(reader, node, depth) : read_list(reader, node, depth);
    if (anchor && result)
        g_hash_table_replace(reader->anchors, g_strdup(anchor), result);
    return result;
}

/* Documents up to the end of the stream. */
static gboolean read_documents(Reader *reader, GPtrArray *documents)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return FALSE;
        gboolean good = TRUE, at_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            g_hash_table_remove_all(reader->anchors);
            reader->aliased = 0;
        } else if (!at_end && event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT) {
            CodecNode *node = read_node(reader, &event, 1);
            good = node != NULL;
            if (node)
                g_ptr_array_add(documents, node);
        }
        yaml_event_delete(&event);
        if (!good || at_end)
            return good;
    }
}

GPtrArray *codec_read_yaml(CodecArena *arena, const char *text, gsize size, const char *file, GError **error)
{
    Reader reader = {.arena = arena, .file = file, .text = text, .size = size, .error = error};
    g_autoptr(GHashTable) anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    reader.anchors = anchors;
    g_autoptr(GPtrArray) documents = g_ptr_array_new();
    if (!yaml_parser_initialize(&reader.parser))
        return reader_fail(&reader, (yaml_mark_t){0}, "out of memory");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    gboolean good = read_documents(&reader, documents);
    yaml_parser_delete(&reader.parser);
    return good ? g_steal_pointer(&documents) : NULL;
}
