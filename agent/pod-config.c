#include "agent/pod-config.h"

#include <string.h>

#include "agent/dns.h"
#include "agent/expand.h"
#include "agent/labels.h"
#include "lib/api/object.h"
#include "lib/base/error.h"

/* Paths of /proc and /sys that a container must not read, or not write, unless it is privileged. */
static const char *const masked_paths[] = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

/* --- sandbox ----------------------------------------------------------------------------------------------------------*/

static Runtime__V1__NamespaceOption *namespace_options(const Core__V1__PodSpec *spec)
{
    Runtime__V1__NamespaceOption *options = API_NEW(Runtime__V1__NamespaceOption, runtime__v1__namespace_option);
    options->network = spec->hostnetwork ? RUNTIME__V1__NAMESPACE_MODE__NODE : RUNTIME__V1__NAMESPACE_MODE__POD;
    options->ipc = spec->hostipc ? RUNTIME__V1__NAMESPACE_MODE__NODE : RUNTIME__V1__NAMESPACE_MODE__POD;
    options->pid = spec->hostpid                 ? RUNTIME__V1__NAMESPACE_MODE__NODE
                   : spec->shareprocessnamespace ? RUNTIME__V1__NAMESPACE_MODE__POD
                                                 : RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
    return options;
}

static Runtime__V1__Int64Value *int64_value(gint64 value)
{
    Runtime__V1__Int64Value *message = API_NEW(Runtime__V1__Int64Value, runtime__v1__int64_value);
    message->value = value;
    return message;
}

/* The first profile given decides; without one the runtime's default filter is used. */
static Runtime__V1__SecurityProfile *seccomp_profile(const Core__V1__SeccompProfile *own,
                                                     const Core__V1__SeccompProfile *of_pod)
{
    Runtime__V1__SecurityProfile *profile = API_NEW(Runtime__V1__SecurityProfile, runtime__v1__security_profile);
    const Core__V1__SeccompProfile *given = own ? own : of_pod;
    if (given && api_str_equal(given->type, "Unconfined")) {
        profile->profile_type = RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
    } else if (given && api_str_equal(given->type, "Localhost")) {
        profile->profile_type = RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
        profile->localhost_ref = g_strdup(api_str(given->localhostprofile));
    }
    return profile;
}

static gboolean is_privileged(const Core__V1__Container *container)
{
    return container->securitycontext && container->securitycontext->privileged;
}

static gboolean any_privileged(const Core__V1__PodSpec *spec)
{
    for (gsize i = 0; i < spec->n_containers; i++) {
        if (is_privileged(spec->containers[i]))
            return TRUE;
    }
    for (gsize i = 0; i < spec->n_initcontainers; i++) {
        if (is_privileged(spec->initcontainers[i]))
            return TRUE;
    }
    return FALSE;
}

static void copy_groups(const Core__V1__PodSecurityContext *pod, gint64 **groups, gsize *n)
{
    for (gsize i = 0; pod && i < pod->n_supplementalgroups; i++)
        api_append(*groups, *n, pod->supplementalgroups[i]);
    if (pod && pod->has_fsgroup)
        api_append(*groups, *n, pod->fsgroup);
}

static Runtime__V1__LinuxSandboxSecurityContext *sandbox_security(const Core__V1__PodSpec *spec)
{
    Runtime__V1__LinuxSandboxSecurityContext *security =
        API_NEW(Runtime__V1__LinuxSandboxSecurityContext, runtime__v1__linux_sandbox_security_context);
    const Core__V1__PodSecurityContext *pod = spec->securitycontext;
    security->namespace_options = namespace_options(spec);
    security->privileged = any_privileged(spec);
    security->seccomp = seccomp_profile(NULL, NULL);
    if (pod && pod->has_runasuser)
        security->run_as_user = int64_value(pod->runasuser);
    if (pod && pod->has_runasgroup && pod->has_runasuser)
        security->run_as_group = int64_value(pod->runasgroup);
    copy_groups(pod, &security->supplemental_groups, &security->n_supplemental_groups);
    return security;
}

