#include "client/ctl/jsonpath.h"

#include "lib/base/error.h"

static const char document[] =
    "{\"kind\":\"List\",\"n\":3,\"on\":true,\"labels\":{\"a.b/c\":\"x\",\"d\":\"y\"},"
    "\"items\":[{\"name\":\"one\",\"port\":80,\"tags\":[\"p\",\"q\"],\"c\":[{\"type\":\"Ready\",\"status\":\"True\"}]},"
    "{\"name\":\"two\",\"port\":9,\"c\":[{\"type\":\"Ready\",\"status\":\"False\"},{\"type\":\"Other\",\"status\":\"True\"}]},"
    "{\"name\":\"three\",\"port\":443}]}";

static const struct {
    const char *template, *text;
} templates[] = {
    {"plain", "plain"},
    {"{.kind}", "List"},
    {"{$.kind}", "List"},
    {"{ .kind }", "List"},
    {"{['kind']}", "List"},
    {"{.n} {.on}", "3 true"},
    {"{.absent}", ""},
    {"{.kind.deeper}", ""},
    {"{.items[*].name}", "one two three"},
    {"{.items[0].name}", "one"},
    {"{.items[-1].name}", "three"},
    {"{.items[9].name}", ""},
    {"{.items[0:2].name}", "one two"},
    {"{.items[1:].name}", "two three"},
    {"{.items[:1].name}", "one"},
    {"{.items[-2:].name}", "two three"},
    {"{.items[0].tags}", "[\"p\",\"q\"]"},
    {"{.labels.a\\.b/c}", "x"},
    {"{.labels['a.b/c']}", "x"},
    {"{.labels.*}", "x y"},
    {"{..name}", "one two three"},
    {"{.items[?(@.name==\"two\")].port}", "9"},
    {"{.items[?(@.name!='two')].port}", "80 443"},
    {"{.items[?(@.port>80)].name}", "three"},
    {"{.items[?(@.port<=80)].name}", "one two"},
    {"{.items[?(@.tags)].name}", "one"},
    {"{.items[?(@.absent==1)].name}", ""},
    {"{.items[*].c[?(@.type==\"Ready\")].status}", "True False"},
    {"{range .items[*]}{.name}={.port}{\"\\n\"}{end}", "one=80\ntwo=9\nthree=443\n"},
    {"{range .items[0:2]}{range .c[*]}{.type}{','}{end};{end}", "Ready,;Ready,Other,;"},
    {"{range .absent[*]}{.name}{end}done", "done"},
    {"a{'b'}{\"\\t\"}c", "ab\tc"},
    {"{@}", document},
};

static void test_templates(void)
{
    json_t *root = json_loads(document, 0, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(templates); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = jsonpath_expand(root, templates[i].template, &error);
        g_test_message("%s", templates[i].template);
        g_assert_no_error(error);
        g_assert_cmpstr(text, ==, templates[i].text);
    }
    json_decref(root);
}

static const char *const faults[] = {
    "{.kind",
    "{.items[}",
    "{.items[0}",
    "{.items['a}",
    "{.items[?(@.a==1]}",
    "{.items[?(name)]}",
    "{range .items[*]}{.name}",
    "{end}",
    "{.a..}",
    "{\"a}",
    "{.items[x]}",
    "{kind}",
    "{.a)}",
};

static void test_faults(void)
{
    json_t *root = json_loads(document, 0, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", faults[i]);
        g_assert_null(jsonpath_expand(root, faults[i], &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    }
    json_decref(root);
}

/* "wait" takes paths with and without braces and the first point. */
static void test_find(void)
{
    json_t *root = json_loads(document, 0, NULL);
    const char *const paths[] = {"{.items[1].name}", ".items[1].name", "items[1].name", "$.items[1].name"};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) found = jsonpath_find(root, paths[i], &error);
        g_assert_no_error(error);
        g_assert_cmpuint(found->len, ==, 1);
        g_assert_cmpstr(json_string_value(found->pdata[0]), ==, "two");
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(jsonpath_find(root, "{.a} b", &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    json_decref(root);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/jsonpath/templates", test_templates);
    g_test_add_func("/ctl/jsonpath/faults", test_faults);
    g_test_add_func("/ctl/jsonpath/find", test_find);
    return g_test_run();
}
