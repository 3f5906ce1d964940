/* Tables as kubectl prints them: columns padded to their widest cell, three spaces apart. */
#pragma once

#include <stdio.h>

#include "lib/api/resource.h"

typedef struct Table Table;
Table *table_new(void);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)
/* Adds a row and takes the strings of the array (and the array, NULL-terminated). */
void table_add(Table *table, char **cells);
/* The rows so far as text; they are dropped, but the widths stay for the rows to come. New string. */
char *table_flush(Table *table);

/* What a table of objects shows. */
typedef struct {
    gboolean wide;
    gboolean with_namespace;
    gboolean with_kind; /* "pod/web" instead of "web" */
    gboolean with_labels;
} TableStyle;

/* The titles and the cells of an object, by the resource's row. New arrays. now_ns: for ages. */
char **table_titles(const ApiResource *resource, const TableStyle *style);
char **table_cells(const ApiResource *resource, const ProtobufCMessage *object, const TableStyle *style, gint64 now_ns);
