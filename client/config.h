/* How to reach a cluster and as whom: the kubeconfig format. */
#pragma once

#include <glib.h>

typedef struct {
    char **addresses;  /* as in lib/rpc: from cluster.server, a comma list of https://host:port and unix:///path */
    char *server_name; /* cluster.tls-server-name, or "localhost" when all addresses are unix sockets; NULL: the address */
    char *ca;          /* PEM texts, from *-data or from the files named; NULL: none */
    char *cert;
    char *key;
    char *namespace_; /* of the context; NULL: none */
    char *context;    /* the context's name */
} ClientConfig;

/* Reads <file>; NULL: $CLEAT_CONFIG, else ~/.config/cleat/config. context NULL: the current one. File names in it are relative
 * to its folder. Unknown keys are left alone, as other tools share the format.
 * Errors: NOT_FOUND (says where it looked and what to do), BAD_REQUEST naming file and key. */
ClientConfig *client_config_load(const char *file, const char *context, GError **error);
/* Replaces the addresses: "https://host:port,unix:///path" as in a file. BAD_REQUEST; nothing is changed then. */
gboolean client_config_set_servers(ClientConfig *config, const char *servers, GError **error);
/* The path that a NULL file means. New string. */
char *client_config_default_path(void);
void client_config_free(ClientConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ClientConfig, client_config_free)
