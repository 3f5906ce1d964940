/* The rules with real traffic.
 *
 *   outside (198.51.100.2) ---- node (198.51.100.1, cni0 10.244.1.1) ---- pods 10.244.1.2 and 10.244.1.3
 *
 * The outside has a route to the service network and plays clients that are not in the cluster, and the world. */
#include "netproxy/nft/ruleset.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "netproxy/nft/socket.h"
#include "netproxy/sysctl.h"
#include "tests/unit/netproxy/lab.h"
#include "tests/unit/netproxy/objects.h"

#define OUTSIDE "198.51.100.2"
#define NODE "198.51.100.1"
#define GATEWAY "10.244.1.1"
#define POD_A "10.244.1.2"
#define POD_B "10.244.1.3"

typedef struct {
    Lab lab;
    int outside;
    int pod_a;
    int pod_b;
    NftSocket *nft;
    NftSettings settings;
} Fixture;

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    Lab *lab = &fixture->lab;
    lab_init(lab);
    lab_bridge(lab, GATEWAY);
    fixture->outside = lab_namespace();
    lab_join(lab->node, "uplink", fixture->outside, "eth0");
    lab_run(lab->node, "ip addr add " NODE "/24 dev uplink && ip route add 10.96.0.0/16 dev lo src " NODE);
    lab_run(fixture->outside, "ip addr add " OUTSIDE "/24 dev eth0 && ip route add 10.96.0.0/16 via " NODE
                              " && ip route add 10.244.0.0/16 via " NODE);
    fixture->pod_a = lab_pod(lab, POD_A, GATEWAY);
    fixture->pod_b = lab_pod(lab, POD_B, GATEWAY);
    sysctl_write("net/bridge/bridge-nf-call-iptables", "1", &error);
    g_assert_no_error(error);
    fixture->nft = nft_socket_new(&error);
    g_assert_no_error(error);
    g_assert_true(nft_network_parse("10.244.0.0/16", &fixture->settings.cluster));
    g_assert_true(nft_network_parse("10.96.0.0/16", &fixture->settings.services));
    g_assert_true(nft_network_parse("10.244.1.0/24", &fixture->settings.pods));
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    nft_socket_free(fixture->nft);
    close(fixture->outside);
    close(fixture->pod_a);
    close(fixture->pod_b);
    lab_done(&fixture->lab);
}

/* The service 10.96.0.1 with tcp 80 -> 8080 and udp 53 -> 5353, with these endpoints (objects.h). */
static void program(Fixture *fixture, const char *endpoints)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Model) model = model_new("here");
    g_autoptr(Table) table = table_new();
    g_autoptr(GHashTable) classes = g_hash_table_new(NULL, NULL);
    object_set_service(model, "web", "10.96.0.1", "http:TCP:80,dns:UDP:53");
    object_set_slice(model, "web-1", "web", "http:TCP:8080,dns:UDP:5353", endpoints);
    g_autoptr(Changes) changes = object_update(model, table);
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    nft_ruleset_build(batch, &fixture->settings);
    table_write(table, batch, classes);
    nft_socket_commit(fixture->nft, batch, &error);
    g_assert_no_error(error);
}

/* A client of <ns> gets through to the pod by the service; who the pod sees. New string. */
static char *client_seen(int ns, int pod)
{
    char *client;
    int listener = lab_listen(pod, SOCK_STREAM, 8080);
    int out = lab_connect(ns, "10.96.0.1", 80, LAB_TIMEOUT_MS);
    g_assert_cmpint(out, >=, 0);
    int in = lab_accept(listener, &client);
    lab_talk(out, in, "ping");
    lab_talk(in, out, "pong");
    close(out);
    close(in);
    close(listener);
    return client;
}

static void test_clients(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, POD_B "@here");
    g_autofree char *pod = client_seen(fixture->pod_a, fixture->pod_b);
    g_assert_cmpstr(pod, ==, POD_A); /* keeps its address */
    g_autofree char *outside = client_seen(fixture->outside, fixture->pod_b);
    g_assert_cmpstr(outside, ==, GATEWAY); /* comes from this node, so that answers go through it */
    g_autofree char *node = client_seen(fixture->lab.node, fixture->pod_b);
    g_assert_cmpstr(node, ==, GATEWAY);
}

static void test_hairpin(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, POD_A "@here");
    g_autofree char *itself = client_seen(fixture->pod_a, fixture->pod_a);
    g_assert_cmpstr(itself, ==, GATEWAY);
}

/* The bridge does not show answers to conntrack: they must be made to come to the node. */
static void test_bridge_hides(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    sysctl_write("net/bridge/bridge-nf-call-iptables", "0", &error);
    g_assert_no_error(error);
    program(fixture, POD_B "@here");
    g_assert_cmpint(lab_connect(fixture->pod_a, "10.96.0.1", 80, 300), ==, -ETIMEDOUT);
    fixture->settings.masquerade_bridged = TRUE;
    program(fixture, POD_B "@here");
    g_autofree char *pod = client_seen(fixture->pod_a, fixture->pod_b);
    g_assert_cmpstr(pod, ==, GATEWAY);
}