static void add_ports(Runtime__V1__PodSandboxConfig *config, const Core__V1__Container *container)
{
    for (gsize i = 0; i < container->n_ports; i++) {
        const Core__V1__ContainerPort *port = container->ports[i];
        if (port->hostport == 0)
            continue;
        Runtime__V1__PortMapping *mapping = API_NEW(Runtime__V1__PortMapping, runtime__v1__port_mapping);
        mapping->protocol = api_str_equal(port->protocol, "UDP")    ? RUNTIME__V1__PROTOCOL__UDP
                            : api_str_equal(port->protocol, "SCTP") ? RUNTIME__V1__PROTOCOL__SCTP
                                                                    : RUNTIME__V1__PROTOCOL__TCP;
        mapping->container_port = port->containerport;
        mapping->host_port = port->hostport;
        if (port->hostip)
            mapping->host_ip = g_strdup(port->hostip);
        api_append(config->port_mappings, config->n_port_mappings, mapping);
    }
}

#define set_entry(message, map, entry_type, key, value)                                                                \
    api_map_set((ApiMapEntry ***)&(message)->map, &(message)->n_##map, &entry_type, key, value)
#define set_sandbox_label(config, key, value)                                                                          \
    set_entry(config, labels, runtime__v1__pod_sandbox_config__labels_entry__descriptor, key, value)
#define set_sandbox_annotation(config, key, value)                                                                     \
    set_entry(config, annotations, runtime__v1__pod_sandbox_config__annotations_entry__descriptor, key, value)

static void set_sandbox_maps(Runtime__V1__PodSandboxConfig *config, const Core__V1__Pod *pod, const SandboxInput *input)
{
    const Meta__V1__ObjectMeta *meta = pod->metadata;
    for (gsize i = 0; i < meta->n_labels; i++)
        set_sandbox_label(config, meta->labels[i]->key, api_str(meta->labels[i]->value));
    set_sandbox_label(config, LABEL_POD_NAME, meta->name);
    set_sandbox_label(config, LABEL_POD_NAMESPACE, meta->namespace_);
    set_sandbox_label(config, LABEL_POD_UID, meta->uid);
    set_sandbox_label(config, LABEL_NODE, input->node_name);
    for (gsize i = 0; i < meta->n_annotations; i++)
        set_sandbox_annotation(config, meta->annotations[i]->key, api_str(meta->annotations[i]->value));
    g_autofree char *grace = g_strdup_printf("%" G_GINT64_FORMAT, pod->spec->terminationgraceperiodseconds);
    set_sandbox_annotation(config, ANNOTATION_GRACE, grace);
}

Runtime__V1__PodSandboxConfig *sandbox_config_new(const Core__V1__Pod *pod, const SandboxInput *input)
{
    Runtime__V1__PodSandboxConfig *config = API_NEW(Runtime__V1__PodSandboxConfig, runtime__v1__pod_sandbox_config);
    config->metadata = API_NEW(Runtime__V1__PodSandboxMetadata, runtime__v1__pod_sandbox_metadata);
    config->metadata->name = g_strdup(api_object_name(&pod->base));
    config->metadata->namespace_ = g_strdup(api_object_namespace(&pod->base));
    config->metadata->uid = g_strdup(api_object_uid(&pod->base));
    config->metadata->attempt = input->attempt;
    if (!pod->spec->hostnetwork)
        config->hostname = pod_hostname(pod);
    config->log_directory = g_strdup(input->log_directory);
    config->dns_config = API_CLONE((Runtime__V1__DNSConfig *)input->dns);
    for (gsize i = 0; i < pod->spec->n_containers; i++)
        add_ports(config, pod->spec->containers[i]);
    set_sandbox_maps(config, pod, input);
    config->linux = API_NEW(Runtime__V1__LinuxPodSandboxConfig, runtime__v1__linux_pod_sandbox_config);
    config->linux->cgroup_parent = g_strdup(input->cgroup_parent);
    config->linux->security_context = sandbox_security(pod->spec);
    const Core__V1__PodSecurityContext *security = pod->spec->securitycontext;
    for (gsize i = 0; security && i < security->n_sysctls; i++)
        set_entry(config->linux, sysctls, runtime__v1__linux_pod_sandbox_config__sysctls_entry__descriptor,
                  security->sysctls[i]->name, api_str(security->sysctls[i]->value));
    return config;
}

/* --- container --------------------------------------------------------------------------------------------------------*/

char *container_hash(const Core__V1__Container *container)
{
    g_autofree char *text = g_strconcat(api_str(container->name), "\n", api_str(container->image), NULL);
    return g_strdup_printf("%x", g_str_hash(text));
}

static Runtime__V1__Capability *capabilities(const Core__V1__Capabilities *given)
{
    Runtime__V1__Capability *out = API_NEW(Runtime__V1__Capability, runtime__v1__capability);
    for (gsize i = 0; i < given->n_add; i++)
        api_append(out->add_capabilities, out->n_add_capabilities, g_strdup(given->add[i]));
    for (gsize i = 0; i < given->n_drop; i++)
        api_append(out->drop_capabilities, out->n_drop_capabilities, g_strdup(given->drop[i]));
    return out;
}

static void set_user(Runtime__V1__LinuxContainerSecurityContext *out, const Core__V1__SecurityContext *own,
                     const Core__V1__PodSecurityContext *pod)
{
    if (own && own->has_runasuser)
        out->run_as_user = int64_value(own->runasuser);
    else if (pod && pod->has_runasuser)
        out->run_as_user = int64_value(pod->runasuser);
    if (own && own->has_runasgroup)
        out->run_as_group = int64_value(own->runasgroup);
    else if (pod && pod->has_runasgroup)
        out->run_as_group = int64_value(pod->runasgroup);
    copy_groups(pod, &out->supplemental_groups, &out->n_supplemental_groups);
}

static Runtime__V1__LinuxContainerSecurityContext *container_security(const Core__V1__PodSpec *spec,
                                                                      const Core__V1__Container *container)
{
    Runtime__V1__LinuxContainerSecurityContext *out =
        API_NEW(Runtime__V1__LinuxContainerSecurityContext, runtime__v1__linux_container_security_context);
    const Core__V1__SecurityContext *own = container->securitycontext;
    const Core__V1__PodSecurityContext *pod = spec->securitycontext;
    out->namespace_options = namespace_options(spec);
    set_user(out, own, pod);
    if (own && own->capabilities)
        out->capabilities = capabilities(own->capabilities);
    out->privileged = is_privileged(container);
    out->readonly_rootfs = own && own->readonlyrootfilesystem;
    out->no_new_privs = own && own->has_allowprivilegeescalation && !own->allowprivilegeescalation;
    if (out->privileged)
        return out;
    out->seccomp = seccomp_profile(own ? own->seccompprofile : NULL, pod ? pod->seccompprofile : NULL);
    for (guint i = 0; i < G_N_ELEMENTS(masked_paths); i++)
        api_append(out->masked_paths, out->n_masked_paths, g_strdup(masked_paths[i]));
    for (guint i = 0; i < G_N_ELEMENTS(readonly_paths); i++)
        api_append(out->readonly_paths, out->n_readonly_paths, g_strdup(readonly_paths[i]));
    return out;
}

static void expand_all(char *const *words, gsize n, EnvVars *env, char ***out, gsize *n_out)
{
    for (gsize i = 0; i < n; i++)
        api_append(*out, *n_out, expand(words[i], env_vars_lookup, env));
}

static void set_env(Runtime__V1__ContainerConfig *config, const EnvVars *env)
{
    for (guint i = 0; i < env->names->len; i++) {
        Runtime__V1__KeyValue *pair = API_NEW(Runtime__V1__KeyValue, runtime__v1__key_value);
        const char *value = env->values->pdata[i];
        pair->key = g_strdup(env->names->pdata[i]);
        pair->value.len = strlen(value);
        pair->value.data = (guint8 *)g_strdup(value);
        api_append(config->envs, config->n_envs, pair);
    }
}

#define set_container_label(config, key, value)                                                                        \
    set_entry(config, labels, runtime__v1__container_config__labels_entry__descriptor, key, value)
#define set_container_annotation(config, key, value)                                                                   \
    set_entry(config, annotations, runtime__v1__container_config__annotations_entry__descriptor, key, value)

static void set_container_maps(Runtime__V1__ContainerConfig *config, const Core__V1__Pod *pod,
                               const Core__V1__Container *container, const ContainerInput *input)
{
    g_autofree char *hash = container_hash(container);
    g_autofree char *restarts = g_strdup_printf("%u", input->restarts);
    g_autofree char *failures = g_strdup_printf("%u", input->failures);
    set_container_label(config, LABEL_CONTAINER_NAME, container->name);
    set_container_label(config, LABEL_POD_NAME, api_object_name(&pod->base));
    set_container_label(config, LABEL_POD_NAMESPACE, api_object_namespace(&pod->base));
    set_container_label(config, LABEL_POD_UID, api_object_uid(&pod->base));
    set_container_label(config, LABEL_NODE, input->node_name);
    set_container_annotation(config, ANNOTATION_HASH, hash);
    set_container_annotation(config, ANNOTATION_RESTART_COUNT, restarts);
    set_container_annotation(config, ANNOTATION_FAILURES, failures);
}

Runtime__V1__ContainerConfig *container_config_new(const Core__V1__Pod *pod, const Core__V1__Container *container,
                                                   const ContainerInput *input)
{
    Runtime__V1__ContainerConfig *config = API_NEW(Runtime__V1__ContainerConfig, runtime__v1__container_config);
    config->metadata = API_NEW(Runtime__V1__ContainerMetadata, runtime__v1__container_metadata);
    config->metadata->name = g_strdup(container->name);
    config->metadata->attempt = input->restarts;
    config->image = API_NEW(Runtime__V1__ImageSpec, runtime__v1__image_spec);
    config->image->image = g_strdup(input->image);
    config->image->user_specified_image = g_strdup(api_str(container->image));
    expand_all(container->command, container->n_command, input->env, &config->command, &config->n_command);
    expand_all(container->args, container->n_args, input->env, &config->args, &config->n_args);
    config->working_dir = g_strdup(api_str(container->workingdir));
    set_env(config, input->env);
    for (guint i = 0; i < input->mounts->len; i++)
        api_append(config->mounts, config->n_mounts, API_CLONE((Runtime__V1__Mount *)input->mounts->pdata[i]));
    set_container_maps(config, pod, container, input);
    config->log_path = g_strdup_printf("%s/%u.log", container->name, input->restarts);
    config->stdin = container->stdin;
    config->stdin_once = container->stdinonce;
    config->tty = container->tty;
    config->linux = API_NEW(Runtime__V1__LinuxContainerConfig, runtime__v1__linux_container_config);
    config->linux->resources = resources_for_container(qos_of(pod->spec), container, input->node_memory);
    config->linux->security_context = container_security(pod->spec, container);
    return config;
}

gboolean container_check_non_root(const Core__V1__Pod *pod, const Core__V1__Container *container, gint64 image_user,
                                  const char *user_name, GError **error)
{
    const Core__V1__SecurityContext *own = container->securitycontext;
    const Core__V1__PodSecurityContext *of_pod = pod->spec->securitycontext;
    gboolean non_root = own && own->has_runasnonroot ? own->runasnonroot : of_pod && of_pod->runasnonroot;
    gint64 user = own && own->has_runasuser ? own->runasuser : of_pod && of_pod->has_runasuser ? of_pod->runasuser : -1;
    if (!non_root || user > 0)
        return TRUE;
    if (user == 0)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID,
                    "container's runAsUser breaks non-root policy (pod: \"%s\", container: %s)",
                    api_object_name(&pod->base), container->name);
    else if (image_user > 0)
        return TRUE;
    else if (user_name && user_name[0])
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID,
                    "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root",
                    user_name);
    else
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID,
                    "container has runAsNonRoot and image will run as root (pod: \"%s\", container: %s)",
                    api_object_name(&pod->base), container->name);
    return FALSE;
}
