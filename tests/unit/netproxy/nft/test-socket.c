/* Transactions: what an error says, that a failed one changes nothing, large ones, and reading back. */
#include "netproxy/nft/socket.h"

#include "lib/base/error.h"
#include "netproxy/nft/ruleset.h"
#include "tests/unit/netproxy/kernel.h"
#include "tests/unit/netproxy/lab.h"

static Lab lab;

typedef struct {
    NftSocket *nft;
} Fixture;

static void commit(NftSocket *nft, NftBatch *batch)
{
    g_autoptr(GError) error = NULL;
    nft_socket_commit(nft, batch, &error);
    g_assert_no_error(error);
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    NftSettings settings = {0};
    fixture->nft = nft_socket_new(&error);
    g_assert_no_error(error);
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    nft_ruleset_build(batch, &settings);
    commit(fixture->nft, batch);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    nft_socket_free(fixture->nft);
}

static NftKey frontend(const char *address, guint port)
{
    return (NftKey){.frontend = {.address = inet_addr(address), .protocol = 6, .port = htons((guint16)port)}};
}

static void add_frontend(NftBatch *batch, const char *address, guint port, guint32 id)
{
    NftKey key = frontend(address, port);
    nft_batch_add_element(batch, NFT_MAP_FRONTENDS, &key, &(NftData){.service.id = id}, NULL);
}

static void delete_frontend(NftBatch *batch, const char *address, guint port)
{
    NftKey key = frontend(address, port);
    nft_batch_delete_element(batch, NFT_MAP_FRONTENDS, &key);
}

/* The message of the error that committing the batch must give. New string. */
static char *commit_fails(NftSocket *nft, NftBatch *batch)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(nft_socket_commit(nft, batch, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL);
    return g_strdup(error->message);
}

/* One bad element among good ones of the same message is named, and the good ones do not come into force. */
static void test_bad_element(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    add_frontend(batch, "10.96.0.1", 80, 1);
    add_frontend(batch, "10.96.0.2", 80, 2);
    commit(fixture->nft, batch);
    g_autofree char *before = kernel_dump(fixture->nft);

    g_autoptr(NftBatch) bad = nft_socket_batch(fixture->nft);
    add_frontend(bad, "10.96.0.3", 80, 3);
    add_frontend(bad, "10.96.0.2", 80, 9); /* is there with other data */
    add_frontend(bad, "10.96.0.4", 80, 4);
    g_autofree char *message = commit_fails(fixture->nft, bad);
    g_assert_cmpstr(message, ==,
                    "change table cleat: 1 of 1 messages refused: "
                    "add element 10.96.0.2:80/tcp of map frontends: File exists");
    g_autofree char *after = kernel_dump(fixture->nft);
    g_assert_cmpstr(after, ==, before);
}

static void test_several_errors(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    NftKey id = {.id = 5};
    delete_frontend(batch, "10.96.0.1", 80); /* is not there */
    add_frontend(batch, "10.96.0.2", 80, 2);
    nft_batch_add_element(batch, NFT_MAP_CLASSES, &id, &(NftData){.count = 7000}, NULL); /* no such chain */
    g_autofree char *message = commit_fails(fixture->nft, batch);
    g_assert_cmpstr(message, ==,
                    "change table cleat: 2 of 3 messages refused: "
                    "delete element 10.96.0.1:80/tcp of map frontends: No such file or directory; "
                    "add element service 5 of map classes: No such file or directory");
    g_autoptr(NftBatch) good = nft_socket_batch(fixture->nft); /* the socket works on */
    add_frontend(good, "10.96.0.2", 80, 2);
    commit(fixture->nft, good);
}

/* More errors than an answer can hold. */
static void test_all_wrong(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    for (guint i = 0; i < 3000; i++) {
        NftKey id = {.id = i}; /* alternating maps: a message each */
        nft_batch_delete_element(batch, i % 2 ? NFT_MAP_CLASSES : NFT_MAP_EMPTY, &id);
    }
    g_autofree char *message = commit_fails(fixture->nft, batch);
    g_assert_nonnull(strstr(message, "delete element service 0 of map empty"));
    g_autoptr(NftBatch) good = nft_socket_batch(fixture->nft);
    add_frontend(good, "10.96.0.2", 80, 2);
    commit(fixture->nft, good);
}

