#include "client/ctl/table.h"

#include "client/ctl/ctl.h"
#include "lib/api/column.h"
#include "lib/api/object.h"

#define GAP 3

struct CtlTable {
    GPtrArray *rows; /* char** */
    GArray *widths;  /* glong, in characters */
};

CtlTable *ctl_table_new(void)
{
    CtlTable *table = g_new(CtlTable, 1);
    table->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    table->widths = g_array_new(FALSE, TRUE, sizeof(glong));
    return table;
}

void ctl_table_free(CtlTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->rows);
    g_array_unref(table->widths);
    g_free(table);
}

/* A cell is one line: what would break it is shown escaped. */
static char *one_line(char *cell)
{
    if (!strpbrk(cell, "\n\r\t"))
        return cell;
    g_auto(GStrv) parts = g_strsplit_set(cell, "\n\r\t", -1);
    g_free(cell);
    return g_strjoinv(" ", parts);
}

void ctl_table_add(CtlTable *table, char **cells)
{
    for (guint i = 0; cells[i]; i++) {
        cells[i] = one_line(cells[i]);
        if (i >= table->widths->len)
            g_array_set_size(table->widths, i + 1);
        glong *width = &g_array_index(table->widths, glong, i);
        *width = MAX(*width, g_utf8_strlen(cells[i], -1));
    }
    g_ptr_array_add(table->rows, cells);
}

char *ctl_table_flush(CtlTable *table)
{
    GString *out = g_string_new(NULL);
    for (guint r = 0; r < table->rows->len; r++) {
        char **cells = table->rows->pdata[r];
        for (guint i = 0; cells[i]; i++) {
            g_string_append(out, cells[i]);
            glong padding = g_array_index(table->widths, glong, i) + GAP - g_utf8_strlen(cells[i], -1);
            g_string_append_printf(out, "%*s", cells[i + 1] ? (int)padding : 0, "");
        }
        g_string_append_c(out, '\n');
    }
    g_ptr_array_set_size(table->rows, 0);
    return g_string_free(out, FALSE);
}

char **ctl_table_titles(const ApiResource *resource, const CtlTableStyle *style)
{
    g_autoptr(GStrvBuilder) titles = g_strv_builder_new();
    if (style->with_namespace)
        g_strv_builder_add(titles, "NAMESPACE");
    g_strv_builder_add(titles, "NAME");
    /* wide columns come last, as in kubectl */
    for (const ApiColumn *column = resource->columns; column && column->title; column++) {
        if (!column->wide)
            g_strv_builder_add(titles, column->title);
    }
    g_strv_builder_add(titles, "AGE");
    for (const ApiColumn *column = resource->columns; style->wide && column && column->title; column++) {
        if (column->wide)
            g_strv_builder_add(titles, column->title);
    }
    if (style->with_labels)
        g_strv_builder_add(titles, "LABELS");
    return g_strv_builder_end(titles);
}

static char *labels_text(const Meta__V1__ObjectMeta *meta)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; meta && i < meta->n_labels; i++)
        g_string_append_printf(text, "%s%s=%s", i ? "," : "", api_str(meta->labels[i]->key),
                               api_str(meta->labels[i]->value));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void add_taking(GStrvBuilder *cells, char *cell)
{
    g_strv_builder_add(cells, *cell ? cell : "<none>");
    g_free(cell);
}

char **ctl_table_cells(const ApiResource *resource, const ProtobufCMessage *object, const CtlTableStyle *style,
                       gint64 now_ns)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    g_autoptr(GStrvBuilder) cells = g_strv_builder_new();
    if (style->with_namespace)
        add_taking(cells, g_strdup(api_object_namespace(object)));
    const char *name = api_object_name(object);
    add_taking(cells, style->with_kind ? ctl_object_label(resource, name) : g_strdup(name));
    for (const ApiColumn *column = resource->columns; column && column->title; column++) {
        if (!column->wide)
            add_taking(cells, column->print(object, now_ns));
    }
    add_taking(cells, api_age_format(meta ? meta->creationtimestamp : NULL, now_ns));
    for (const ApiColumn *column = resource->columns; style->wide && column && column->title; column++) {
        if (column->wide)
            add_taking(cells, column->print(object, now_ns));
    }
    if (style->with_labels)
        add_taking(cells, labels_text(meta));
    return g_strv_builder_end(cells);
}
