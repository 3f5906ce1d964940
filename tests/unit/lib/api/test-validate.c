#include "lib/api/validate.h"

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/base/error.h"

static Core__V1__ConfigMap *map_new(const char *namespace, const char *name)
{
    Core__V1__ConfigMap *map = API_NEW(Core__V1__ConfigMap, core__v1__config_map);
    api_set_string(&API_META(map)->name, name);
    api_set_string(&API_META(map)->namespace_, namespace);
    return map;
}

/* The words of each kind of error, and how several are put together. */
static void test_words(void)
{
    static const char *const allowed[] = {"A", "B", NULL};
    g_autoptr(ApiFieldErrors) errors = api_field_errors_new();
    GError *error = NULL;
    g_assert_true(api_field_errors_check(errors, API_POD, "web", &error));
    g_assert_no_error(error);
    api_field_required(errors, "a", "why");
    g_assert_false(api_field_errors_check(errors, API_DEPLOYMENT, "web", &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID);
    g_assert_cmpstr(error->message, ==, "Deployment.apps \"web\" is invalid: a: Required value: why");
    g_assert_cmpstr(cleat_error_object(error)->group, ==, "apps");
    g_assert_cmpstr(cleat_error_object(error)->kind, ==, "Deployment");
    g_assert_cmpstr(cleat_error_object(error)->name, ==, "web");
    g_clear_error(&error);
    api_field_required(errors, "b", NULL);
    api_field_invalid(errors, "c", "x\n\"\xc3\xa4", "must be y");
    api_field_invalid(errors, "d", NULL, "must be y");
    api_field_invalid_number(errors, "e", -1, "must be more");
    api_field_duplicate(errors, "f", "x");
    api_field_not_supported(errors, "g", "C", allowed);
    api_field_forbidden(errors, "h", "never");
    api_field_not_found(errors, "i", "x");
    api_field_unimplemented(errors, "spec.volumes[0].configMap", NULL);
    api_field_unimplemented(errors, "j", "NodePort");
    static const struct {
        const char *field, *reason, *message;
    } expected[] = {
        {"a", "FieldValueRequired", "Required value: why"},
        {"b", "FieldValueRequired", "Required value"},
        {"c", "FieldValueInvalid", "Invalid value: \"x\\n\\\"\xc3\xa4\": must be y"},
        {"d", "FieldValueInvalid", "Invalid value: must be y"},
        {"e", "FieldValueInvalid", "Invalid value: -1: must be more"},
        {"f", "FieldValueDuplicate", "Duplicate value: \"x\""},
        {"g", "FieldValueNotSupported", "Unsupported value: \"C\": supported values: \"A\", \"B\""},
        {"h", "FieldValueForbidden", "Forbidden: never"},
        {"i", "FieldValueNotFound", "Not found: \"x\""},
        {"spec.volumes[0].configMap", "FieldValueForbidden", "not implemented in this release"},
        {"j", "FieldValueForbidden", "\"NodePort\": not implemented in this release"},
    };
    g_assert_cmpint(api_field_errors_count(errors), ==, G_N_ELEMENTS(expected));
    g_assert_false(api_field_errors_check(errors, API_POD, "web", &error));
    g_assert_true(
        g_str_has_prefix(error->message, "Pod \"web\" is invalid: [a: Required value: why, b: Required value, c: "));
    g_assert_true(g_str_has_suffix(error->message, "]"));
    const GPtrArray *causes = cleat_error_causes(error);
    g_assert_cmpint(causes->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < causes->len; i++) {
        const CleatCause *cause = causes->pdata[i];
        g_assert_cmpstr(cause->field, ==, expected[i].field);
        g_assert_cmpstr(cause->reason, ==, expected[i].reason);
        g_assert_cmpstr(cause->message, ==, expected[i].message);
    }
    g_clear_error(&error);
}

/* A hostile object does not make an endless message. */
static void test_bounds(void)
{
    g_autoptr(ApiFieldErrors) errors = api_field_errors_new();
    g_autofree char *huge = g_strnfill(100000, 'x');
    for (int i = 0; i < 1000; i++)
        api_field_invalid(errors, "a", huge, "no");
    GError *error = NULL;
    g_assert_false(api_field_errors_check(errors, API_POD, huge, &error));
    g_assert_cmpint(cleat_error_causes(error)->len, ==, 64);
    g_assert_nonnull(strstr(error->message, ", and 936 more]"));
    g_assert_cmpint(strlen(error->message), <, 64 * 300);
    g_clear_error(&error);
}

static void assert_error(const ApiResource *resource, const ProtobufCMessage *object, const ProtobufCMessage *old,
                         const char *part)
{
    g_autoptr(GError) error = NULL;
    gboolean good = api_validate(resource, object, old, FALSE, &error);
    if (good != (part == NULL) || (error && !strstr(error->message, part)))
        g_error("expected \"%s\", got: %s", part ? part : "no error", error ? error->message : "no error");
    if (error)
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID);
}

