#include "lib/api/selector.h"

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/base/error.h"

/* "a=1,b=" as labels. */
static Meta__V1__ObjectMeta *labels_of(const char *text)
{
    Meta__V1__ObjectMeta *meta = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    g_auto(GStrv) pairs = g_strsplit(text, ",", -1);
    for (char **pair = pairs; *pair; pair++) {
        char *equals = strchr(*pair, '=');
        if (!equals)
            continue;
        *equals = '\0';
        api_label_set(meta, *pair, equals + 1);
    }
    return meta;
}

static void test_match(void)
{
    static const struct {
        const char *selector, *labels;
        gboolean match;
    } rows[] = {
        {"", "", TRUE},
        {"  ", "app=web", TRUE},
        {"app=web", "app=web,tier=a", TRUE},
        {"app==web", "app=web", TRUE},
        {"app=web", "app=db", FALSE},
        {"app=web", "", FALSE},
        {"app!=web", "app=db", TRUE},
        {"app!=web", "app=web", FALSE},
        {"app!=web", "", TRUE},
        {"app", "app=", TRUE},
        {"app", "tier=a", FALSE},
        {"!app", "tier=a", TRUE},
        {"! app", "app=web", FALSE},
        {"app in (web, db)", "app=db", TRUE},
        {"app in (web,db)", "app=mail", FALSE},
        {"app in ( web )", "", FALSE},
        {"app notin (web,db)", "app=mail", TRUE},
        {"app notin (web,db)", "app=web", FALSE},
        {"app notin (web)", "", TRUE},
        {"app=", "app=", TRUE},
        {"app=", "app=web", FALSE},
        {"app in (,web)", "app=", TRUE},
        {"app=web,tier!=b,has", "app=web,tier=a,has=x", TRUE},
        {"app=web,tier!=b,has", "app=web,tier=b,has=x", FALSE},
        {"app = web , tier in (a)", "app=web,tier=a", TRUE},
        {"example.com/app=web", "example.com/app=web", TRUE},
        {"app=we", "app=web", FALSE},
        {"in=notin", "in=notin", TRUE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_autoptr(ApiSelector) selector = api_selector_parse(rows[i].selector, &error);
        g_assert_no_error(error);
        API_AUTO(Meta__V1__ObjectMeta) meta = labels_of(rows[i].labels);
        if (api_selector_matches_meta(selector, meta) != rows[i].match)
            g_error("selector \"%s\" and labels \"%s\"", rows[i].selector, rows[i].labels);
    }
    g_autoptr(ApiSelector) all = api_selector_parse(NULL, NULL);
    g_assert_true(api_selector_is_everything(all));
    g_assert_true(api_selector_matches_meta(all, NULL));
}

static void test_format(void)
{
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        {"", ""},
        {"b=1,a=2", "a=2,b=1"},
        {"x in (c, a,b),!y, z", "x in (a,b,c),!y,z"},
        {"x notin (b,a)", "x notin (a,b)"},
        {"x==1,y!=2", "x=1,y!=2"},
        {"x in (a)", "x=a"},
        {"x=", "x="},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ApiSelector) selector = api_selector_parse(rows[i].text, NULL);
        g_autofree char *text = api_selector_format(selector);
        g_assert_cmpstr(text, ==, rows[i].canonical);
        g_autoptr(ApiSelector) again = api_selector_parse(text, NULL);
        g_autofree char *text_again = api_selector_format(again);
        g_assert_cmpstr(text_again, ==, text);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"=web", "a label key"},
        {"app=web,", "character 9: expected a label key"},
        {",app", "a label key"},
        {"app=web tier", "\",\" or the end"},
        {"app in", "\"(\""},
        {"app in web", "\"(\""},
        {"app in (web", "\",\" or \")\""},
        {"app in (web))", "the end"},
        {"app is web", "one of ="},
        {"!", "a label key"},
        {"!app=web", "the end"},
        {"app>3", "the end"},
        {"-app=web", "no label key"},
        {"a/b/c=d", "no label key"},
        {"app=we/b", "no label value"},
        {"app=!", "the end"},
        {"app in (a,-b)", "no label value"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_assert_null(api_selector_parse(rows[i].text, &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        if (!strstr(error->message, rows[i].part))
            g_error("\"%s\" gives: %s", rows[i].text, error->message);
        g_clear_error(&error);
    }
    g_autoptr(GString) many = g_string_new("a0");
    for (int i = 1; i < 2000; i++)
        g_string_append_printf(many, ",a%d", i);
    GError *error = NULL;
    g_assert_null(api_selector_parse(many->str, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    g_clear_error(&error);
}

static Meta__V1__LabelSelector *message_of(const char *key, const char *operator, const char * value)
{
    Meta__V1__LabelSelector *message = API_NEW(Meta__V1__LabelSelector, meta__v1__label_selector);
    Meta__V1__LabelSelectorRequirement *one =
        API_NEW(Meta__V1__LabelSelectorRequirement, meta__v1__label_selector_requirement);
    one->key = g_strdup(key);
    one->operator_ = g_strdup(operator);
    if (value)
        api_append(one->values, one->n_values, g_strdup(value));
    api_append(message->matchexpressions, message->n_matchexpressions, one);
    return message;
}

static void test_message(void)
{
    static const struct {
        const char *key, *operator, * value, *text; /* text NULL: refused */
    } rows[] = {
        {"a", "In", "x", "a=x"},      {"a", "NotIn", "x", "a!=x"},
        {"a", "Exists", NULL, "a"},   {"a", "DoesNotExist", NULL, "!a"},
        {"a", "In", NULL, NULL},      {"a", "Exists", "x", NULL},
        {"a", "Equals", "x", NULL},   {"a", NULL, "x", NULL},
        {NULL, "Exists", NULL, NULL}, {"a", "In", "-", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Meta__V1__LabelSelector) message = message_of(rows[i].key, rows[i].operator, rows[i].value);
        GError *error = NULL;
        g_autoptr(ApiSelector) selector = api_selector_from_message(message, &error);
        if (!rows[i].text) {
            g_assert_null(selector);
            g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
            g_clear_error(&error);
            continue;
        }
        g_assert_no_error(error);
        g_autofree char *text = api_selector_format(selector);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

/* Nothing is not everything: an absent selector against an empty one. */
static void test_empty(void)
{
    API_AUTO(Meta__V1__ObjectMeta) meta = labels_of("app=web");
    g_autoptr(ApiSelector) absent = api_selector_from_message(NULL, NULL);
    g_assert_false(api_selector_matches_meta(absent, meta));
    g_assert_false(api_selector_is_everything(absent));
    API_AUTO(Meta__V1__LabelSelector) message = API_NEW(Meta__V1__LabelSelector, meta__v1__label_selector);
    g_autoptr(ApiSelector) empty = api_selector_from_message(message, NULL);
    g_assert_true(api_selector_matches_meta(empty, meta));
    g_assert_true(api_selector_is_everything(empty));
    g_autoptr(ApiSelector) no_map = api_selector_from_map(NULL, 0);
    g_assert_false(api_selector_matches_meta(no_map, meta));
    g_autoptr(ApiSelector) map = api_selector_from_map(API_MAP(meta->labels), meta->n_labels);
    g_assert_true(api_selector_matches_meta(map, meta));
    g_assert_false(api_selector_matches_meta(map, NULL));
}

static gboolean lookup(gconstpointer labels, const char *key, const char **ret_value, gsize *ret_size)
{
    if (!g_str_equal(key, "app"))
        return FALSE;
    *ret_value = labels;
    *ret_size = 3;
    return TRUE;
}

static void test_lookup(void)
{
    g_autoptr(ApiSelector) web = api_selector_parse("app=web,!tier", NULL);
    g_autoptr(ApiSelector) website = api_selector_parse("app=website", NULL);
    g_assert_true(api_selector_matches_lookup(web, lookup, "website")); /* three characters of it */
    g_assert_false(api_selector_matches_lookup(website, lookup, "website"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/selector/match", test_match);
    g_test_add_func("/selector/format", test_format);
    g_test_add_func("/selector/refused", test_refused);
    g_test_add_func("/selector/message", test_message);
    g_test_add_func("/selector/empty", test_empty);
    g_test_add_func("/selector/lookup", test_lookup);
    return g_test_run();
}
