#include "client/ctl/table.h"
#include "client/ctl/verbs.h"

VERB(api_resources)
{
    g_auto(GStrv) args = ctl_parse(ctl, NULL, argc, argv, error);
    if (!args)
        return FALSE;
    g_autoptr(CtlTable) table = ctl_table_new();
    const char *titles[] = {"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", NULL};
    ctl_table_add(table, g_strdupv((char **)titles));
    guint n;
    const ApiResource *resources = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        const ApiResource *resource = &resources[i];
        g_autofree char *short_names = g_strjoinv(",", (char **)resource->short_names);
        g_autofree char *version = api_resource_api_version(resource);
        const char *cells[] = {resource->plural, short_names, version, resource->namespaced ? "true" : "false",
                               resource->kind,   NULL};
        ctl_table_add(table, g_strdupv((char **)cells));
    }
    g_autofree char *text = ctl_table_flush(table);
    fputs(text, stdout);
    return TRUE;
}
