/* The proxy as a whole, fed by hand, with real traffic.
 *
 *   outside (198.51.100.2) ---- node (198.51.100.1, cni0 10.244.1.1) ---- pods 10.244.1.2 and 10.244.1.3 */
#include "netproxy/netproxy.h"

#include <glib/gstdio.h>
#include <sys/wait.h>

#include "netproxy/cni.h"
#include "netproxy/dump.h"
#include "tests/unit/netproxy/lab.h"
#include "tests/unit/netproxy/objects.h"

#define OUTSIDE "198.51.100.2"
#define NODE "198.51.100.1"
#define GATEWAY "10.244.1.1"
#define POD_A "10.244.1.2"
#define POD_B "10.244.1.3"
#define PORTS "http:TCP:80,dns:UDP:53"
#define TARGETS "http:TCP:8080,dns:UDP:5353"

typedef struct {
    Lab lab;
    int outside;
    int pod_a;
    int pod_b;
    char *dir;
    Netproxy *proxy;
} Fixture;

/* --- feeding ----------------------------------------------------------------------------------------------------------*/

static Netproxy *proxy_new(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    NetproxyOptions options = {.node_name = "here", .cni_conf_dir = fixture->dir, .cni_data_dir = "/var/lib/cni"};
    g_assert_true(nft_network_parse("10.244.0.0/16", &options.cluster));
    g_assert_true(nft_network_parse("10.96.0.0/16", &options.services));
    Netproxy *proxy = netproxy_new(&options, &error);
    g_assert_no_error(error);
    return proxy;
}

static void feed_service(Netproxy *proxy, const char *name, const char *address)
{
    API_AUTO(Core__V1__Service) service = object_service(name, address, PORTS);
    netproxy_service_changed(proxy, NULL, &service->base);
}

static void feed_slice(Netproxy *proxy, const char *service, const char *endpoints)
{
    g_autofree char *name = g_strdup_printf("%s-1", service);
    API_AUTO(Discovery__V1__EndpointSlice) slice = object_slice(name, service, TARGETS, endpoints);
    netproxy_slice_changed(proxy, NULL, &slice->base);
}

static void feed_node(Netproxy *proxy, const char *name, const char *address, const char *pods)
{
    API_AUTO(Core__V1__Node) node = API_NEW(Core__V1__Node, core__v1__node);
    api_set_string(&API_META(node)->name, name);
    node->spec = API_NEW(Core__V1__NodeSpec, core__v1__node_spec);
    api_set_string(&node->spec->podcidr, pods);
    node->status = API_NEW(Core__V1__NodeStatus, core__v1__node_status);
    Core__V1__NodeAddress *one = API_NEW(Core__V1__NodeAddress, core__v1__node_address);
    one->type = g_strdup("InternalIP");
    one->address = g_strdup(address);
    api_append(node->status->addresses, node->status->n_addresses, one);
    netproxy_node_changed(proxy, NULL, &node->base);
}