static void test_balance(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, POD_A "@here," POD_B "@here");
    int listeners[] = {lab_listen(fixture->pod_a, SOCK_STREAM, 8080), lab_listen(fixture->pod_b, SOCK_STREAM, 8080)};
    guint hits[2] = {0};
    for (guint i = 0; i < 100; i++) {
        int out = lab_connect(fixture->outside, "10.96.0.1", 80, LAB_TIMEOUT_MS);
        g_assert_cmpint(out, >=, 0);
        for (guint j = 0; j < 2; j++)
            if (lab_readable(listeners[j], 0)) {
                close(lab_accept(listeners[j], NULL));
                hits[j]++;
            }
        close(out);
    }
    g_assert_cmpuint(hits[0] + hits[1], ==, 100);
    g_assert_cmpuint(hits[0], >, 20); /* 1 in 10^9 that a fair coin does not */
    g_assert_cmpuint(hits[1], >, 20);
}

static void test_udp(Fixture *fixture, gconstpointer data)
{
    (void)data;
    char buffer[16] = "";
    struct sockaddr_in from, service = lab_address("10.96.0.1", 53);
    socklen_t size = sizeof from;
    program(fixture, POD_B "@here");
    int server = lab_listen(fixture->pod_b, SOCK_DGRAM, 5353), client = lab_socket(fixture->pod_a, SOCK_DGRAM);
    g_assert_cmpint(connect(client, (struct sockaddr *)&service, sizeof service), ==, 0);
    lab_talk(client, server, "query");
    g_assert_cmpint(send(client, "again", 5, 0), ==, 5);
    g_assert_true(lab_readable(server, LAB_TIMEOUT_MS));
    g_assert_cmpint(recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size), ==, 5);
    g_assert_cmpint(sendto(server, "reply", 5, 0, (struct sockaddr *)&from, size), ==, 5);
    g_assert_true(lab_readable(client, LAB_TIMEOUT_MS)); /* connected: only datagrams from the service get here */
    g_assert_cmpint(recv(client, buffer, sizeof buffer, 0), ==, 5);
    close(server);
    close(client);
}

/* The error that a datagram to the address brings back, at once or later. */
static int datagram_error(int ns, const char *address, guint port)
{
    int failed = 0;
    socklen_t size = sizeof failed;
    struct sockaddr_in to = lab_address(address, port);
    int fd = lab_socket(ns, SOCK_DGRAM);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
    if (send(fd, "x", 1, 0) < 0) {
        failed = errno;
        close(fd);
        return failed;
    }
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    g_assert_cmpint(poll(&wait, 1, LAB_TIMEOUT_MS), ==, 1);
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size), ==, 0);
    close(fd);
    return failed;
}

static void test_refused(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, "");
    const struct {
        int ns;
        int datagram; /* a process on the node itself is not sent an ICMP message: its call fails */
    } clients[] = {{fixture->outside, ECONNREFUSED}, {fixture->lab.node, EPERM}, {fixture->pod_a, ECONNREFUSED}};
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        int ns = clients[i].ns;
        g_assert_cmpint(lab_connect(ns, "10.96.0.1", 80, LAB_TIMEOUT_MS), ==, -ECONNREFUSED); /* no endpoints */
        g_assert_cmpint(lab_connect(ns, "10.96.0.1", 81, LAB_TIMEOUT_MS), ==, -ECONNREFUSED); /* no such port */
        g_assert_cmpint(lab_connect(ns, "10.96.7.7", 80, LAB_TIMEOUT_MS), ==, -ECONNREFUSED); /* no such service */
        g_assert_cmpint(datagram_error(ns, "10.96.0.1", 53), ==, clients[i].datagram);
    }
}

/* A count that promises more slots than there are, as a packet may see it during a transaction, still finds slot 0. */
static void test_missing_slot(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    program(fixture, POD_B "@here");
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    NftKey key = {.id = 1}; /* the first port of the only service */
    nft_batch_delete_element(batch, NFT_MAP_CLASSES, &key);
    nft_batch_add_element(batch, NFT_MAP_CLASSES, &key, &(NftData){.count = 50}, NULL);
    nft_socket_commit(fixture->nft, batch, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 10; i++) {
        g_autofree char *pod = client_seen(fixture->pod_a, fixture->pod_b);
        g_assert_cmpstr(pod, ==, POD_A);
    }
}

/* A pod on its way to the world takes the node's address; to another pod network it keeps its own. */
static void test_to_the_world(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, "");
    lab_run(fixture->outside, "ip addr add 10.244.2.2/24 dev eth0"); /* a pod of another node */
    lab_run(fixture->lab.node, "ip route add 10.244.2.0/24 via " OUTSIDE);
    static const struct {
        const char *to;
        const char *seen;
    } rows[] = {{OUTSIDE, NODE}, {"10.244.2.2", POD_A}};
    int listener = lab_listen(fixture->outside, SOCK_STREAM, 80);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *seen = NULL;
        int out = lab_connect(fixture->pod_a, rows[i].to, 80, LAB_TIMEOUT_MS);
        g_assert_cmpint(out, >=, 0);
        close(lab_accept(listener, &seen));
        close(out);
        g_assert_cmpstr(seen, ==, rows[i].seen);
    }
    close(listener);
}

