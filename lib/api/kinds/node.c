#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/quantity.h"

#define ROLE_PREFIX "node-role.kubernetes.io/"

static char *print_status(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__Node *node = (const Core__V1__Node *)object;
    const char *ready = "Unknown";
    for (gsize i = 0; node->status && i < node->status->n_conditions; i++) {
        const Core__V1__NodeCondition *condition = node->status->conditions[i];
        if (api_str_equal(condition->type, "Ready"))
            ready = api_str_equal(condition->status, "True") ? "Ready" : "NotReady";
    }
    return g_strconcat(ready, node->spec && node->spec->unschedulable ? ",SchedulingDisabled" : "", NULL);
}

static char *print_roles(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    g_autoptr(GString) roles = g_string_new(NULL);
    for (gsize i = 0; meta && i < meta->n_labels; i++) {
        const char *key = api_str(meta->labels[i]->key);
        if (g_str_has_prefix(key, ROLE_PREFIX) && key[strlen(ROLE_PREFIX)])
            g_string_append_printf(roles, "%s%s", roles->len > 0 ? "," : "", key + strlen(ROLE_PREFIX));
    }
    return column_none(roles->str);
}

static const Core__V1__NodeSystemInfo *info_of(const ProtobufCMessage *object)
{
    const Core__V1__NodeStatus *status = ((const Core__V1__Node *)object)->status;
    return status ? status->nodeinfo : NULL;
}

static char *print_version(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup(info_of(object) ? api_str(info_of(object)->kubeletversion) : "");
}

static char *print_address(const ProtobufCMessage *object, const char *type)
{
    const Core__V1__NodeStatus *status = ((const Core__V1__Node *)object)->status;
    for (gsize i = 0; status && i < status->n_addresses; i++) {
        if (api_str_equal(status->addresses[i]->type, type))
            return column_none(status->addresses[i]->address);
    }
    return column_none(NULL);
}

static char *print_internal_ip(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return print_address(object, "InternalIP");
}

static char *print_external_ip(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return print_address(object, "ExternalIP");
}

static char *unknown_if_unset(const char *value)
{
    return g_strdup(api_str(value)[0] ? value : "<unknown>");
}

static char *print_os_image(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return unknown_if_unset(info_of(object) ? info_of(object)->osimage : NULL);
}

static char *print_kernel(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return unknown_if_unset(info_of(object) ? info_of(object)->kernelversion : NULL);
}

static char *print_runtime(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return unknown_if_unset(info_of(object) ? info_of(object)->containerruntimeversion : NULL);
}

const ApiColumn node_columns[] = {
    {"STATUS", FALSE, print_status},
    {"ROLES", FALSE, print_roles},
    {"VERSION", FALSE, print_version},
    {"INTERNAL-IP", TRUE, print_internal_ip},
    {"EXTERNAL-IP", TRUE, print_external_ip},
    {"OS-IMAGE", TRUE, print_os_image},
    {"KERNEL-VERSION", TRUE, print_kernel},
    {"CONTAINER-RUNTIME", TRUE, print_runtime},
    {NULL, FALSE, NULL},
};

/* What is not reserved is the whole node. */
void node_set_defaults(ProtobufCMessage *object)
{
    Core__V1__NodeStatus *status = ((Core__V1__Node *)object)->status;
    if (!status || status->n_allocatable > 0)
        return;
    for (gsize i = 0; i < status->n_capacity; i++) {
        Core__V1__NodeStatus__AllocatableEntry *entry =
            API_NEW(Core__V1__NodeStatus__AllocatableEntry, core__v1__node_status__allocatable_entry);
        entry->key = g_strdup(status->capacity[i]->key);
        entry->value = API_CLONE(status->capacity[i]->value);
        api_append(status->allocatable, status->n_allocatable, entry);
    }
}

/* The range of addresses for the node's pods is given once; an agent that registers again does not know it. */
void node_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    Core__V1__Node *node = (Core__V1__Node *)object;
    const Core__V1__NodeSpec *before = ((const Core__V1__Node *)old)->spec;
    status_prepare_update(object, old);
    if (!before || before->n_podcidrs == 0)
        return;
    if (!node->spec)
        node->spec = API_NEW(Core__V1__NodeSpec, core__v1__node_spec);
    if (api_str(node->spec->podcidr)[0] == '\0')
        api_set_string(&node->spec->podcidr, before->podcidr);
    for (gsize i = 0; node->spec->n_podcidrs == 0 && i < before->n_podcidrs; i++)
        api_append(node->spec->podcidrs, node->spec->n_podcidrs, g_strdup(before->podcidrs[i]));
}

static void validate_taints(const Core__V1__NodeSpec *spec, ApiFieldErrors *errors)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    const Path *taints = FIELD(FIELD(NULL, "spec"), "taints");
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < spec->n_taints; i++) {
        const Core__V1__Taint *taint = spec->taints[i];
        require_name(errors, FIELD(ITEM(taints, i), "key"), taint->key, api_name_qualified);
        check_name(errors, FIELD(ITEM(taints, i), "value"), taint->value, api_name_label_value);
        require_one_of(errors, FIELD(ITEM(taints, i), "effect"), taint->effect, effects);
        char *pair = g_strconcat(api_str(taint->key), ":", api_str(taint->effect), NULL);
        if (g_hash_table_contains(seen, pair))
            fail_duplicate(errors, ITEM(taints, i), pair);
        g_hash_table_add(seen, pair);
    }
}

void node_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Core__V1__NodeSpec *spec = ((const Core__V1__Node *)object)->spec;
    const Core__V1__NodeSpec *before = old ? ((const Core__V1__Node *)old)->spec : NULL;
    if (spec)
        validate_taints(spec, errors);
    if (before && api_str(before->podcidr)[0] && (!spec || !api_str_equal(spec->podcidr, before->podcidr)))
        api_field_forbidden(errors, "spec.podCIDR", "the range is set once and stays");
    if (before && api_str(before->providerid)[0] && (!spec || !api_str_equal(spec->providerid, before->providerid)))
        api_field_forbidden(errors, "spec.providerID", "field is immutable once it is set");
}

static void validate_amounts(QuantityEntry *const *entries, gsize n, const char *field, ApiFieldErrors *errors)
{
    const Path *path = FIELD(FIELD(NULL, "status"), field);
    for (gsize i = 0; i < n; i++) {
        ApiQuantity amount;
        const char *key = api_str(entries[i]->key);
        require_name(errors, KEY(path, key), key, api_name_qualified);
        api_quantity_get(entries[i]->value, &amount);
        if (amount.nano < 0)
            fail_invalid(errors, KEY(path, key), entries[i]->value->string, "must be greater than or equal to 0");
    }
}

void node_validate_status(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    (void)old;
    const Core__V1__NodeStatus *status = ((const Core__V1__Node *)object)->status;
    if (!status)
        return;
    validate_amounts(QUANTITIES(status->capacity), status->n_capacity, "capacity", errors);
    validate_amounts(QUANTITIES(status->allocatable), status->n_allocatable, "allocatable", errors);
}
