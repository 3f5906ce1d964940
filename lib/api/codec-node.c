#include <string.h>

#include "lib/api/codec-node.h"
#include "lib/base/error.h"

/* The arena: chunks that double in size, so that a small manifest costs one allocation and a large list few. */
struct CodecArena {
    GPtrArray *chunks;
    gsize chunk_size, used;
};

#define FIRST_CHUNK 4096
#define LARGEST_CHUNK (1024 * 1024)

CodecArena *codec_arena_new(void)
{
    CodecArena *arena = g_new0(CodecArena, 1);
    arena->chunks = g_ptr_array_new_with_free_func(g_free);
    return arena;
}

void codec_arena_free(CodecArena *arena)
{
    if (!arena)
        return;
    g_ptr_array_unref(arena->chunks);
    g_free(arena);
}

void *codec_arena_alloc(CodecArena *arena, gsize size)
{
    size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    if (arena->chunks->len == 0 || arena->chunk_size - arena->used < size) {
        gsize next = CLAMP(arena->chunk_size * 2, FIRST_CHUNK, LARGEST_CHUNK);
        arena->chunk_size = MAX(next, size);
        arena->used = 0;
        g_ptr_array_add(arena->chunks, g_malloc0(arena->chunk_size));
    }
    guint8 *chunk = arena->chunks->pdata[arena->chunks->len - 1];
    void *result = chunk + arena->used;
    arena->used += size;
    return result;
}

char *codec_arena_strndup(CodecArena *arena, const char *text, gsize size)
{
    char *copy = codec_arena_alloc(arena, size + 1);
    memcpy(copy, text, size);
    return copy;
}

char *codec_arena_printf(CodecArena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return codec_arena_strndup(arena, text, strlen(text));
}

CodecNode *codec_node_new(CodecArena *arena, CodecKind kind, const char *text)
{
    CodecNode *node = codec_arena_alloc(arena, sizeof *node);
    node->kind = kind;
    node->text = text ? codec_arena_strndup(arena, text, strlen(text)) : NULL;
    node->height = 1;
    node->size = 1;
    return node;
}

static void count_child(CodecNode *parent, const CodecNode *child)
{
    parent->height = MAX(parent->height, child->height + 1);
    parent->size += child->size;
}

void codec_node_set_items(CodecArena *arena, CodecNode *list, const GPtrArray *items)
{
    list->n = items->len;
    list->items = codec_arena_alloc(arena, items->len * sizeof(CodecNode *));
    for (guint i = 0; i < items->len; i++) {
        list->items[i] = items->pdata[i];
        count_child(list, list->items[i]);
    }
}

void codec_node_set_members(CodecArena *arena, CodecNode *map, const GArray *members)
{
    map->n = members->len;
    map->members = codec_arena_alloc(arena, members->len * sizeof(CodecMember));
    for (guint i = 0; i < members->len; i++) {
        map->members[i] = g_array_index(members, CodecMember, i);
        count_child(map, map->members[i].value);
    }
}

const CodecMember *codec_node_get(const CodecNode *map, const char *key)
{
    for (guint i = map->n; i-- > 0;) {
        if (g_str_equal(map->members[i].key, key))
            return &map->members[i];
    }
    return NULL;
}

char *codec_node_describe(const CodecNode *node)
{
    g_autofree char *shown = NULL;
    switch (node->kind) {
    case CODEC_NULL:
        return g_strdup("null");
    case CODEC_BOOL:
        return g_strdup(node->text);
    case CODEC_NUMBER:
        return g_strdup_printf("the number %s", node->text);
    case CODEC_STRING:
        if (strlen(node->text) > 40)
            return g_strdup("a string");
        shown = g_strescape(node->text, NULL);
        return g_strdup_printf("the string \"%s\"", shown);
    case CODEC_MAP:
        return g_strdup("a mapping");
    case CODEC_LIST:
        return g_strdup("a list");
    }
    g_assert_not_reached();
}

GPtrArray *codec_read(CodecArena *arena, const char *text, gsize size, const char *file, GError **error)
{
    if (size > CODEC_MAX_SIZE) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: larger than %d MiB", file,
                    CODEC_MAX_SIZE / (1024 * 1024));
        return NULL;
    }
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    const char *bad;
    if (!g_utf8_validate_len(text, size, &bad)) {
        int line = 1;
        const char *start = text;
        for (const char *p = text; p < bad; p++) {
            if (*p == '\n') {
                line++;
                start = p + 1;
            }
        }
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s:%d:%d: byte 0x%02x: the text is not UTF-8", file,
                    line, (int)g_utf8_strlen(start, bad - start) + 1, (guint8)*bad);
        return NULL;
    }
    gsize first = 0;
    while (first < size && g_ascii_isspace(text[first]))
        first++;
    if (first == size || (text[first] != '{' && text[first] != '['))
        return codec_read_yaml(arena, text, size, file, error);

    /* a YAML flow mapping begins like JSON; the error of the likelier format is the more useful one */
    GError *json_error = NULL;
    GPtrArray *documents = codec_read_json(arena, text, size, file, &json_error);
    if (documents)
        return documents;
    documents = codec_read_yaml(arena, text, size, file, NULL);
    if (documents)
        g_error_free(json_error);
    else
        g_propagate_error(error, json_error);
    return documents;
}

