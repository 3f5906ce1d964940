/* The -o flag: what objects are printed as. */
#pragma once

#include "client/ctl/ctl.h"

typedef enum { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_NAME, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_JSONPATH } OutputFormat;

typedef struct {
    OutputFormat format;
    const char *template; /* of jsonpath; borrowed from the flag */
} Output;

/* NULL is the table. BAD_REQUEST lists the formats. */
gboolean output_parse(const char *flag, Output *ret_output, GError **error);

/* Prints objects in a format other than the tables: one as itself, unless as_list; several as a v1 List. */
gboolean output_objects(const Output *output, const GPtrArray *objects, gboolean as_list, FILE *file, GError **error);

/* After a change: the object in the format asked for, or "deployment.apps/web VERB". */
gboolean output_change(const Output *output, const ProtobufCMessage *object, const char *verb, GError **error);
