/* Objects as JSON trees, for what works on their text form: merging, JSONPath, generic printing. */
#pragma once

#include <jansson.h>

#include "lib/api/object.h"

/* New references. */
json_t *tree_from_object(const ProtobufCMessage *object);
json_t *tree_from_list(const GPtrArray *objects); /* as a v1 List */
/* The reverse, checked as strictly as a file. */
ProtobufCMessage *tree_to_object(const json_t *tree, const ProtobufCMessageDescriptor *type, GError **error);
