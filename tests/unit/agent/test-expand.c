#include "agent/expand.h"

static const char *lookup(const char *name, gpointer data)
{
    (void)data;
    return g_str_equal(name, "A") ? "1" : g_str_equal(name, "B_C") ? "$(A)" : g_str_equal(name, "E") ? "" : NULL;
}

static void test_table(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},           {"plain", "plain"},
        {"$(A)", "1"},      {"x$(A)y$(A)z", "x1y1z"},
        {"$(B_C)", "$(A)"}, /* values are not expanded again */
        {"$(E)", ""},       {"$(NONE)", "$(NONE)"},
        {"$$(A)", "$(A)"},  {"$$$(A)", "$1"},
        {"$$", "$"},        {"$", "$"},
        {"$A", "$A"},       {"$(A", "$(A"},
        {"$()", "$()"},     {"$(A)$", "1$"},
        {"${A}", "${A}"},   {"$($(A))", "$($(A))"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = expand(rows[i].text, lookup, NULL);
        g_assert_cmpstr(got, ==, rows[i].expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/expand/table", test_table);
    return g_test_run();
}
