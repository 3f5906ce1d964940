/* Pages of "describe" for pods, nodes, deployments and services. */
#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "cleat/discovery/v1/discovery.pb-c.h"
#include "client/ctl/describe.h"
#include "client/ctl/table.h"
#include "client/ctl/tree.h"
#include "lib/api/codec.h"
#include "lib/api/column.h"
#include "lib/api/labels.h"
#include "lib/api/selector.h"
#include "lib/base/time.h"

static void add_time(Lines *lines, const char *key, const Meta__V1__Time *time)
{
    g_autofree char *text = time ? time_format(api_time_ns(time), 0) : NULL;
    lines_add_set(lines, key, text);
}

/* A block of the rows of a table; nothing when there are none. Takes the table. */
static void add_table(Lines *lines, const char *key, CtlTable *table)
{
    g_autofree char *text = ctl_table_flush(table);
    lines_title(lines, key);
    lines_in(lines);
    lines_text(lines, text);
    lines_out(lines);
    ctl_table_free(table);
}

static void add_row(CtlTable *table, ...) G_GNUC_NULL_TERMINATED;

static void add_row(CtlTable *table, ...)
{
    g_autoptr(GStrvBuilder) cells = g_strv_builder_new();
    va_list args;
    va_start(args, table);
    for (const char *cell; (cell = va_arg(args, const char *));)
        g_strv_builder_add(cells, cell);
    va_end(args);
    ctl_table_add(table, g_strv_builder_end(cells));
}

/* The fields of a message as a block; nothing if it is NULL. */
static void add_message(Lines *lines, const char *key, const void *message)
{
    if (!message)
        return;
    json_t *tree = tree_from_object(message);
    lines_title(lines, key);
    lines_in(lines);
    lines_add_tree(lines, tree);
    lines_out(lines);
    json_decref(tree);
}

static char *join(char *const *items, gsize n, const char *separator)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(text, "%s%s", i ? separator : "", api_str(items[i]));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- pods -------------------------------------------------------------------------------------------------------------*/

static void add_state(Lines *lines, const char *key, const Core__V1__ContainerState *state)
{
    if (!state)
        return;
    if (state->running) {
        lines_add(lines, key, "Running");
        lines_in(lines);
        add_time(lines, "Started", state->running->startedat);
        lines_out(lines);
    } else if (state->terminated) {
        const Core__V1__ContainerStateTerminated *end = state->terminated;
        lines_add(lines, key, "Terminated");
        lines_in(lines);
        lines_add_set(lines, "Reason", end->reason);
        lines_add_set(lines, "Message", end->message);
        lines_addf(lines, "Exit Code", "%d", end->exitcode);
        if (end->signal)
            lines_addf(lines, "Signal", "%d", end->signal);
        add_time(lines, "Started", end->startedat);
        add_time(lines, "Finished", end->finishedat);
        lines_out(lines);
    } else {
        lines_add(lines, key, "Waiting");
        lines_in(lines);
        lines_add_set(lines, "Reason", state->waiting ? state->waiting->reason : NULL);
        lines_add_set(lines, "Message", state->waiting ? state->waiting->message : NULL);
        lines_out(lines);
    }
}

static void add_ports(Lines *lines, const Core__V1__Container *container)
{
    g_autoptr(GString) ports = g_string_new(NULL);
    for (size_t i = 0; i < container->n_ports; i++) {
        const Core__V1__ContainerPort *port = container->ports[i];
        g_string_append_printf(ports, "%s%d/%s%s%s%s", i ? ", " : "", port->containerport,
                               port->protocol ? port->protocol : "TCP", port->name ? " (" : "", api_str(port->name),
                               port->name ? ")" : "");
    }
    lines_add(lines, "Ports", ports->str);
}

/* A value that comes from elsewhere is shown as where it comes from. */
static char *env_text(const Core__V1__EnvVar *env)
{
    const Core__V1__EnvVarSource *from = env->valuefrom;
    if (!from)
        return g_strdup(api_str(env->value));
    json_t *tree = tree_from_object(&from->base);
    char *text = json_dumps(tree, JSON_COMPACT);
    char *shown = g_strdup_printf("<from %s>", text);
    free(text);
    json_decref(tree);
    return shown;
}

