#include "lib/api/resource.h"

#include <string.h>

#include "lib/api/object.h"
#include "lib/api/validate.h"

/* Each row is whole, says the same as its descriptors, and is found by every way to look it up. */
static void test_rows(void)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    g_assert_cmpint(n, ==, API_INDEX_MAX_);
    for (guint i = 0; i < n; i++) {
        const ApiResource *row = &rows[i];
        g_assert_cmpint(api_resource_index(row), ==, i);
        g_assert_true(api_resource_row(i) == row);
        g_assert_cmpstr(row->object->short_name, ==, row->kind);
        g_assert_true(row->object->fields[0].descriptor == &meta__v1__object_meta__descriptor);
        g_assert_true(row->list->fields[0].descriptor == &meta__v1__list_meta__descriptor);
        g_assert_true(row->list->fields[1].descriptor == row->object && row->list->fields[1].id == 2);
        const ProtobufCFieldDescriptor *status = protobuf_c_message_descriptor_get_field_by_name(row->object, "status");
        g_assert_cmpint(row->has_status, ==, status != NULL);
        g_autofree char *plural = g_ascii_strdown(strrchr(row->service, '.') + 1, -1);
        g_assert_cmpstr(plural, ==, row->plural);
        g_assert_true(api_resource_by_kind(row->group, row->version, row->kind) == row);
        g_assert_true(api_resource_by_kind(row->group, NULL, row->kind) == row);
        g_assert_true(api_resource_by_plural(row->group, row->plural) == row);
        g_assert_true(api_resource_by_descriptor(row->object) == row);
        g_assert_true(api_resource_by_descriptor(row->list) == row);
        g_assert_true(api_resource_by_service(row->service) == row);
        g_assert_nonnull(row->columns);
    }
}

static void test_selectable(void)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        for (const ApiSelectableField *field = rows[i].selectable; field->path; field++) {
            const ProtobufCMessageDescriptor *type = rows[i].object;
            g_auto(GStrv) names = g_strsplit(field->path, ".", -1);
            for (guint k = 0; names[k]; k++) {
                const ProtobufCFieldDescriptor *one = protobuf_c_message_descriptor_get_field(type, field->numbers[k]);
                g_assert_cmpstr(one->name, ==, names[k]);
                g_assert_cmpint(one->type, ==, names[k + 1] ? PROTOBUF_C_TYPE_MESSAGE : PROTOBUF_C_TYPE_STRING);
                type = one->descriptor;
            }
            g_assert_cmpint(field->numbers[g_strv_length(names)], ==, 0);
        }
    }
}

static void test_names(void)
{
    static const struct {
        const char *name, *kind; /* kind NULL: there is none */
    } rows[] = {
        {"pods", "Pod"},
        {"pod", "Pod"},
        {"po", "Pod"},
        {"Pod", "Pod"},
        {"PODS", "Pod"},
        {"deploy", "Deployment"},
        {"deployments.apps", "Deployment"},
        {"deployments.v1.apps", "Deployment"},
        {"deploy.apps", "Deployment"},
        {"pods.v1", "Pod"},
        {"pods.v1.", "Pod"},
        {"svc", "Service"},
        {"ep", "Endpoints"},
        {"endpoints", "Endpoints"},
        {"endpointslices.discovery.k8s.io", "EndpointSlice"},
        {"ns", "Namespace"},
        {"cm", "ConfigMap"},
        {"sa", "ServiceAccount"},
        {"no", "Node"},
        {"rs", "ReplicaSet"},
        {"ev", "Event"},
        {"jobs.batch", "Job"},
        {"lease", "Lease"},
        {"secret", "Secret"},
        {"", NULL},
        {"pods.apps", NULL},
        {"deployments.v2.apps", NULL},
        {"deployments.app", NULL},
        {"pods.v1.apps", NULL},
        {"podz", NULL},
        {".", NULL},
        {".apps", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ApiResource *row = api_resource_by_name(rows[i].name);
        if (g_strcmp0(row ? row->kind : NULL, rows[i].kind) != 0)
            g_error("\"%s\" is taken for %s", rows[i].name, row ? row->kind : "nothing");
    }
}

static void test_unknown(void)
{
    g_assert_null(api_resource_by_kind("apps", "v1", "Pod"));
    g_assert_null(api_resource_by_kind("", "v2", "Pod"));
    g_assert_null(api_resource_by_plural("apps", "pods"));
    g_assert_null(api_resource_by_descriptor(&meta__v1__object_meta__descriptor));
    g_assert_null(api_resource_by_service("cleat.v1.Pod"));
}

static void test_api_version(void)
{
    g_autofree char *core = api_resource_api_version(API_POD);
    g_autofree char *group = api_resource_api_version(API_ENDPOINT_SLICE);
    g_assert_cmpstr(core, ==, "v1");
    g_assert_cmpstr(group, ==, "discovery.k8s.io/v1");
}

/* An object that says nothing at all harms no function of any row. */
static void test_empty_objects(void)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        ProtobufCMessage *object = g_malloc0(rows[i].object->sizeof_message);
        ProtobufCMessage *old = g_malloc0(rows[i].object->sizeof_message);
        rows[i].object->message_init(object);
        rows[i].object->message_init(old);
        for (const ApiColumn *column = rows[i].columns; column->title; column++) {
            g_autofree char *text = column->print(object, 0);
            g_assert_nonnull(text);
        }
        if (rows[i].set_defaults)
            rows[i].set_defaults(object);
        if (rows[i].prepare_create)
            rows[i].prepare_create(object);
        if (rows[i].prepare_update)
            rows[i].prepare_update(object, old);
        g_autoptr(GError) error = NULL;
        g_assert_false(api_validate(&rows[i], object, old, FALSE, &error)); /* it has no name */
        g_assert_false(api_validate(&rows[i], object, NULL, FALSE, NULL));
        g_assert_false(api_validate(&rows[i], object, old, TRUE, NULL));
        if (rows[i].deletion_grace)
            g_assert_cmpint(rows[i].deletion_grace(object), ==, 0);
        api_message_free(object);
        api_message_free(old);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resource/rows", test_rows);
    g_test_add_func("/resource/selectable", test_selectable);
    g_test_add_func("/resource/names", test_names);
    g_test_add_func("/resource/unknown", test_unknown);
    g_test_add_func("/resource/api-version", test_api_version);
    g_test_add_func("/resource/empty-objects", test_empty_objects);
    return g_test_run();
}
