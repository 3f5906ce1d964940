/* What plain YAML scalars mean, and the YAML writer, which must know that to quote what would be misread. */
#include <string.h>
#include <yaml.h>

#include "lib/api/codec-node.h"

/* As the YAML 1.1 reader that Kubernetes uses takes them. */
static const struct {
    const char *text;
    CodecKind kind;
    const char *value;
} words[] = {
    {"", CODEC_NULL, "null"},       {"~", CODEC_NULL, "null"},      {"null", CODEC_NULL, "null"},
    {"Null", CODEC_NULL, "null"},   {"NULL", CODEC_NULL, "null"},   {"true", CODEC_BOOL, "true"},
    {"True", CODEC_BOOL, "true"},   {"TRUE", CODEC_BOOL, "true"},   {"false", CODEC_BOOL, "false"},
    {"False", CODEC_BOOL, "false"}, {"FALSE", CODEC_BOOL, "false"}, {"y", CODEC_BOOL, "true"},
    {"Y", CODEC_BOOL, "true"},      {"yes", CODEC_BOOL, "true"},    {"Yes", CODEC_BOOL, "true"},
    {"YES", CODEC_BOOL, "true"},    {"on", CODEC_BOOL, "true"},     {"On", CODEC_BOOL, "true"},
    {"ON", CODEC_BOOL, "true"},     {"n", CODEC_BOOL, "false"},     {"N", CODEC_BOOL, "false"},
    {"no", CODEC_BOOL, "false"},    {"No", CODEC_BOOL, "false"},    {"NO", CODEC_BOOL, "false"},
    {"off", CODEC_BOOL, "false"},   {"Off", CODEC_BOOL, "false"},   {"OFF", CODEC_BOOL, "false"},
};
static const char *const not_json[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                       "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};

/* 0644, 0o644, 0x1F, 0b101: an integer of 64 bits to another base than ten, as a decimal number. */
static gboolean resolve_based(CodecArena *arena, const char *text, CodecNode *node)
{
    gboolean negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+');
    if (*p != '0' || p[1] == '\0')
        return FALSE;
    char mark = g_ascii_tolower(p[1]);
    guint base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    p += base != 8 || mark == 'o' ? 2 : 1;
    guint64 value = 0, limit = negative ? (guint64)G_MAXINT64 + 1 : G_MAXUINT64;
    if (*p == '\0')
        return FALSE;
    for (; *p; p++) {
        int digit = g_ascii_xdigit_value(*p);
        if (digit < 0 || (guint)digit >= base || value > (limit - (guint)digit) / base)
            return FALSE;
        value = value * base + (guint)digit;
    }
    node->text = codec_arena_printf(arena, "%s%" G_GUINT64_FORMAT, negative && value > 0 ? "-" : "", value);
    return TRUE;
}

/* [-+]? digits [. digits] [e [-+]? digits], with at least one digit before or after the point, as a JSON number: the same
 * digits without a plus sign, superfluous zeros in front, or a point at either end. */
static gboolean resolve_decimal(CodecArena *arena, const char *text, CodecNode *node)
{
    const char *p = text, *sign = *p == '-' ? "-" : "";
    p += *p == '-' || *p == '+';
    const char *whole = p;
    p += strspn(p, "0123456789");
    const char *whole_end = p, *fraction = p;
    if (*p == '.') {
        fraction = ++p;
        p += strspn(p, "0123456789");
    }
    const char *fraction_end = p, *exponent = p;
    if (whole_end == whole && fraction_end == fraction)
        return FALSE;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        gsize digits = strspn(p, "0123456789");
        if (digits == 0)
            return FALSE;
        p += digits;
    }
    if (*p != '\0')
        return FALSE;
    while (whole < whole_end - 1 && *whole == '0')
        whole++;
    node->text = codec_arena_printf(arena, "%s%.*s%s%.*s%s", sign, whole == whole_end ? 1 : (int)(whole_end - whole),
                                    whole == whole_end ? "0" : whole, fraction_end > fraction ? "." : "",
                                    (int)(fraction_end - fraction), fraction, exponent);
    return TRUE;
}

