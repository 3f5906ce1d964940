/* A thin asynchronous client of etcd's v3 contract: what the server's store needs, and nothing else.
 *
 * Any thread may call. Callbacks run on gRPC's polling threads and must not block; none runs inside the call that asked for it.
 * Errors: UNAVAILABLE (no member answers; says which were tried, and for writes that the outcome is unknown where it is),
 * EXPIRED (the revision is compacted), TOO_LARGE (more than etcd takes), TOO_MANY_REQUESTS (its database is full), INTERNAL. */
#pragma once

#include "lib/rpc/client.h"

typedef struct EtcdClient EtcdClient;

/* addresses: as for channels. credentials NULL: plaintext. Connects lazily. Errors: those of rpc_channel_new(). */
EtcdClient *etcd_client_new(const char *const *addresses, const RpcClientCredentials *credentials, GError **error);
/* Ends all calls under way (UNAVAILABLE) and waits until their callbacks have run; later calls end the same way. Blocks: not on
 * a polling thread. */
void etcd_client_stop(EtcdClient *client);
/* Stops it first. All watches must be freed. */
void etcd_client_free(EtcdClient *client);

/* One key; key and value point into the reply and are not NUL-terminated. */
typedef struct {
    const char *key;
    gsize key_size;
    const guint8 *value;
    gsize value_size;
    gint64 mod_revision;
} EtcdKv;

/* The end of the range of all keys that begin with prefix. New string. */
char *etcd_prefix_end(const char *prefix);

typedef struct {
    const char *key;
    const char *end; /* exclusive; NULL: one key */
    gint64 revision; /* 0: now */
    gint64 limit;    /* 0: none */
    gboolean keys_only;
} EtcdRange;

typedef struct {
    gint64 revision; /* of etcd when it answered */
    const EtcdKv *kvs;
    guint n;
    gboolean more; /* limit cut it off */
} EtcdRangeReply;

/* One of reply and error is NULL; both are borrowed. */
typedef void (*EtcdRangeDone)(const EtcdRangeReply *reply, const GError *error, gpointer data);
/* Linearizable. timeout_ms: for the whole; tried again within it while etcd is away. */
void etcd_range(EtcdClient *client, const EtcdRange *range, gint64 timeout_ms, EtcdRangeDone done, gpointer data);

/* A transaction: if every guard holds, all changes are made. No key may be changed twice. */
typedef struct {
    const char *key;
    gint64 mod_revision; /* that the key must have; 0: it must not exist */
} EtcdGuard;

typedef struct {
    const char *key;
    GBytes *value; /* NULL: delete */
} EtcdChange;

typedef struct {
    const EtcdGuard *guards;
    guint n_guards;
    const EtcdChange *changes;
    guint n_changes;
} EtcdTxn;

#define ETCD_TXN_MAX 100                     /* etcd takes 128 operations (--max-txn-ops) */
#define ETCD_REQUEST_MAX_BYTES (1536 * 1024) /* etcd's --max-request-bytes */

/* succeeded[i]: whether txns[i] was made; revision: etcd's afterwards. Both invalid with an error. */
typedef void (*EtcdTxnDone)(gint64 revision, const gboolean *succeeded, const GError *error, gpointer data);
/* n (1..ETCD_TXN_MAX) transactions in one of etcd's: one write to its log, at one revision; each is made or not on its own
 * guards. Everything is copied before this returns. Never sent twice. */
void etcd_commit(EtcdClient *client, const EtcdTxn *txns, guint n, gint64 timeout_ms, EtcdTxnDone done, gpointer data);

RpcChannel *etcd_client_channel(EtcdClient *client); /* borrowed */
/* What a failed call's error means, for our own callers: see above. what: "read" or "write". New error. */
GError *etcd_error_new(EtcdClient *client, const char *what, const GError *error);
