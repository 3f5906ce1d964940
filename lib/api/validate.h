/* Validation: a list of field errors that becomes one GError of code INVALID, and the rules for names. */
#pragma once

#include "lib/api/object.h"

ApiFieldErrors *api_field_errors_new(void);
void api_field_errors_free(ApiFieldErrors *errors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApiFieldErrors, api_field_errors_free)
guint api_field_errors_count(const ApiFieldErrors *errors);

/* path: "spec.containers[0].name". Everything is copied. The first 64 errors are kept; more are counted.
 * value: what the user wrote, or (where NULL is allowed: invalid) NULL for what is no scalar. */
void api_field_required(ApiFieldErrors *errors, const char *path, const char *detail);
void api_field_invalid(ApiFieldErrors *errors, const char *path, const char *value, const char *detail);
void api_field_invalid_number(ApiFieldErrors *errors, const char *path, gint64 value, const char *detail);
void api_field_duplicate(ApiFieldErrors *errors, const char *path, const char *value);
void api_field_not_supported(ApiFieldErrors *errors, const char *path, const char *value, const char *const *allowed);
void api_field_not_found(ApiFieldErrors *errors, const char *path, const char *value); /* it names what is not there */
void api_field_forbidden(ApiFieldErrors *errors, const char *path, const char *detail);
/* A field, or (unless NULL) a value of it, that Kubernetes has and this release does nothing for: refused, never
 * silently ignored. */
void api_field_unimplemented(ApiFieldErrors *errors, const char *path, const char *value);

/* FALSE with an INVALID error (object set, one cause per field; `Pod "web" is invalid: spec.x: Required value: ...`)
 * when there is any field error. */
gboolean api_field_errors_check(const ApiFieldErrors *errors, const ApiResource *resource, const char *name,
                                GError **error);

/* The rules for metadata that hold for every kind (name, namespace, labels, annotations, finalizers, owner references).
 * On update what the server sets (uid, creationTimestamp, deletionTimestamp, ...) must be as in <old> where it is
 * given. */
void api_validate_meta(const ApiResource *resource, const ProtobufCMessage *object, const ProtobufCMessage *old,
                       ApiFieldErrors *errors);

/* Labels, annotations and name rules for metadata that is not an object's own: that of a pod template. */
void api_validate_labels(ApiMapEntry *const *labels, gsize n, const char *path, ApiFieldErrors *errors);
void api_validate_annotations(ApiMapEntry *const *annotations, gsize n, const char *path, ApiFieldErrors *errors);

/* All rules: metadata, then validate (or, status_only, validate_status) of the kind's row. old is NULL on create.
 * INVALID. */
gboolean api_validate(const ApiResource *resource, const ProtobufCMessage *object, const ProtobufCMessage *old,
                      gboolean status_only, GError **error);

/* Each returns NULL if the value is good, else a static sentence that says what is asked for. */
const char *api_name_dns_label(const char *value);     /* RFC 1123, <= 63 */
const char *api_name_dns1035_label(const char *value); /* names of Services */
const char *api_name_dns_subdomain(const char *value); /* <= 253 */
const char *api_name_qualified(const char *value);     /* [prefix/]name: keys of labels, resources, finalizers */
const char *api_name_label_value(const char *value);
const char *api_name_config_key(const char *value); /* keys of ConfigMap and Secret */
const char *api_name_env(const char *value);
const char *api_name_ip(const char *value);
