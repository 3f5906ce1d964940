/* What the rows of the resource table point to, and what the files of this folder share. Nothing else includes this. */
#pragma once

#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/batch/v1/batch.pb-c.h"
#include "cleat/coordination/v1/coordination.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "cleat/discovery/v1/discovery.pb-c.h"
#include "lib/api/kinds/path.h"

/* For the function types see ApiResource. */
#define KIND_COLUMNS(kind) extern const ApiColumn kind##_columns[]
#define KIND_SET_DEFAULTS(kind) void kind##_set_defaults(ProtobufCMessage *object)
#define KIND_PREPARE_CREATE(kind) void kind##_prepare_create(ProtobufCMessage *object)
#define KIND_PREPARE_UPDATE(kind) void kind##_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
#define KIND_VALIDATE(kind)                                                                                            \
    void kind##_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)

KIND_COLUMNS(pod);
KIND_SET_DEFAULTS(pod);
KIND_PREPARE_CREATE(pod);
KIND_PREPARE_UPDATE(pod);
KIND_VALIDATE(pod);
gint64 pod_deletion_grace(const ProtobufCMessage *object);

KIND_COLUMNS(node);
KIND_SET_DEFAULTS(node);
KIND_PREPARE_UPDATE(node);
KIND_VALIDATE(node);
void node_validate_status(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors);

KIND_COLUMNS(service);
KIND_SET_DEFAULTS(service);
KIND_PREPARE_UPDATE(service);
KIND_VALIDATE(service);

KIND_COLUMNS(endpoints);
KIND_SET_DEFAULTS(endpoints);
KIND_VALIDATE(endpoints);

KIND_COLUMNS(namespace);
KIND_SET_DEFAULTS(namespace);
KIND_PREPARE_CREATE(namespace);
KIND_PREPARE_UPDATE(namespace);

KIND_COLUMNS(config_map);
KIND_VALIDATE(config_map);

KIND_COLUMNS(secret);
KIND_SET_DEFAULTS(secret);
KIND_VALIDATE(secret);

KIND_COLUMNS(service_account);

KIND_COLUMNS(event);
KIND_VALIDATE(event);

KIND_COLUMNS(deployment);
KIND_SET_DEFAULTS(deployment);
KIND_VALIDATE(deployment);

KIND_COLUMNS(replica_set);
KIND_SET_DEFAULTS(replica_set);
KIND_VALIDATE(replica_set);

KIND_COLUMNS(job);
KIND_SET_DEFAULTS(job);
KIND_PREPARE_CREATE(job);
KIND_PREPARE_UPDATE(job);
KIND_VALIDATE(job);

KIND_COLUMNS(endpoint_slice);
KIND_SET_DEFAULTS(endpoint_slice);
KIND_VALIDATE(endpoint_slice);

KIND_COLUMNS(lease);
KIND_VALIDATE(lease);

/* Rules that hold for any message: fields that are not implemented are unset, and quantities are some. */
void generic_validate(const ProtobufCMessage *message, const Path *path, ApiFieldErrors *errors);

/* The status of any kind that has one: dropped on create; kept as it was on update. */
void status_prepare_create(ProtobufCMessage *object);
void status_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old);

/* Pod specs and the templates that hold them. A NULL spec or template is allowed (validate then asks for it). */
void pod_spec_set_defaults(Core__V1__PodSpec *spec);
void pod_template_set_defaults(Core__V1__PodTemplateSpec *template);
void pod_spec_validate(const Core__V1__PodSpec *spec, const Path *path, ApiFieldErrors *errors);
void pod_template_validate(const Core__V1__PodTemplateSpec *template, const Path *path, ApiFieldErrors *errors);
/* The template of pods that are to run for ever. */
void long_running_template_validate(const Core__V1__PodTemplateSpec *template, const Path *path,
                                    ApiFieldErrors *errors);
const char *pod_spec_qos(const Core__V1__PodSpec *spec); /* static */

/* Parts of pod_spec_validate() in files of their own. volumes: set of the names that mounts may use. */
void container_validate(const Core__V1__Container *container, const Core__V1__PodSpec *spec, GHashTable *volumes,
                        const Path *path, ApiFieldErrors *errors);
void volume_validate(const Core__V1__Volume *volume, const Path *path, ApiFieldErrors *errors);

/* Whether two messages (NULL is one of its own) say the same, in whatever order their maps are: what is stored is
 * sorted, what a client sends is not. */
gboolean same_meaning(const ProtobufCMessage *a, const ProtobufCMessage *b);
#define SAME_MEANING(a, b) same_meaning((const ProtobufCMessage *)(a), (const ProtobufCMessage *)(b))

/* A selector of pods, and the labels of the template that it must match. */
void selector_validate(const Meta__V1__LabelSelector *selector, const Core__V1__PodTemplateSpec *template,
                       const char *kind, ApiFieldErrors *errors);

/* A protocol of a port: unset, or one that the network does. */
extern const char *const port_protocols[];
/* A name rule: 1 to 15 characters of a-z, 0-9 and "-", with a letter, as names of container ports are. */
const char *port_name(const char *value);

/* Columns. New strings. */
char *column_none(const char *value); /* "<none>" for NULL and "" */
char *column_containers(const Core__V1__PodTemplateSpec *template);
char *column_images(const Core__V1__PodTemplateSpec *template);
char *column_selector(const Meta__V1__LabelSelector *selector);

#define RESOURCES_MAX 64 /* entries of limits or requests */

/* Maps with values of type Quantity have entries of this form. */
typedef struct {
    ProtobufCMessage base;
    char *key;
    Meta__V1__Quantity *value;
} QuantityEntry;
const Meta__V1__Quantity *quantity_map_get(QuantityEntry *const *entries, gsize n,
                                           const char *key); /* NULL if absent */
#define QUANTITIES(array) ((QuantityEntry **)(array))
