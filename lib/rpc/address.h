/* Inside lib/rpc: "10.0.0.1:6443", "[::1]:6443", "name:6443" and "unix:/path". */
#pragma once

#include <glib.h>

/* The target for grpc_channel_create(). New string. Errors: BAD_REQUEST naming the address. */
char *rpc_address_to_target(const char *address, GError **error);

/* The path of a unix address, else NULL. Borrowed. */
const char *rpc_address_unix_path(const char *address);

/* Host (without brackets) and port of an address that is not unix. New string in *ret_host. Errors: BAD_REQUEST. */
gboolean rpc_address_split(const char *address, char **ret_host, guint16 *ret_port, GError **error);