static void test_names(void)
{
    static const struct {
        const char *namespace, *name, *part;
    } rows[] = {
        {"shop", "web", NULL},
        {"shop", "web.example", NULL},
        {"shop", NULL, "metadata.name: Required value: name or generateName is required"},
        {"shop", "Web", "metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 subdomain"},
        {"shop", "a/b", "metadata.name: Invalid value: \"a/b\""},
        {NULL, "web", "metadata.namespace: Required value"},
        {"sh.op", "web", "metadata.namespace: Invalid value: \"sh.op\": a lowercase RFC 1123 label"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__ConfigMap) map = map_new(rows[i].namespace, rows[i].name);
        assert_error(API_CONFIG_MAP, &map->base, NULL, rows[i].part);
    }
    API_AUTO(Core__V1__Namespace) namespace = API_NEW(Core__V1__Namespace, core__v1__namespace);
    api_set_string(&API_META(namespace)->name, "a.b");
    assert_error(API_NAMESPACE, &namespace->base, NULL,
                 "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label");
    api_set_string(&namespace->metadata->name, "ab");
    assert_error(API_NAMESPACE, &namespace->base, NULL, NULL);
    api_set_string(&namespace->metadata->namespace_, "x");
    assert_error(API_NAMESPACE, &namespace->base, NULL, "metadata.namespace: Forbidden: not allowed on this type");
    API_AUTO(Core__V1__ConfigMap) empty = API_NEW(Core__V1__ConfigMap, core__v1__config_map);
    assert_error(API_CONFIG_MAP, &empty->base, NULL, "metadata: Required value");
}

static void test_generate_name(void)
{
    static const struct {
        const char *prefix, *part;
    } rows[] = {{"web-", NULL},
                {"web", NULL},
                {"Web-", "metadata.generateName: Invalid value: \"Web-\""},
                {"-", NULL},
                {"web.", "metadata.generateName"}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
        api_set_string(&map->metadata->generatename, rows[i].prefix);
        assert_error(API_CONFIG_MAP, &map->base, NULL, rows[i].part);
    }
}

