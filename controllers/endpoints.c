#include "controllers/endpoints.h"

#include "lib/api/labels.h"
#include "lib/api/selector.h"

#define ENDPOINTS_MAX 1000 /* addresses in the older object, as in Kubernetes */
#define LABEL_HEADLESS "service.kubernetes.io/headless"
#define LABEL_MIRROR_SKIP "endpointslice.kubernetes.io/skip-mirror"

/* --- slices ---
 * A change should touch few slices, as every node reads each changed one. So endpoints stay in the slice they are in;
 * new ones fill up slices that change anyway, then others with room; only then is a slice made. An emptied one is
 * deleted. */

/* A slice being worked on. */
typedef struct {
    const EndpointSlice *before; /* NULL: new */
    EndpointSlice *after;
    gboolean changed;
} Draft;

static void draft_free(gpointer pointer)
{
    Draft *draft = pointer;
    API_FREE(draft->after);
    g_free(draft);
}

static gboolean slice_fits(const EndpointSlice *slice, const EndpointGroup *group)
{
    if (!api_str_equal(slice->addresstype, group->address_type) || slice->n_ports != group->ports->len)
        return FALSE;
    for (gsize i = 0; i < slice->n_ports; i++)
        if (!API_EQUAL(slice->ports[i], group->ports->pdata[i]))
            return FALSE;
    return TRUE;
}

static void set_labels(EndpointSlice *slice, const Service *service)
{
    const Meta__V1__ObjectMeta *from = service->metadata;
    for (gsize i = 0; i < from->n_labels; i++)
        api_label_set(slice->metadata, from->labels[i]->key, from->labels[i]->value);
    api_label_set(slice->metadata, API_LABEL_SERVICE_NAME, from->name);
    api_label_set(slice->metadata, API_LABEL_ENDPOINTSLICE_MANAGED_BY, ENDPOINTS_MANAGED_BY);
    api_label_set(slice->metadata, LABEL_HEADLESS, api_str_equal(service->spec->clusterip, "None") ? "" : NULL);
}

static EndpointSlice *slice_new(const Service *service, const char *address_type, GPtrArray *ports)
{
    EndpointSlice *slice = API_NEW(EndpointSlice, discovery__v1__endpoint_slice);
    slice->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    slice->metadata->namespace_ = g_strdup(service->metadata->namespace_);
    slice->metadata->generatename = g_strconcat(service->metadata->name, "-", NULL);
    api_append(slice->metadata->ownerreferences, slice->metadata->n_ownerreferences,
               api_owner_reference_new(API_SERVICE, &service->base));
    set_labels(slice, service);
    slice->addresstype = g_strdup(address_type);
    for (guint i = 0; ports && i < ports->len; i++)
        api_append(slice->ports, slice->n_ports, (Discovery__V1__EndpointPort *)api_message_clone(ports->pdata[i]));
    return slice;
}

static const char *endpoint_uid(const Endpoint *endpoint)
{
    return endpoint->targetref ? api_str(endpoint->targetref->uid) : "";
}

/* Keeps of a slice what is still wanted, as it is wanted now, and takes that out of <wanted> (uid to Endpoint). */
static Draft *draft_new(const Service *service, const EndpointSlice *slice, GHashTable *wanted)
{
    Draft *draft = g_new0(Draft, 1);
    draft->before = slice;
    draft->after = (EndpointSlice *)API_CLONE(slice);
    EndpointSlice *after = draft->after;
    gsize kept = 0;
    for (gsize i = 0; i < after->n_endpoints; i++) {
        Endpoint *endpoint = after->endpoints[i];
        const Endpoint *now = g_hash_table_lookup(wanted, endpoint_uid(endpoint));
        if (now) {
            g_hash_table_remove(wanted, endpoint_uid(now));
            if (!API_EQUAL(now, endpoint)) {
                API_FREE(endpoint);
                endpoint = (Endpoint *)API_CLONE(now);
                draft->changed = TRUE;
            }
            after->endpoints[kept++] = endpoint;
        } else {
            API_FREE(endpoint);
            draft->changed = TRUE;
        }
    }
    after->n_endpoints = kept;
    if (kept == 0)
        g_clear_pointer(&after->endpoints, g_free);
    set_labels(after, service);
    draft->changed |= !API_EQUAL(after->metadata, slice->metadata);
    return draft;
}

