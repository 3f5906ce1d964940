/* JSON: a reader that knows the position of every value, and the writer. */
#include <string.h>

#include "lib/api/codec-node.h"
#include "lib/base/error.h"

typedef struct {
    CodecArena *arena;
    const char *file;
    const char *at, *end;
    int line, column; /* of <counted>, which never runs ahead of <at> */
    const char *counted;
    GError **error;
} Reader;

/* Columns count characters. They are counted from the last place asked for, so that one long line costs no more than many. */
static void reader_position(Reader *reader, int *ret_line, int *ret_column)
{
    for (; reader->counted < reader->at; reader->counted++) {
        if (*reader->counted == '\n') {
            reader->line++;
            reader->column = 1;
        } else if (((guint8)*reader->counted & 0xC0) != 0x80) {
            reader->column++;
        }
    }
    *ret_line = reader->line;
    *ret_column = reader->column;
}

static gpointer reader_fail(Reader *reader, const char *message)
{
    int line, column;
    reader_position(reader, &line, &column);
    g_set_error(reader->error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s:%d:%d: %s", reader->file, line, column,
                reader->at == reader->end ? "the text ends in the middle of a JSON value" : message);
    return NULL;
}

static void skip_space(Reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at))
        reader->at++;
}

static gboolean take(Reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return FALSE;
    reader->at++;
    return TRUE;
}

/* The four hexadecimal digits after "\u", or -1. */
static gint32 take_hex(Reader *reader)
{
    gint32 value = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        if (reader->at == reader->end || !g_ascii_isxdigit(*reader->at))
            return -1;
        value = value * 16 + g_ascii_xdigit_value(*reader->at);
    }
    return value;
}

/* What follows "\u": one character, which beyond the basic plane takes two escapes (a surrogate pair). */
static gboolean take_unicode(Reader *reader, GString *out)
{
    gint32 c = take_hex(reader);
    if (c >= 0xD800 && c < 0xDC00) {
        if (!take(reader, '\\') || !take(reader, 'u'))
            return FALSE;
        gint32 low = take_hex(reader);
        if (low < 0xDC00 || low > 0xDFFF)
            return FALSE;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
        return FALSE;
    }
    if (c <= 0) /* no hexadecimal digits, or NUL, which no string of an object may hold */
        return FALSE;
    g_string_append_unichar(out, (gunichar)c);
    return TRUE;
}

static const char *read_string(Reader *reader)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t"; /* pairs: after the backslash, meaning */
    g_autoptr(GString) out = g_string_new(NULL);
    reader->at++;
    for (;;) {
        const char *start = reader->at;
        while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\' && (guint8)*reader->at >= 0x20)
            reader->at++;
        g_string_append_len(out, start, reader->at - start);
        if (take(reader, '"'))
            return codec_arena_strndup(reader->arena, out->str, out->len);
        if (reader->at == reader->end || (guint8)*reader->at < 0x20)
            return reader_fail(reader, "a control character in a string; write it as \\n, \\t or \\u00XX");
        reader->at++;
        if (take(reader, 'u')) {
            if (!take_unicode(reader, out))
                return reader_fail(reader, "a \\u escape that is no character");
            continue;
        }
        const char *escape = NULL;
        for (const char *pair = escapes; *pair && reader->at < reader->end && !escape; pair += 2)
            escape = *pair == *reader->at ? pair : NULL;
        if (!escape)
            return reader_fail(reader, "an escape that JSON does not know");
        g_string_append_c(out, escape[1]);
        reader->at++;
    }
}

static gboolean take_digits(Reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && g_ascii_isdigit(*reader->at))
        reader->at++;
    return reader->at > start;
}

static CodecNode *read_number(Reader *reader, CodecNode *node)
{
    const char *start = reader->at;
    take(reader, '-');
    if (!take(reader, '0') && !take_digits(reader))
        return reader_fail(reader, "no JSON number");
    if (take(reader, '.') && !take_digits(reader))
        return reader_fail(reader, "a number needs a digit after its point");
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+'))
            take(reader, '-');
        if (!take_digits(reader))
            return reader_fail(reader, "a number needs a digit in its exponent");
    }
    node->kind = CODEC_NUMBER;
    node->text = codec_arena_strndup(reader->arena, start, reader->at - start);
    return node;
}

static CodecNode *read_word(Reader *reader, CodecNode *node)
{
    static const struct {
        const char *word;
        CodecKind kind;
    } words[] = {{"null", CODEC_NULL}, {"true", CODEC_BOOL}, {"false", CODEC_BOOL}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize size = strlen(words[i].word);
        if ((gsize)(reader->end - reader->at) < size || memcmp(reader->at, words[i].word, size) != 0)
            continue;
        reader->at += size;
        node->kind = words[i].kind;
        node->text = words[i].word;
        return node;
    }
    return reader_fail(reader, "no JSON value begins like this");
}

