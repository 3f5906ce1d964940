#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/selector.h"
#include "lib/base/error.h"

static Core__V1__Pod *pod_new(void)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    api_set_string(&API_META(pod)->name, "web");
    api_set_string(&API_META(pod)->namespace_, "shop");
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    api_set_string(&pod->spec->nodename, "n1");
    return pod;
}

static void test_match(void)
{
    static const struct {
        const char *text;
        gboolean match;
    } rows[] = {
        {"", TRUE},
        {" , ", TRUE},
        {"metadata.name=web", TRUE},
        {"metadata.name=we", FALSE},
        {"metadata.namespace==shop", TRUE},
        {"metadata.namespace!=shop", FALSE},
        {"spec.nodeName=n1", TRUE},
        {"spec.nodeName!=n2, metadata.name = web", TRUE},
        {"spec.nodeName=", FALSE},
        {"status.phase=", TRUE}, /* unset is empty */
        {"status.phase!=Failed", TRUE},
        {"status.phase=Running", FALSE},
    };
    API_AUTO(Core__V1__Pod) pod = pod_new();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_autoptr(ApiFieldSelector) selector = api_field_selector_parse(API_POD, rows[i].text, &error);
        g_assert_no_error(error);
        if (api_field_selector_matches(selector, &pod->base) != rows[i].match)
            g_error("field selector \"%s\"", rows[i].text);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {"metadata.name",    "=web", "spec.image=a", "metadata.labels=a",
                                        "!metadata.name=a", "a"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;
        g_assert_null(api_field_selector_parse(API_POD, texts[i], &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        g_clear_error(&error);
    }
    GError *error = NULL;
    g_assert_null(api_field_selector_parse(API_NAMESPACE, "spec.nodeName=n1", &error));
    g_assert_nonnull(strstr(error->message, "metadata.name, metadata.namespace, status.phase"));
    g_clear_error(&error);
}

static void test_name(void)
{
    g_autoptr(ApiFieldSelector) pinned = api_field_selector_parse(API_POD, "status.phase=a,metadata.name=web", NULL);
    g_assert_cmpstr(api_field_selector_name(pinned), ==, "web");
    g_assert_false(api_field_selector_is_everything(pinned));
    g_autoptr(ApiFieldSelector) other = api_field_selector_parse(API_POD, "metadata.name!=web", NULL);
    g_assert_null(api_field_selector_name(other));
    g_autoptr(ApiFieldSelector) all = api_field_selector_parse(API_POD, NULL, NULL);
    g_assert_true(api_field_selector_is_everything(all));
}

/* The index of the field as text, for any object. */
static void lookup(gconstpointer object, int field, const char **ret_value, gsize *ret_size)
{
    static const char *const names[] = {"namespace", "name", "node", "phase"};
    (void)object;
    *ret_value = names[field + 2];
    *ret_size = strlen(*ret_value);
}

static void test_lookup(void)
{
    g_autoptr(ApiFieldSelector) all = api_field_selector_parse(
        API_POD, "metadata.namespace=namespace,metadata.name=name,spec.nodeName=node,status.phase!=x", NULL);
    g_assert_true(api_field_selector_matches_lookup(all, lookup, NULL));
    g_autoptr(ApiFieldSelector) phase = api_field_selector_parse(API_POD, "status.phase!=phase", NULL);
    g_assert_false(api_field_selector_matches_lookup(phase, lookup, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/field-selector/match", test_match);
    g_test_add_func("/field-selector/refused", test_refused);
    g_test_add_func("/field-selector/name", test_name);
    g_test_add_func("/field-selector/lookup", test_lookup);
    return g_test_run();
}