static void test_labels(void)
{
    static const struct {
        const char *key, *value, *part;
    } rows[] = {
        {"app", "web", NULL},
        {"app", "", NULL},
        {"", "web", "metadata.labels: Invalid value: \"\": name part must be non-empty"},
        {"a b", "web", "metadata.labels: Invalid value: \"a b\": name part"},
        {"app", "a b", "metadata.labels: Invalid value: \"a b\": a valid label must be"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
        api_label_set(map->metadata, rows[i].key, rows[i].value);
        assert_error(API_CONFIG_MAP, &map->base, NULL, rows[i].part);
    }
    API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
    api_annotation_set(map->metadata, "Example.com/Any", "any text, \xc3\xa4\n of any length");
    assert_error(API_CONFIG_MAP, &map->base, NULL, NULL);
    api_annotation_set(map->metadata, "a b", "");
    assert_error(API_CONFIG_MAP, &map->base, NULL, "metadata.annotations: Invalid value: \"a b\"");
    api_annotation_set(map->metadata, "a b", NULL);
    g_autofree char *huge = g_strnfill(256 * 1024, 'x');
    api_annotation_set(map->metadata, "a", huge);
    assert_error(API_CONFIG_MAP, &map->base, NULL, "metadata.annotations: Invalid value: 262");
}

static void test_finalizers(void)
{
    static const struct {
        const char *finalizer, *part;
    } rows[] = {
        {"example.com/done", NULL},
        {"kubernetes", NULL},
        {"orphan", NULL},
        {"mine", "name is neither a standard finalizer name nor is it fully qualified"},
        {"a/b/c", "metadata.finalizers: Invalid value: \"a/b/c\""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
        api_append(map->metadata->finalizers, map->metadata->n_finalizers, g_strdup(rows[i].finalizer));
        assert_error(API_CONFIG_MAP, &map->base, NULL, rows[i].part);
    }
    API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
    api_append(map->metadata->finalizers, map->metadata->n_finalizers, g_strdup("orphan"));
    api_append(map->metadata->finalizers, map->metadata->n_finalizers, g_strdup("foregroundDeletion"));
    assert_error(API_CONFIG_MAP, &map->base, NULL, "cannot be both set");
}

static void test_owners(void)
{
    API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
    API_AUTO(Core__V1__ConfigMap) owner = map_new("shop", "owner");
    api_set_string(&owner->metadata->uid, "u-1");
    api_append(map->metadata->ownerreferences, map->metadata->n_ownerreferences,
               api_owner_reference_new(API_CONFIG_MAP, &owner->base));
    assert_error(API_CONFIG_MAP, &map->base, NULL, NULL);
    api_append(map->metadata->ownerreferences, map->metadata->n_ownerreferences,
               api_owner_reference_new(API_CONFIG_MAP, &owner->base));
    assert_error(API_CONFIG_MAP, &map->base, NULL, "Only one reference can have Controller set to true");
    map->metadata->ownerreferences[1]->controller = FALSE;
    api_set_string(&map->metadata->ownerreferences[1]->uid, NULL);
    assert_error(API_CONFIG_MAP, &map->base, NULL,
                 "metadata.ownerReferences[1].uid: Required value: must not be empty");
}

static void test_update(void)
{
    API_AUTO(Core__V1__ConfigMap) old = map_new("shop", "web");
    api_set_string(&old->metadata->uid, "u-1");
    old->metadata->creationtimestamp = api_time_new(0);
    API_AUTO(Core__V1__ConfigMap) map = map_new("shop", "web");
    assert_error(API_CONFIG_MAP, &map->base, &old->base, NULL); /* what only the server knows may be left out */
    api_set_string(&map->metadata->uid, "u-2");
    map->metadata->creationtimestamp = api_time_new(5000000000);
    map->metadata->deletiontimestamp = api_time_new(5000000000);
    assert_error(
        API_CONFIG_MAP, &map->base, &old->base,
        "[metadata.uid: Invalid value: \"u-2\": field is immutable, metadata.creationTimestamp: Invalid value: 5: field "
        "is immutable, metadata.deletionTimestamp: Invalid value: 5: field is immutable]");
    API_AUTO(Core__V1__ConfigMap) renamed = map_new("shop", "website");
    assert_error(API_CONFIG_MAP, &renamed->base, &old->base,
                 "metadata.name: Invalid value: \"website\": field is immutable");

    old->metadata->deletiontimestamp = api_time_new(0);
    API_AUTO(Core__V1__ConfigMap) dying = map_new("shop", "web");
    api_append(old->metadata->finalizers, old->metadata->n_finalizers, g_strdup("a/b"));
    api_append(dying->metadata->finalizers, dying->metadata->n_finalizers, g_strdup("a/b"));
    assert_error(API_CONFIG_MAP, &dying->base, &old->base, NULL);
    api_append(dying->metadata->finalizers, dying->metadata->n_finalizers, g_strdup("a/c"));
    assert_error(API_CONFIG_MAP, &dying->base, &old->base,
                 "no new finalizers can be added if the object is being deleted, found new finalizer \"a/c\"");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/validate/words", test_words);
    g_test_add_func("/validate/bounds", test_bounds);
    g_test_add_func("/validate/names", test_names);
    g_test_add_func("/validate/generate-name", test_generate_name);
    g_test_add_func("/validate/labels", test_labels);
    g_test_add_func("/validate/finalizers", test_finalizers);
    g_test_add_func("/validate/owners", test_owners);
    g_test_add_func("/validate/update", test_update);
    return g_test_run();
}