static gboolean on_timeout(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Runs the loop until the condition holds, at most LAB_TIMEOUT_MS; fails if it does not. */
static void run_until(gboolean (*condition)(Fixture *fixture), Fixture *fixture)
{
    gboolean late = FALSE;
    guint timer = g_timeout_add(LAB_TIMEOUT_MS, on_timeout, &late);
    while (!late && !condition(fixture))
        g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(timer);
    g_assert_false(late);
}

static guint64 works_wanted; /* transactions and replacements to wait for */

static gboolean works_reached(Fixture *fixture)
{
    const NetproxyCounters *counters = netproxy_counters(fixture->proxy);
    return counters->transactions + counters->replacements >= works_wanted;
}

/* Runs the loop until the proxy has written once more. */
static void run_until_written(Fixture *fixture)
{
    const NetproxyCounters *counters = netproxy_counters(fixture->proxy);
    works_wanted = counters->transactions + counters->replacements + 1;
    run_until(works_reached, fixture);
}

static void assert_dump(const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = dump_services(&error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, expected);
}

/* A proxy at work, with the service "web" whose endpoints these are. */
static void start(Fixture *fixture, const char *endpoints)
{
    fixture->proxy = proxy_new(fixture);
    feed_node(fixture->proxy, "here", NODE, "10.244.1.0/24");
    feed_service(fixture->proxy, "web", "10.96.0.1");
    feed_slice(fixture->proxy, "web", endpoints);
    netproxy_set_synced(fixture->proxy);
    run_until_written(fixture);
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    Lab *lab = &fixture->lab;
    fixture->dir = g_dir_make_tmp("cleat-netproxy-XXXXXX", NULL);
    lab_init(lab);
    lab_run(lab->node, "echo 0 > /proc/sys/net/ipv4/ip_forward");
    lab_bridge(lab, GATEWAY);
    fixture->outside = lab_namespace();
    lab_join(lab->node, "uplink", fixture->outside, "eth0");
    lab_run(lab->node, "ip link set uplink mtu 1480 && ip addr add " NODE "/24 dev uplink");
    lab_run(fixture->outside, "ip addr add " OUTSIDE "/24 dev eth0 && ip route add 10.96.0.0/16 via " NODE);
    fixture->pod_a = lab_pod(lab, POD_A, GATEWAY);
    fixture->pod_b = lab_pod(lab, POD_B, GATEWAY);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autofree char *file = g_build_filename(fixture->dir, CNI_FILE_NAME, NULL);
    netproxy_free(fixture->proxy);
    g_unlink(file);
    g_rmdir(fixture->dir);
    g_free(fixture->dir);
    close(fixture->outside);
    close(fixture->pod_a);
    close(fixture->pod_b);
    lab_done(&fixture->lab);
}

/* --- from start to end ------------------------------------------------------------------------------------------------*/

static void test_start(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fixture->proxy = proxy_new(fixture);
    feed_node(fixture->proxy, "here", NODE, "10.244.1.0/24");
    feed_service(fixture->proxy, "web", "10.96.0.1");
    feed_slice(fixture->proxy, "web", POD_A "@here");
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_null(dump_services(&error)); /* not before it knows all */
    netproxy_set_synced(fixture->proxy);
    run_until_written(fixture);
    assert_dump("default/web:dns at 10.96.0.1:53/udp\n  -> 10.244.1.2:5353 (on this node)\n"
                "default/web:http at 10.96.0.1:80/tcp\n  -> 10.244.1.2:8080 (on this node)\n");

    int listener = lab_listen(fixture->pod_a, SOCK_STREAM, 8080), clients[] = {fixture->outside, fixture->lab.node};
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        int out = lab_connect(clients[i], "10.96.0.1", 80, LAB_TIMEOUT_MS);
        g_assert_cmpint(out, >=, 0);
        int in = lab_accept(listener, NULL);
        lab_talk(out, in, "ping");
        close(in);
        close(out);
    }
    close(listener);

    g_autofree char *file = g_build_filename(fixture->dir, CNI_FILE_NAME, NULL), *text = NULL;
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "10.244.1.0/24"));
    g_assert_nonnull(strstr(text, "1480"));
}

static void test_clean_up(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL, none = NULL;
    g_autofree char *file = g_build_filename(fixture->dir, CNI_FILE_NAME, NULL);
    start(fixture, POD_A "@here");
    g_clear_pointer(&fixture->proxy, netproxy_free);
    for (guint i = 0; i < 2; i++) { /* twice is harmless */
        g_assert_true(netproxy_clean_up(fixture->dir, &error));
        g_assert_no_error(error);
    }
    g_assert_null(dump_services(&none));
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
    g_autofree char *left = lab_output("nft list ruleset; ip route show proto 104");
    g_assert_cmpstr(left, ==, "");
}

/* --- restart ----------------------------------------------------------------------------------------------------------*/