void codec_errors_init(CodecErrors *errors, const char *file)
{
    *errors = (CodecErrors){
        .file = file,
        .path = g_string_new(NULL),
        .paths = g_ptr_array_new_with_free_func(g_free),
        .lines = g_ptr_array_new_with_free_func(g_free),
    };
}

void codec_errors_done(CodecErrors *errors)
{
    g_string_free(errors->path, TRUE);
    g_ptr_array_unref(errors->paths);
    g_ptr_array_unref(errors->lines);
}

void codec_errors_add(CodecErrors *errors, int line, int column, const char *format, ...)
{
    if (errors->n++ >= CODEC_MAX_ERRORS)
        return;
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    const char *path = errors->path->str;
    g_ptr_array_add(errors->paths, g_strdup(path));
    g_ptr_array_add(errors->lines,
                    g_strdup_printf("%s:%d:%d: %s%s%s", errors->file, line, column, path, *path ? ": " : "", text));
}

gboolean codec_errors_check(const CodecErrors *errors, GError **error)
{
    if (errors->n == 0)
        return TRUE;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < errors->lines->len; i++)
        g_string_append_printf(text, "%s%s", i ? "\n" : "", (char *)errors->lines->pdata[i]);
    if (errors->n > errors->lines->len)
        g_string_append_printf(text, "\n%s: and %u more", errors->file, errors->n - errors->lines->len);
    GError *made = g_error_new_literal(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, text->str);
    for (guint i = 0; i < errors->lines->len; i++)
        cleat_error_add_cause(made, errors->paths->pdata[i], "FieldValueInvalid", errors->lines->pdata[i]);
    g_propagate_error(error, made);
    return FALSE;
}

gsize codec_path_push(CodecErrors *errors, const char *name)
{
    gsize mark = errors->path->len;
    /* a key that holds dots or brackets (a label) is shown in brackets, as kubectl does */
    if (strpbrk(name, "./[] "))
        g_string_append_printf(errors->path, "[%s]", name);
    else
        g_string_append_printf(errors->path, "%s%s", mark ? "." : "", name);
    return mark;
}

gsize codec_path_push_index(CodecErrors *errors, guint index)
{
    gsize mark = errors->path->len;
    g_string_append_printf(errors->path, "[%u]", index);
    return mark;
}

void codec_path_pop(CodecErrors *errors, gsize mark)
{
    g_string_truncate(errors->path, mark);
}

gboolean codec_take_once(GHashTable *seen, const CodecMember *member, CodecErrors *errors)
{
    const CodecMember *first = g_hash_table_lookup(seen, member->key);
    if (!first) {
        g_hash_table_insert(seen, (gpointer)member->key, (gpointer)member);
        return TRUE;
    }
    gsize mark = codec_path_push(errors, member->key);
    codec_errors_add(errors, member->line, member->column, "given twice (first in line %d)", first->line);
    codec_path_pop(errors, mark);
    return FALSE;
}

/* Edits (insert, delete, replace, swap of neighbours) that make b of a, upper and lower case alike; at most <limit> + 1. */
static guint edit_distance(const char *a, const char *b, guint limit)
{
    enum { MAX = 64 };
    gsize na = strlen(a), nb = strlen(b);
    if (na > MAX || nb > MAX || na > nb + limit || nb > na + limit)
        return limit + 1;
    guint rows[3][MAX + 1];
    guint *before = rows[0], *last = rows[1], *row = rows[2];
    for (gsize j = 0; j <= nb; j++)
        last[j] = j;
    for (gsize i = 1; i <= na; i++) {
        row[0] = i;
        for (gsize j = 1; j <= nb; j++) {
            char ca = g_ascii_tolower(a[i - 1]), cb = g_ascii_tolower(b[j - 1]);
            row[j] = MIN(MIN(last[j], row[j - 1]) + 1, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == g_ascii_tolower(b[j - 2]) && g_ascii_tolower(a[i - 2]) == cb)
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
        guint *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[nb];
}

const char *codec_nearest(const char *name, const char *const *known, gsize n)
{
    const char *best = NULL;
    guint limit = MAX(1, (strlen(name) + 2) / 3), best_distance = limit + 1;
    for (gsize i = 0; i < n; i++) {
        guint distance = edit_distance(name, known[i], limit);
        if (distance < best_distance) {
            best_distance = distance;
            best = known[i];
        }
    }
    return best;
}