static void test_empty(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    commit(fixture->nft, batch);
    g_assert_cmpuint(nft_batch_messages(batch), ==, 0);
}

static void count_element(const NftKey *key, const NftData *data, const char *comment, gpointer user_data)
{
    (void)key;
    (void)data;
    (void)comment;
    (*(guint *)user_data)++;
}

/* 200 000 elements: far more than a default send buffer and than one message of elements holds. */
static void test_large(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    for (guint i = 0; i < 200000; i++) {
        NftKey key = {.slot = {i / 10, i % 10}};
        NftData dest = {.dest = {.address = htonl(0x0af40000 + i), .port = htons(8080)}};
        nft_batch_add_element(batch, NFT_MAP_ENDPOINTS, &key, &dest, NULL);
    }
    commit(fixture->nft, batch);
    g_assert_cmpuint(nft_batch_messages(batch), <, 300);
    guint n = 0;
    g_autoptr(GError) error = NULL;
    nft_socket_read(fixture->nft, NFT_MAP_ENDPOINTS, count_element, NULL, &n, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n, ==, 200000);
}

static void test_comment(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autofree char *name = g_strnfill(500, 'x'), *cut = g_strnfill(120, 'x');
    g_autofree char *expected = g_strdup_printf("10.96.0.1:80/tcp = service 7 (%s)", cut);
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    NftKey key = frontend("10.96.0.1", 80);
    nft_batch_add_element(batch, NFT_MAP_FRONTENDS, &key, &(NftData){.service.id = 7}, name);
    commit(fixture->nft, batch);
    g_autofree char *lines = kernel_dump(fixture->nft);
    g_assert_cmpstr(lines, ==, expected);
}

static void test_no_table(Fixture *fixture, gconstpointer data)
{
    (void)data;
    guint n = 0;
    g_autoptr(GError) error = NULL, commit_error = NULL;
    lab_run(lab.node, "nft flush ruleset");
    g_assert_false(nft_socket_read(fixture->nft, NFT_MAP_EMPTY, count_element, NULL, &n, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND);
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    add_frontend(batch, "10.96.0.1", 80, 1);
    g_assert_false(nft_socket_commit(fixture->nft, batch, &commit_error));
    g_assert_nonnull(strstr(commit_error->message, "No such file or directory"));
}

static void test_describe(void)
{
    g_autoptr(NftBatch) batch = nft_batch_new(100);
    NftSettings settings = {0};
    nft_ruleset_build(batch, &settings);
    const struct {
        guint32 seq;
        const char *expected;
    } rows[] = {{100, "the batch itself"},
                {101, "add table cleat"},
                {102, "delete table cleat"},
                {104, "add map frontends"},
                {110, "add chain n-1"},
                {111, "add a rule to chain n-1"},
                {99, "a message that was not sent"},
                {99999, "a message that was not sent"}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = nft_batch_describe(batch, rows[i].seq, 0);
        g_assert_cmpstr(text, ==, rows[i].expected);
    }
    g_assert_cmpuint(nft_batch_first_seq(batch), ==, 100);
    g_assert_cmpuint(nft_batch_next_seq(batch), ==, nft_batch_last_seq(batch) + 2);
}

#define ADD(name, func) g_test_add("/netproxy/nft/socket/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    lab_init(&lab);
    g_test_init(&argc, &argv, NULL);
    ADD("bad-element", test_bad_element);
    ADD("several-errors", test_several_errors);
    ADD("all-wrong", test_all_wrong);
    ADD("empty", test_empty);
    ADD("large", test_large);
    ADD("comment", test_comment);
    ADD("no-table", test_no_table);
    g_test_add_func("/netproxy/nft/batch/describe", test_describe);
    int failed = g_test_run();
    lab_done(&lab);
    return failed;
}
