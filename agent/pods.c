#include "agent/pods.h"

#include <string.h>

#include "agent/labels.h"
#include "client/cache.h"
#include "lib/base/log.h"

#define RESYNC_S 30
#define RESYNC_RETRY_MS 1000

struct Pods {
    PodEnv *env;
    void (*poked)(gpointer data);
    gpointer data;
    int refs; /* the owner's and one per listing under way */
    gboolean closed;
    GHashTable *pods;   /* uid (of the pod) -> Pod*, referenced */
    ClientCache *cache; /* NULL before pods_follow() */
    gboolean listed;    /* the runtime's view is known */
    gboolean listing;
    gboolean list_again;
    gint64 asked;                                   /* when the listing under way began */
    Runtime__V1__ListPodSandboxResponse *sandboxes; /* its first half */
    guint timer;
    guint retry;
};

static void pods_unref(Pods *pods)
{
    if (--pods->refs > 0)
        return;
    API_FREE(pods->sandboxes);
    g_hash_table_unref(pods->pods);
    g_free(pods);
}

static void on_changed(Pod *pod, gpointer data)
{
    (void)pod;
    Pods *pods = data;
    pods->poked(pods->data);
}

static void on_gone(Pod *pod, gpointer data)
{
    Pods *pods = data;
    log_info("pod %s/%s (%s): gone", api_str(pod_namespace(pod)), api_str(pod_name(pod)), pod_uid(pod));
    g_hash_table_remove(pods->pods, pod_uid(pod));
}

/* A uid becomes part of paths. */
static gboolean is_safe_name(const char *name)
{
    return name && name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 253;
}

static Pod *add_pod(Pods *pods, const char *uid, const char *namespace_, const char *name)
{
    Pod *pod = pod_new(pods->env, uid, namespace_, name);
    g_hash_table_insert(pods->pods, (gpointer)pod_uid(pod), pod);
    return pod;
}

/* --- the API ----------------------------------------------------------------------------------------------------------*/

static void on_pod(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    (void)cache;
    Pods *pods = data;
    gboolean same = old && now && g_str_equal(api_object_uid(old), api_object_uid(now));
    Pod *before = old && !same ? g_hash_table_lookup(pods->pods, api_object_uid(old)) : NULL;
    if (before)
        pod_object_gone(before);
    if (!now || !is_safe_name(api_object_uid(now)) || !((const Core__V1__Pod *)now)->spec)
        return;
    Pod *pod = g_hash_table_lookup(pods->pods, api_object_uid(now));
    if (!pod) {
        log_info("pod %s/%s (%s): new", api_object_namespace(now), api_object_name(now), api_object_uid(now));
        pod = add_pod(pods, api_object_uid(now), api_object_namespace(now), api_object_name(now));
        if (pods->listed)
            pod_listed(pod, NULL, 0, NULL, 0, g_get_monotonic_time());
    }
    pod_set_object(pod, (const Core__V1__Pod *)now);
}

/* --- what is left of pods that nobody knows ---------------------------------------------------------------------------*/

/* A pod of which only something on the node is left: it goes the way of every deleted pod. */
static void add_leftover(Pods *pods, const char *uid)
{
    if (!is_safe_name(uid) || g_hash_table_contains(pods->pods, uid))
        return;
    g_autofree char *path = g_build_filename(pods->env->config->root_dir, "pods", uid, "name", NULL);
    g_autofree char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) names = g_strsplit(text ? g_strstrip(text) : "", "/", 2);
    gboolean named = g_strv_length(names) == 2 && is_safe_name(names[0]) && is_safe_name(names[1]);
    log_info("pod %s (%s): left over, cleaning", text ? text : "", uid);
    Pod *pod = add_pod(pods, uid, named ? names[0] : NULL, named ? names[1] : NULL);
    pod_listed(pod, NULL, 0, NULL, 0, g_get_monotonic_time());
    pod_object_gone(pod);
}