static void add_environment(Lines *lines, const Core__V1__Container *container)
{
    for (size_t i = 0; i < container->n_envfrom; i++) {
        const Core__V1__EnvFromSource *from = container->envfrom[i];
        const Core__V1__LocalObjectReference *map =
            from->configmapref ? from->configmapref->localobjectreference : NULL;
        const Core__V1__LocalObjectReference *secret = from->secretref ? from->secretref->localobjectreference : NULL;
        if (map)
            lines_addf(lines, "Environment From", "ConfigMap %s", api_str(map->name));
        if (secret)
            lines_addf(lines, "Environment From", "Secret %s", api_str(secret->name));
    }
    if (container->n_env == 0)
        return;
    lines_title(lines, "Environment");
    lines_in(lines);
    for (size_t i = 0; i < container->n_env; i++) {
        g_autofree char *text = env_text(container->env[i]);
        lines_add(lines, api_str(container->env[i]->name), text);
    }
    lines_out(lines);
}

static void add_resources(Lines *lines, const Core__V1__ResourceRequirements *resources)
{
    if (!resources)
        return;
    json_t *tree = tree_from_object(&resources->base);
    lines_add_tree(lines, tree);
    json_decref(tree);
}

static void add_container(Lines *lines, const Core__V1__Container *container,
                          Core__V1__ContainerStatus *const *statuses, gsize n_statuses)
{
    const Core__V1__ContainerStatus *status = NULL;
    for (gsize i = 0; i < n_statuses; i++)
        status = api_str_equal(statuses[i]->name, container->name) ? statuses[i] : status;
    lines_title(lines, api_str(container->name));
    lines_in(lines);
    if (status)
        lines_add(lines, "Container ID", status->containerid);
    lines_add(lines, "Image", container->image);
    if (status)
        lines_add(lines, "Image ID", status->imageid);
    add_ports(lines, container);
    g_autofree char *command = join(container->command, container->n_command, "\n");
    g_autofree char *args = join(container->args, container->n_args, "\n");
    lines_add_set(lines, "Command", command);
    lines_add_set(lines, "Args", args);
    if (status) {
        add_state(lines, "State", status->state);
        add_state(lines, "Last State", status->laststate);
        lines_add(lines, "Ready", status->ready ? "True" : "False");
        lines_addf(lines, "Restart Count", "%d", status->restartcount);
    }
    add_resources(lines, container->resources);
    add_message(lines, "Liveness Probe", container->livenessprobe);
    add_message(lines, "Readiness Probe", container->readinessprobe);
    add_message(lines, "Startup Probe", container->startupprobe);
    add_environment(lines, container);
    g_autoptr(GString) mounts = g_string_new(NULL);
    for (size_t i = 0; i < container->n_volumemounts; i++) {
        const Core__V1__VolumeMount *mount = container->volumemounts[i];
        g_string_append_printf(mounts, "%s%s from %s (%s)", i ? "\n" : "", api_str(mount->mountpath),
                               api_str(mount->name), mount->readonly ? "ro" : "rw");
    }
    lines_add(lines, "Mounts", mounts->str);
    lines_out(lines);
}

static void add_containers(Lines *lines, const char *key, Core__V1__Container *const *containers, gsize n,
                           Core__V1__ContainerStatus *const *statuses, gsize n_statuses)
{
    if (n == 0)
        return;
    lines_title(lines, key);
    lines_in(lines);
    for (gsize i = 0; i < n; i++)
        add_container(lines, containers[i], statuses, n_statuses);
    lines_out(lines);
}

static void add_volumes(Lines *lines, const Core__V1__PodSpec *spec)
{
    if (spec->n_volumes == 0)
        return;
    lines_title(lines, "Volumes");
    lines_in(lines);
    for (size_t i = 0; i < spec->n_volumes; i++) {
        json_t *tree = tree_from_object(&spec->volumes[i]->base);
        json_object_del(tree, "name");
        lines_title(lines, api_str(spec->volumes[i]->name));
        lines_in(lines);
        lines_add_tree(lines, tree);
        lines_out(lines);
        json_decref(tree);
    }
    lines_out(lines);
}

