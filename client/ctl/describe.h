/* How "describe" shows kinds that deserve more than their fields. */
#pragma once

#include "client/ctl/lines.h"
#include "lib/api/resource.h"

typedef struct {
    const ApiResource *(*related)(void);             /* a kind whose objects belong to it (may be NULL), */
    char *(*labels)(const ProtobufCMessage *object); /* found by this label selector, or */
    char *(*fields)(const ProtobufCMessage *object); /* by this field selector in all namespaces. New strings */
    /* related may be NULL. now_ns: for ages. */
    void (*print)(Lines *lines, const ProtobufCMessage *object, const GPtrArray *related, gint64 now_ns);
} DescribeKind;

/* NULL: the kind is shown by its fields. */
const DescribeKind *describe_kind(const ApiResource *resource);

/* Name, namespace, labels and annotations, as every description begins. */
void describe_meta(Lines *lines, const ProtobufCMessage *object);
/* The events of an object, oldest first, as its table. They are sorted in place. */
void describe_events(Lines *lines, GPtrArray *events, gint64 now_ns);
