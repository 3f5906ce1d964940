/* Where a field is in an object. A path lives on the stack of those who look at the field, and becomes text only when
 * there is an error to tell: validating a good object builds no strings.
 *
 *   const Path *containers = FIELD(spec, "containers");    spec.containers
 *   validate(container, ITEM(containers, i), errors);      spec.containers[2]
 *   fail_required(errors, FIELD(path, "name"), NULL);      spec.containers[2].name */
#pragma once

#include "lib/api/validate.h"

typedef struct Path Path;
struct Path {
    const Path *parent; /* NULL at the top */
    const char *name;   /* a field; NULL for an item */
    const char *key;    /* of a map; NULL for an item of an array */
    gsize index;
};

/* Good until the end of the block that they are used in. */
#define FIELD(parent, name) (&(const Path){(parent), (name), NULL, 0})
#define ITEM(parent, index) (&(const Path){(parent), NULL, NULL, (index)})
#define KEY(parent, key) (&(const Path){(parent), NULL, (key), 0})

/* New string. */
char *path_format(const Path *path);

void fail_required(ApiFieldErrors *errors, const Path *path, const char *detail);
void fail_invalid(ApiFieldErrors *errors, const Path *path, const char *value, const char *detail);
void fail_number(ApiFieldErrors *errors, const Path *path, gint64 value, const char *detail);
void fail_duplicate(ApiFieldErrors *errors, const Path *path, const char *value);
void fail_not_supported(ApiFieldErrors *errors, const Path *path, const char *value, const char *const *allowed);
void fail_forbidden(ApiFieldErrors *errors, const Path *path, const char *detail);
void fail_not_found(ApiFieldErrors *errors, const Path *path, const char *value);
void fail_unimplemented(ApiFieldErrors *errors, const Path *path, const char *value);

/* Frequent rules. Each adds an error unless it holds. */
typedef const char *(*NameRule)(const char *value);
void require_name(ApiFieldErrors *errors, const Path *path, const char *value, NameRule rule); /* set, and good */
void check_name(ApiFieldErrors *errors, const Path *path, const char *value, NameRule rule);   /* unset, or good */
void require_one_of(ApiFieldErrors *errors, const Path *path, const char *value, const char *const *allowed);
void check_not_negative(ApiFieldErrors *errors, const Path *path, gint64 value);
void check_port(ApiFieldErrors *errors, const Path *path, gint64 value);
void check_labels(ApiFieldErrors *errors, const Path *path, ApiMapEntry *const *labels, gsize n);
void check_immutable(ApiFieldErrors *errors, const Path *path, const ProtobufCMessage *value,
                     const ProtobufCMessage *old);

/* Names that must not occur twice: adds a Duplicate error. seen: a string set that borrows the values. */
void check_unique(ApiFieldErrors *errors, const Path *path, GHashTable *seen, const char *value);
