#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"

typedef struct {
    int replicas, current; /* current: the number it must have now; -1: any */
    const ApiResource *resource;
} Scale;

/* The spec of a kind that has spec.replicas, and that field; NULL for other kinds. */
static ProtobufCMessage *scalable_spec(const ProtobufCMessage *object, const ProtobufCFieldDescriptor **ret_replicas)
{
    const ProtobufCFieldDescriptor *spec = protobuf_c_message_descriptor_get_field_by_name(object->descriptor, "spec");
    if (!spec || spec->type != PROTOBUF_C_TYPE_MESSAGE)
        return NULL;
    *ret_replicas = protobuf_c_message_descriptor_get_field_by_name(spec->descriptor, "replicas");
    return *ret_replicas ? G_STRUCT_MEMBER(ProtobufCMessage *, object, spec->offset) : NULL;
}

static ProtobufCMessage *scale_change(const ProtobufCMessage *object, gpointer data, GError **error)
{
    const Scale *scale = data;
    const ProtobufCFieldDescriptor *field;
    ProtobufCMessage *copy = api_message_clone(object), *spec = scalable_spec(copy, &field);
    if (!spec) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s have no replicas to scale",
                    scale->resource->plural);
        api_message_free(copy);
        return NULL;
    }
    gint32 *replicas = G_STRUCT_MEMBER_P(spec, field->offset);
    if (scale->current >= 0 && *replicas != scale->current) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_CONFLICT, "expected %d replicas, but %s \"%s\" has %d",
                    scale->current, scale->resource->singular, api_object_name(object), *replicas);
        g_clear_pointer(&copy, api_message_free);
    } else if (*replicas == scale->replicas && G_STRUCT_MEMBER(protobuf_c_boolean, spec, field->quantifier_offset)) {
        g_clear_pointer(&copy, api_message_free);
    } else {
        *replicas = scale->replicas;
        G_STRUCT_MEMBER(protobuf_c_boolean, spec, field->quantifier_offset) = TRUE;
    }
    return copy;
}

static gboolean scale_one(Ctl *ctl, const Target *target, Scale *scale, GError **error)
{
    const char *namespace_ = ctl_namespace_of(ctl, target->resource, FALSE, error);
    gboolean changed;
    scale->resource = target->resource;
    ProtobufCMessage *object =
        namespace_ ? ctl_modify(ctl, target->resource, namespace_, target->name, scale_change, scale, &changed, error)
                   : NULL;
    if (!object)
        return FALSE;
    g_autofree char *label = ctl_object_label(target->resource, target->name);
    printf("%s scaled\n", label);
    api_message_free(object);
    return TRUE;
}

VERB(scale)
{
    Scale scale = {.replicas = -1, .current = -1};
    const GOptionEntry entries[] = {
        {"replicas", 0, 0, G_OPTION_ARG_INT, &scale.replicas, "How many there shall be", "N"},
        {"current-replicas", 0, 0, G_OPTION_ARG_INT, &scale.current, "Only if there are that many now", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    if (args && scale.replicas < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "the flag --replicas=N is required, and N is 0 or more");
        return FALSE;
    }
    g_autoptr(GPtrArray) targets = args ? targets_parse_named(ctl, args, error) : NULL;
    for (guint i = 0; targets && i < targets->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (!scale_one(ctl, targets->pdata[i], &scale, &problem))
            ctl_report(ctl, problem);
    }
    return targets != NULL;
}
