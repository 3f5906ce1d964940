#include "lib/api/validate.h"

#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/labels.h"

#define ANNOTATIONS_MAX (256 * 1024)

static const char immutable[] = "field is immutable";

void api_validate_labels(ApiMapEntry *const *labels, gsize n, const char *path, ApiFieldErrors *errors)
{
    for (gsize i = 0; i < n; i++) {
        const char *key = api_str(labels[i]->key), *value = api_str(labels[i]->value);
        const char *problem = api_name_qualified(key);
        if (problem)
            api_field_invalid(errors, path, key, problem);
        problem = api_name_label_value(value);
        if (problem)
            api_field_invalid(errors, path, value, problem);
    }
}

void api_validate_annotations(ApiMapEntry *const *annotations, gsize n, const char *path, ApiFieldErrors *errors)
{
    gsize size = 0;
    for (gsize i = 0; i < n; i++) {
        const char *key = api_str(annotations[i]->key);
        g_autofree char *lower = g_ascii_strdown(key, -1); /* annotations may have capitals in their prefix */
        const char *problem = api_name_qualified(lower);
        if (problem)
            api_field_invalid(errors, path, key, problem);
        size += strlen(key) + strlen(api_str(annotations[i]->value));
    }
    if (size > ANNOTATIONS_MAX)
        api_field_invalid_number(errors, path, (gint64)size, "Too long: may not be more than 262144 bytes");
}

static void validate_name(const ApiResource *resource, const Meta__V1__ObjectMeta *meta, ApiFieldErrors *errors)
{
    const char *(*check)(const char *) = resource->check_name ? resource->check_name : api_name_dns_subdomain;
    const char *name = api_str(meta->name), *prefix = api_str(meta->generatename);
    const char *problem = name[0] ? check(name) : NULL;
    if (name[0] == '\0')
        api_field_required(errors, "metadata.name", "name or generateName is required");
    if (problem)
        api_field_invalid(errors, "metadata.name", name, problem);
    if (prefix[0]) {
        /* A prefix may end in a dash: what is added ends the name properly. */
        g_autofree char *whole = g_strndup(prefix, 58);
        gsize n = strlen(whole);
        if (whole[n - 1] == '-')
            whole[n - 1] = 'a';
        problem = check(whole);
        if (problem)
            api_field_invalid(errors, "metadata.generateName", prefix, problem);
    }
}

static void validate_namespace(const ApiResource *resource, const Meta__V1__ObjectMeta *meta, ApiFieldErrors *errors)
{
    const char *namespace = api_str(meta->namespace_);
    if (!resource->namespaced) {
        if (namespace[0])
            api_field_forbidden(errors, "metadata.namespace", "not allowed on this type");
        return;
    }
    const char *problem = namespace[0] ? api_name_dns_label(namespace) : NULL;
    if (namespace[0] == '\0')
        api_field_required(errors, "metadata.namespace", NULL);
    else if (problem)
        api_field_invalid(errors, "metadata.namespace", namespace, problem);
}

static void validate_owners(const Meta__V1__ObjectMeta *meta, ApiFieldErrors *errors)
{
    const Meta__V1__OwnerReference *controller = NULL;
    for (gsize i = 0; i < meta->n_ownerreferences; i++) {
        const Meta__V1__OwnerReference *one = meta->ownerreferences[i];
        const struct {
            const char *name, *value;
        } parts[] = {{"apiVersion", one->apiversion}, {"kind", one->kind}, {"name", one->name}, {"uid", one->uid}};
        for (guint k = 0; k < G_N_ELEMENTS(parts); k++) {
            if (api_str(parts[k].value)[0])
                continue;
            g_autofree char *path = g_strdup_printf("metadata.ownerReferences[%zu].%s", i, parts[k].name);
            api_field_required(errors, path, "must not be empty");
        }
        if (!one->controller)
            continue;
        if (controller) {
            g_autofree char *detail = g_strdup_printf(
                "Only one reference can have Controller set to true. Found \"true\" in references for "
                "%s/%s and %s/%s",
                api_str(controller->kind), api_str(controller->name), api_str(one->kind), api_str(one->name));
            api_field_invalid(errors, "metadata.ownerReferences", one->name, detail);
        }
        controller = one;
    }
}

static gboolean has_finalizer(const Meta__V1__ObjectMeta *meta, const char *finalizer)
{
    for (gsize i = 0; i < meta->n_finalizers; i++) {
        if (g_str_equal(meta->finalizers[i], finalizer))
            return TRUE;
    }
    return FALSE;
}

