/* What several kinds need. */
#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/selector.h"

const char *const port_protocols[] = {"TCP", "UDP", "SCTP", NULL};

const char *port_name(const char *value)
{
    gsize n = strlen(value);
    if (n > 15)
        return "must be no more than 15 characters";
    if (strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    if (strcspn(value, "abcdefghijklmnopqrstuvwxyz") == n)
        return "must contain at least one letter (a-z)";
    if (strstr(value, "--") || value[0] == '-' || value[n - 1] == '-')
        return "must not begin or end with a hyphen, nor contain two in a row";
    return NULL;
}

/* The status field of an object of a kind that has one. */
static ProtobufCMessage **status_field(ProtobufCMessage *object)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(object->descriptor, "status");
    g_assert(field && field->type == PROTOBUF_C_TYPE_MESSAGE);
    return G_STRUCT_MEMBER_P(object, field->offset);
}

void status_prepare_create(ProtobufCMessage *object)
{
    ProtobufCMessage **status = status_field(object);
    api_set(*status, NULL);
}

void status_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    ProtobufCMessage **status = status_field(object);
    api_set(*status, api_message_clone(*status_field((ProtobufCMessage *)old)));
}

gboolean same_meaning(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (api_message_equal(a, b))
        return TRUE;
    if (!a || !b)
        return FALSE;
    ProtobufCMessage *sorted_a = api_message_clone(a), *sorted_b = api_message_clone(b);
    api_message_normalize(sorted_a);
    api_message_normalize(sorted_b);
    gboolean same = api_message_equal(sorted_a, sorted_b);
    api_message_free(sorted_a);
    api_message_free(sorted_b);
    return same;
}

void selector_validate(const Meta__V1__LabelSelector *selector, const Core__V1__PodTemplateSpec *template,
                       const char *kind, ApiFieldErrors *errors)
{
    const Path *path = FIELD(FIELD(NULL, "spec"), "selector");
    if (!selector) {
        fail_required(errors, path, NULL);
        return;
    }
    if (selector->n_matchlabels + selector->n_matchexpressions == 0) {
        g_autofree char *detail = g_strdup_printf("empty selector is invalid for %s", kind);
        fail_invalid(errors, path, NULL, detail);
        return;
    }
    g_autoptr(GError) problem = NULL;
    g_autoptr(ApiSelector) parsed = api_selector_from_message(selector, &problem);
    if (!parsed) {
        fail_invalid(errors, path, NULL, problem->message);
        return;
    }
    if (template && !api_selector_matches_meta(parsed, template->metadata))
        fail_invalid(errors, FIELD(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "metadata"), "labels"), NULL,
                     "`selector` does not match template `labels`");
}

const Meta__V1__Quantity *quantity_map_get(QuantityEntry *const *entries, gsize n, const char *key)
{
    for (gsize i = n; i-- > 0;) {
        if (api_str_equal(entries[i]->key, key))
            return entries[i]->value;
    }
    return NULL;
}

char *column_none(const char *value)
{
    return g_strdup(api_str(value)[0] ? value : "<none>");
}

typedef const char *(*ContainerText)(const Core__V1__Container *container);

static char *join_containers(const Core__V1__PodTemplateSpec *template, ContainerText text)
{
    g_autoptr(GString) joined = g_string_new(NULL);
    const Core__V1__PodSpec *spec = template ? template->spec : NULL;
    for (gsize i = 0; spec && i < spec->n_containers; i++)
        g_string_append_printf(joined, "%s%s", i > 0 ? "," : "", text(spec->containers[i]));
    return column_none(joined->str);
}

static const char *container_name(const Core__V1__Container *container)
{
    return api_str(container->name);
}

static const char *container_image(const Core__V1__Container *container)
{
    return api_str(container->image);
}

char *column_containers(const Core__V1__PodTemplateSpec *template)
{
    return join_containers(template, container_name);
}

char *column_images(const Core__V1__PodTemplateSpec *template)
{
    return join_containers(template, container_image);
}

char *column_selector(const Meta__V1__LabelSelector *selector)
{
    g_autoptr(ApiSelector) parsed = selector ? api_selector_from_message(selector, NULL) : NULL;
    if (selector && !parsed)
        return g_strdup("<error>");
    g_autofree char *text = parsed ? api_selector_format(parsed) : NULL;
    return column_none(text);
}
