/* The text of "describe": keys and values in nested blocks, values of a block in one column. */
#pragma once

#include <glib.h>
#include <jansson.h>

#include "lib/api/object.h"

typedef struct Lines Lines;
Lines *lines_new(void);
void lines_free(Lines *lines);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lines, lines_free)

/* "Key:  value". NULL or "" is shown as <none>; further lines of the value stand below its first. */
void lines_add(Lines *lines, const char *key, const char *value);
void lines_addf(Lines *lines, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same unless value is NULL or "". */
void lines_add_set(Lines *lines, const char *key, const char *value);
/* "Key:" alone, the title of a block that lines_in() and lines_out() enclose. */
void lines_title(Lines *lines, const char *key);
void lines_in(Lines *lines);
void lines_out(Lines *lines);
/* A text with lines of its own, at the present depth. */
void lines_text(Lines *lines, const char *text);

/* "a=1" below each other; separator between key and value. */
void lines_add_map(Lines *lines, const char *key, ApiMapEntry *const *entries, gsize n, const char *separator);
/* A block of all members of an object, keys in words ("podIP" as "Pod IP"). */
void lines_add_tree(Lines *lines, const json_t *object);

/* "creationTimestamp" as "Creation Timestamp". New string. */
char *lines_words(const char *name);

/* New string. */
char *lines_format(const Lines *lines);
