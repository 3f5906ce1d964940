/* gRPC C core made usable: what is common to client and server.
 *
 * Threads. rpc_init() starts <threads> completion queues, each with one polling thread; every channel and server of the process
 * uses them (one suits a component, the API server takes more). A callback runs either in the GMainContext that was given
 * when its call, stream or server was made (finished operations are handed over in batches), or, where the context is NULL,
 * on a polling thread: it must then be short and must not block.
 * Bytes travel as GBytes; received ones share gRPC's memory and are not copied unless they came in pieces. */
#pragma once

#include <glib.h>
#include <grpc/grpc.h>

#define RPC_MAX_MESSAGE_BYTES (16 * 1024 * 1024) /* default for both directions */

/* Starts the library. Once per process, before anything else of lib/rpc. threads: 1..16. */
void rpc_init(guint threads);
/* Stops it: waits for the polling threads. All channels and servers must be gone by then. */
void rpc_shutdown(void);

/* TLS. The PEM texts are copied. */
typedef struct RpcClientCredentials RpcClientCredentials;
typedef struct RpcServerCredentials RpcServerCredentials;

/* ca: whom to trust. cert and key: who we are; both NULL for a client without a certificate.
 * Errors: BAD_REQUEST when a text is not PEM, or key and certificate do not belong together. */
RpcClientCredentials *rpc_client_credentials_new(const char *ca, const char *cert, const char *key, GError **error);
void rpc_client_credentials_free(RpcClientCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcClientCredentials, rpc_client_credentials_free)

/* client_ca: who signs clients. require_client: refuse clients without a certificate in the handshake; otherwise they are
 * let in without an identity. A client with a certificate that does not verify is always refused. */
RpcServerCredentials *rpc_server_credentials_new(const char *client_ca, const char *cert, const char *key,
                                                 gboolean require_client, GError **error);
void rpc_server_credentials_free(RpcServerCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcServerCredentials, rpc_server_credentials_free)

/* The three files as the texts above; NULL names give NULL. Errors: those of g_file_get_contents(), naming the file. */
RpcClientCredentials *rpc_client_credentials_load(const char *ca_file, const char *cert_file, const char *key_file,
                                                  GError **error);
RpcServerCredentials *rpc_server_credentials_load(const char *client_ca_file, const char *cert_file,
                                                  const char *key_file, gboolean require_client, GError **error);

/* Bytes as a slice that holds a reference, and the reverse (takes the caller's reference of the slice). */
grpc_slice rpc_slice_from_bytes(GBytes *bytes);
GBytes *rpc_bytes_from_slice(grpc_slice slice);
