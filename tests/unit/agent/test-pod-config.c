#include "agent/labels.h"
#include "agent/pod-config.h"
#include "agent/volume.h"
#include "lib/base/error.h"
#include "tests/unit/agent/fixture.h"

static const char *label(ProtobufCMessage *const *entries, gsize n, const char *key)
{
    return api_map_get((ApiMapEntry *const *)entries, n, key);
}
#define LABEL(config, key) label((ProtobufCMessage *const *)(config)->labels, (config)->n_labels, key)
#define ANNOTATION(config, key) label((ProtobufCMessage *const *)(config)->annotations, (config)->n_annotations, key)

static Runtime__V1__PodSandboxConfig *sandbox(const char *lines, const char *spec)
{
    API_AUTO(Core__V1__Pod) pod = pod_with(lines, spec);
    Runtime__V1__DNSConfig dns = RUNTIME__V1__DNSCONFIG__INIT;
    SandboxInput input = {
        .node_name = "n1",
        .log_directory = "/logs/p",
        .cgroup_parent = "/cleat/n1/besteffort/podu-1",
        .dns = &dns,
        .attempt = 3,
    };
    return sandbox_config_new(pod, &input);
}

static void test_sandbox(void)
{
    API_AUTO(Runtime__V1__PodSandboxConfig)
    config = sandbox("    ports: [{containerPort: 80, hostPort: 8080, protocol: UDP}, {containerPort: 81}]\n",
                     "  terminationGracePeriodSeconds: 7\n"
                     "  securityContext: {runAsUser: 5, runAsGroup: 6, fsGroup: 7, supplementalGroups: [8], "
                     "sysctls: [{name: net.x, value: '1'}]}\n");
    g_assert_cmpstr(config->metadata->name, ==, "web");
    g_assert_cmpstr(config->metadata->namespace_, ==, "shop");
    g_assert_cmpstr(config->metadata->uid, ==, "u-1");
    g_assert_cmpuint(config->metadata->attempt, ==, 3);
    g_assert_cmpstr(config->hostname, ==, "web");
    g_assert_cmpstr(config->log_directory, ==, "/logs/p");
    g_assert_cmpuint(config->n_port_mappings, ==, 1);
    g_assert_cmpint(config->port_mappings[0]->host_port, ==, 8080);
    g_assert_cmpint(config->port_mappings[0]->protocol, ==, RUNTIME__V1__PROTOCOL__UDP);
    g_assert_cmpstr(LABEL(config, "app"), ==, "web");
    g_assert_cmpstr(LABEL(config, LABEL_POD_NAME), ==, "web");
    g_assert_cmpstr(LABEL(config, LABEL_POD_NAMESPACE), ==, "shop");
    g_assert_cmpstr(LABEL(config, LABEL_POD_UID), ==, "u-1");
    g_assert_cmpstr(LABEL(config, LABEL_NODE), ==, "n1");
    g_assert_cmpstr(ANNOTATION(config, ANNOTATION_GRACE), ==, "7");
    g_assert_cmpstr(ANNOTATION(config, "note"), ==, "x=1");
    g_assert_cmpstr(config->linux->cgroup_parent, ==, "/cleat/n1/besteffort/podu-1");
    g_assert_cmpuint(config->linux->n_sysctls, ==, 1);
    const Runtime__V1__LinuxSandboxSecurityContext *security = config->linux->security_context;
    g_assert_cmpint(security->run_as_user->value, ==, 5);
    g_assert_cmpint(security->run_as_group->value, ==, 6);
    g_assert_cmpuint(security->n_supplemental_groups, ==, 2);
    g_assert_false(security->privileged);
    g_assert_cmpint(security->seccomp->profile_type, ==, RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
}

static void test_namespaces(void)
{
    static const struct {
        const char *spec;
        Runtime__V1__NamespaceMode network, pid, ipc;
    } rows[] = {
        {"", RUNTIME__V1__NAMESPACE_MODE__POD, RUNTIME__V1__NAMESPACE_MODE__CONTAINER,
         RUNTIME__V1__NAMESPACE_MODE__POD},
        {"  hostNetwork: true\n", RUNTIME__V1__NAMESPACE_MODE__NODE, RUNTIME__V1__NAMESPACE_MODE__CONTAINER,
         RUNTIME__V1__NAMESPACE_MODE__POD},
        {"  shareProcessNamespace: true\n", RUNTIME__V1__NAMESPACE_MODE__POD, RUNTIME__V1__NAMESPACE_MODE__POD,
         RUNTIME__V1__NAMESPACE_MODE__POD},
        {"  hostPID: true\n  hostIPC: true\n", RUNTIME__V1__NAMESPACE_MODE__POD, RUNTIME__V1__NAMESPACE_MODE__NODE,
         RUNTIME__V1__NAMESPACE_MODE__NODE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Runtime__V1__PodSandboxConfig) config = sandbox("", rows[i].spec);
        const Runtime__V1__NamespaceOption *options = config->linux->security_context->namespace_options;
        g_assert_cmpint(options->network, ==, rows[i].network);
        g_assert_cmpint(options->pid, ==, rows[i].pid);
        g_assert_cmpint(options->ipc, ==, rows[i].ipc);
        g_assert_cmpstr(config->hostname, ==, rows[i].network == RUNTIME__V1__NAMESPACE_MODE__NODE ? "" : "web");
    }
}

static void free_mount(gpointer mount)
{
    API_FREE(mount);
}

static Runtime__V1__ContainerConfig *container(const char *lines, const char *spec)
{
    API_AUTO(Core__V1__Pod) pod = pod_with(lines, spec);
    g_autoptr(EnvVars) env = env_vars_new();
    env_vars_set(env, "A", "1");
    g_autoptr(GPtrArray) mounts = g_ptr_array_new_with_free_func(free_mount);
    g_ptr_array_add(mounts, mount_new("/data", "/host/data", TRUE));
    ContainerInput input = {
        .node_name = "n1",
        .image = "sha256:1",
        .env = env,
        .mounts = mounts,
        .node_memory = G_GINT64_CONSTANT(1) << 30,
        .restarts = 2,
        .failures = 1,
    };
    return container_config_new(pod, pod->spec->containers[0], &input);
}

static void test_container(void)
{
    API_AUTO(Runtime__V1__ContainerConfig)
    config = container(
        "    command: [sh, -c, 'echo $(A)']\n    args: [$(B), $$(A)]\n    workingDir: /w\n    tty: true\n", "");
    g_assert_cmpstr(config->metadata->name, ==, "main");
    g_assert_cmpuint(config->metadata->attempt, ==, 2);
    g_assert_cmpstr(config->image->image, ==, "sha256:1");
    g_assert_cmpstr(config->command[2], ==, "echo 1");
    g_assert_cmpstr(config->args[0], ==, "$(B)");
    g_assert_cmpstr(config->args[1], ==, "$(A)");
    g_assert_cmpstr(config->working_dir, ==, "/w");
    g_assert_true(config->tty);
    g_assert_cmpuint(config->n_envs, ==, 1);
    g_assert_cmpmem(config->envs[0]->value.data, config->envs[0]->value.len, "1", 1);
    g_assert_cmpstr(config->mounts[0]->host_path, ==, "/host/data");
    g_assert_true(config->mounts[0]->readonly);
    g_assert_cmpstr(config->log_path, ==, "main/2.log");
    g_assert_cmpstr(LABEL(config, LABEL_CONTAINER_NAME), ==, "main");
    g_assert_cmpstr(LABEL(config, LABEL_POD_UID), ==, "u-1");
    g_assert_cmpstr(LABEL(config, LABEL_NODE), ==, "n1");
    g_assert_cmpstr(ANNOTATION(config, ANNOTATION_RESTART_COUNT), ==, "2");
    g_assert_cmpstr(ANNOTATION(config, ANNOTATION_FAILURES), ==, "1");
    g_assert_cmpint(config->linux->resources->oom_score_adj, ==, 1000);
}

static void test_security(void)
{
    API_AUTO(Runtime__V1__ContainerConfig) plain = container("", "");
    const Runtime__V1__LinuxContainerSecurityContext *security = plain->linux->security_context;
    g_assert_null(security->run_as_user);
    g_assert_false(security->no_new_privs);
    g_assert_false(security->readonly_rootfs);
    g_assert_cmpint(security->seccomp->profile_type, ==, RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
    g_assert_cmpuint(security->n_masked_paths, >, 5);
    g_assert_cmpuint(security->n_readonly_paths, ==, 5);

    API_AUTO(Runtime__V1__ContainerConfig)
    set =
        container("    securityContext: {runAsUser: 0, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, "
                  "capabilities: {add: [NET_ADMIN], drop: [ALL]}, seccompProfile: {type: Unconfined}}\n",
                  "  securityContext: {runAsUser: 5, runAsGroup: 6, seccompProfile: {type: RuntimeDefault}}\n");
    security = set->linux->security_context;
    g_assert_cmpint(security->run_as_user->value, ==, 0);
    g_assert_cmpint(security->run_as_group->value, ==, 6);
    g_assert_true(security->no_new_privs);
    g_assert_true(security->readonly_rootfs);
    g_assert_cmpstr(security->capabilities->add_capabilities[0], ==, "NET_ADMIN");
    g_assert_cmpstr(security->capabilities->drop_capabilities[0], ==, "ALL");
    g_assert_cmpint(security->seccomp->profile_type, ==, RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined);

    API_AUTO(Runtime__V1__ContainerConfig) privileged = container("    securityContext: {privileged: true}\n", "");
    security = privileged->linux->security_context;
    g_assert_true(security->privileged);
    g_assert_null(security->seccomp);
    g_assert_cmpuint(security->n_masked_paths, ==, 0);
    API_AUTO(Runtime__V1__PodSandboxConfig) its_sandbox = sandbox("    securityContext: {privileged: true}\n", "");
    g_assert_true(its_sandbox->linux->security_context->privileged);
}

static void test_non_root(void)
{
    static const struct {
        const char *lines, *spec;
        gint64 user;
        const char *name, *message;
    } rows[] = {
        {"", "", 0, "", NULL},
        {"    securityContext: {runAsNonRoot: true}\n", "", 1000, "", NULL},
        {"    securityContext: {runAsNonRoot: true, runAsUser: 5}\n", "", 0, "", NULL},
        {"    securityContext: {runAsNonRoot: false}\n", "  securityContext: {runAsNonRoot: true}\n", 0, "", NULL},
        {"", "  securityContext: {runAsNonRoot: true, runAsUser: 7}\n", 0, "", NULL},
        {"    securityContext: {runAsNonRoot: true}\n", "", 0, "", "image will run as root"},
        {"    securityContext: {runAsNonRoot: true}\n", "", -1, "www", "non-numeric user (www)"},
        {"    securityContext: {runAsNonRoot: true, runAsUser: 0}\n", "", 5, "", "runAsUser breaks non-root policy"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with(rows[i].lines, rows[i].spec);
        g_autoptr(GError) error = NULL;
        gboolean ok = container_check_non_root(pod, pod->spec->containers[0], rows[i].user, rows[i].name, &error);
        g_assert_cmpint(ok, ==, rows[i].message == NULL);
        if (rows[i].message)
            g_assert_nonnull(strstr(error->message, rows[i].message));
    }
}

static void test_hash(void)
{
    API_AUTO(Core__V1__Pod) a = pod_with("", "");
    API_AUTO(Core__V1__Pod) b = pod_with("    env: [{name: A, value: x}]\n", "");
    API_AUTO(Core__V1__Pod) c = pod_with("", "");
    api_set_string(&c->spec->containers[0]->image, "busybox:2");
    g_autofree char *hash_a = container_hash(a->spec->containers[0]);
    g_autofree char *hash_b = container_hash(b->spec->containers[0]);
    g_autofree char *hash_c = container_hash(c->spec->containers[0]);
    g_assert_cmpstr(hash_a, ==, hash_b);
    g_assert_cmpstr(hash_a, !=, hash_c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/pod-config/sandbox", test_sandbox);
    g_test_add_func("/agent/pod-config/namespaces", test_namespaces);
    g_test_add_func("/agent/pod-config/container", test_container);
    g_test_add_func("/agent/pod-config/security", test_security);
    g_test_add_func("/agent/pod-config/non-root", test_non_root);
    g_test_add_func("/agent/pod-config/hash", test_hash);
    return g_test_run();
}