static CodecNode *read_value(Reader *reader, guint depth);

static CodecNode *read_list(Reader *reader, CodecNode *node, guint depth)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    reader->at++;
    skip_space(reader);
    if (!take(reader, ']')) {
        do {
            CodecNode *item = read_value(reader, depth + 1);
            if (!item)
                return NULL;
            g_ptr_array_add(items, item);
            skip_space(reader);
        } while (take(reader, ','));
        if (!take(reader, ']'))
            return reader_fail(reader, "expected , or ] in a list");
    }
    node->kind = CODEC_LIST;
    codec_node_set_items(reader->arena, node, items);
    return node;
}

static CodecNode *read_map(Reader *reader, CodecNode *node, guint depth)
{
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    reader->at++;
    skip_space(reader);
    if (!take(reader, '}')) {
        do {
            CodecMember member = {0};
            skip_space(reader);
            reader_position(reader, &member.line, &member.column);
            if (reader->at == reader->end || *reader->at != '"')
                return reader_fail(reader, "expected a name in double quotes");
            member.key = read_string(reader);
            if (!member.key)
                return NULL;
            skip_space(reader);
            if (!take(reader, ':'))
                return reader_fail(reader, "expected : after a name");
            member.value = read_value(reader, depth + 1);
            if (!member.value)
                return NULL;
            g_array_append_val(members, member);
            skip_space(reader);
        } while (take(reader, ','));
        if (!take(reader, '}'))
            return reader_fail(reader, "expected , or } in an object");
    }
    node->kind = CODEC_MAP;
    codec_node_set_members(reader->arena, node, members);
    return node;
}

static CodecNode *read_value(Reader *reader, guint depth)
{
    skip_space(reader);
    if (depth > CODEC_MAX_DEPTH)
        return reader_fail(reader, "nested too deeply");
    if (reader->at == reader->end)
        return reader_fail(reader, "");
    CodecNode *node = codec_node_new(reader->arena, CODEC_NULL, NULL);
    reader_position(reader, &node->line, &node->column);
    switch (*reader->at) {
    case '{':
        return read_map(reader, node, depth);
    case '[':
        return read_list(reader, node, depth);
    case '"':
        node->kind = CODEC_STRING;
        node->text = read_string(reader);
        return node->text ? node : NULL;
    default:
        return *reader->at == '-' || g_ascii_isdigit(*reader->at) ? read_number(reader, node) : read_word(reader, node);
    }
}

GPtrArray *codec_read_json(CodecArena *arena, const char *text, gsize size, const char *file, GError **error)
{
    Reader reader = {arena, file, text, text + size, 1, 1, text, error};
    g_autoptr(GPtrArray) documents = g_ptr_array_new();
    for (;;) {
        skip_space(&reader);
        if (reader.at == reader.end)
            return g_steal_pointer(&documents);
        CodecNode *node = read_value(&reader, 1);
        if (!node)
            return NULL;
        g_ptr_array_add(documents, node);
    }
}

static void write_json_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const char *p = text; *p; p++) {
        guint8 c = (guint8)*p;
        static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
        const char *found = strchr(escaped, c);
        if (found)
            g_string_append_printf(out, "\\%c", letters[found - escaped]);
        else if (c < 0x20 || c == 0x7F)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_c(out, (char)c);
    }
    g_string_append_c(out, '"');
}

static void new_line(GString *out, guint indent, guint level)
{
    if (indent > 0)
        g_string_append_printf(out, "\n%*s", (int)(indent * level), "");
}

static void write_json(GString *out, const CodecNode *node, guint indent, guint level)
{
    switch (node->kind) {
    case CODEC_NULL:
        g_string_append(out, "null");
        return;
    case CODEC_BOOL:
    case CODEC_NUMBER:
        g_string_append(out, node->text);
        return;
    case CODEC_STRING:
        write_json_string(out, node->text);
        return;
    case CODEC_MAP:
    case CODEC_LIST:
        break;
    }
    gboolean is_map = node->kind == CODEC_MAP;
    g_string_append_c(out, is_map ? '{' : '[');
    for (guint i = 0; i < node->n; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        new_line(out, indent, level + 1);
        if (is_map) {
            write_json_string(out, node->members[i].key);
            g_string_append(out, indent ? ": " : ":");
        }
        write_json(out, is_map ? node->members[i].value : node->items[i], indent, level + 1);
    }
    if (node->n > 0)
        new_line(out, indent, level);
    g_string_append_c(out, is_map ? '}' : ']');
}

void codec_write_json(GString *out, const CodecNode *node, guint indent)
{
    write_json(out, node, indent, 0);
}
