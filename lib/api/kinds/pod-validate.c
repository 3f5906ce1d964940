#include <string.h>

#include "lib/api/kinds/kinds.h"

#define TOLERATIONS_MAX 1000 /* so that comparing two lists stays cheap */

static void validate_tolerations(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    static const char *const operators[] = {"Equal", "Exists", NULL};
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    if (spec->n_tolerations > TOLERATIONS_MAX)
        fail_number(errors, path, (gint64)spec->n_tolerations, "must have at most 1000 items");
    for (gsize i = 0; i < spec->n_tolerations; i++) {
        const Core__V1__Toleration *one = spec->tolerations[i];
        const Path *at = ITEM(path, i);
        gboolean exists = api_str_equal(one->operator_, "Exists");
        check_name(errors, FIELD(at, "key"), one->key, api_name_qualified);
        if (api_str(one->operator_)[0])
            require_one_of(errors, FIELD(at, "operator"), one->operator_, operators);
        if (api_str(one->key)[0] == '\0' && !exists)
            fail_invalid(errors, FIELD(at, "operator"), api_str(one->operator_),
                         "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
        if (exists && api_str(one->value)[0])
            fail_invalid(errors, FIELD(at, "operator"), one->value, "value must be empty when `operator` is 'Exists'");
        else
            check_name(errors, FIELD(at, "value"), one->value, api_name_label_value);
        if (api_str(one->effect)[0])
            require_one_of(errors, FIELD(at, "effect"), one->effect, effects);
        if (one->has_tolerationseconds && !api_str_equal(one->effect, "NoExecute"))
            fail_invalid(errors, FIELD(at, "effect"), api_str(one->effect),
                         "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
}

static const char *is_id(gint64 id)
{
    return id < 0 || id > G_MAXINT32 ? "must be between 0 and 2147483647, inclusive" : NULL;
}

/* Names of kernel parameters that have a value per network or IPC namespace, and so can be a pod's own. */
static gboolean is_namespaced_sysctl(const char *name)
{
    static const char *const prefixes[] = {"net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", NULL};
    for (const char *const *prefix = prefixes; *prefix; prefix++) {
        if (g_str_has_prefix(name, *prefix))
            return TRUE;
    }
    return FALSE;
}

static void validate_security(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    const Core__V1__PodSecurityContext *security = spec->securitycontext;
    if (spec->hostpid && spec->shareprocessnamespace)
        fail_invalid(errors, FIELD(path, "shareProcessNamespace"), "true",
                     "ShareProcessNamespace and HostPID cannot both be enabled");
    if (!security)
        return;
    const Path *at = FIELD(path, "securityContext"), *sysctls = FIELD(at, "sysctls");
    if (is_id(security->runasuser))
        fail_number(errors, FIELD(at, "runAsUser"), security->runasuser, is_id(security->runasuser));
    if (is_id(security->runasgroup))
        fail_number(errors, FIELD(at, "runAsGroup"), security->runasgroup, is_id(security->runasgroup));
    if (is_id(security->fsgroup))
        fail_number(errors, FIELD(at, "fsGroup"), security->fsgroup, is_id(security->fsgroup));
    for (gsize i = 0; i < security->n_supplementalgroups; i++) {
        gint64 group = security->supplementalgroups[i];
        if (is_id(group))
            fail_number(errors, ITEM(FIELD(at, "supplementalGroups"), i), group, is_id(group));
    }
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < security->n_sysctls; i++) {
        const char *name = api_str(security->sysctls[i]->name);
        const Path *name_path = FIELD(ITEM(sysctls, i), "name");
        if (name[0] == '\0')
            fail_required(errors, name_path, NULL);
        else if (!is_namespaced_sysctl(name))
            fail_invalid(errors, name_path, name, "is not a parameter that each pod can have its own value of");
        else if (spec->hostnetwork && g_str_has_prefix(name, "net."))
            fail_invalid(errors, name_path, name, "may not be set when `hostNetwork` is true");
        check_unique(errors, name_path, seen, name);
    }
}

static void validate_dns(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    static const char *const policies[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None", NULL};
    const Core__V1__PodDNSConfig *config = spec->dnsconfig;
    const Path *at = FIELD(path, "dnsConfig"), *servers = FIELD(at, "nameservers");
    require_one_of(errors, FIELD(path, "dnsPolicy"), spec->dnspolicy, policies);
    gboolean alone = api_str_equal(spec->dnspolicy, "None");
    if (alone && (!config || config->n_nameservers == 0))
        fail_required(errors, config ? servers : at,
                      "must provide at least one DNS nameserver when `dnsPolicy` is None");
    if (!config)
        return;
    if (config->n_nameservers > 3)
        fail_number(errors, servers, (gint64)config->n_nameservers, "must not have more than 3 nameservers");
    for (gsize i = 0; i < MIN(config->n_nameservers, 3); i++)
        require_name(errors, ITEM(servers, i), config->nameservers[i], api_name_ip);
    const Path *searches = FIELD(at, "searches");
    if (config->n_searches > 32)
        fail_number(errors, searches, (gint64)config->n_searches, "must not have more than 32 search paths");
    for (gsize i = 0; i < MIN(config->n_searches, 32); i++) {
        const char *domain = config->searches[i];
        gsize n = strlen(domain);
        g_autofree char *bare = g_strndup(domain, n > 1 && domain[n - 1] == '.' ? n - 1 : n);
        require_name(errors, ITEM(searches, i), bare, api_name_dns_subdomain);
    }
    for (gsize i = 0; i < config->n_options; i++) {
        if (api_str(config->options[i]->name)[0] == '\0')
            fail_required(errors, FIELD(ITEM(FIELD(at, "options"), i), "name"), NULL);
    }
}

/* Containers of one list. names: of all containers of the pod. */
static void validate_containers(const Core__V1__PodSpec *spec, Core__V1__Container *const *containers, gsize n,
                                GHashTable *names, GHashTable *volumes, const Path *path, ApiFieldErrors *errors)
{
    for (gsize i = 0; i < n; i++) {
        container_validate(containers[i], spec, volumes, ITEM(path, i), errors);
        check_unique(errors, FIELD(ITEM(path, i), "name"), names, containers[i]->name);
    }
}

static void validate_names(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    check_name(errors, FIELD(path, "nodeName"), spec->nodename, api_name_dns_subdomain);
    check_name(errors, FIELD(path, "serviceAccountName"), spec->serviceaccountname, api_name_dns_subdomain);
    check_name(errors, FIELD(path, "hostname"), spec->hostname, api_name_dns_label);
    check_name(errors, FIELD(path, "subdomain"), spec->subdomain, api_name_dns_label);
    for (gsize i = 0; i < spec->n_hostaliases; i++)
        require_name(errors, FIELD(ITEM(FIELD(path, "hostAliases"), i), "ip"), spec->hostaliases[i]->ip, api_name_ip);
    check_name(errors, FIELD(path, "schedulerName"), spec->schedulername, api_name_qualified);
    check_labels(errors, FIELD(path, "nodeSelector"), API_MAP(spec->nodeselector), spec->n_nodeselector);
    for (gsize i = 0; i < spec->n_imagepullsecrets; i++) {
        if (api_str(spec->imagepullsecrets[i]->name)[0] == '\0')
            fail_required(errors, FIELD(ITEM(FIELD(path, "imagePullSecrets"), i), "name"), NULL);
    }
}

void pod_spec_validate(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    static const char *const restart_policies[] = {"Always", "OnFailure", "Never", NULL};
    static const char *const preemption_policies[] = {"PreemptLowerPriority", "Never", NULL};
    if (!spec) {
        fail_required(errors, path, NULL);
        return;
    }
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) volumes = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < spec->n_volumes; i++) {
        const Path *at = ITEM(FIELD(path, "volumes"), i);
        volume_validate(spec->volumes[i], at, errors);
        check_unique(errors, FIELD(at, "name"), volumes, spec->volumes[i]->name);
    }
    if (spec->n_containers == 0)
        fail_required(errors, FIELD(path, "containers"), NULL);
    validate_containers(spec, spec->containers, spec->n_containers, names, volumes, FIELD(path, "containers"), errors);
    validate_containers(spec, spec->initcontainers, spec->n_initcontainers, names, volumes,
                        FIELD(path, "initContainers"), errors);
    require_one_of(errors, FIELD(path, "restartPolicy"), spec->restartpolicy, restart_policies);
    if (api_str(spec->preemptionpolicy)[0])
        require_one_of(errors, FIELD(path, "preemptionPolicy"), spec->preemptionpolicy, preemption_policies);
    check_not_negative(errors, FIELD(path, "terminationGracePeriodSeconds"), spec->terminationgraceperiodseconds);
    if (spec->has_activedeadlineseconds &&
        (spec->activedeadlineseconds < 1 || spec->activedeadlineseconds > G_MAXINT32))
        fail_number(errors, FIELD(path, "activeDeadlineSeconds"), spec->activedeadlineseconds,
                    "must be between 1 and 2147483647, inclusive");
    validate_names(spec, path, errors);
    validate_tolerations(spec, FIELD(path, "tolerations"), errors);
    validate_security(spec, path, errors);
    validate_dns(spec, path, errors);
}

void pod_template_validate(const Core__V1__PodTemplateSpec *template, const Path *path, ApiFieldErrors *errors)
{
    if (!template) {
        fail_required(errors, path, NULL);
        return;
    }
    const Meta__V1__ObjectMeta *meta = template->metadata;
    if (meta && meta->n_labels > 0)
        check_labels(errors, FIELD(FIELD(path, "metadata"), "labels"), API_MAP(meta->labels), meta->n_labels);
    if (meta && meta->n_annotations > 0) {
        g_autofree char *text = path_format(FIELD(FIELD(path, "metadata"), "annotations"));
        api_validate_annotations(API_MAP(meta->annotations), meta->n_annotations, text, errors);
    }
    pod_spec_validate(template->spec, FIELD(path, "spec"), errors);
}

void long_running_template_validate(const Core__V1__PodTemplateSpec *template, const Path *path, ApiFieldErrors *errors)
{
    static const char *const always[] = {"Always", NULL};
    pod_template_validate(template, path, errors);
    const Core__V1__PodSpec *spec = template ? template->spec : NULL;
    const Path *at = FIELD(path, "spec");
    if (spec && !api_str_equal(spec->restartpolicy, "Always"))
        fail_not_supported(errors, FIELD(at, "restartPolicy"), api_str(spec->restartpolicy), always);
    if (spec && spec->has_activedeadlineseconds)
        fail_forbidden(errors, FIELD(at, "activeDeadlineSeconds"),
                       "activeDeadlineSeconds in pods that run for ever is not supported");
}

/* Copies into <spec>, which is a copy of the new one, what may change, so that the rest can be compared. */
static void take_changeable(Core__V1__PodSpec *spec, const Core__V1__PodSpec *old)
{
    for (gsize i = 0; i < MIN(spec->n_containers, old->n_containers); i++)
        api_set_string(&spec->containers[i]->image, old->containers[i]->image);
    for (gsize i = 0; i < MIN(spec->n_initcontainers, old->n_initcontainers); i++)
        api_set_string(&spec->initcontainers[i]->image, old->initcontainers[i]->image);
    spec->has_activedeadlineseconds = old->has_activedeadlineseconds;
    spec->activedeadlineseconds = old->activedeadlineseconds;
    for (gsize i = 0; i < spec->n_tolerations; i++)
        API_FREE(spec->tolerations[i]);
    g_clear_pointer(&spec->tolerations, g_free);
    spec->n_tolerations = 0;
    for (gsize i = 0; i < old->n_tolerations; i++)
        api_append(spec->tolerations, spec->n_tolerations, API_CLONE(old->tolerations[i]));
}

/* Whether both are the same but for how long they hold. */
static gboolean same_toleration(const Core__V1__Toleration *a, const Core__V1__Toleration *b)
{
    return api_str_equal(a->key, b->key) && api_str_equal(a->operator_, b->operator_) &&
           api_str_equal(a->value, b->value) && api_str_equal(a->effect, b->effect);
}

static void validate_tolerations_kept(const Core__V1__PodSpec *spec, const Core__V1__PodSpec *old,
                                      ApiFieldErrors *errors)
{
    for (gsize i = 0; i < old->n_tolerations; i++) {
        gboolean kept = FALSE;
        for (gsize k = 0; k < spec->n_tolerations && !kept; k++)
            kept = same_toleration(old->tolerations[i], spec->tolerations[k]);
        if (!kept) {
            api_field_forbidden(errors, "spec.tolerations",
                                "existing toleration can not be modified except its "
                                "tolerationSeconds");
            return;
        }
    }
}

static void validate_update(const Core__V1__PodSpec *spec, const Core__V1__PodSpec *old, ApiFieldErrors *errors)
{
    static const char rule[] =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)";
    if (spec->n_tolerations > TOLERATIONS_MAX || old->n_tolerations > TOLERATIONS_MAX)
        return; /* pod_spec_validate() has refused it */
    validate_tolerations_kept(spec, old, errors);
    if (old->has_activedeadlineseconds &&
        (!spec->has_activedeadlineseconds || spec->activedeadlineseconds > old->activedeadlineseconds))
        api_field_invalid_number(errors, "spec.activeDeadlineSeconds", spec->activedeadlineseconds,
                                 "must be less than or equal to previous value");
    API_AUTO(Core__V1__PodSpec) same = API_CLONE((Core__V1__PodSpec *)spec);
    take_changeable(same, old);
    if (!SAME_MEANING(same, old))
        api_field_forbidden(errors, "spec", rule);
}

void pod_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Core__V1__PodSpec *spec = ((const Core__V1__Pod *)object)->spec;
    const Core__V1__PodSpec *old_spec = old ? ((const Core__V1__Pod *)old)->spec : NULL;
    pod_spec_validate(spec, FIELD(NULL, "spec"), errors);
    if (spec && old_spec)
        validate_update(spec, old_spec, errors);
}
