#include "agent/env.h"
#include "lib/base/error.h"
#include "tests/unit/agent/fixture.h"

typedef struct {
    Core__V1__ConfigMap *map;
    Core__V1__Secret *secret;
    ProtobufCMessage *services[2];
    FieldFacts facts;
} World;

static World world;

static void world_init(void)
{
    static const char *const ips[] = {"10.0.0.9", "fd00::9", NULL};
    world.map = (Core__V1__ConfigMap *)from_yaml(&core__v1__config_map__descriptor,
                                                 "metadata: {name: conf, namespace: shop}\n"
                                                 "data: {COLOR: red, SIZE: '3', bad=key: z}\n");
    world.secret =
        (Core__V1__Secret *)from_yaml(&core__v1__secret__descriptor, "metadata: {name: key, namespace: shop}\n"
                                                                     "data: {TOKEN: czNjcjN0}\n");
    world.services[0] =
        from_yaml(&core__v1__service__descriptor,
                  "metadata: {name: my-db, namespace: shop}\n"
                  "spec: {clusterIP: 10.96.0.7, ports: [{name: sql-x, port: 5432}, {port: 53, protocol: UDP}]}\n");
    world.services[1] = from_yaml(&core__v1__service__descriptor, "metadata: {name: headless, namespace: shop}\n"
                                                                  "spec: {clusterIP: None, ports: [{port: 1}]}\n");
    world.facts = (FieldFacts){
        .pod_ip = "10.0.0.9",
        .pod_ips = ips,
        .host_ip = "192.0.2.1",
        .node_cpu = api_quantity_from_value(4, API_QUANTITY_DECIMAL_SI),
        .node_memory = api_quantity_from_value(G_GINT64_CONSTANT(8) << 30, API_QUANTITY_BINARY_SI),
    };
}

static const ProtobufCMessage *find(const ApiResource *resource, const char *name, gpointer data)
{
    (void)data;
    if (resource == API_CONFIG_MAP && g_str_equal(name, "conf"))
        return &world.map->base;
    if (resource == API_SECRET && g_str_equal(name, "key"))
        return &world.secret->base;
    return NULL;
}

static EnvVars *build(const char *lines, gboolean services, GPtrArray *skipped, GError **error)
{
    API_AUTO(Core__V1__Pod) pod = pod_with(lines, "");
    EnvInput input = {
        .pod = pod,
        .container = pod->spec->containers[0],
        .facts = &world.facts,
        .services = (const ProtobufCMessage *const *)world.services,
        .n_services = services ? 2 : 0,
        .object = find,
    };
    return env_build(&input, skipped, error);
}

static char *join(const EnvVars *vars)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < vars->names->len; i++)
        g_string_append_printf(out, "%s%s=%s", i ? ";" : "", (char *)vars->names->pdata[i],
                               (char *)vars->values->pdata[i]);
    return g_string_free(out, FALSE);
}

static void test_values(void)
{
    static const struct {
        const char *lines, *expected;
    } rows[] = {
        {"", ""},
        {"    env: [{name: A, value: x}, {name: B, value: y$(A)$(C)}, {name: C, value: $$(A)}]\n",
         "A=x;B=yx$(C);C=$(A)"},
        {"    env: [{name: A}, {name: A, value: last}]\n", "A=last"},
        {"    envFrom: [{configMapRef: {name: conf}}]\n    env: [{name: SIZE, value: '9$(SIZE)'}]\n",
         "COLOR=red;SIZE=93"},
        {"    envFrom: [{prefix: P_, secretRef: {name: key}}]\n", "P_TOKEN=s3cr3t"},
        {"    env: [{name: A, valueFrom: {configMapKeyRef: {name: conf, key: COLOR}}}]\n", "A=red"},
        {"    env: [{name: A, valueFrom: {secretKeyRef: {name: key, key: TOKEN}}}]\n", "A=s3cr3t"},
        {"    env: [{name: A, valueFrom: {configMapKeyRef: {name: conf, key: NONE, optional: true}}}]\n", ""},
        {"    env: [{name: A, valueFrom: {secretKeyRef: {name: none, key: TOKEN, optional: true}}}]\n", ""},
        {"    envFrom: [{configMapRef: {name: none, optional: true}}]\n", ""},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n", "A=web"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}]\n", "A=web"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['note']\"}}}]\n", "A=x=1"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['none']\"}}}]\n", "A="},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n", "A=10.0.0.9"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]\n", "A=10.0.0.9,fd00::9"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]\n", "A=n1"},
        {"    env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]\n", "A=4"},
        {"    resources: {limits: {cpu: 1500m}, requests: {memory: 3Mi}}\n"
         "    env:\n"
         "    - {name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}\n"
         "    - {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}\n"
         "    - {name: C, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}\n"
         "    - {name: D, valueFrom: {resourceFieldRef: {resource: requests.memory, containerName: main}}}\n",
         "A=2;B=1500;C=3;D=3145728"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(EnvVars) vars = build(rows[i].lines, FALSE, NULL, &error);
        g_assert_no_error(error);
        g_autofree char *got = join(vars);
        g_assert_cmpstr(got, ==, rows[i].expected);
    }
}

