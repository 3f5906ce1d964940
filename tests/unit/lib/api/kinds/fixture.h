/* Objects from YAML, taken through what the server does with them. */
#pragma once

#include <string.h>

#include "lib/api/codec.h"
#include "lib/api/validate.h"
#include "lib/base/error.h"

/* In flow style, to be short: what follows is put into the container, and into the spec. */
#define POD(container, spec)                                                                                                \
    "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}, spec: {containers: [{name: c, image: 'i:1'" container \
    "}]" spec "}}"
#define TEMPLATE(spec) "{metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'i:1'}]" spec "}}"
#define DEPLOYMENT(spec)                                                                                               \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: d}, "                                    \
    "spec: {selector: {matchLabels: {app: web}}, template: " TEMPLATE("") spec "}}"
#define JOB(spec, pod_spec)                                                                                            \
    "{apiVersion: batch/v1, kind: Job, metadata: {name: work, namespace: d}, spec: {template: {spec: {"                \
    "containers: [{name: c, image: 'i:1'}]" pod_spec "}}" spec "}}"
#define SERVICE(spec) "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: d}, spec: {" spec "}}"

static inline ProtobufCMessage *object_of(const char *yaml, const ApiResource **ret_resource)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests(yaml, strlen(yaml), "test", &error);
    g_assert_no_error(error);
    g_assert_cmpint(manifests->len, ==, 1);
    ApiManifest *manifest = manifests->pdata[0];
    *ret_resource = manifest->resource;
    return g_steal_pointer(&manifest->object);
}

/* As the server makes it on Create. */
static inline ProtobufCMessage *created(const char *yaml, const ApiResource **ret_resource)
{
    ProtobufCMessage *object = object_of(yaml, ret_resource);
    api_set_string(&api_meta(object)->uid, "u-1");
    if ((*ret_resource)->set_defaults)
        (*ret_resource)->set_defaults(object);
    if ((*ret_resource)->prepare_create)
        (*ret_resource)->prepare_create(object);
    return object;
}

/* As the server makes it on Update. */
static inline ProtobufCMessage *updated(const char *yaml, const ProtobufCMessage *old, const ApiResource **ret_resource)
{
    ProtobufCMessage *object = object_of(yaml, ret_resource);
    if ((*ret_resource)->set_defaults)
        (*ret_resource)->set_defaults(object);
    if ((*ret_resource)->prepare_update)
        (*ret_resource)->prepare_update(object, old);
    return object;
}

/* part: of the message of the error that validation must give; NULL: none. */
static inline void assert_validation(const ApiResource *resource, const ProtobufCMessage *object,
                                     const ProtobufCMessage *old, const char *part, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    gboolean good = api_validate(resource, object, old, FALSE, &error);
    if (good != (part == NULL) || (error && part && !strstr(error->message, part)))
        g_error("%s\nexpected: %s\ngot: %s", yaml, part ? part : "no error", error ? error->message : "no error");
}

static inline void assert_create(const char *yaml, const char *part)
{
    const ApiResource *resource;
    ProtobufCMessage *object = created(yaml, &resource);
    assert_validation(resource, object, NULL, part, yaml);
    api_message_free(object);
}

static inline void assert_update(const char *old_yaml, const char *yaml, const char *part)
{
    const ApiResource *resource;
    ProtobufCMessage *old = created(old_yaml, &resource);
    assert_validation(resource, old, NULL, NULL, old_yaml);
    ProtobufCMessage *object = updated(yaml, old, &resource);
    assert_validation(resource, object, old, part, yaml);
    api_message_free(object);
    api_message_free(old);
}