static void add_tolerations(Lines *lines, const Core__V1__PodSpec *spec)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < spec->n_tolerations; i++) {
        const Core__V1__Toleration *toleration = spec->tolerations[i];
        g_string_append_printf(text, "%s%s", i ? "\n" : "", api_str(toleration->key));
        if (api_str(toleration->value)[0])
            g_string_append_printf(text, "=%s", toleration->value);
        if (api_str(toleration->effect)[0])
            g_string_append_printf(text, ":%s", toleration->effect);
        if (api_str_equal(toleration->operator_, "Exists"))
            g_string_append(text, " op=Exists");
        if (toleration->has_tolerationseconds)
            g_string_append_printf(text, " for %" G_GINT64_FORMAT "s", toleration->tolerationseconds);
    }
    lines_add(lines, "Tolerations", text->str);
}

static void add_pod_status(Lines *lines, const Core__V1__Pod *pod, gint64 now_ns)
{
    static const Core__V1__PodStatus none = CORE__V1__POD_STATUS__INIT;
    const Core__V1__PodStatus *status = pod->status ? pod->status : &none;
    add_time(lines, "Start Time", status->starttime);
    if (pod->metadata && pod->metadata->deletiontimestamp) {
        g_autofree char *age = api_age_format(pod->metadata->deletiontimestamp, now_ns);
        gboolean ahead = api_time_ns(pod->metadata->deletiontimestamp) > now_ns;
        lines_addf(lines, "Status", ahead ? "Terminating" : "Terminating (for %s)", age);
        lines_addf(lines, "Termination Grace Period", "%" G_GINT64_FORMAT "s",
                   pod->metadata->deletiongraceperiodseconds);
    } else {
        lines_add(lines, "Status", status->phase);
    }
    lines_add_set(lines, "Reason", status->reason);
    lines_add_set(lines, "Message", status->message);
    lines_add(lines, "IP", status->podip);
    const Meta__V1__OwnerReference *controller = api_controller_of(pod->metadata);
    if (controller)
        lines_addf(lines, "Controlled By", "%s/%s", api_str(controller->kind), api_str(controller->name));
}

