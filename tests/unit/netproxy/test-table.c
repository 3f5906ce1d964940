/* The table against the kernel: each step is committed in a namespace of the test, and what the kernel then holds is read. */
#include "netproxy/table.h"

#include "netproxy/nft/ruleset.h"
#include "netproxy/nft/socket.h"
#include "tests/unit/netproxy/kernel.h"
#include "tests/unit/netproxy/lab.h"
#include "tests/unit/netproxy/objects.h"

typedef struct {
    NftSocket *nft;
    Model *model;
    Table *table;
    GHashTable *classes;
} Fixture;

/* Replaces what the kernel holds by what the table says. */
static void replace(Fixture *fixture)
{
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    g_autoptr(GError) error = NULL;
    NftSettings settings = {0};
    g_hash_table_remove_all(fixture->classes);
    nft_ruleset_build(batch, &settings);
    table_write(fixture->table, batch, fixture->classes);
    nft_socket_commit(fixture->nft, batch, &error);
    g_assert_no_error(error);
}

static void setup(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fixture->nft = nft_socket_new(&error);
    g_assert_no_error(error);
    fixture->model = model_new("here");
    fixture->table = table_new();
    fixture->classes = g_hash_table_new(NULL, NULL);
    replace(fixture);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    (void)data;
    nft_socket_free(fixture->nft);
    model_free(fixture->model);
    table_free(fixture->table);
    g_hash_table_unref(fixture->classes);
}

/* Commits what changed. Returns how many messages that took. */
static guint update(Fixture *fixture)
{
    g_autoptr(Changes) changes = object_update(fixture->model, fixture->table);
    g_autoptr(NftBatch) batch = nft_socket_batch(fixture->nft);
    g_autoptr(GError) error = NULL;
    changes_write(changes, batch, fixture->classes);
    nft_socket_commit(fixture->nft, batch, &error);
    g_assert_no_error(error);
    return nft_batch_messages(batch);
}

static void assert_kernel(Fixture *fixture, const char *expected)
{
    g_autofree char *lines = kernel_dump(fixture->nft);
    g_assert_cmpstr(lines, ==, expected);
}

/* --- the cost of a change ---------------------------------------------------------------------------------------------*/

static const struct {
    const char *what;
    const char *before;
    const char *after;
    guint messages;
} costs[] = {
    {"nothing", "10.244.1.2,10.244.1.3", "10.244.1.3,10.244.1.2", 0},
    {"one more: its slot; the count, out and in", "10.244.1.2", "10.244.1.2,10.244.1.3", 3},
    {"the last goes: its slot; the count, out and in", "10.244.1.2,10.244.1.3", "10.244.1.2", 3},
    {"the first goes, the last takes its slot", "10.244.1.2,10.244.1.3,10.244.1.4", "10.244.1.3,10.244.1.4", 4},
    {"one is replaced: the count is not touched", "10.244.1.2,10.244.1.3", "10.244.1.2,10.244.1.4", 2},
    {"all are replaced", "10.244.1.2,10.244.1.3", "10.244.1.4,10.244.1.5", 2},
    {"the first comes: slot, count, no longer empty", "", "10.244.1.2", 3},
    {"the only one goes: slot, count, empty", "10.244.1.2", "", 3},
    {"one more on this node: hairpin too", "10.244.1.2", "10.244.1.2,10.244.1.3@here", 4},
    {"more than there are chains for: a chain and its two rules", "@64", "@65", 6},
};

/* "@65": so many endpoints. */
static char *endpoints_text(const char *text)
{
    if (*text != '@')
        return g_strdup(text);
    g_autoptr(GString) list = g_string_new(NULL);
    for (gint i = 0; i < atoi(text + 1); i++)
        g_string_append_printf(list, "%s10.244.%d.%d", i ? "," : "", 1 + i / 200, 2 + i % 200);
    return g_strdup(list->str);
}

static void test_costs(Fixture *fixture, gconstpointer data)
{
    (void)data;
    object_set_service(fixture->model, "web", "10.96.0.1", "http:TCP:80");
    for (guint i = 0; i < G_N_ELEMENTS(costs); i++) {
        g_autofree char *before = endpoints_text(costs[i].before), *after = endpoints_text(costs[i].after);
        g_test_message("%s", costs[i].what);
        object_set_slice(fixture->model, "web-1", "web", "http:TCP:8080", before);
        update(fixture);
        object_set_slice(fixture->model, "web-1", "web", "http:TCP:8080", after);
        g_assert_cmpuint(update(fixture), ==, costs[i].messages);
    }
}

