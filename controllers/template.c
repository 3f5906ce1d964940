#include "controllers/template.h"

#include <string.h>

#include "lib/api/labels.h"

/* Entries of map fields are messages {key = 1, value = 2} whose type is called ...Entry. */
static gboolean is_map_entry(const ProtobufCMessageDescriptor *type)
{
    return g_str_has_suffix(type->short_name, "Entry") && type->n_fields == 2 &&
           g_str_equal(type->fields[0].name, "key") && type->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static int compare_entries(const void *a, const void *b)
{
    const ApiMapEntry *const *x = a, *const *y = b;
    return g_strcmp0((*x)->key, (*y)->key);
}

static void sort_maps(ProtobufCMessage *message);

static void sort_maps_in_array(const ProtobufCMessageDescriptor *type, ProtobufCMessage **items, gsize n)
{
    if (n > 1 && is_map_entry(type))
        qsort(items, n, sizeof *items, compare_entries);
    for (gsize i = 0; i < n; i++)
        sort_maps(items[i]);
}

static void sort_maps(ProtobufCMessage *message)
{
    for (guint i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            continue;
        void *member = G_STRUCT_MEMBER_P(message, field->offset);
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            sort_maps_in_array(field->descriptor, *(ProtobufCMessage ***)member,
                               G_STRUCT_MEMBER(size_t, message, field->quantifier_offset));
        else if (*(ProtobufCMessage **)member)
            sort_maps(*(ProtobufCMessage **)member);
    }
}

static GBytes *canonical(const Core__V1__PodTemplateSpec *template_)
{
    API_AUTO(Core__V1__PodTemplateSpec) copy = (Core__V1__PodTemplateSpec *)API_CLONE(template_);
    if (!copy)
        copy = API_NEW(Core__V1__PodTemplateSpec, core__v1__pod_template_spec);
    if (copy->metadata)
        api_label_set(copy->metadata, API_LABEL_POD_TEMPLATE_HASH, NULL);
    sort_maps(&copy->base);
    return api_message_pack(&copy->base);
}

gboolean template_equal(const Core__V1__PodTemplateSpec *a, const Core__V1__PodTemplateSpec *b)
{
    g_autoptr(GBytes) x = canonical(a);
    g_autoptr(GBytes) y = canonical(b);
    return g_bytes_equal(x, y);
}

/* FNV-1a. The decimal digits are then written in letters that spell no words, as Kubernetes does. */
char *template_hash(const Core__V1__PodTemplateSpec *template_, gint32 collisions)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    g_autoptr(GBytes) bytes = canonical(template_);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    guint32 hash = 2166136261u;
    for (gsize i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    for (guint i = 0; collisions > 0 && i < sizeof collisions; i++)
        hash = (hash ^ (guint8)(collisions >> (8 * i))) * 16777619u;
    char *text = g_strdup_printf("%u", hash);
    for (char *c = text; *c; c++)
        *c = alphabet[(guint8)*c % (sizeof alphabet - 1)];
    return text;
}