/* Puts endpoints from <left> into a draft as long as both last. */
static void draft_fill(Draft *draft, GPtrArray *left)
{
    while (left->len > 0 && draft->after->n_endpoints < ENDPOINTS_PER_SLICE) {
        const Endpoint *endpoint = g_ptr_array_steal_index(left, 0);
        api_append(draft->after->endpoints, draft->after->n_endpoints, (Endpoint *)API_CLONE(endpoint));
        draft->changed = TRUE;
    }
}

/* Those of a group that no draft holds yet, in the group's order. */
static GPtrArray *left_over(const EndpointGroup *group, GHashTable *wanted)
{
    GPtrArray *left = g_ptr_array_new();
    for (guint i = 0; i < group->endpoints->len; i++)
        if (g_hash_table_contains(wanted, endpoint_uid(group->endpoints->pdata[i])))
            g_ptr_array_add(left, group->endpoints->pdata[i]);
    return left;
}

static void draft_plan(Plan *plan, Draft *draft)
{
    if (draft->before && draft->after->n_endpoints == 0)
        plan_delete(plan, draft->before);
    else if (draft->before && draft->changed)
        plan_update(plan, g_steal_pointer(&draft->after));
    else if (!draft->before)
        plan_step_failure_event(plan_create(plan, g_steal_pointer(&draft->after)), "FailedToCreateEndpointSlice");
}

static void group_plan(Plan *plan, const Service *service, const EndpointGroup *group,
                       const EndpointSlice *const *slices, gsize n)
{
    g_autoptr(GHashTable) wanted = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < group->endpoints->len; i++)
        g_hash_table_insert(wanted, (gpointer)endpoint_uid(group->endpoints->pdata[i]), group->endpoints->pdata[i]);
    g_autoptr(GPtrArray) drafts = g_ptr_array_new_with_free_func(draft_free);
    for (gsize i = 0; i < n; i++)
        if (slice_fits(slices[i], group))
            g_ptr_array_add(drafts, draft_new(service, slices[i], wanted));
    g_autoptr(GPtrArray) left = left_over(group, wanted);
    for (guint i = 0; i < drafts->len; i++)
        if (((Draft *)drafts->pdata[i])->changed)
            draft_fill(drafts->pdata[i], left);
    for (guint i = 0; i < drafts->len; i++)
        draft_fill(drafts->pdata[i], left);
    while (left->len > 0) {
        Draft *draft = g_new0(Draft, 1);
        draft->after = slice_new(service, group->address_type, group->ports);
        draft_fill(draft, left);
        g_ptr_array_add(drafts, draft);
    }
    for (guint i = 0; i < drafts->len; i++)
        draft_plan(plan, drafts->pdata[i]);
}

/* A service without endpoints has one slice without endpoints and ports, so that one can see that it was looked at. */
static void placeholder_plan(Plan *plan, const Service *service, const EndpointSlice *const *slices, gsize n)
{
    gboolean found = FALSE;
    for (gsize i = 0; i < n; i++) {
        if (!found && slices[i]->n_endpoints == 0 && slices[i]->n_ports == 0)
            found = TRUE;
        else
            plan_delete(plan, slices[i]);
    }
    if (!found)
        plan_create(plan, slice_new(service, "IPv4", NULL));
}

void endpoint_slices_plan(Plan *plan, const Service *service, GPtrArray *groups, const EndpointSlice *const *slices,
                          gsize n)
{
    if (groups->len == 0) {
        placeholder_plan(plan, service, slices, n);
        return;
    }
    for (guint i = 0; i < groups->len; i++)
        group_plan(plan, service, groups->pdata[i], slices, n);
    for (gsize i = 0; i < n; i++) {
        gboolean fits = FALSE;
        for (guint j = 0; j < groups->len && !fits; j++)
            fits = slice_fits(slices[i], groups->pdata[j]);
        if (!fits)
            plan_delete(plan, slices[i]);
    }
}

/* --- the older object --- */