/* --- what the kernel holds --------------------------------------------------------------------------------------------*/

static void test_life_of_a_service(Fixture *fixture, gconstpointer data)
{
    (void)data;
    object_set_service(fixture->model, "web", "10.96.0.1", "http:TCP:80");
    update(fixture);
    assert_kernel(fixture, "10.96.0.1:80/tcp = service 1 (default/web:http)\n"
                           "service 1 = empty");
    object_set_slice(fixture->model, "web-1", "web", "http:TCP:8080", "10.244.1.2@here,10.244.2.2@there");
    update(fixture);
    assert_kernel(fixture, "10.244.1.2 to itself\n"
                           "10.96.0.1:80/tcp = service 1 (default/web:http)\n"
                           "service 1 = 2 endpoints\n"
                           "service 1 slot 0 = 10.244.1.2:8080\n"
                           "service 1 slot 1 = 10.244.2.2:8080");
    object_set_slice(fixture->model, "web-1", "web", "http:TCP:8080", "10.244.2.2@there");
    update(fixture);
    assert_kernel(fixture, "10.96.0.1:80/tcp = service 1 (default/web:http)\n"
                           "service 1 = 1 endpoints\n"
                           "service 1 slot 0 = 10.244.2.2:8080");
    object_set_service(fixture->model, "web", "10.96.0.1",
                       "web:TCP:80"); /* renamed: the slice does not have that name */
    update(fixture);
    assert_kernel(fixture, "10.96.0.1:80/tcp = service 1 (default/web:web)\n"
                           "service 1 = empty");
    object_set_service(fixture->model, "web", "10.96.0.9",
                       "web:TCP:80,http:TCP:8000"); /* another address, one port more */
    update(fixture);
    assert_kernel(fixture, "10.96.0.9:80/tcp = service 1 (default/web:web)\n"
                           "10.96.0.9:8000/tcp = service 2 (default/web:http)\n"
                           "service 1 = empty\n"
                           "service 2 = 1 endpoints\n"
                           "service 2 slot 0 = 10.244.2.2:8080");
    model_remove_service(fixture->model, "default", "web");
    update(fixture);
    assert_kernel(fixture, "");
    g_assert_cmpuint(table_n_ports(fixture->table), ==, 0);
}

/* Two services with one address: the first keeps it, and when it goes the second gets it, in one transaction, even if the
 * identity number is used again in it. */
static void test_conflict(Fixture *fixture, gconstpointer data)
{
    (void)data;
    object_set_service(fixture->model, "first", "10.96.0.1", "http:TCP:80");
    update(fixture);
    object_set_service(fixture->model, "second", "10.96.0.1", "http:TCP:80");
    update(fixture);
    assert_kernel(fixture, "10.96.0.1:80/tcp = service 1 (default/first:http)\n"
                           "service 1 = empty\n"
                           "service 2 = empty");
    model_remove_service(fixture->model, "default", "first");
    object_set_service(fixture->model, "third", "10.96.0.3", "http:TCP:80");
    update(fixture);
    g_autofree char *lines = kernel_dump(fixture->nft);
    g_assert_nonnull(strstr(lines, "10.96.0.1:80/tcp = service 2 (default/second:http)"));
    g_assert_nonnull(strstr(lines, "10.96.0.3:80/tcp = service "));

    model_remove_service(fixture->model, "default", "second"); /* the address goes to a new service at once */
    object_set_service(fixture->model, "fourth", "10.96.0.1", "http:TCP:80");
    update(fixture);
    g_autofree char *moved = kernel_dump(fixture->nft);
    g_assert_nonnull(strstr(moved, "(default/fourth:http)"));
    g_assert_null(strstr(moved, "second"));
}

/* The owner goes, and the one that waited wants the address no more: no element is deleted twice. */
static void test_conflict_ends(Fixture *fixture, gconstpointer data)
{
    (void)data;
    for (guint i = 0; i < 16; i++) { /* whichever of the two is looked at first */
        g_autofree char *first = g_strdup_printf("first%u", i), *second = g_strdup_printf("second%u", i);
        object_set_service(fixture->model, first, "10.96.0.1", "http:TCP:80");
        update(fixture);
        object_set_service(fixture->model, second, "10.96.0.1", "http:TCP:80");
        update(fixture);
        model_remove_service(fixture->model, "default", first);
        object_set_service(fixture->model, second, "10.96.0.2", "http:TCP:80");
        update(fixture);
        model_remove_service(fixture->model, "default", second);
        update(fixture);
        assert_kernel(fixture, "");
    }
}

