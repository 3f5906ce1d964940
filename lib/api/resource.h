/* The one table of resources. Server, ctl, codec and controllers learn everything that is particular to a kind from its
 * row: to add a kind, add its row in resource.c and its file in lib/api/kinds/. The table is constant; everything is
 * thread-safe. */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

#include "cleat/meta/v1/meta.pb-c.h"

typedef struct ApiResource ApiResource;
typedef struct ApiFieldErrors ApiFieldErrors; /* lib/api/validate.h */

/* A field that a field selector may name besides metadata.name and metadata.namespace (which every kind has). */
typedef struct {
    const char *path; /* "spec.nodeName" */
    /* Field numbers from the object down to a string field, 0-terminated: the value can be read from encoded bytes. */
    guint8 numbers[4];
} ApiSelectableField;

/* A column of "ctl get". wide: shown only with -o wide. */
typedef struct {
    const char *title; /* "READY" */
    gboolean wide;
    /* New string for one object; now_ns is the wall clock, for ages. */
    char *(*print)(const ProtobufCMessage *object, gint64 now_ns);
} ApiColumn;

#define API_SHORT_NAMES_MAX 3
#define API_SELECTABLE_MAX 6

struct ApiResource {
    const char *kind;                                 /* "Pod" */
    const char *plural;                               /* "pods": in keys, in commands */
    const char *singular;                             /* "pod" */
    const char *short_names[API_SHORT_NAMES_MAX + 1]; /* NULL-terminated: "po" */
    const char *group;                                /* "" for core, else "apps", "discovery.k8s.io", ... */
    const char *version;                              /* "v1" */
    const char *service;                              /* gRPC service: "cleat.v1.Pods" */
    gboolean namespaced;
    gboolean has_status;                      /* the kind has a status field and UpdateStatus */
    gboolean has_generation;                  /* metadata.generation counts changes of what is not metadata or status */
    const ProtobufCMessageDescriptor *object; /* core.v1.Pod; field 1 is metadata */
    const ProtobufCMessageDescriptor *list;   /* core.v1.PodList: {metadata = 1, items = 2} */
    ApiSelectableField selectable[API_SELECTABLE_MAX + 1]; /* ends with path == NULL */
    const ApiColumn *columns; /* between NAME and AGE; ends with title == NULL; may be NULL */
    /* The rule for names: returns NULL or what is asked for. NULL: a DNS subdomain. */
    const char *(*check_name)(const char *name);

    /* What the kind adds to the rules that hold for all. Each may be NULL.
     *   set_defaults    fills what the user left out, as Kubernetes does.
     *   prepare_create  before the first write: drops or sets what the user may not choose (status, ...). Name and uid
     * are set.   prepare_update  carries over from <old> what an Update may not change silently: status, and what the
     * server or a                   controller has chosen where the new object says nothing of it (a node, an address,
     * a selector).   validate        adds to <errors>; <old> is NULL on create. Both objects are complete and have
     * their defaults.   validate_status the same for UpdateStatus. */
    void (*set_defaults)(ProtobufCMessage *object);
    void (*prepare_create)(ProtobufCMessage *object);
    void (*prepare_update)(ProtobufCMessage *object, const ProtobufCMessage *old);
    void (*validate)(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors);
    void (*validate_status)(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors);
    /* Seconds of grace that a Delete without gracePeriodSeconds gets; 0, or NULL: gone at once. */
    gint64 (*deletion_grace)(const ProtobufCMessage *object);
};

/* The whole table; *ret_n rows. */
const ApiResource *api_resources(guint *ret_n);

/* Position of a row in the table, for arrays indexed by resource. */
guint api_resource_index(const ApiResource *resource);

/* NULL when there is none. group "" is core; version may be NULL (any). */
const ApiResource *api_resource_by_kind(const char *group, const char *version, const char *kind);
const ApiResource *api_resource_by_plural(const char *group, const char *plural);
const ApiResource *api_resource_by_descriptor(const ProtobufCMessageDescriptor *object_or_list);
/* What a user types: plural, singular, short name or kind in any case, optionally ".group". */
const ApiResource *api_resource_by_name(const char *name);
const ApiResource *api_resource_by_service(const char *service);

/* "v1" or "apps/v1". New string. */
char *api_resource_api_version(const ApiResource *resource);

/* Rows for direct use in C, for example API_POD->kind. */
typedef enum {
    API_INDEX_POD,
    API_INDEX_NODE,
    API_INDEX_SERVICE,
    API_INDEX_ENDPOINTS,
    API_INDEX_NAMESPACE,
    API_INDEX_CONFIG_MAP,
    API_INDEX_SECRET,
    API_INDEX_SERVICE_ACCOUNT,
    API_INDEX_EVENT,
    API_INDEX_DEPLOYMENT,
    API_INDEX_REPLICA_SET,
    API_INDEX_JOB,
    API_INDEX_ENDPOINT_SLICE,
    API_INDEX_LEASE,
    API_INDEX_MAX_,
} ApiResourceIndex;

const ApiResource *api_resource_row(ApiResourceIndex index);

#define API_POD (api_resource_row(API_INDEX_POD))
#define API_NODE (api_resource_row(API_INDEX_NODE))
#define API_SERVICE (api_resource_row(API_INDEX_SERVICE))
#define API_ENDPOINTS (api_resource_row(API_INDEX_ENDPOINTS))
#define API_NAMESPACE (api_resource_row(API_INDEX_NAMESPACE))
#define API_CONFIG_MAP (api_resource_row(API_INDEX_CONFIG_MAP))
#define API_SECRET (api_resource_row(API_INDEX_SECRET))
#define API_SERVICE_ACCOUNT (api_resource_row(API_INDEX_SERVICE_ACCOUNT))
#define API_EVENT (api_resource_row(API_INDEX_EVENT))
#define API_DEPLOYMENT (api_resource_row(API_INDEX_DEPLOYMENT))
#define API_REPLICA_SET (api_resource_row(API_INDEX_REPLICA_SET))
#define API_JOB (api_resource_row(API_INDEX_JOB))
#define API_ENDPOINT_SLICE (api_resource_row(API_INDEX_ENDPOINT_SLICE))
#define API_LEASE (api_resource_row(API_INDEX_LEASE))