static void find_leftovers(Pods *pods)
{
    g_autofree char *folder = g_build_filename(pods->env->config->root_dir, "pods", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *uid;
    while (dir && (uid = g_dir_read_name(dir)))
        add_leftover(pods, uid);
    g_autoptr(GPtrArray) cgroups = cgroup_list_pods(pods->env->cgroups);
    for (guint i = 0; i < cgroups->len; i++)
        add_leftover(pods, cgroup_path_uid(cgroups->pdata[i]));
}

/* Once both sides are known, what only the runtime or the disk has is to go. */
static void drop_unknown(Pods *pods)
{
    if (!pods->listed || !pods->cache || !client_cache_is_synced(pods->cache))
        return;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!pod_object(value))
            pod_object_gone(value);
    }
    find_leftovers(pods);
}

static void on_synced(ClientCache *cache, gpointer data)
{
    (void)cache;
    drop_unknown(data);
}

/* --- the runtime ------------------------------------------------------------------------------------------------------*/

typedef struct {
    GPtrArray *sandboxes; /* borrowed */
    GPtrArray *containers;
    const char *namespace_, *name;
} Group;

static void group_free(gpointer data)
{
    Group *group = data;
    g_ptr_array_unref(group->sandboxes);
    g_ptr_array_unref(group->containers);
    g_free(group);
}

static Group *group_of(GHashTable *groups, ApiMapEntry *const *labels, gsize n)
{
    const char *uid = api_map_get(labels, n, LABEL_POD_UID);
    if (!is_safe_name(uid))
        return NULL;
    Group *group = g_hash_table_lookup(groups, uid);
    if (!group) {
        group = g_new0(Group, 1);
        group->sandboxes = g_ptr_array_new();
        group->containers = g_ptr_array_new();
        g_hash_table_insert(groups, (gpointer)uid, group);
    }
    const char *namespace_ = api_map_get(labels, n, LABEL_POD_NAMESPACE),
               *name = api_map_get(labels, n, LABEL_POD_NAME);
    if (is_safe_name(namespace_) && is_safe_name(name)) {
        group->namespace_ = namespace_;
        group->name = name;
    }
    return group;
}

static GHashTable *make_groups(const Runtime__V1__ListPodSandboxResponse *sandboxes,
                               const Runtime__V1__ListContainersResponse *containers)
{
    GHashTable *groups = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, group_free);
    for (gsize i = 0; i < sandboxes->n_items; i++) {
        Group *group = group_of(groups, API_MAP(sandboxes->items[i]->labels), sandboxes->items[i]->n_labels);
        if (group)
            g_ptr_array_add(group->sandboxes, sandboxes->items[i]);
    }
    for (gsize i = 0; i < containers->n_containers; i++) {
        Runtime__V1__Container *container = containers->containers[i];
        Group *group = group_of(groups, API_MAP(container->labels), container->n_labels);
        if (group)
            g_ptr_array_add(group->containers, container);
    }
    return groups;
}

static void give_group(Pods *pods, Pod *pod, const Group *group)
{
    if (group)
        pod_listed(pod, (Runtime__V1__PodSandbox *const *)group->sandboxes->pdata, group->sandboxes->len,
                   (Runtime__V1__Container *const *)group->containers->pdata, group->containers->len, pods->asked);
    else
        pod_listed(pod, NULL, 0, NULL, 0, pods->asked);
}

static void apply_listing(Pods *pods, const Runtime__V1__ListContainersResponse *containers)
{
    g_autoptr(GHashTable) groups = make_groups(pods->sandboxes, containers);
    GHashTableIter iter;
    gpointer uid, value;
    g_hash_table_iter_init(&iter, groups);
    while (g_hash_table_iter_next(&iter, &uid, &value)) {
        const Group *group = value;
        if (!g_hash_table_contains(pods->pods, uid))
            add_pod(pods, uid, group->namespace_, group->name);
    }
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, &uid, &value))
        give_group(pods, value, g_hash_table_lookup(groups, uid));
    pods->listed = TRUE;
    drop_unknown(pods);
}

static gboolean on_retry(gpointer data)
{
    Pods *pods = data;
    pods->retry = 0;
    pods_resync(pods);
    return G_SOURCE_REMOVE;
}

static void listing_over(Pods *pods, gboolean ok)
{
    pods->listing = FALSE;
    api_set(pods->sandboxes, NULL);
    if (!pods->closed && !ok && !pods->retry)
        pods->retry = g_timeout_add(RESYNC_RETRY_MS, on_retry, pods);
    else if (!pods->closed && pods->list_again)
        pods_resync(pods);
    pods_unref(pods);
}