gboolean codec_yaml_resolve(CodecArena *arena, const char *text, CodecNode *node)
{
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(text, words[i].text)) {
            node->kind = words[i].kind;
            node->text = words[i].value;
            return TRUE;
        }
    }
    for (gsize i = 0; i < G_N_ELEMENTS(not_json); i++) {
        if (g_str_equal(text, not_json[i]))
            return FALSE;
    }
    node->kind = CODEC_STRING;
    node->text = text;
    if (!g_ascii_isdigit(*text) && !strchr("+-.", *text))
        return TRUE;
    g_autofree char *digits = g_strdup(text); /* underscores may group digits */
    char *out = digits;
    for (const char *p = text; *p; p++) {
        if (*p != '_')
            *out++ = *p;
    }
    *out = '\0';
    if (resolve_based(arena, digits, node) || resolve_decimal(arena, digits, node))
        node->kind = CODEC_NUMBER;
    return TRUE;
}

/* Digits with colons (a number to base 60 for other YAML 1.1 readers), and what begins like a date. */
static gboolean looks_like_time(const char *text)
{
    if (strspn(text, "0123456789") == 4 && text[4] == '-' && g_ascii_isdigit(text[5]))
        return TRUE;
    const char *p = text + (*text == '-' || *text == '+');
    return g_ascii_isdigit(*p) && strchr(p, ':') && strspn(p, "0123456789_:.") == strlen(p);
}

static yaml_scalar_style_t string_style(CodecArena *arena, const char *text)
{
    /* line breaks that a reader would fold to \n, and what libyaml's scanner takes for a byte order mark or refuses */
    gboolean lines = FALSE;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c == '\n')
            lines = TRUE;
        else if (c == '\t' ? p == text
                           : c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
                                 (c & 0xFFFE) == 0xFFFE)
            return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    }
    if (lines)
        return YAML_LITERAL_SCALAR_STYLE;
    CodecNode node = {0};
    if (!codec_yaml_resolve(arena, text, &node) || node.kind != CODEC_STRING || looks_like_time(text) ||
        g_str_equal(text, "<<"))
        return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return YAML_PLAIN_SCALAR_STYLE; /* libyaml quotes it where its characters need that */
}

typedef struct {
    yaml_emitter_t emitter;
    CodecArena *arena; /* for passing thoughts of the resolver */
} Writer;

/* libyaml fails on lack of memory only, as all that is emitted is valid UTF-8 in a valid order. */
static void emit(Writer *writer, yaml_event_t *event)
{
    if (!yaml_emitter_emit(&writer->emitter, event))
        g_error("YAML: %s", writer->emitter.problem ? writer->emitter.problem : "out of memory");
}

static void emit_scalar(Writer *writer, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t event;
    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style);
    emit(writer, &event);
}

static void emit_node(Writer *writer, const CodecNode *node)
{
    yaml_event_t event;
    yaml_mapping_style_t map_style = node->n ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    yaml_sequence_style_t list_style = node->n ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    switch (node->kind) {
    case CODEC_NULL:
        emit_scalar(writer, "null", YAML_PLAIN_SCALAR_STYLE);
        break;
    case CODEC_BOOL:
    case CODEC_NUMBER:
        emit_scalar(writer, node->text, YAML_PLAIN_SCALAR_STYLE);
        break;
    case CODEC_STRING:
        emit_scalar(writer, node->text, string_style(writer->arena, node->text));
        break;
    case CODEC_MAP:
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, map_style);
        emit(writer, &event);
        for (guint i = 0; i < node->n; i++) {
            emit_scalar(writer, node->members[i].key, string_style(writer->arena, node->members[i].key));
            emit_node(writer, node->members[i].value);
        }
        yaml_mapping_end_event_initialize(&event);
        emit(writer, &event);
        break;
    case CODEC_LIST:
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, list_style);
        emit(writer, &event);
        for (guint i = 0; i < node->n; i++)
            emit_node(writer, node->items[i]);
        yaml_sequence_end_event_initialize(&event);
        emit(writer, &event);
        break;
    }
}

static int append(void *data, unsigned char *buffer, size_t size)
{
    g_string_append_len(data, (const char *)buffer, (gssize)size);
    return 1;
}

void codec_write_yaml(GString *out, const CodecNode *node)
{
    g_autoptr(CodecArena) arena = codec_arena_new();
    Writer writer = {.arena = arena};
    if (!yaml_emitter_initialize(&writer.emitter))
        g_error("YAML: out of memory");
    yaml_emitter_set_output(&writer.emitter, append, out);
    yaml_emitter_set_unicode(&writer.emitter, 1);
    yaml_emitter_set_width(&writer.emitter, -1);
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&writer, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&writer, &event);
    emit_node(&writer, node);
    yaml_document_end_event_initialize(&event, 1);
    emit(&writer, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&writer, &event);
    yaml_emitter_delete(&writer.emitter);
}
