/* The API server: store, verbs and listeners put together. */
#pragma once

#include "lib/rpc/server.h"

typedef struct Server Server;

typedef struct {
    const char *const *listen; /* addresses, as in lib/rpc/server.h */
    const RpcServerCredentials *credentials;
    const char *const *etcd;                      /* addresses */
    const RpcClientCredentials *etcd_credentials; /* NULL: plaintext */
    const char *etcd_prefix;
    const char *service_cidr;
    const RpcClientCredentials *agent_credentials; /* NULL: no logs */
} ServerOptions;

/* Listens, and begins to fill its caches; answers requests once they are filled. rpc_init() must have been called, and the default
 * main context must run. Everything in options must outlive the server. Errors: addresses that cannot be used, a bad range. */
Server *server_new(const ServerOptions *options, GError **error);
/* Ends watches and waiting requests, lets the others finish for up to grace_ms, and frees everything. Blocks. */
void server_free(Server *server, guint grace_ms);