/* A segment that belongs to no connection, from a pod to the outside; whether it got there (a datagram sent after it did). */
static gboolean invalid_segment_arrives(Fixture *fixture)
{
    int back = lab_current();
    struct sockaddr_in to = lab_address(OUTSIDE, 9);
    struct tcphdr segment = {.source = htons(8080), .dest = htons(9), .doff = 5, .syn = 1, .ack = 1};
    lab_enter(fixture->outside);
    int raw_in = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    lab_enter(fixture->pod_a);
    int raw_out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    lab_enter(back);
    close(back);
    g_assert_cmpint(raw_in, >=, 0);
    int after_in = lab_listen(fixture->outside, SOCK_DGRAM, 9), after_out = lab_socket(fixture->pod_a, SOCK_DGRAM);
    g_assert_cmpint(connect(after_out, (struct sockaddr *)&to, sizeof to), ==, 0);
    to.sin_port = 0;
    g_assert_cmpint(sendto(raw_out, &segment, sizeof segment, 0, (struct sockaddr *)&to, sizeof to), ==,
                    sizeof segment);
    lab_talk(after_out, after_in, "after");
    gboolean arrived = lab_readable(raw_in, 0);
    close(raw_in);
    close(raw_out);
    close(after_in);
    close(after_out);
    return arrived;
}

static void test_invalid_is_dropped(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, "");
    g_assert_false(invalid_segment_arrives(fixture));
    fixture->settings.cluster.length = 0; /* and does without the rule */
    program(fixture, "");
    g_assert_true(invalid_segment_arrives(fixture));
}

/* Translations that others made on this node are not masqueraded as if they were ours. */
static void test_foreign_translation(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, POD_B "@here");
    lab_run(fixture->lab.node,
            "nft 'add table ip other; add chain ip other pre { type nat hook prerouting priority -90; }; "
            "add rule ip other pre ip daddr " NODE " tcp dport 7000 dnat to " POD_B ":8080'");
    g_autofree char *client = NULL;
    int listener = lab_listen(fixture->pod_b, SOCK_STREAM, 8080);
    int out = lab_connect(fixture->outside, NODE, 7000, LAB_TIMEOUT_MS);
    g_assert_cmpint(out, >=, 0);
    close(lab_accept(listener, &client));
    close(out);
    close(listener);
    g_assert_cmpstr(client, ==, OUTSIDE);
}

/* The command nft, which aborts on some rules that it cannot express, can list what we write. */
static void test_listing(Fixture *fixture, gconstpointer data)
{
    (void)data;
    program(fixture, POD_A "@here");
    g_autofree char *text = lab_output("nft list ruleset"), *json = lab_output("nft -j list ruleset");
    g_assert_nonnull(strstr(text, "10.96.0.1 . tcp . 80 comment \"default/web:http\""));
    g_assert_nonnull(strstr(json, "default/web:http"));
}

static void test_networks(void)
{
    static const struct {
        const char *text;
        gboolean good;
    } rows[] = {{"10.244.1.0/24", TRUE},  {"10.0.0.1/32", TRUE},   {"10.244.1.1/24", FALSE}, {"10.244.1.0", FALSE},
                {"10.244.1.0/33", FALSE}, {"10.244.1.0/0", FALSE}, {"fd00::/64", FALSE},     {"", FALSE},
                {"10.244.1.0/", FALSE}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        NftNetwork network = {1, 2};
        g_assert_cmpint(nft_network_parse(rows[i].text, &network), ==, rows[i].good);
        g_autofree char *text = nft_network_to_string(&network);
        g_assert_cmpstr(text, ==, rows[i].good ? rows[i].text : "1.0.0.0/2");
    }
    NftNetwork network;
    g_assert_true(nft_network_parse("10.244.1.0/24", &network));
    g_assert_true(nft_network_contains(&network, inet_addr("10.244.1.255")));
    g_assert_false(nft_network_contains(&network, inet_addr("10.244.2.0")));
    network.length = 0;
    g_assert_false(nft_network_contains(&network, inet_addr("10.244.1.1")));
}

#define ADD(name, func) g_test_add("/netproxy/nft/ruleset/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/netproxy/nft/ruleset/networks", test_networks);
    ADD("clients", test_clients);
    ADD("hairpin", test_hairpin);
    ADD("bridge-hides", test_bridge_hides);
    ADD("balance", test_balance);
    ADD("udp", test_udp);
    ADD("refused", test_refused);
    ADD("missing-slot", test_missing_slot);
    ADD("to-the-world", test_to_the_world);
    ADD("invalid-is-dropped", test_invalid_is_dropped);
    ADD("foreign-translation", test_foreign_translation);
    ADD("listing", test_listing);
    return g_test_run();
}