static void print_pod(Lines *lines, const ProtobufCMessage *object, const GPtrArray *related, gint64 now_ns)
{
    (void)related;
    static const Core__V1__PodSpec no_spec = CORE__V1__POD_SPEC__INIT;
    static const Core__V1__PodStatus no_status = CORE__V1__POD_STATUS__INIT;
    const Core__V1__Pod *pod = (const Core__V1__Pod *)object;
    const Core__V1__PodSpec *spec = pod->spec ? pod->spec : &no_spec;
    const Core__V1__PodStatus *status = pod->status ? pod->status : &no_status;
    describe_meta(lines, object);
    lines_addf(lines, "Priority", "%d", spec->priority);
    lines_add_set(lines, "Service Account", spec->serviceaccountname);
    g_autofree char *node =
        api_str(spec->nodename)[0] ? g_strdup_printf("%s/%s", spec->nodename, api_str(status->hostip)) : NULL;
    lines_add(lines, "Node", node);
    add_pod_status(lines, pod, now_ns);
    add_containers(lines, "Init Containers", spec->initcontainers, spec->n_initcontainers,
                   status->initcontainerstatuses, status->n_initcontainerstatuses);
    add_containers(lines, "Containers", spec->containers, spec->n_containers, status->containerstatuses,
                   status->n_containerstatuses);
    if (status->n_conditions > 0) {
        CtlTable *table = ctl_table_new();
        add_row(table, "Type", "Status", NULL);
        for (size_t i = 0; i < status->n_conditions; i++)
            add_row(table, api_str(status->conditions[i]->type), api_str(status->conditions[i]->status), NULL);
        add_table(lines, "Conditions", table);
    }
    add_volumes(lines, spec);
    lines_add_set(lines, "QoS Class", status->qosclass);
    lines_add_map(lines, "Node-Selectors", API_MAP(spec->nodeselector), spec->n_nodeselector, "=");
    add_tolerations(lines, spec);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------*/

static char *node_fields(const ProtobufCMessage *object)
{
    return g_strdup_printf("spec.nodeName=%s", api_object_name(object));
}

static const ApiResource *pods(void)
{
    return API_POD;
}

static void add_node_conditions(Lines *lines, const Core__V1__NodeStatus *status)
{
    CtlTable *table = ctl_table_new();
    add_row(table, "Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message", NULL);
    for (size_t i = 0; i < status->n_conditions; i++) {
        const Core__V1__NodeCondition *condition = status->conditions[i];
        g_autofree char *beat = time_format(api_time_ns(condition->lastheartbeattime), 0);
        g_autofree char *changed = time_format(api_time_ns(condition->lasttransitiontime), 0);
        add_row(table, api_str(condition->type), api_str(condition->status), beat, changed, api_str(condition->reason),
                api_str(condition->message), NULL);
    }
    add_table(lines, "Conditions", table);
}

static void add_node_pods(Lines *lines, const GPtrArray *related, gint64 now_ns)
{
    CtlTable *table = ctl_table_new();
    add_row(table, "Namespace", "Name", "Phase", "Age", NULL);
    for (guint i = 0; related && i < related->len; i++) {
        const Core__V1__Pod *pod = related->pdata[i];
        g_autofree char *age = api_age_format(pod->metadata ? pod->metadata->creationtimestamp : NULL, now_ns);
        add_row(table, api_object_namespace(&pod->base), api_object_name(&pod->base),
                pod->status ? api_str(pod->status->phase) : "", age, NULL);
    }
    g_autofree char *title = g_strdup_printf("Pods (%u in total)", related ? related->len : 0);
    add_table(lines, title, table);
}

static void print_node(Lines *lines, const ProtobufCMessage *object, const GPtrArray *related, gint64 now_ns)
{
    static const Core__V1__NodeSpec no_spec = CORE__V1__NODE_SPEC__INIT;
    static const Core__V1__NodeStatus no_status = CORE__V1__NODE_STATUS__INIT;
    const Core__V1__Node *node = (const Core__V1__Node *)object;
    const Core__V1__NodeSpec *spec = node->spec ? node->spec : &no_spec;
    const Core__V1__NodeStatus *status = node->status ? node->status : &no_status;
    describe_meta(lines, object);
    add_time(lines, "CreationTimestamp", node->metadata ? node->metadata->creationtimestamp : NULL);
    g_autoptr(GString) taints = g_string_new(NULL);
    for (size_t i = 0; i < spec->n_taints; i++) {
        const Core__V1__Taint *taint = spec->taints[i];
        g_string_append_printf(taints, "%s%s%s%s:%s", i ? "\n" : "", api_str(taint->key),
                               api_str(taint->value)[0] ? "=" : "", api_str(taint->value), api_str(taint->effect));
    }
    lines_add(lines, "Taints", taints->str);
    lines_add(lines, "Unschedulable", spec->unschedulable ? "true" : "false");
    lines_add_set(lines, "PodCIDR", spec->podcidr);
    add_node_conditions(lines, status);
    lines_title(lines, "Addresses");
    lines_in(lines);
    for (size_t i = 0; i < status->n_addresses; i++)
        lines_add(lines, api_str(status->addresses[i]->type), status->addresses[i]->address);
    lines_out(lines);
    json_t *tree = tree_from_object(&status->base), *shown = json_object();
    const char *const parts[] = {"capacity", "allocatable", "nodeInfo"};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (json_object_get(tree, parts[i]))
            json_object_set(shown, parts[i], json_object_get(tree, parts[i]));
    }
    lines_add_tree(lines, shown);
    json_decref(shown);
    json_decref(tree);
    add_node_pods(lines, related, now_ns);
}

/* --- deployments ------------------------------------------------------------------------------------------------------*/

static const ApiResource *replica_sets(void)
{
    return API_REPLICA_SET;
}

static char *deployment_labels(const ProtobufCMessage *object)
{
    const Apps__V1__Deployment *deployment = (const Apps__V1__Deployment *)object;
    if (!deployment->spec || !deployment->spec->selector)
        return NULL;
    g_autoptr(ApiSelector) selector = api_selector_from_message(deployment->spec->selector, NULL);
    return selector ? api_selector_format(selector) : NULL;
}