/* An established connection goes on through the death of the proxy, its restart and the new table; so do new ones. */
static void test_restart(Fixture *fixture, gconstpointer data)
{
    (void)data;
    start(fixture, POD_A "@here");
    int listener = lab_listen(fixture->pod_a, SOCK_STREAM, 8080);
    int out = lab_connect(fixture->outside, "10.96.0.1", 80, LAB_TIMEOUT_MS);
    g_assert_cmpint(out, >=, 0);
    int in = lab_accept(listener, NULL);
    lab_talk(out, in, "before");

    g_clear_pointer(&fixture->proxy, netproxy_free);
    lab_talk(in, out, "while it is down");
    int second_out = lab_connect(fixture->outside, "10.96.0.1", 80, LAB_TIMEOUT_MS);
    g_assert_cmpint(second_out, >=, 0);
    int second_in = lab_accept(listener, NULL);

    start(fixture, POD_A "@here," POD_B "@here");
    lab_talk(out, in, "after");
    lab_talk(in, out, "both ways");
    lab_talk(second_out, second_in, "this one too");
    assert_dump("default/web:dns at 10.96.0.1:53/udp\n  -> 10.244.1.2:5353 (on this node)\n"
                "  -> 10.244.1.3:5353 (on this node)\n"
                "default/web:http at 10.96.0.1:80/tcp\n  -> 10.244.1.2:8080 (on this node)\n"
                "  -> 10.244.1.3:8080 (on this node)\n");
    close(out);
    close(in);
    close(second_out);
    close(second_in);
    close(listener);
}

/* A child process that connects to the service again and again until the pipe closes, and then exits with 1 if any connection
 * failed or there were fewer than 100. */
static pid_t connector_start(Fixture *fixture, int *ret_stop)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        guint failed = 0, done = 0;
        close(ends[1]);
        while (!lab_readable(ends[0], 0)) {
            int fd = lab_connect(fixture->outside, "10.96.0.1", 80, LAB_TIMEOUT_MS);
            failed += fd < 0;
            done++;
            close(fd);
        }
        _exit(failed || done < 100);
    }
    close(ends[0]);
    *ret_stop = ends[1];
    return child;
}

/* Tables are replaced under a stream of new connections, and none of them fails. */
static void test_no_gap(Fixture *fixture, gconstpointer data)
{
    (void)data;
    int stop, status;
    int listener = lab_listen(fixture->pod_a, SOCK_STREAM, 8080);
    start(fixture, POD_A "@here");
    g_assert_cmpint(listen(listener, 1024), ==, 0);
    pid_t child = connector_start(fixture, &stop);
    for (guint i = 0, accepted = 0; i < 40 || accepted < 200; i++) {
        g_clear_pointer(&fixture->proxy, netproxy_free);
        start(fixture, POD_A "@here");
        while (lab_readable(listener, 0)) {
            close(lab_accept(listener, NULL));
            accepted++;
        }
    }
    close(stop);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    close(listener);
}

/* --- repair -----------------------------------------------------------------------------------------------------------*/

static void test_foreign_changes(Fixture *fixture, gconstpointer data)
{
    (void)data;
    static const char *const commands[] = {"nft flush ruleset", "nft delete table ip cleat",
                                           "nft flush map ip cleat endpoints",
                                           "nft add element ip cleat frontends '{ 10.96.9.9 . tcp . 80 : 0 . 1 }'"};
    start(fixture, POD_A);
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = dump_services(&error);
    lab_run(fixture->lab.node, "nft add table ip other");
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_test_message("%s", commands[i]);
        gint64 began = g_get_monotonic_time();
        lab_run(fixture->lab.node, "%s", commands[i]);
        run_until_written(fixture);
        g_assert_cmpint(g_get_monotonic_time() - began, <, G_USEC_PER_SEC);
        assert_dump(expected);
    }
    lab_run(fixture->lab.node, "nft add table ip other && nft delete table ip other"); /* nothing of ours */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(netproxy_counters(fixture->proxy)->replacements, ==, 1 + G_N_ELEMENTS(commands));
}

/* --- changes ----------------------------------------------------------------------------------------------------------*/

/* What comes together goes together. */
static void test_coalesced(Fixture *fixture, gconstpointer data)
{
    (void)data;
    start(fixture, POD_A);
    for (guint i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("s%u", i), *address = g_strdup_printf("10.96.1.%u", i);
        feed_service(fixture->proxy, name, address);
        feed_slice(fixture->proxy, name, POD_A "," POD_B);
    }
    run_until_written(fixture);
    const NetproxyCounters *counters = netproxy_counters(fixture->proxy);
    g_assert_cmpuint(counters->transactions, ==, 1);
    g_assert_cmpuint(counters->last_messages, ==, 3);
    g_assert_cmpuint(counters->failures, ==, 0);
    feed_service(fixture->proxy, "web", "10.96.0.1"); /* the same again: nothing to write */
    feed_slice(fixture->proxy, "web", POD_B);
    run_until_written(fixture);
    g_assert_cmpuint(counters->transactions, ==, 2);
    g_assert_cmpuint(counters->last_messages, ==, 2);
}

