/* What a pod's user left out, filled in as Kubernetes fills it in. */
#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/labels.h"

#define EVICTION_SECONDS 300 /* how long a pod stays on a node that is not ready or gone */

static void default_string(char **field, const char *value)
{
    if (!*field || !**field)
        api_set_string(field, value);
}

#define default_scalar(message, field, value)                                                                          \
    do {                                                                                                               \
        if (!(message)->has_##field)                                                                                   \
            api_set_scalar((message), field, (value));                                                                 \
    } while (0)

/* "Always" for the tag latest, given or understood: it may mean another image tomorrow. A digest never does. */
static const char *pull_policy_for(const char *image)
{
    if (strchr(image, '@'))
        return "IfNotPresent";
    const char *name = strrchr(image, '/');
    const char *tag = strchr(name ? name : image, ':');
    return !tag || g_str_equal(tag, ":latest") ? "Always" : "IfNotPresent";
}

/* Requests that are not given are what the limits are. Maps that validation will refuse for their size are left alone:
 * the time here grows with the square of it. */
static void default_requests(Core__V1__ResourceRequirements *resources)
{
    if (resources && MAX(resources->n_limits, resources->n_requests) > RESOURCES_MAX)
        return;
    for (gsize i = 0; resources && i < resources->n_limits; i++) {
        const Core__V1__ResourceRequirements__LimitsEntry *limit = resources->limits[i];
        if (quantity_map_get(QUANTITIES(resources->requests), resources->n_requests, limit->key))
            continue;
        Core__V1__ResourceRequirements__RequestsEntry *request =
            API_NEW(Core__V1__ResourceRequirements__RequestsEntry, core__v1__resource_requirements__requests_entry);
        request->key = g_strdup(limit->key);
        request->value = API_CLONE(limit->value);
        api_append(resources->requests, resources->n_requests, request);
    }
}

static void default_probe(Core__V1__Probe *probe)
{
    if (!probe)
        return;
    default_scalar(probe, timeoutseconds, 1);
    default_scalar(probe, periodseconds, 10);
    default_scalar(probe, successthreshold, 1);
    default_scalar(probe, failurethreshold, 3);
    Core__V1__HTTPGetAction *get = probe->handler ? probe->handler->httpget : NULL;
    if (get) {
        default_string(&get->path, "/");
        default_string(&get->scheme, "HTTP");
    }
}

static void default_container(Core__V1__Container *container)
{
    default_string(&container->terminationmessagepath, "/dev/termination-log");
    default_string(&container->terminationmessagepolicy, "File");
    default_string(&container->imagepullpolicy, pull_policy_for(api_str(container->image)));
    for (gsize i = 0; i < container->n_ports; i++)
        default_string(&container->ports[i]->protocol, "TCP");
    for (gsize i = 0; i < container->n_env; i++) {
        Core__V1__EnvVarSource *source = container->env[i]->valuefrom;
        if (source && source->fieldref)
            default_string(&source->fieldref->apiversion, "v1");
    }
    default_probe(container->livenessprobe);
    default_probe(container->readinessprobe);
    default_probe(container->startupprobe);
    default_requests(container->resources);
}

/* A volume without a source is an empty directory. */
static void default_volume(Core__V1__Volume *volume)
{
    if (!volume->volumesource)
        volume->volumesource = API_NEW(Core__V1__VolumeSource, core__v1__volume_source);
    Core__V1__VolumeSource *source = volume->volumesource;
    if (protobuf_c_message_get_packed_size(&source->base) == 0)
        source->emptydir = API_NEW(Core__V1__EmptyDirVolumeSource, core__v1__empty_dir_volume_source);
    if (source->hostpath && !source->hostpath->type)
        source->hostpath->type = g_strdup("");
}

void pod_spec_set_defaults(Core__V1__PodSpec *spec)
{
    if (!spec)
        return;
    default_string(&spec->restartpolicy, "Always");
    default_string(&spec->dnspolicy, "ClusterFirst");
    default_string(&spec->schedulername, "default-scheduler");
    default_scalar(spec, terminationgraceperiodseconds, 30);
    if (!spec->securitycontext)
        spec->securitycontext = API_NEW(Core__V1__PodSecurityContext, core__v1__pod_security_context);
    /* The older name of the field goes along. */
    if (api_str(spec->serviceaccountname)[0] == '\0' && api_str(spec->serviceaccount)[0])
        api_set_string(&spec->serviceaccountname, spec->serviceaccount);
    if (api_str(spec->serviceaccountname)[0])
        api_set_string(&spec->serviceaccount, spec->serviceaccountname);
    for (gsize i = 0; i < spec->n_initcontainers; i++)
        default_container(spec->initcontainers[i]);
    for (gsize i = 0; i < spec->n_containers; i++)
        default_container(spec->containers[i]);
    for (gsize i = 0; i < spec->n_volumes; i++)
        default_volume(spec->volumes[i]);
}

void pod_template_set_defaults(Core__V1__PodTemplateSpec *template)
{
    if (template)
        pod_spec_set_defaults(template->spec);
}

/* A toleration of NoExecute taints with this key. */
static gboolean tolerates_no_execute(const Core__V1__PodSpec *spec, const char *key)
{
    for (gsize i = 0; i < spec->n_tolerations; i++) {
        const Core__V1__Toleration *one = spec->tolerations[i];
        const char *effect = api_str(one->effect);
        if ((api_str(one->key)[0] == '\0' || g_str_equal(one->key, key)) &&
            (effect[0] == '\0' || g_str_equal(effect, "NoExecute")))
            return TRUE;
    }
    return FALSE;
}

static void default_toleration(Core__V1__PodSpec *spec, const char *key)
{
    if (tolerates_no_execute(spec, key))
        return;
    Core__V1__Toleration *toleration = API_NEW(Core__V1__Toleration, core__v1__toleration);
    toleration->key = g_strdup(key);
    toleration->operator_ = g_strdup("Exists");
    toleration->effect = g_strdup("NoExecute");
    api_set_scalar(toleration, tolerationseconds, EVICTION_SECONDS);
    api_append(spec->tolerations, spec->n_tolerations, toleration);
}

/* The two priority classes that every cluster has. */
static gint32 priority_of(const char *class_name)
{
    if (g_str_equal(class_name, "system-node-critical"))
        return 2000001000;
    return g_str_equal(class_name, "system-cluster-critical") ? 2000000000 : 0;
}

void pod_set_defaults(ProtobufCMessage *object)
{
    Core__V1__PodSpec *spec = ((Core__V1__Pod *)object)->spec;
    if (!spec)
        return;
    pod_spec_set_defaults(spec);
    default_string(&spec->serviceaccountname, API_SERVICE_ACCOUNT_DEFAULT);
    default_string(&spec->serviceaccount, spec->serviceaccountname);
    default_scalar(spec, enableservicelinks, TRUE);
    default_scalar(spec, priority, priority_of(api_str(spec->priorityclassname)));
    default_string(&spec->preemptionpolicy, "PreemptLowerPriority");
    default_toleration(spec, API_TAINT_NOT_READY);
    default_toleration(spec, API_TAINT_UNREACHABLE);
}