static char *int_or_string_text(const Meta__V1__IntOrString *value)
{
    if (!value)
        return g_strdup("default");
    return value->type == 1 ? g_strdup(api_str(value->strval)) : g_strdup_printf("%d", value->intval);
}

static void add_strategy(Lines *lines, const Apps__V1__DeploymentStrategy *strategy)
{
    if (!strategy)
        return;
    lines_add(lines, "StrategyType", strategy->type);
    if (!strategy->rollingupdate)
        return;
    g_autofree char *unavailable = int_or_string_text(strategy->rollingupdate->maxunavailable);
    g_autofree char *surge = int_or_string_text(strategy->rollingupdate->maxsurge);
    lines_addf(lines, "RollingUpdateStrategy", "%s max unavailable, %s max surge", unavailable, surge);
}

static void add_replica_sets(Lines *lines, const Apps__V1__Deployment *deployment, const GPtrArray *related)
{
    CtlTable *table = ctl_table_new();
    add_row(table, "Name", "Desired", "Current", "Ready", NULL);
    for (guint i = 0; related && i < related->len; i++) {
        const Apps__V1__ReplicaSet *set = related->pdata[i];
        const Meta__V1__OwnerReference *owner = api_controller_of(set->metadata);
        if (!owner || !api_str_equal(owner->uid, api_object_uid(&deployment->base)))
            continue;
        g_autofree char *desired = g_strdup_printf("%d", set->spec ? set->spec->replicas : 0);
        g_autofree char *current = g_strdup_printf("%d", set->status ? set->status->replicas : 0);
        g_autofree char *ready = g_strdup_printf("%d", set->status ? set->status->readyreplicas : 0);
        add_row(table, api_object_name(&set->base), desired, current, ready, NULL);
    }
    add_table(lines, "ReplicaSets", table);
}

static void print_deployment(Lines *lines, const ProtobufCMessage *object, const GPtrArray *related, gint64 now_ns)
{
    (void)now_ns;
    static const Apps__V1__DeploymentSpec no_spec = APPS__V1__DEPLOYMENT_SPEC__INIT;
    static const Apps__V1__DeploymentStatus no_status = APPS__V1__DEPLOYMENT_STATUS__INIT;
    const Apps__V1__Deployment *deployment = (const Apps__V1__Deployment *)object;
    const Apps__V1__DeploymentSpec *spec = deployment->spec ? deployment->spec : &no_spec;
    const Apps__V1__DeploymentStatus *status = deployment->status ? deployment->status : &no_status;
    describe_meta(lines, object);
    add_time(lines, "CreationTimestamp", deployment->metadata ? deployment->metadata->creationtimestamp : NULL);
    g_autofree char *selector = deployment_labels(object);
    lines_add(lines, "Selector", selector);
    lines_addf(lines, "Replicas", "%d desired | %d updated | %d total | %d available | %d unavailable",
               spec->has_replicas ? spec->replicas : 1, status->updatedreplicas, status->replicas,
               status->availablereplicas, status->unavailablereplicas);
    add_strategy(lines, spec->strategy);
    lines_addf(lines, "MinReadySeconds", "%d", spec->minreadyseconds);
    if (spec->template_ && spec->template_->spec) {
        lines_title(lines, "Pod Template");
        lines_in(lines);
        const Meta__V1__ObjectMeta *meta = spec->template_->metadata;
        if (meta)
            lines_add_map(lines, "Labels", API_MAP(meta->labels), meta->n_labels, "=");
        const Core__V1__PodSpec *pod = spec->template_->spec;
        add_containers(lines, "Init Containers", pod->initcontainers, pod->n_initcontainers, NULL, 0);
        add_containers(lines, "Containers", pod->containers, pod->n_containers, NULL, 0);
        add_volumes(lines, pod);
        lines_out(lines);
    }
    CtlTable *table = ctl_table_new();
    add_row(table, "Type", "Status", "Reason", NULL);
    for (size_t i = 0; i < status->n_conditions; i++)
        add_row(table, api_str(status->conditions[i]->type), api_str(status->conditions[i]->status),
                api_str(status->conditions[i]->reason), NULL);
    add_table(lines, "Conditions", table);
    add_replica_sets(lines, deployment, related);
}

