/* What the API has and this release does nothing for: the one list of it. A field that is listed here and set is
 * refused by validation, wherever in an object a message of its type is found. To implement a field, take its row
 * away. */
#include "lib/api/codec-node.h"
#include "lib/api/kinds/kinds.h"
#include "lib/api/quantity.h"

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct {
    const ProtobufCMessageDescriptor *type;
    const char *field; /* NULL: every field that is not in <done> */
    /* Values, in text, that are done (or ask for nothing). NULL: only what is zero or empty. */
    const char *const *done;
} Rule;

static const Rule rules[] = {
    {&core__v1__pod_spec__descriptor, "affinity", NULL},
    {&core__v1__pod_spec__descriptor, "ephemeralContainers", NULL},
    {&core__v1__pod_spec__descriptor, "hostUsers", VALUES("true")},
    {&core__v1__pod_spec__descriptor, "hostnameOverride", NULL},
    {&core__v1__pod_spec__descriptor, "overhead", NULL},
    {&core__v1__pod_spec__descriptor, "priorityClassName",
     VALUES("", "system-node-critical", "system-cluster-critical")},
    {&core__v1__pod_spec__descriptor, "resourceClaims", NULL},
    {&core__v1__pod_spec__descriptor, "resources", NULL},
    {&core__v1__pod_spec__descriptor, "runtimeClassName", NULL},
    {&core__v1__pod_spec__descriptor, "schedulingGates", NULL},
    {&core__v1__pod_spec__descriptor, "schedulingGroup", NULL},
    {&core__v1__pod_spec__descriptor, "setHostnameAsFQDN", NULL},
    {&core__v1__pod_spec__descriptor, "topologySpreadConstraints", NULL},
    {&core__v1__pod_os__descriptor, "name", VALUES("", "linux")},
    {&core__v1__pod_security_context__descriptor, "appArmorProfile", NULL},
    {&core__v1__pod_security_context__descriptor, "seLinuxChangePolicy", NULL},
    {&core__v1__pod_security_context__descriptor, "seLinuxOptions", NULL},
    {&core__v1__pod_security_context__descriptor, "supplementalGroupsPolicy", VALUES("", "Merge")},
    {&core__v1__pod_security_context__descriptor, "windowsOptions", NULL},
    {&core__v1__container__descriptor, "lifecycle", NULL},
    {&core__v1__container__descriptor, "livenessProbe", NULL},
    {&core__v1__container__descriptor, "readinessProbe", NULL},
    {&core__v1__container__descriptor, "resizePolicy", NULL},
    {&core__v1__container__descriptor, "restartPolicy", NULL},
    {&core__v1__container__descriptor, "restartPolicyRules", NULL},
    {&core__v1__container__descriptor, "startupProbe", NULL},
    {&core__v1__container__descriptor, "volumeDevices", NULL},
    {&core__v1__container_port__descriptor, "hostIP", NULL},
    {&core__v1__security_context__descriptor, "appArmorProfile", NULL},
    {&core__v1__security_context__descriptor, "procMount", VALUES("", "Default")},
    {&core__v1__security_context__descriptor, "seLinuxOptions", NULL},
    {&core__v1__security_context__descriptor, "windowsOptions", NULL},
    {&core__v1__resource_requirements__descriptor, "claims", NULL},
    {&core__v1__env_var_source__descriptor, "fileKeyRef", NULL},
    {&core__v1__volume_source__descriptor, NULL, VALUES("emptyDir", "hostPath")},
    {&core__v1__empty_dir_volume_source__descriptor, "medium", VALUES("", "Memory")},
    {&core__v1__volume_mount__descriptor, "recursiveReadOnly", VALUES("", "Disabled")},
    {&core__v1__volume_mount__descriptor, "subPath", NULL},
    {&core__v1__volume_mount__descriptor, "subPathExpr", NULL},
    {&core__v1__service_account__descriptor, "imagePullSecrets", NULL},
    {&core__v1__node_spec__descriptor, "configSource", NULL},
    {&core__v1__service_spec__descriptor, "allocateLoadBalancerNodePorts", NULL},
    {&core__v1__service_spec__descriptor, "externalIPs", NULL},
    {&core__v1__service_spec__descriptor, "externalName", NULL},
    {&core__v1__service_spec__descriptor, "externalTrafficPolicy", NULL},
    {&core__v1__service_spec__descriptor, "healthCheckNodePort", NULL},
    {&core__v1__service_spec__descriptor, "internalTrafficPolicy", VALUES("", "Cluster")},
    {&core__v1__service_spec__descriptor, "ipFamilyPolicy", VALUES("", "SingleStack", "PreferDualStack")},
    {&core__v1__service_spec__descriptor, "loadBalancerClass", NULL},
    {&core__v1__service_spec__descriptor, "loadBalancerIP", NULL},
    {&core__v1__service_spec__descriptor, "loadBalancerSourceRanges", NULL},
    {&core__v1__service_spec__descriptor, "sessionAffinity", VALUES("", "None")},
    {&core__v1__service_spec__descriptor, "sessionAffinityConfig", NULL},
    {&core__v1__service_spec__descriptor, "trafficDistribution", NULL},
    {&core__v1__service_spec__descriptor, "type", VALUES("", "ClusterIP")},
    {&core__v1__service_port__descriptor, "nodePort", NULL},
    {&batch__v1__job_spec__descriptor, "backoffLimitPerIndex", NULL},
    {&batch__v1__job_spec__descriptor, "completionMode", VALUES("", "NonIndexed")},
    {&batch__v1__job_spec__descriptor, "managedBy", VALUES("", "kubernetes.io/job-controller")},
    {&batch__v1__job_spec__descriptor, "maxFailedIndexes", NULL},
    {&batch__v1__job_spec__descriptor, "podFailurePolicy", NULL},
    {&batch__v1__job_spec__descriptor, "podReplacementPolicy", VALUES("", "TerminatingOrFailed")},
    {&batch__v1__job_spec__descriptor, "successPolicy", NULL},
    {&coordination__v1__lease_spec__descriptor, "preferredHolder", NULL},
    {&coordination__v1__lease_spec__descriptor, "strategy", NULL},
};

