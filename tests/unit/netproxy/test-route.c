#include "netproxy/route.h"

#include "lib/base/error.h"
#include "tests/unit/netproxy/lab.h"

typedef struct {
    Lab lab;
    int peer;
    Routes *routes;
    guint n_changed;
} Fixture;

static void changed(gpointer data)
{
    ((Fixture *)data)->n_changed++;
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    lab_init(&fixture->lab);
    fixture->peer = lab_namespace();
    lab_join(fixture->lab.node, "uplink", fixture->peer, "eth0");
    lab_run(fixture->lab.node, "ip link set uplink mtu 1400 && ip addr add 198.51.100.1/24 dev uplink && "
                               "until ip link show uplink | grep -q 'state UP'; do sleep 0.02; done");
    fixture->routes = routes_new(changed, fixture, &error);
    g_assert_no_error(error);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    routes_free(fixture->routes);
    close(fixture->peer);
    lab_done(&fixture->lab);
}

/* "10.244.2.0/24 198.51.100.2, 10.96.0.0/16 lo 198.51.100.1": network and gateway, or lo and source. New array. */
static GArray *parse(const char *text)
{
    GArray *routes = g_array_new(FALSE, FALSE, sizeof(Route));
    g_auto(GStrv) list = g_strsplit(text, ", ", -1);
    for (char **one = list; *one; one++) {
        g_auto(GStrv) part = g_strsplit(*one, " ", 3);
        Route route = {0};
        g_assert_true(nft_network_parse(part[0], &route.network));
        if (g_str_equal(part[1], "lo"))
            route.source = inet_addr(part[2]);
        else
            route.gateway = inet_addr(part[1]);
        g_array_append_val(routes, route);
    }
    return routes;
}

static guint set(Fixture *fixture, const char *text)
{
    g_autoptr(GArray) routes = parse(text);
    g_autoptr(GError) error = NULL;
    guint changes = 0;
    g_assert_true(routes_set(fixture->routes, routes, &changes, &error));
    g_assert_no_error(error);
    return changes;
}

/* What the kernel has under our protocol number, as `ip` prints it. */
static void assert_routes(const char *expected)
{
    g_autofree char *text = lab_output("ip -4 route show proto 104 | sed 's/ *$//' | sort");
    g_assert_cmpstr(text, ==, expected);
}

static void test_set(Fixture *fixture, gconstpointer data)
{
    (void)data;
    lab_run(fixture->lab.node, "ip route add 10.1.0.0/16 via 198.51.100.9");
    g_assert_cmpuint(
        set(fixture, "10.244.2.0/24 198.51.100.2, 10.244.3.0/24 198.51.100.3, 10.96.0.0/16 lo 198.51.100.1"), ==, 3);
    assert_routes("10.244.2.0/24 via 198.51.100.2 dev uplink\n10.244.3.0/24 via 198.51.100.3 dev uplink\n"
                  "10.96.0.0/16 dev lo scope link src 198.51.100.1\n");
    g_assert_cmpuint(
        set(fixture, "10.244.2.0/24 198.51.100.2, 10.244.3.0/24 198.51.100.3, 10.96.0.0/16 lo 198.51.100.1"), ==, 0);
    g_assert_cmpuint(set(fixture, "10.244.2.0/24 198.51.100.7, 10.244.4.0/24 198.51.100.3"), ==, 4);
    assert_routes("10.244.2.0/24 via 198.51.100.7 dev uplink\n10.244.4.0/24 via 198.51.100.3 dev uplink\n");
    g_assert_cmpuint(set(fixture, ""), ==, 2);
    assert_routes("");
    g_autofree char *others = lab_output("ip route show 10.1.0.0/16 | wc -l");
    g_assert_cmpstr(others, ==, "1\n");
}

/* A gateway that cannot be reached stops no other route. */
static void test_unreachable(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GArray) routes = parse("10.244.2.0/24 203.0.113.9, 10.244.3.0/24 198.51.100.3");
    g_autoptr(GError) error = NULL;
    guint changes = 0;
    g_assert_false(routes_set(fixture->routes, routes, &changes, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE);
    g_assert_cmpstr(error->message, ==,
                    "set the route to 10.244.2.0/24 by 203.0.113.9: Network is unreachable. "
                    "The address of the other node must be on a link of this one");
    g_assert_cmpuint(changes, ==, 1);
    assert_routes("10.244.3.0/24 via 198.51.100.3 dev uplink\n");
}

static void test_foreign_source(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GArray) routes = parse("10.96.0.0/16 lo 203.0.113.9");
    g_autoptr(GError) error = NULL;
    g_assert_false(routes_set(fixture->routes, routes, NULL, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE);
    g_assert_cmpstr(error->message, ==,
                    "set the route to 10.96.0.0/16 from 203.0.113.9: Invalid argument. "
                    "The node's address must be on an interface of this machine");
}

/* Whatever the kernel told by the time that a command ended. */
static gboolean was_told(Fixture *fixture)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
    gboolean told = fixture->n_changed > 0;
    fixture->n_changed = 0;
    return told;
}

static void test_events(Fixture *fixture, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *command;
        gboolean told;
    } rows[] = {
        {"ip route add 10.9.0.0/16 via 198.51.100.9", FALSE},
        {"ip route del 10.9.0.0/16", FALSE},
        {"ip link add pod type veth peer name peer && ip link set pod up && ip link del pod", FALSE},
        {"ip route del 10.244.2.0/24", TRUE},
        {"ip route replace 10.244.3.0/24 via 198.51.100.9", TRUE},
        {"ip addr add 198.51.100.77/24 dev uplink", TRUE},
        {"ip link set uplink down", TRUE},
        {"ip link set uplink up", TRUE},
    };
    set(fixture, "10.244.2.0/24 198.51.100.2, 10.244.3.0/24 198.51.100.3");
    g_assert_false(was_told(fixture)); /* of what it did itself */
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].command);
        lab_run(fixture->lab.node, "%s", rows[i].command);
        g_assert_cmpint(was_told(fixture), ==, rows[i].told);
    }
    g_assert_cmpuint(set(fixture, "10.244.2.0/24 198.51.100.2, 10.244.3.0/24 198.51.100.3"), ==, 2); /* all were lost */
    assert_routes("10.244.2.0/24 via 198.51.100.2 dev uplink\n10.244.3.0/24 via 198.51.100.3 dev uplink\n");
}

static void test_mtu(Fixture *fixture, gconstpointer data)
{
    (void)data;
    guint mtu = 0;
    g_assert_true(routes_mtu_of_address(fixture->routes, inet_addr("198.51.100.1"), &mtu));
    g_assert_cmpuint(mtu, ==, 1400);
    g_assert_false(routes_mtu_of_address(fixture->routes, inet_addr("198.51.100.2"), &mtu));
    g_assert_cmpuint(mtu, ==, 1400);
}

#define ADD(name, func) g_test_add("/netproxy/route/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("set", test_set);
    ADD("unreachable", test_unreachable);
    ADD("foreign-source", test_foreign_source);
    ADD("events", test_events);
    ADD("mtu", test_mtu);
    return g_test_run();
}