/* Local endpoints are counted over all services that use them. */
static void test_hairpin_is_counted(Fixture *fixture, gconstpointer data)
{
    (void)data;
    object_set_service(fixture->model, "a", "10.96.0.1", "http:TCP:80,s:TCP:443");
    object_set_service(fixture->model, "b", "10.96.0.2", "http:TCP:80");
    object_set_slice(fixture->model, "a-1", "a", "http:TCP:80,s:TCP:443", "10.244.1.2@here");
    object_set_slice(fixture->model, "b-1", "b", "http:TCP:80", "10.244.1.2@here");
    update(fixture);
    object_set_slice(fixture->model, "a-1", "a", "http:TCP:80,s:TCP:443", "");
    update(fixture);
    g_autofree char *one_left = kernel_dump(fixture->nft);
    g_assert_nonnull(strstr(one_left, "10.244.1.2 to itself"));
    object_set_slice(fixture->model, "b-1", "b", "http:TCP:80", "10.244.1.2@there"); /* moved, same address */
    update(fixture);
    g_autofree char *none_left = kernel_dump(fixture->nft);
    g_assert_null(strstr(none_left, "to itself"));
}

/* --- a long random walk -----------------------------------------------------------------------------------------------*/

static void random_step(Fixture *fixture, GRand *rand)
{
    g_autofree char *name = g_strdup_printf("s%d", g_rand_int_range(rand, 0, 6));
    g_autofree char *slice = g_strdup_printf("%s-%d", name, g_rand_int_range(rand, 0, 2));
    g_autofree char *address = g_strdup_printf("10.96.0.%d", g_rand_int_range(rand, 1, 6)); /* fewer than services */
    static const char *const ports[] = {"http:TCP:80", "http:TCP:80,dns:UDP:53", "dns:UDP:53"};
    g_autoptr(GString) endpoints = g_string_new(NULL);
    gint n = g_rand_int_range(rand, 0, 5);
    for (gint i = 0; i < n; i++)
        g_string_append_printf(endpoints, "%s10.244.1.%d%s", i ? "," : "", g_rand_int_range(rand, 2, 10),
                               g_rand_boolean(rand) ? "@here" : "");
    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        model_remove_service(fixture->model, "default", name);
        break;
    case 1:
        model_remove_slice(fixture->model, "default", slice);
        break;
    case 2:
    case 3:
        object_set_service(fixture->model, name, address, ports[g_rand_int_range(rand, 0, 3)]);
        break;
    default:
        object_set_slice(fixture->model, slice, name, "http:TCP:8080,dns:UDP:53", endpoints->str);
        break;
    }
}

/* After every transaction the kernel holds just what a table written anew gives. */
static void test_random_walk(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    for (guint i = 0; i < 300; i++) {
        for (gint n = g_rand_int_range(rand, 1, 5); n > 0; n--)
            random_step(fixture, rand);
        update(fixture);
        g_autofree char *moved = kernel_dump(fixture->nft);
        replace(fixture);
        g_autofree char *anew = kernel_dump(fixture->nft);
        g_assert_cmpstr(moved, ==, anew);
    }
}

int main(int argc, char **argv)
{
    Lab lab;
    lab_init(&lab);
    g_test_init(&argc, &argv, NULL);
    g_test_add("/netproxy/table/costs", Fixture, NULL, setup, test_costs, teardown);
    g_test_add("/netproxy/table/life-of-a-service", Fixture, NULL, setup, test_life_of_a_service, teardown);
    g_test_add("/netproxy/table/conflict", Fixture, NULL, setup, test_conflict, teardown);
    g_test_add("/netproxy/table/conflict-ends", Fixture, NULL, setup, test_conflict_ends, teardown);
    g_test_add("/netproxy/table/hairpin-is-counted", Fixture, NULL, setup, test_hairpin_is_counted, teardown);
    g_test_add("/netproxy/table/random-walk", Fixture, NULL, setup, test_random_walk, teardown);
    int failed = g_test_run();
    lab_done(&lab);
    return failed;
}