/* Where a field's value is, or NULL when it is unset: not given, NULL or without elements. */
static const void *value_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *member = G_STRUCT_MEMBER_P(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return G_STRUCT_MEMBER(size_t, message, field->quantifier_offset) > 0 ? *(void *const *)member : NULL;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)member;
    return G_STRUCT_MEMBER(protobuf_c_boolean, message, field->quantifier_offset) ? member : NULL;
}

/* A scalar as text, or NULL for what is none. New string. */
static char *value_text(const ProtobufCFieldDescriptor *field, const void *value)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return g_strdup(value);
    case PROTOBUF_C_TYPE_BOOL:
        return g_strdup(*(const protobuf_c_boolean *)value ? "true" : "false");
    case PROTOBUF_C_TYPE_INT32:
        return g_strdup_printf("%d", *(const gint32 *)value);
    case PROTOBUF_C_TYPE_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, *(const gint64 *)value);
    default:
        return NULL;
    }
}

static gboolean asks_for_nothing(const ProtobufCFieldDescriptor *field, const void *value, const char *text)
{
    if (text)
        return g_str_equal(text, "") || g_str_equal(text, "false") || g_str_equal(text, "0");
    return field->label != PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_MESSAGE &&
           protobuf_c_message_get_packed_size(value) == 0;
}

static void check_rule(const Rule *rule, const ProtobufCFieldDescriptor *field, const void *value, const Path *path,
                       ApiFieldErrors *errors)
{
    if (!rule->field) {
        if (!g_strv_contains(rule->done, field->name))
            fail_unimplemented(errors, path, NULL);
        return;
    }
    if (!g_str_equal(rule->field, field->name))
        return;
    g_autofree char *text = value_text(field, value);
    if (rule->done ? g_strv_contains(rule->done, api_str(text)) : asks_for_nothing(field, value, text))
        return;
    fail_unimplemented(errors, path, rule->done ? text : NULL);
}

/* The first of the rules for a type, which stand together; NULL if there is none. */
static const Rule *rules_of(const ProtobufCMessageDescriptor *type)
{
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i].type == type)
            return &rules[i];
    }
    return NULL;
}

static void check_quantity(const ProtobufCMessage *message, const Path *path, ApiFieldErrors *errors)
{
    const char *text = api_str(((const Meta__V1__Quantity *)message)->string);
    g_autoptr(GError) problem = NULL;
    ApiQuantity ignored;
    if (text[0] && !api_quantity_parse(text, &ignored, &problem))
        fail_invalid(errors, path, text, problem->message);
}

static void check_elements(const ProtobufCFieldDescriptor *field, ProtobufCMessage *const *elements, gsize n,
                           const Path *path, ApiFieldErrors *errors)
{
    gboolean is_map = codec_field_is_map(field);
    for (gsize i = 0; i < n; i++) {
        if (!is_map) {
            generic_validate(elements[i], ITEM(path, i), errors);
            continue;
        }
        const ProtobufCFieldDescriptor *of_value = &elements[i]->descriptor->fields[1];
        const char *key = api_str(((const ApiMapEntry *)elements[i])->key);
        const ProtobufCMessage *value =
            of_value->type == PROTOBUF_C_TYPE_MESSAGE ? value_of(elements[i], of_value) : NULL;
        if (value)
            generic_validate(value, KEY(path, key), errors);
    }
}

void generic_validate(const ProtobufCMessage *message, const Path *path, ApiFieldErrors *errors)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &meta__v1__quantity__descriptor) {
        check_quantity(message, path, errors);
        return;
    }
    const Rule *first = rules_of(type), *end = rules + G_N_ELEMENTS(rules);
    for (guint i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const void *value = value_of(message, field);
        if (!value)
            continue;
        const Path *at = codec_field_is_inline(type, field) ? path : FIELD(path, field->name);
        for (const Rule *rule = first; rule && rule < end && rule->type == type; rule++)
            check_rule(rule, field, value, at, errors);
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            check_elements(field, value, G_STRUCT_MEMBER(size_t, message, field->quantifier_offset), at, errors);
        else
            generic_validate(value, at, errors);
    }
}
