#include "lib/api/validate.h"

static char *name_of(gsize n)
{
    return g_strnfill(n, 'a');
}

static const struct {
    const char *(*rule)(const char *);
    const char *const good[12], *const bad[24];
    gsize longest;
} rules[] = {
    {api_name_dns_label,
     {"a", "1", "web", "web-1", "1a", "a--b", NULL},
     {"", "-", "-a", "a-", "A", "a.b", "a_b", "a b", "a/b", "\xc3\xa4", "a\n", NULL},
     63},
    {api_name_dns1035_label, {"a", "web-1", "a1", NULL}, {"", "1", "1a", "-a", "a-", "A", "a.b", NULL}, 63},
    {api_name_dns_subdomain,
     {"a", "a.b", "1.2", "web-1.example.com", NULL},
     {"", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "A.b", "a_b", "a/b", NULL},
     253},
    {api_name_qualified,
     {"a", "A", "a.b_c-d", "example.com/a", "kubernetes.io/metadata.name", "1/2", NULL},
     {"", "/", "/a", "a/", "a/b/c", "-a", "a-", ".a", "a b", "Example.com/a", "a..b/c", "ex_ample/a", NULL},
     63},
    {api_name_label_value,
     {"", "a", "A", "a.b_c-d", "1", NULL},
     {"-", "-a", "a-", ".", "_", "a b", "a/b", "a\n", "\xc3\xa4", NULL},
     63},
    {api_name_config_key,
     {"a", "A_b-c.d", ".hidden", "-", "_", NULL},
     {"", ".", "..", "..a", "a/b", "a b", "a=b", "\xc3\xa4", NULL},
     253},
    {api_name_env,
     {"A", "_a", "my.var", "my-var", "1", "a b", NULL},
     {"", "a=b", "=", "a\n", "a\tb", "\xc3\xa4", NULL},
     0},
    {api_name_ip,
     {"10.0.0.1", "0.0.0.0", "::1", "2001:db8::1", NULL},
     {"", "10.0.0", "10.0.0.256", "10.0.0.1/8", "a", "1.2.3.4.5", "010.0.0.1", ":::", "::1%lo", " 1.2.3.4", NULL},
     0},
};

static void test_rules(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
        for (const char *const *one = rules[i].good; *one; one++) {
            if (rules[i].rule(*one))
                g_error("rule %u refuses \"%s\": %s", i, *one, rules[i].rule(*one));
        }
        for (const char *const *one = rules[i].bad; *one; one++) {
            if (!rules[i].rule(*one))
                g_error("rule %u accepts \"%s\"", i, *one);
        }
        if (rules[i].longest == 0)
            continue;
        g_autofree char *longest = name_of(rules[i].longest), *longer = name_of(rules[i].longest + 1);
        g_assert_null(rules[i].rule(longest));
        g_assert_nonnull(rules[i].rule(longer));
    }
}

static void test_prefix_length(void)
{
    g_autoptr(GString) prefix = g_string_new("a");
    while (prefix->len < 253)
        g_string_append(prefix, ".a");
    g_string_append(prefix, "/x");
    g_assert_null(api_name_qualified(prefix->str));
    g_string_prepend(prefix, "a.");
    g_assert_nonnull(api_name_qualified(prefix->str));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/names/rules", test_rules);
    g_test_add_func("/names/prefix-length", test_prefix_length);
    return g_test_run();
}