static gboolean datagram_arrives(int client, int server)
{
    char buffer[8];
    g_assert_cmpint(send(client, "x", 1, 0), ==, 1);
    return lab_readable(server, 500) && recv(server, buffer, sizeof buffer, 0) == 1;
}

/* A client that sends on and on from one port is moved off an endpoint that goes. */
static void test_stale_flow(Fixture *fixture, gconstpointer data)
{
    (void)data;
    struct sockaddr_in service = lab_address("10.96.0.1", 53);
    start(fixture, POD_A "@here");
    int server_a = lab_listen(fixture->pod_a, SOCK_DGRAM, 5353),
        server_b = lab_listen(fixture->pod_b, SOCK_DGRAM, 5353);
    int client = lab_socket(fixture->outside, SOCK_DGRAM);
    g_assert_cmpint(connect(client, (struct sockaddr *)&service, sizeof service), ==, 0);
    g_assert_true(datagram_arrives(client, server_a));
    feed_slice(fixture->proxy, "web", POD_A "@here," POD_B "@here"); /* one more: the flow stays where it is */
    run_until_written(fixture);
    g_assert_true(datagram_arrives(client, server_a));
    g_assert_cmpuint(netproxy_counters(fixture->proxy)->flows, ==, 0);

    feed_slice(fixture->proxy, "web", POD_B "@here");
    run_until_written(fixture);
    g_assert_cmpuint(netproxy_counters(fixture->proxy)->flows, ==, 1);
    g_assert_true(datagram_arrives(client, server_b));

    g_clear_pointer(&fixture->proxy, netproxy_free); /* the endpoint goes while no proxy runs */
    start(fixture, POD_A "@here");
    g_assert_cmpuint(netproxy_counters(fixture->proxy)->flows, ==, 1);
    g_assert_true(datagram_arrives(client, server_a));
    close(client);
    close(server_a);
    close(server_b);
}

/* --- routes -----------------------------------------------------------------------------------------------------------*/

static const char *routes_expected;

static gboolean routes_are_there(Fixture *fixture)
{
    (void)fixture;
    g_autofree char *text = lab_output("ip -4 route show proto 104 | sed 's/ *$//' | sort");
    return g_str_equal(text, routes_expected);
}

static void expect_routes(Fixture *fixture, const char *expected)
{
    routes_expected = expected;
    run_until(routes_are_there, fixture);
}

#define ROUTE_SERVICES "10.96.0.0/16 dev lo scope link src 198.51.100.1\n"
#define ROUTE_B "10.244.2.0/24 via 198.51.100.2 dev uplink\n"

static void test_routes(Fixture *fixture, gconstpointer data)
{
    (void)data;
    start(fixture, POD_A);
    expect_routes(fixture, ROUTE_SERVICES);
    feed_node(fixture->proxy, "b", OUTSIDE, "10.244.2.0/24");
    feed_node(fixture->proxy, "c", "198.51.100.3", NULL);            /* no pods yet */
    feed_node(fixture->proxy, "d", "198.51.100.4", "10.244.1.0/24"); /* claims our pods */
    expect_routes(fixture, ROUTE_B ROUTE_SERVICES);
    lab_run(fixture->lab.node, "ip route del 10.244.2.0/24");
    expect_routes(fixture, ROUTE_B ROUTE_SERVICES);
    lab_run(fixture->lab.node, "ip link set uplink down && ip link set uplink up");
    expect_routes(fixture, ROUTE_B ROUTE_SERVICES);
    API_AUTO(Core__V1__Node) node = API_NEW(Core__V1__Node, core__v1__node);
    api_set_string(&API_META(node)->name, "b");
    netproxy_node_changed(fixture->proxy, &node->base, NULL);
    expect_routes(fixture, ROUTE_SERVICES);
}

#define ADD(name, func) g_test_add("/netproxy/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("start", test_start);
    ADD("clean-up", test_clean_up);
    ADD("restart", test_restart);
    ADD("no-gap", test_no_gap);
    ADD("foreign-changes", test_foreign_changes);
    ADD("coalesced", test_coalesced);
    ADD("stale-flow", test_stale_flow);
    ADD("routes", test_routes);
    return g_test_run();
}