static Core__V1__EndpointAddress *address_new(const Endpoint *endpoint)
{
    Core__V1__EndpointAddress *address = API_NEW(Core__V1__EndpointAddress, core__v1__endpoint_address);
    address->ip = g_strdup(endpoint->addresses[0]);
    address->hostname = g_strdup(endpoint->hostname);
    address->nodename = g_strdup(endpoint->nodename);
    address->targetref = (Core__V1__ObjectReference *)API_CLONE(endpoint->targetref);
    return address;
}

static Core__V1__EndpointSubset *subset_new(const EndpointGroup *group, guint *room)
{
    Core__V1__EndpointSubset *subset = API_NEW(Core__V1__EndpointSubset, core__v1__endpoint_subset);
    for (guint i = 0; i<group->endpoints->len && * room> 0; i++) {
        const Endpoint *endpoint = group->endpoints->pdata[i];
        if (endpoint->conditions->ready)
            api_append(subset->addresses, subset->n_addresses, address_new(endpoint));
        else if (!endpoint->conditions->terminating)
            api_append(subset->notreadyaddresses, subset->n_notreadyaddresses, address_new(endpoint));
        else
            continue;
        (*room)--;
    }
    for (guint i = 0; i < group->ports->len; i++) {
        const Discovery__V1__EndpointPort *from = group->ports->pdata[i];
        Core__V1__EndpointPort *port = API_NEW(Core__V1__EndpointPort, core__v1__endpoint_port);
        port->name = *api_str(from->name) ? g_strdup(from->name) : NULL;
        port->protocol = g_strdup(from->protocol);
        port->appprotocol = g_strdup(from->appprotocol);
        api_set_scalar(port, port, from->port);
        api_append(subset->ports, subset->n_ports, port);
    }
    return subset;
}

void endpoints_object_plan(Plan *plan, const Service *service, GPtrArray *groups, const Core__V1__Endpoints *current)
{
    Core__V1__Endpoints *object = (Core__V1__Endpoints *)API_CLONE(current);
    if (!object) {
        object = API_NEW(Core__V1__Endpoints, core__v1__endpoints);
        object->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
        object->metadata->namespace_ = g_strdup(service->metadata->namespace_);
        object->metadata->name = g_strdup(service->metadata->name);
    }
    for (gsize i = 0; i < object->n_subsets; i++)
        API_FREE(object->subsets[i]);
    g_clear_pointer(&object->subsets, g_free);
    object->n_subsets = 0;
    guint room = ENDPOINTS_MAX;
    for (guint i = 0; i < groups->len; i++) {
        Core__V1__EndpointSubset *subset = subset_new(groups->pdata[i], &room);
        if (subset->n_addresses + subset->n_notreadyaddresses > 0)
            api_append(object->subsets, object->n_subsets, subset);
        else
            API_FREE(subset);
    }
    const Meta__V1__ObjectMeta *from = service->metadata;
    for (gsize i = 0; i < from->n_labels; i++)
        api_label_set(object->metadata, from->labels[i]->key, from->labels[i]->value);
    api_label_set(object->metadata, LABEL_MIRROR_SKIP, "true");
    api_label_set(object->metadata, LABEL_HEADLESS, api_str_equal(service->spec->clusterip, "None") ? "" : NULL);
    if (!current)
        plan_create(plan, object);
    else if (!API_EQUAL(object, current))
        plan_update(plan, object);
    else
        API_FREE(object);
}

/* --- wiring --- */

static gboolean is_managed(const Service *service)
{
    return service->spec && service->spec->n_selector > 0 && !api_str_equal(service->spec->type, "ExternalName");
}

static void wake_services_of(Controller *controller, const Meta__V1__ObjectMeta *pod)
{
    if (pod->n_labels == 0)
        return;
    g_autoptr(GPtrArray) services =
        controller_by_index(controller, API_SERVICE, client_index_namespace, api_str(pod->namespace_));
    for (guint i = 0; i < services->len; i++) {
        const Service *service = services->pdata[i];
        if (!is_managed(service))
            continue;
        g_autoptr(ApiSelector) selector =
            api_selector_from_map(API_MAP(service->spec->selector), service->spec->n_selector);
        if (api_selector_matches_meta(selector, pod))
            controller_wake_self(controller, NULL, &service->base);
    }
}