static void test_errors(void)
{
    static const struct {
        const char *lines;
        CleatErrorCode code;
        const char *message;
    } rows[] = {
        {"    envFrom: [{configMapRef: {name: none}}]\n", CLEAT_ERROR_NOT_FOUND, "configmap \"none\" not found"},
        {"    envFrom: [{secretRef: {name: none}}]\n", CLEAT_ERROR_NOT_FOUND, "secret \"none\" not found"},
        {"    env: [{name: A, valueFrom: {configMapKeyRef: {name: conf, key: NONE}}}]\n", CLEAT_ERROR_NOT_FOUND,
         "couldn't find key NONE in ConfigMap shop/conf"},
        {"    env: [{name: A, valueFrom: {secretKeyRef: {name: key, key: NONE}}}]\n", CLEAT_ERROR_NOT_FOUND,
         "couldn't find key NONE in Secret shop/key"},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.nothing}}}]\n", CLEAT_ERROR_INVALID,
         "unsupported fieldPath: status.nothing"},
        {"    env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gold}}}]\n", CLEAT_ERROR_INVALID,
         "unsupported resource: limits.gold"},
        {"    env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: none}}}]\n",
         CLEAT_ERROR_INVALID, "container \"none\" not found"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(build(rows[i].lines, FALSE, NULL, &error));
        g_assert_error(error, CLEAT_ERROR, (gint)rows[i].code);
        g_assert_cmpstr(error->message, ==, rows[i].message);
    }
}

static void test_services(void)
{
    static const char *const expected[][2] = {
        {"MY_DB_SERVICE_HOST", "10.96.0.7"},
        {"MY_DB_SERVICE_PORT", "5432"},
        {"MY_DB_SERVICE_PORT_SQL_X", "5432"},
        {"MY_DB_PORT", "tcp://10.96.0.7:5432"},
        {"MY_DB_PORT_5432_TCP", "tcp://10.96.0.7:5432"},
        {"MY_DB_PORT_5432_TCP_PROTO", "tcp"},
        {"MY_DB_PORT_5432_TCP_PORT", "5432"},
        {"MY_DB_PORT_5432_TCP_ADDR", "10.96.0.7"},
        {"MY_DB_PORT_53_UDP", "udp://10.96.0.7:53"},
        {"URL", "http://10.96.0.7"},
        {"MY_DB_PORT_53_UDP_PROTO", "own"}, /* what the container says comes before links */
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(EnvVars) vars = build("    env: [{name: URL, value: 'http://$(MY_DB_SERVICE_HOST)'}, "
                                    "{name: MY_DB_PORT_53_UDP_PROTO, value: own}]\n",
                                    TRUE, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        g_assert_cmpstr(env_vars_get(vars, expected[i][0]), ==, expected[i][1]);
    for (guint i = 0; i < vars->names->len; i++)
        g_assert_false(g_str_has_prefix(vars->names->pdata[i], "HEADLESS"));
}

static void test_skipped(void)
{
    g_autoptr(GPtrArray) skipped = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(EnvVars) vars = build("    envFrom: [{configMapRef: {name: conf}}]\n", FALSE, skipped, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(skipped->len, ==, 1);
    g_assert_cmpstr(skipped->pdata[0], ==, "bad=key");
    g_assert_null(env_vars_get(vars, "bad=key"));
}

static void count_reference(const ApiResource *resource, const char *name, gpointer data)
{
    g_string_append_printf(data, "%s/%s;", resource->plural, name);
}

static void test_references(void)
{
    API_AUTO(Core__V1__Pod)
    pod = pod_with("    envFrom: [{configMapRef: {name: a}}, {secretRef: {name: b}}]\n"
                   "    env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}},"
                   " {name: B, valueFrom: {secretKeyRef: {name: d, key: k}}}, {name: C, value: x}]\n",
                   "");
    g_autoptr(GString) found = g_string_new(NULL);
    env_references(pod->spec->containers[0], count_reference, found);
    g_assert_cmpstr(found->str, ==, "configmaps/a;secrets/b;configmaps/c;secrets/d;");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    world_init();
    g_test_add_func("/agent/env/values", test_values);
    g_test_add_func("/agent/env/errors", test_errors);
    g_test_add_func("/agent/env/services", test_services);
    g_test_add_func("/agent/env/skipped", test_skipped);
    g_test_add_func("/agent/env/references", test_references);
    int result = g_test_run();
    API_FREE(world.map);
    API_FREE(world.secret);
    API_FREE(world.services[0]);
    API_FREE(world.services[1]);
    return result;
}
