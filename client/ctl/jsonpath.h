/* JSONPath as kubectl has it: {.items[*].metadata.name}, {range .items[*]}...{end}, {.a['b.c']}, {..image},
 * {.conditions[?(@.type=="Ready")].status}, {"\n"}. Thread-safe. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* What a path (".status.phase", with or without braces) leads to: a new array of borrowed json_t*, perhaps empty, in order.
 * BAD_REQUEST says where the path goes wrong. */
GPtrArray *jsonpath_find(json_t *root, const char *path, GError **error);

/* A template with its {parts} replaced; several values are joined by spaces, absent ones are nothing. New string. */
char *jsonpath_expand(json_t *root, const char *template, GError **error);

/* A value as text: a string as it is, anything else as JSON. New string. */
char *jsonpath_value_text(const json_t *value);