static void on_containers(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Pods *pods = data;
    if (!pods->closed && !error)
        apply_listing(pods, (const Runtime__V1__ListContainersResponse *)reply);
    listing_over(pods, !error);
}

static void on_sandboxes(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Pods *pods = data;
    if (pods->closed || error) {
        listing_over(pods, !error);
        return;
    }
    api_set(pods->sandboxes, API_CLONE((Runtime__V1__ListPodSandboxResponse *)reply));
    Runtime__V1__ContainerFilter__LabelSelectorEntry by_node =
        RUNTIME__V1__CONTAINER_FILTER__LABEL_SELECTOR_ENTRY__INIT;
    Runtime__V1__ContainerFilter__LabelSelectorEntry *selector[] = {&by_node};
    Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;
    Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
    by_node.key = (char *)LABEL_NODE;
    by_node.value = pods->env->config->node_name;
    filter.label_selector = selector;
    filter.n_label_selector = 1;
    request.filter = &filter;
    cri_call(pods->env->cri, CRI_LIST_CONTAINERS, &request.base, 0, on_containers, pods);
}

/* Only what carries our label for this node is listed: nothing else is ever seen, let alone touched. */
void pods_resync(Pods *pods)
{
    pods->list_again = pods->listing;
    if (pods->listing)
        return;
    Runtime__V1__PodSandboxFilter__LabelSelectorEntry by_node =
        RUNTIME__V1__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
    Runtime__V1__PodSandboxFilter__LabelSelectorEntry *selector[] = {&by_node};
    Runtime__V1__PodSandboxFilter filter = RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
    Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
    by_node.key = (char *)LABEL_NODE;
    by_node.value = pods->env->config->node_name;
    filter.label_selector = selector;
    filter.n_label_selector = 1;
    request.filter = &filter;
    pods->listing = TRUE;
    pods->asked = g_get_monotonic_time();
    pods->refs++;
    cri_call(pods->env->cri, CRI_LIST_POD_SANDBOX, &request.base, 0, on_sandboxes, pods);
}

void pods_runtime_changed(Pods *pods, const char *id, gboolean exited)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (pod_has_id(value, id)) {
            pod_runtime_changed(value, id, exited);
            return;
        }
    }
}

void pods_wake_all(Pods *pods)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        pod_wake(value);
}

/* --- life -------------------------------------------------------------------------------------------------------------*/

static gboolean on_timer(gpointer data)
{
    pods_resync(data);
    return G_SOURCE_CONTINUE;
}

Pods *pods_new(PodEnv *env, void (*poked)(gpointer data), gpointer data)
{
    Pods *pods = g_new0(Pods, 1);
    pods->env = env;
    pods->poked = poked;
    pods->data = data;
    pods->refs = 1;
    pods->pods = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)pod_unref);
    env->changed = on_changed;
    env->gone = on_gone;
    env->data = pods;
    pods->timer = g_timeout_add_seconds(RESYNC_S, on_timer, pods);
    return pods;
}

void pods_free(Pods *pods)
{
    if (!pods)
        return;
    GHashTableIter iter;
    gpointer value;
    pods->closed = TRUE;
    g_source_remove(pods->timer);
    if (pods->retry)
        g_source_remove(pods->retry);
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        pod_detach(value);
    g_clear_pointer(&pods->cache, client_cache_free);
    pods_unref(pods);
}

void pods_follow(Pods *pods)
{
    g_autofree char *selector = g_strdup_printf("spec.nodeName=%s", pods->env->config->node_name);
    ClientCacheOptions options = {
        .field_selector = selector,
        .changed = on_pod,
        .synced = on_synced,
        .data = pods,
    };
    pods->cache = client_cache_new(pods->env->client, API_POD, &options);
}

Pod *pods_find(Pods *pods, const char *namespace_, const char *name, const char *uid)
{
    GHashTableIter iter;
    gpointer value;
    Pod *found = NULL;
    g_hash_table_iter_init(&iter, pods->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Core__V1__Pod *object = pod_object(value);
        if (!object || g_strcmp0(pod_namespace(value), namespace_) != 0 || g_strcmp0(pod_name(value), name) != 0)
            continue;
        if (uid && uid[0] ? g_str_equal(pod_uid(value), uid) : !found || !object->metadata->deletiontimestamp)
            found = value;
    }
    return found;
}
