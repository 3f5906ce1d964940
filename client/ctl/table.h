/* Tables as kubectl prints them: columns padded to their widest cell, three spaces apart. */
#pragma once

#include <stdio.h>

#include "lib/api/resource.h"

typedef struct CtlTable CtlTable;
CtlTable *ctl_table_new(void);
void ctl_table_free(CtlTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlTable, ctl_table_free)
/* Adds a row and takes the strings of the array (and the array, NULL-terminated). */
void ctl_table_add(CtlTable *table, char **cells);
/* The rows so far as text; they are dropped, but the widths stay for the rows to come. New string. */
char *ctl_table_flush(CtlTable *table);

/* What a table of objects shows. */
typedef struct {
    gboolean wide;
    gboolean with_namespace;
    gboolean with_kind; /* "pod/web" instead of "web" */
    gboolean with_labels;
} CtlTableStyle;

/* The titles and the cells of an object, by the resource's row. New arrays. now_ns: for ages. */
char **ctl_table_titles(const ApiResource *resource, const CtlTableStyle *style);
char **ctl_table_cells(const ApiResource *resource, const ProtobufCMessage *object, const CtlTableStyle *style,
                       gint64 now_ns);