/* TRUE if the change cannot concern any service: most of a pod's status changes do not. */
static gboolean is_same_for_services(const Pod *old, const Pod *now)
{
    const char *old_ip = old->status ? old->status->podip : NULL, *now_ip = now->status ? now->status->podip : NULL;
    if (pod_is_ready(old) != pod_is_ready(now) || pod_is_terminating(old) != pod_is_terminating(now) ||
        pod_is_finished(old) != pod_is_finished(now) || !api_str_equal(old_ip, now_ip) ||
        !g_str_equal(pod_node_name(old), pod_node_name(now)) || old->metadata->n_labels != now->metadata->n_labels)
        return FALSE;
    for (gsize i = 0; i < old->metadata->n_labels; i++)
        if (!API_EQUAL(old->metadata->labels[i], now->metadata->labels[i]))
            return FALSE;
    return TRUE;
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    if (old && now && is_same_for_services((const Pod *)old, (const Pod *)now))
        return;
    if (old)
        wake_services_of(controller, api_meta_peek(old));
    if (now)
        wake_services_of(controller, api_meta_peek(now));
}

/* "namespace/service" of a slice that is ours; NULL for others. */
static char *service_of_slice(const ProtobufCMessage *slice)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(slice);
    const char *name = api_label(meta, API_LABEL_SERVICE_NAME);
    if (!name || g_strcmp0(api_label(meta, API_LABEL_ENDPOINTSLICE_MANAGED_BY), ENDPOINTS_MANAGED_BY) != 0)
        return NULL;
    return g_strconcat(api_str(meta->namespace_), "/", name, NULL);
}

static void wake_slice(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    const ProtobufCMessage *versions[] = {old, now};
    for (guint i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autofree char *key = versions[i] ? service_of_slice(versions[i]) : NULL;
        if (key)
            controller_add(controller, key);
    }
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    controller_index(controller, API_POD, client_index_namespace);
    controller_index(controller, API_SERVICE, client_index_namespace);
    controller_index(controller, API_ENDPOINT_SLICE, service_of_slice);
}

static GPtrArray *matching_pods(Controller *controller, const Service *service)
{
    g_autoptr(ApiSelector) selector =
        api_selector_from_map(API_MAP(service->spec->selector), service->spec->n_selector);
    GPtrArray *pods =
        controller_by_index(controller, API_POD, client_index_namespace, api_str(service->metadata->namespace_));
    guint kept = 0;
    for (guint i = 0; i < pods->len; i++)
        if (api_selector_matches_meta(selector, ((const Pod *)pods->pdata[i])->metadata))
            pods->pdata[kept++] = pods->pdata[i];
    g_ptr_array_set_size(pods, kept);
    return pods;
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const Service *service = controller_get(controller, API_SERVICE, key);
    g_autoptr(GPtrArray) slices = controller_by_index(controller, API_ENDPOINT_SLICE, service_of_slice, key);
    const Core__V1__Endpoints *object = controller_get(controller, API_ENDPOINTS, key);
    if (!service || service->metadata->deletiontimestamp) {
        for (guint i = 0; i < slices->len; i++)
            plan_delete(plan, slices->pdata[i]);
        /* The object has no owner; one that was never ours is left alone. */
        if (!service && object && api_label(object->metadata, LABEL_MIRROR_SKIP))
            plan_delete(plan, object);
        return;
    }
    if (!is_managed(service))
        return; /* the user keeps the endpoints of a service without a selector */
    plan_set_subject(plan, service);
    g_autoptr(GPtrArray) pods = matching_pods(controller, service);
    g_autoptr(GPtrArray) groups = endpoint_groups_new(service, (const Pod *const *)pods->pdata, pods->len);
    endpoint_slices_plan(plan, service, groups, (const EndpointSlice *const *)slices->pdata, slices->len);
    endpoints_object_plan(plan, service, groups, object);
}

static const ControllerWake wakes[] = {
    {API_INDEX_SERVICE, controller_wake_self},
    {API_INDEX_POD, wake_pod},
    {API_INDEX_ENDPOINT_SLICE, wake_slice},
    {API_INDEX_ENDPOINTS, controller_wake_self},
    {},
};

const ControllerRow endpoints_controller = {
    .name = "endpoints",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