static void validate_finalizers(const Meta__V1__ObjectMeta *meta, ApiFieldErrors *errors)
{
    static const char *const standard[] = {API_FINALIZER_ORPHAN, API_FINALIZER_FOREGROUND, API_FINALIZER_NAMESPACE,
                                           NULL};
    for (gsize i = 0; i < meta->n_finalizers; i++) {
        const char *problem = api_name_qualified(meta->finalizers[i]);
        if (!problem && !strchr(meta->finalizers[i], '/') && !g_strv_contains(standard, meta->finalizers[i]))
            problem = "name is neither a standard finalizer name nor is it fully qualified";
        if (problem)
            api_field_invalid(errors, "metadata.finalizers", meta->finalizers[i], problem);
    }
    if (has_finalizer(meta, API_FINALIZER_ORPHAN) && has_finalizer(meta, API_FINALIZER_FOREGROUND))
        api_field_invalid(errors, "metadata.finalizers", API_FINALIZER_ORPHAN,
                          "finalizer orphan and foregroundDeletion cannot be both set");
}

static void validate_same_string(const char *value, const char *old, const char *path, ApiFieldErrors *errors)
{
    if (!api_str_equal(value, old))
        api_field_invalid(errors, path, value, immutable);
}

/* A time that only the server sets: as it was, or left out. */
static void validate_same_time(const Meta__V1__Time *value, const Meta__V1__Time *old, const char *path,
                               ApiFieldErrors *errors)
{
    if (value && (!old || value->seconds != old->seconds))
        api_field_invalid_number(errors, path, value->seconds, immutable);
}

static void validate_meta_update(const Meta__V1__ObjectMeta *meta, const Meta__V1__ObjectMeta *old,
                                 ApiFieldErrors *errors)
{
    validate_same_string(meta->name, old->name, "metadata.name", errors);
    validate_same_string(meta->namespace_, old->namespace_, "metadata.namespace", errors);
    if (api_str(meta->uid)[0])
        validate_same_string(meta->uid, old->uid, "metadata.uid", errors);
    validate_same_time(meta->creationtimestamp, old->creationtimestamp, "metadata.creationTimestamp", errors);
    validate_same_time(meta->deletiontimestamp, old->deletiontimestamp, "metadata.deletionTimestamp", errors);
    if (!old->deletiontimestamp)
        return;
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < old->n_finalizers; i++)
        g_hash_table_add(known, old->finalizers[i]);
    for (gsize i = 0; i < meta->n_finalizers; i++) {
        if (!g_hash_table_contains(known, meta->finalizers[i])) {
            g_autofree char *detail =
                g_strdup_printf("no new finalizers can be added if the object is being deleted, found "
                                "new finalizer \"%s\"",
                                meta->finalizers[i]);
            api_field_forbidden(errors, "metadata.finalizers", detail);
        }
    }
}

void api_validate_meta(const ApiResource *resource, const ProtobufCMessage *object, const ProtobufCMessage *old,
                       ApiFieldErrors *errors)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    if (!meta) {
        api_field_required(errors, "metadata", NULL);
        return;
    }
    validate_name(resource, meta, errors);
    validate_namespace(resource, meta, errors);
    if (meta->generation < 0)
        api_field_invalid_number(errors, "metadata.generation", meta->generation, "must be greater than or equal to 0");
    api_validate_labels(API_MAP(meta->labels), meta->n_labels, "metadata.labels", errors);
    api_validate_annotations(API_MAP(meta->annotations), meta->n_annotations, "metadata.annotations", errors);
    validate_owners(meta, errors);
    validate_finalizers(meta, errors);
    const Meta__V1__ObjectMeta *old_meta = old ? api_meta_peek(old) : NULL;
    if (old_meta)
        validate_meta_update(meta, old_meta, errors);
}

gboolean api_validate(const ApiResource *resource, const ProtobufCMessage *object, const ProtobufCMessage *old,
                      gboolean status_only, GError **error)
{
    g_autoptr(ApiFieldErrors) errors = api_field_errors_new();
    api_validate_meta(resource, object, old, errors);
    generic_validate(object, NULL, errors);
    void (*rules)(const ProtobufCMessage *, const ProtobufCMessage *, ApiFieldErrors *) =
        status_only ? resource->validate_status : resource->validate;
    if (rules)
        rules(object, old, errors);
    return api_field_errors_check(errors, resource, api_object_name(object), error);
}
