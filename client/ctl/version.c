#include "client/ctl/verbs.h"

VERB(version)
{
    gboolean client = FALSE;
    const GOptionEntry entries[] = {
        {"client", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &client, NULL, NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    if (args)
        printf("Client Version: v%s\n", CLEAT_VERSION);
    return args != NULL;
}
