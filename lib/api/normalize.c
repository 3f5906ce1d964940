#include <string.h>

#include "lib/api/codec-node.h"
#include "lib/api/object.h"

static int compare_keys(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    const ApiMapEntry *first = *(const ApiMapEntry *const *)a, *second = *(const ApiMapEntry *const *)b;
    return strcmp(api_str(first->key), api_str(second->key));
}

/* Sorts the entries and frees all but the last of each key. Returns how many are left. */
static gsize normalize_map(ProtobufCMessage **entries, gsize n)
{
    g_qsort_with_data(entries, (gint)n, sizeof *entries, compare_keys, NULL); /* stable: the last stays the last */
    gsize kept = 0;
    for (gsize i = 0; i < n; i++) {
        if (i + 1 < n && compare_keys(&entries[i], &entries[i + 1], NULL) == 0)
            api_message_free(entries[i]);
        else
            entries[kept++] = entries[i];
    }
    return kept;
}

static void normalize_repeated(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t *n = G_STRUCT_MEMBER_P(message, field->quantifier_offset);
    ProtobufCMessage **elements = G_STRUCT_MEMBER(ProtobufCMessage **, message, field->offset);
    if (*n > 1 && codec_field_is_map(field))
        *n = normalize_map(elements, *n);
    for (size_t i = 0; i < *n; i++)
        api_message_normalize(elements[i]);
}

void api_message_normalize(ProtobufCMessage *message)
{
    for (guint i = 0; message && i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            normalize_repeated(message, field);
        else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
                 G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) == field->id)
            api_message_normalize(G_STRUCT_MEMBER(ProtobufCMessage *, message, field->offset));
    }
}
