#include "netproxy/conntrack.h"

#include "tests/unit/netproxy/lab.h"

/* client (198.51.100.2) -- node, which tracks -- server (203.0.113.2 and .3) */
typedef struct {
    Lab lab;
    int client;
    int server;
} Fixture;

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    lab_init(&fixture->lab);
    fixture->client = lab_namespace();
    fixture->server = lab_namespace();
    lab_join(fixture->lab.node, "client", fixture->client, "eth0");
    lab_join(fixture->lab.node, "server", fixture->server, "eth0");
    lab_run(fixture->lab.node,
            "ip addr add 198.51.100.1/24 dev client && ip addr add 203.0.113.1/24 dev server && "
            "nft 'add table ip nat; add chain ip nat pre { type nat hook prerouting priority -100; }; "
            "add rule ip nat pre udp dport 53 dnat to 203.0.113.2:5353'");
    lab_run(fixture->client, "ip addr add 198.51.100.2/24 dev eth0 && ip route add default via 198.51.100.1");
    lab_run(fixture->server, "ip addr add 203.0.113.2/24 dev eth0 && ip addr add 203.0.113.3/24 dev eth0 && "
                             "ip route add default via 203.0.113.1");
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    close(fixture->client);
    close(fixture->server);
    lab_done(&fixture->lab);
}

/* n flows to an address, from a port each; they last as long as conntrack remembers, the sockets need not. */
static void make_flows(Fixture *fixture, const char *address, guint port, guint n)
{
    struct sockaddr_in to = lab_address(address, port);
    for (guint i = 0; i < n; i++) {
        int fd = lab_listen(fixture->client, SOCK_DGRAM, 10000 + i);
        g_assert_cmpint(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), ==, 1);
        close(fd);
    }
}

typedef struct {
    GHashTable *seen;  /* "203.0.113.2:53/udp by 203.0.113.2:5353" -> count */
    const char *stale; /* what is to be removed, or NULL */
} Flows;

static gboolean look(const NftFrontend *sent_to, const NftDest *answered_by, gpointer data)
{
    Flows *flows = data;
    g_autofree char *to = nft_frontend_to_string(sent_to), *by = nft_dest_to_string(answered_by);
    char *text = g_strdup_printf("%s by %s", to, by);
    gboolean stale = g_strcmp0(text, flows->stale) == 0;
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(flows->seen, text));
    g_hash_table_insert(flows->seen, text, GUINT_TO_POINTER(n + 1));
    return stale;
}

/* Removes flows of that description and returns how many; how many of them there are for NULL goes to *ret_seen. */
static guint remove_stale(guint32 only_address, const char *stale, GHashTable **ret_seen)
{
    g_autoptr(GError) error = NULL;
    Flows flows = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), stale};
    guint removed = 0;
    g_assert_true(conntrack_remove_stale(only_address, look, &flows, &removed, &error));
    g_assert_no_error(error);
    if (ret_seen)
        *ret_seen = flows.seen;
    else
        g_hash_table_unref(flows.seen);
    return removed;
}

static guint seen(GHashTable *table, const char *text)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(table, text));
}

#define TRANSLATED "203.0.113.3:53/udp by 203.0.113.2:5353"
#define PLAIN "203.0.113.2:80/udp by 203.0.113.2:80"

static void test_remove(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GHashTable) before = NULL, one_address = NULL, after = NULL;
    make_flows(fixture, "203.0.113.3", 53, 700); /* more deletions than one datagram takes */
    make_flows(fixture, "203.0.113.2", 80, 5);
    int tcp = lab_listen(fixture->server, SOCK_STREAM, 53), out = lab_connect(fixture->client, "203.0.113.3", 53, 1000);
    g_assert_cmpint(out, >=, 0);

    g_assert_cmpuint(remove_stale(0, NULL, &before), ==, 0);
    g_assert_cmpuint(seen(before, TRANSLATED), ==, 700);
    g_assert_cmpuint(seen(before, PLAIN), ==, 5);
    g_assert_cmpuint(g_hash_table_size(before), ==, 2); /* and no TCP */

    g_assert_cmpuint(remove_stale(inet_addr("203.0.113.2"), NULL, &one_address), ==, 0);
    g_assert_cmpuint(seen(one_address, PLAIN), ==, 5);
    g_assert_cmpuint(g_hash_table_size(one_address), ==, 1);

    g_assert_cmpuint(remove_stale(0, TRANSLATED, NULL), ==, 700);
    g_assert_cmpuint(remove_stale(0, NULL, &after), ==, 0);
    g_assert_cmpuint(seen(after, TRANSLATED), ==, 0);
    g_assert_cmpuint(seen(after, PLAIN), ==, 5);
    close(out);
    close(tcp);
}

static void test_no_flows(Fixture *fixture, gconstpointer data)
{
    (void)data;
    (void)fixture;
    g_autoptr(GHashTable) nothing = NULL;
    g_assert_cmpuint(remove_stale(0, TRANSLATED, &nothing), ==, 0);
    g_assert_cmpuint(g_hash_table_size(nothing), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/netproxy/conntrack/remove", Fixture, NULL, setup, test_remove, teardown);
    g_test_add("/netproxy/conntrack/no-flows", Fixture, NULL, setup, test_no_flows, teardown);
    return g_test_run();
}
