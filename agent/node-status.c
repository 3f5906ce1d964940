#include "agent/node-status.h"

#include <string.h>

#include "lib/api/labels.h"
#include "lib/api/object.h"
#include "lib/api/quantity.h"

static gboolean set_label(Core__V1__Node *node, const char *key, const char *value)
{
    if (g_strcmp0(api_label(node->metadata, key), value) == 0)
        return FALSE;
    api_label_set(API_META(node), key, value);
    return TRUE;
}

gboolean node_set_labels(Core__V1__Node *node, const NodeInput *input)
{
    gboolean changed = set_label(node, API_LABEL_HOSTNAME, input->config->node_name);
    changed |= set_label(node, API_LABEL_OS, "linux");
    changed |= set_label(node, API_LABEL_ARCH, input->facts->architecture);
    return changed;
}

static void add_resource(Core__V1__NodeStatus *status, const char *name, gint64 value, ApiQuantityFormat format)
{
    Core__V1__NodeStatus__CapacityEntry *capacity =
        API_NEW(Core__V1__NodeStatus__CapacityEntry, core__v1__node_status__capacity_entry);
    Core__V1__NodeStatus__AllocatableEntry *allocatable =
        API_NEW(Core__V1__NodeStatus__AllocatableEntry, core__v1__node_status__allocatable_entry);
    capacity->key = g_strdup(name);
    capacity->value = api_quantity_new(api_quantity_from_value(value, format));
    allocatable->key = g_strdup(name);
    allocatable->value = API_CLONE(capacity->value);
    api_append(status->capacity, status->n_capacity, capacity);
    api_append(status->allocatable, status->n_allocatable, allocatable);
}

static void add_address(Core__V1__NodeStatus *status, const char *type, const char *address)
{
    Core__V1__NodeAddress *entry = API_NEW(Core__V1__NodeAddress, core__v1__node_address);
    entry->type = g_strdup(type);
    entry->address = g_strdup(address);
    api_append(status->addresses, status->n_addresses, entry);
}

static void set_info(Core__V1__NodeStatus *status, const NodeInput *input)
{
    Core__V1__NodeSystemInfo *info = API_NEW(Core__V1__NodeSystemInfo, core__v1__node_system_info);
    const NodeFacts *facts = input->facts;
    info->machineid = g_strdup(facts->machine_id);
    info->systemuuid = g_strdup(facts->system_uuid);
    info->bootid = g_strdup(facts->boot_id);
    info->kernelversion = g_strdup(facts->kernel);
    info->osimage = g_strdup(facts->os_image);
    info->containerruntimeversion =
        input->runtime_name[0] ? g_strdup_printf("%s://%s", input->runtime_name, input->runtime_version) : g_strdup("");
    info->kubeletversion = g_strdup("v" CLEAT_VERSION);
    info->kubeproxyversion = g_strdup("v" CLEAT_VERSION);
    info->operatingsystem = g_strdup("linux");
    info->architecture = g_strdup(facts->architecture);
    status->nodeinfo = info;
}

static void set_port(Core__V1__NodeStatus *status, const char *listen)
{
    const char *colon = listen ? strrchr(listen, ':') : NULL;
    gint64 port = colon ? g_ascii_strtoll(colon + 1, NULL, 10) : 0;
    if (port <= 0)
        return;
    status->daemonendpoints = API_NEW(Core__V1__NodeDaemonEndpoints, core__v1__node_daemon_endpoints);
    status->daemonendpoints->kubeletendpoint = API_NEW(Core__V1__DaemonEndpoint, core__v1__daemon_endpoint);
    api_set_scalar(status->daemonendpoints->kubeletendpoint, port, (gint32)port);
}

static Core__V1__NodeCondition *ready_condition(const NodeInput *input, const Core__V1__NodeCondition *old)
{
    Core__V1__NodeCondition *condition = API_NEW(Core__V1__NodeCondition, core__v1__node_condition);
    gboolean ready = input->readiness.runtime && input->readiness.network;
    condition->type = g_strdup("Ready");
    condition->status = g_strdup(ready ? "True" : "False");
    condition->reason = g_strdup(ready ? "KubeletReady" : "KubeletNotReady");
    condition->message = g_strdup(ready ? "the node agent is ready" : input->readiness.message);
    condition->lastheartbeattime = api_time_new(input->now_ns);
    if (old && api_str_equal(old->status, condition->status) && old->lasttransitiontime)
        condition->lasttransitiontime = API_CLONE(old->lasttransitiontime);
    else
        condition->lasttransitiontime = api_time_new(input->now_ns);
    return condition;
}

Core__V1__NodeStatus *node_status_new(const NodeInput *input, const Core__V1__NodeStatus *old)
{
    Core__V1__NodeStatus *status = API_NEW(Core__V1__NodeStatus, core__v1__node_status);
    const Core__V1__NodeCondition *old_ready = NULL;
    add_resource(status, "cpu", input->facts->cpus, API_QUANTITY_DECIMAL_SI);
    add_resource(status, "ephemeral-storage", input->facts->storage, API_QUANTITY_BINARY_SI);
    add_resource(status, "memory", input->facts->memory, API_QUANTITY_BINARY_SI);
    add_resource(status, "pods", input->config->max_pods, API_QUANTITY_DECIMAL_SI);
    add_address(status, "InternalIP", input->config->node_ip);
    add_address(status, "Hostname", input->config->node_name);
    set_port(status, input->config->listen);
    set_info(status, input);
    for (gsize i = 0; old && i < old->n_conditions; i++) {
        if (api_str_equal(old->conditions[i]->type, "Ready"))
            old_ready = old->conditions[i];
        else
            api_append(status->conditions, status->n_conditions, API_CLONE(old->conditions[i]));
    }
    api_append(status->conditions, status->n_conditions, ready_condition(input, old_ready));
    if (old && old->phase)
        status->phase = g_strdup(old->phase);
    return status;
}

gboolean node_status_same(const Core__V1__NodeStatus *a, const Core__V1__NodeStatus *b)
{
    API_AUTO(Core__V1__NodeStatus) x = API_CLONE((Core__V1__NodeStatus *)a);
    API_AUTO(Core__V1__NodeStatus) y = API_CLONE((Core__V1__NodeStatus *)b);
    for (gsize i = 0; x && i < x->n_conditions; i++)
        api_set(x->conditions[i]->lastheartbeattime, NULL);
    for (gsize i = 0; y && i < y->n_conditions; i++)
        api_set(y->conditions[i]->lastheartbeattime, NULL);
    return API_EQUAL(x, y);
}
