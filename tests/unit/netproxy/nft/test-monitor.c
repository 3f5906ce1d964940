#include "netproxy/nft/monitor.h"

#include "netproxy/nft/ruleset.h"
#include "netproxy/nft/socket.h"
#include "tests/unit/netproxy/lab.h"

static Lab lab;

typedef struct {
    NftSocket *nft;
    NftMonitor *monitor;
    guint n_changes;
    char *who;
} Fixture;

static void changed(const char *who, gpointer data)
{
    Fixture *fixture = data;
    fixture->n_changes++;
    g_free(fixture->who);
    fixture->who = g_strdup(who);
}

static void replace(NftSocket *nft, guint n_elements)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NftBatch) batch = nft_socket_batch(nft);
    NftSettings settings = {0};
    nft_ruleset_build(batch, &settings);
    for (guint i = 0; i < n_elements; i++) {
        NftKey key = {.slot = {i, 0}};
        nft_batch_add_element(batch, NFT_MAP_ENDPOINTS, &key, &(NftData){.dest = {.address = i}}, NULL);
    }
    nft_socket_commit(nft, batch, &error);
    g_assert_no_error(error);
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fixture->nft = nft_socket_new(&error);
    g_assert_no_error(error);
    fixture->monitor = nft_monitor_new(nft_socket_port(fixture->nft), changed, fixture, &error);
    g_assert_no_error(error);
    replace(fixture->nft, 0);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    nft_monitor_free(fixture->monitor);
    nft_socket_free(fixture->nft);
    g_free(fixture->who);
}

/* Whatever the kernel has told is told by the time that a command has ended. */
static void assert_seen(Fixture *fixture, gboolean seen)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpint(fixture->n_changes > 0, ==, seen);
    if (seen)
        g_assert_true(g_str_has_prefix(fixture->who, "nft (pid "));
    fixture->n_changes = 0;
}

static void test_foreign(Fixture *fixture, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *command;
        gboolean seen;
    } rows[] = {
        {"nft add table ip other", FALSE},
        {"nft add table ip6 cleat", FALSE},
        {"nft 'add chain ip other c { type filter hook input priority 0; }; add rule ip other c accept'", FALSE},
        {"nft add element ip cleat endpoints '{ 1 . 0 : 10.0.0.1 . 80 }'", TRUE},
        {"nft add chain ip cleat mine", TRUE},
        {"nft add rule ip cleat mine accept", TRUE},
        {"nft flush chain ip cleat n-1", TRUE},
        {"nft delete table ip other", FALSE},
        {"nft flush ruleset", TRUE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].command);
        lab_run(lab.node, "%s", rows[i].command);
        assert_seen(fixture, rows[i].seen);
    }
}

/* Own changes are no news, and a large one does not even fill the queue. */
static void test_own(Fixture *fixture, gconstpointer data)
{
    (void)data;
    assert_seen(fixture, FALSE);
    replace(fixture->nft, 100000);
    assert_seen(fixture, FALSE);
    lab_run(lab.node, "nft add chain ip cleat mine");
    assert_seen(fixture, TRUE);
}

/* Somebody else's transaction that is larger than the queue counts as a change. */
static void test_overflow(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(NftSocket) other = nft_socket_new(&error);
    g_assert_no_error(error);
    replace(other, 120000);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(fixture->n_changes, >, 0);
}

#define ADD(name, func) g_test_add("/netproxy/nft/monitor/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    lab_init(&lab);
    g_test_init(&argc, &argv, NULL);
    ADD("foreign", test_foreign);
    ADD("own", test_own);
    ADD("overflow", test_overflow);
    int failed = g_test_run();
    lab_done(&lab);
    return failed;
}
