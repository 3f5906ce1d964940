/* cleat-netproxy with a real server and real traffic, through the death of either.
 *
 *   outside (198.51.100.2) ---- node (198.51.100.1, cni0 10.244.1.1) ---- pods 10.244.1.2 and 10.244.1.3 */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "netproxy/dump.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"
#include "tests/unit/netproxy/lab.h"

#define POD_A "10.244.1.2"
#define POD_B "10.244.1.3"
#define SERVICE "10.96.0.77"

typedef struct {
    Harness *harness;
    RpcChannel *admin;
    int home; /* the namespace of etcd and the server */
    Lab lab;
    int outside;
    int pod_a;
    int pod_b;
    GPid proxy;
} Fixture;

static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void proxy_start(Fixture *fixture)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *bin = g_path_get_dirname(self), *program = g_build_filename(bin, "cleat-netproxy", NULL);
    g_autofree char *cni = g_build_filename(harness_dir(fixture->harness), "cni", NULL);
    g_autoptr(GError) error = NULL;
    const char *argv[] = {program,       "--config", harness_config(fixture->harness, "proxy"),
                          "--node-name", "here",     "--cni-conf-dir",
                          cni,           NULL};
    g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &fixture->proxy, &error);
    g_assert_no_error(error);
}

static void proxy_stop(Fixture *fixture, int signal)
{
    kill(fixture->proxy, signal);
    g_assert_cmpint(waitpid(fixture->proxy, NULL, 0), ==, fixture->proxy);
}

/* Waits until what the kernel does is this: events of another process cannot be awaited otherwise. */
static void await_dump(const char *expected)
{
    g_autofree char *text = NULL;
    for (guint i = 0; i < LAB_TIMEOUT_MS / 20 && g_strcmp0(text, expected) != 0; i++) {
        g_usleep(20000);
        g_free(text);
        text = dump_services(NULL);
    }
    g_assert_cmpstr(text, ==, expected);
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    fixture->home = lab_current();
    fixture->harness = harness_new(NULL); /* in the namespace that we leave now; unix sockets reach over */
    fixture->admin = harness_channel(fixture->harness, 0, "admin");
    Lab *lab = &fixture->lab;
    lab_init(lab);
    lab_bridge(lab, "10.244.1.1");
    fixture->outside = lab_namespace();
    lab_join(lab->node, "uplink", fixture->outside, "eth0");
    lab_run(lab->node, "ip addr add 198.51.100.1/24 dev uplink");
    lab_run(fixture->outside, "ip addr add 198.51.100.2/24 dev eth0 && ip route add 10.96.0.0/16 via 198.51.100.1");
    fixture->pod_a = lab_pod(lab, POD_A, "10.244.1.1");
    fixture->pod_b = lab_pod(lab, POD_B, "10.244.1.1");
    proxy_start(fixture);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    proxy_stop(fixture, SIGTERM);
    close(fixture->outside);
    close(fixture->pod_a);
    close(fixture->pod_b);
    lab_done(&fixture->lab);
    close(fixture->home);
    rpc_channel_unref(fixture->admin);
    harness_free(fixture->harness);
}

static void set_status(Fixture *fixture, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) object = kit_object("%s", yaml);
    API_AUTO(ProtobufCMessage) result = kit_update_status(fixture->admin, object, &error);
    g_assert_no_error(error);
}

static void create(Fixture *fixture, const char *yaml)
{
    ProtobufCMessage *object = kit_must_create(fixture->admin, "%s", yaml);
    api_message_free(object);
}

/* A connection to the service that ends in pod A: the client's end, and the pod's. */
static int connect_to_a(Fixture *fixture, int listener, int *ret_in)
{
    int out = lab_connect(fixture->outside, SERVICE, 80, LAB_TIMEOUT_MS);
    g_assert_cmpint(out, >=, 0);
    *ret_in = lab_accept(listener, NULL);
    lab_talk(out, *ret_in, "ping");
    return out;
}

#define AT_A "default/web:http at " SERVICE ":80/tcp\n  -> " POD_A ":8080 (on this node)\n"
#define AT_B "default/web:http at " SERVICE ":80/tcp\n  -> " POD_B ":8080 (on this node)\n"
#define SLICE(address)                                                                                                  \
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, namespace: default, "               \
    "labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: http, port: 8080, protocol: TCP}], " \
    "endpoints: [{addresses: [" address "], nodeName: here, conditions: {ready: true}}]}"

static void move_to(Fixture *fixture, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) slice = kit_object("%s", yaml);
    API_AUTO(ProtobufCMessage) result = kit_update(fixture->admin, slice, &error);
    g_assert_no_error(error);
}

static void test_life(Fixture *fixture, gconstpointer data)
{
    (void)data;
    int in, later_in, listener = lab_listen(fixture->pod_a, SOCK_STREAM, 8080);
    create(fixture, "{apiVersion: v1, kind: Node, metadata: {name: here}, spec: {podCIDR: 10.244.1.0/24}}");
    set_status(fixture, "{apiVersion: v1, kind: Node, metadata: {name: here}, "
                        "status: {addresses: [{type: InternalIP, address: 198.51.100.1}]}}");
    create(fixture, "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, "
                    "spec: {clusterIP: " SERVICE ", ports: [{name: http, port: 80, targetPort: 8080}]}}");
    await_dump("default/web:http at " SERVICE ":80/tcp\n  no endpoints: refused\n");
    g_assert_cmpint(lab_connect(fixture->outside, SERVICE, 80, LAB_TIMEOUT_MS), ==, -ECONNREFUSED);
    create(fixture, SLICE(POD_A));
    await_dump(AT_A);
    int out = connect_to_a(fixture, listener, &in);

    proxy_stop(fixture, SIGKILL); /* nothing depends on the process */
    int later = connect_to_a(fixture, listener, &later_in);
    lab_talk(in, out, "while it is dead");
    move_to(fixture, SLICE(POD_B)); /* and what it missed it makes up for */
    proxy_start(fixture);
    await_dump(AT_B);
    lab_talk(out, in, "still there");
    lab_talk(later_in, later, "this one too");

    harness_server_stop(fixture->harness, 0, SIGKILL); /* nor on the server, not even to repair */
    lab_run(fixture->lab.node, "nft flush ruleset");
    await_dump(AT_B);
    lab_enter(fixture->home);
    harness_server_start(fixture->harness, 0);
    lab_enter(fixture->lab.node);
    harness_server_await_ready(fixture->harness, 0);
    move_to(fixture, SLICE(POD_A));
    await_dump(AT_A);
    close(out);
    close(in);
    close(later);
    close(later_in);
    close(listener);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    g_test_add("/integration/netproxy/life", Fixture, NULL, setup, test_life, teardown);
    int failed = g_test_run();
    rpc_shutdown();
    return failed;
}