/* --- services ---------------------------------------------------------------------------------------------------------*/

static const ApiResource *endpoint_slices(void)
{
    return API_ENDPOINT_SLICE;
}

static char *service_labels(const ProtobufCMessage *object)
{
    return g_strdup_printf(API_LABEL_SERVICE_NAME "=%s", api_object_name(object));
}

/* "10.244.0.3:8080, ..." of the ready endpoints, for a port of the service by its name. */
static char *endpoints_text(const GPtrArray *slices, const char *port_name)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; slices && i < slices->len; i++) {
        const Discovery__V1__EndpointSlice *slice = slices->pdata[i];
        for (size_t p = 0; p < slice->n_ports; p++) {
            if (!api_str_equal(slice->ports[p]->name, port_name))
                continue;
            for (size_t e = 0; e < slice->n_endpoints; e++) {
                const Discovery__V1__Endpoint *endpoint = slice->endpoints[e];
                gboolean ready =
                    !endpoint->conditions || !endpoint->conditions->has_ready || endpoint->conditions->ready;
                if (ready && endpoint->n_addresses > 0)
                    g_string_append_printf(text, "%s%s:%d", text->len ? "," : "", endpoint->addresses[0],
                                           slice->ports[p]->port);
            }
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void print_service(Lines *lines, const ProtobufCMessage *object, const GPtrArray *related, gint64 now_ns)
{
    (void)now_ns;
    static const Core__V1__ServiceSpec no_spec = CORE__V1__SERVICE_SPEC__INIT;
    const Core__V1__Service *service = (const Core__V1__Service *)object;
    const Core__V1__ServiceSpec *spec = service->spec ? service->spec : &no_spec;
    describe_meta(lines, object);
    g_autoptr(GString) selector = g_string_new(NULL);
    for (size_t i = 0; i < spec->n_selector; i++)
        g_string_append_printf(selector, "%s%s=%s", i ? "," : "", api_str(spec->selector[i]->key),
                               api_str(spec->selector[i]->value));
    lines_add(lines, "Selector", selector->str);
    lines_add(lines, "Type", spec->type);
    lines_add(lines, "IP", spec->clusterip);
    lines_add_set(lines, "External Name", spec->externalname);
    for (size_t i = 0; i < spec->n_ports; i++) {
        const Core__V1__ServicePort *port = spec->ports[i];
        const char *protocol = port->protocol ? port->protocol : "TCP";
        g_autofree char *target =
            port->targetport ? int_or_string_text(port->targetport) : g_strdup_printf("%d", port->port);
        g_autofree char *endpoints = endpoints_text(related, port->name);
        lines_addf(lines, "Port", "%s %d/%s", api_str(port->name)[0] ? port->name : "<unset>", port->port, protocol);
        lines_addf(lines, "TargetPort", "%s/%s", target, protocol);
        if (port->nodeport)
            lines_addf(lines, "NodePort", "%d/%s", port->nodeport, protocol);
        lines_add(lines, "Endpoints", endpoints);
    }
    lines_add_set(lines, "Session Affinity", spec->sessionaffinity);
    lines_add_set(lines, "Internal Traffic Policy", spec->internaltrafficpolicy);
}

static const struct {
    ApiResourceIndex index;
    DescribeKind kind;
} kinds[] = {
    {API_INDEX_POD, {NULL, NULL, NULL, print_pod}},
    {API_INDEX_NODE, {pods, NULL, node_fields, print_node}},
    {API_INDEX_DEPLOYMENT, {replica_sets, deployment_labels, NULL, print_deployment}},
    {API_INDEX_SERVICE, {endpoint_slices, service_labels, NULL, print_service}},
};

const DescribeKind *describe_kind(const ApiResource *resource)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (api_resource_row(kinds[i].index) == resource)
            return &kinds[i].kind;
    }
    return NULL;
}
