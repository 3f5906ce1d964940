/* The CNI configuration by which the container runtime connects pods: a bridge cni0 and addresses from the node's pod
 * network. Masquerading is the proxy's work, not the plugin's. */
#pragma once

#include "netproxy/nft/ruleset.h"

#define CNI_FILE_NAME "10-cleat.conflist"

typedef struct {
    const char *conf_dir; /* where the runtime looks for configurations; made if it is not there */
    const char *data_dir; /* where host-local keeps which address is whose */
    NftNetwork pods;      /* addresses of this node's pods */
    guint mtu;            /* of cni0 and the pods' interfaces */
} CniOptions;

/* Writes the file, whole or not at all, unless it says the same already. *ret_changed (may be NULL): it did not.
 * Errors: INTERNAL. */
gboolean cni_write(const CniOptions *options, gboolean *ret_changed, GError **error);

/* Removes the file; it is no error if it is not there. */
gboolean cni_remove(const char *conf_dir, GError **error);
