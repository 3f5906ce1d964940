#include "server/etcd/client.h"

#include <string.h>

#include "foreign/etcd/rpc.pb-c.h"
#include "lib/base/error.h"
#include "server/etcd/wire.h"

struct EtcdClient {
    RpcChannel *channel;
    char *addresses;    /* for messages */
    GCancellable *stop; /* cancelled: all calls end */

    GMutex lock; /* guards in_flight */
    GCond idle;  /* in_flight became 0 */
    guint in_flight;
};

EtcdClient *etcd_client_new(const char *const *addresses, const RpcClientCredentials *credentials, GError **error)
{
    RpcChannelOptions options = {
        .addresses = addresses,
        .credentials = credentials,
        .keepalive_ms = 10000,
        .max_message_bytes = 256 * 1024 * 1024, /* a page of a range may hold many values of 1.5 MiB */
    };
    RpcChannel *channel = rpc_channel_new(&options, error);
    if (!channel)
        return NULL;
    EtcdClient *client = g_new0(EtcdClient, 1);
    client->channel = channel;
    client->addresses = g_strjoinv(", ", (char **)addresses);
    client->stop = g_cancellable_new();
    g_mutex_init(&client->lock);
    g_cond_init(&client->idle);
    return client;
}

/* Around each call. */
static void client_begin(EtcdClient *client)
{
    g_mutex_lock(&client->lock);
    client->in_flight++;
    g_mutex_unlock(&client->lock);
}

static void client_end(EtcdClient *client)
{
    g_mutex_lock(&client->lock);
    if (--client->in_flight == 0)
        g_cond_broadcast(&client->idle);
    g_mutex_unlock(&client->lock);
}

void etcd_client_stop(EtcdClient *client)
{
    g_cancellable_cancel(client->stop);
    g_mutex_lock(&client->lock);
    while (client->in_flight > 0)
        g_cond_wait(&client->idle, &client->lock);
    g_mutex_unlock(&client->lock);
}

void etcd_client_free(EtcdClient *client)
{
    if (!client)
        return;
    etcd_client_stop(client);
    rpc_channel_unref(client->channel);
    g_object_unref(client->stop);
    g_cond_clear(&client->idle);
    g_mutex_clear(&client->lock);
    g_free(client->addresses);
    g_free(client);
}

RpcChannel *etcd_client_channel(EtcdClient *client)
{
    return client->channel;
}

char *etcd_prefix_end(const char *prefix)
{
    char *end = g_strdup(prefix);
    gsize size = strlen(end);
    g_assert(size > 0 && (guchar)end[size - 1] < 0xff);
    end[size - 1]++;
    return end;
}

GError *etcd_error_new(EtcdClient *client, const char *what, const GError *error)
{
    static const struct {
        const char *text; /* in etcd's message */
        CleatErrorCode code;
        const char *message;
    } known[] = {
        {"revision has been compacted", CLEAT_ERROR_EXPIRED, "the revision is compacted in etcd"},
        {"request is too large", CLEAT_ERROR_TOO_LARGE, "the request is larger than etcd takes (1.5 MiB)"},
        {"database space exceeded", CLEAT_ERROR_TOO_MANY_REQUESTS,
         "etcd's database is full; delete objects, then compact and defragment it"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strstr(error->message, known[i].text))
            return g_error_new(CLEAT_ERROR, (int)known[i].code, "%s", known[i].message);
    }
    switch (cleat_error_code(error)) {
    case CLEAT_ERROR_TIMEOUT:
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "etcd (%s) did not answer a %s in time%s",
                           client->addresses, what,
                           g_str_equal(what, "write") ? "; it may have happened: read before trying again" : "");
    case CLEAT_ERROR_UNAVAILABLE:
    case CLEAT_ERROR_CANCELLED:
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "etcd (%s) is not reachable: %s", client->addresses,
                           error->message);
    default:
        return g_error_new(CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "etcd (%s) refused a %s: %s", client->addresses, what,
                           error->message);
    }
}

static GBytes *pack(const ProtobufCMessage *message)
{
    gsize size = protobuf_c_message_get_packed_size(message);
    guint8 *bytes = g_malloc(size);
    protobuf_c_message_pack(message, bytes);
    return g_bytes_new_take(bytes, size);
}

static ProtobufCBinaryData borrow(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (guint8 *)text};
}

typedef struct {
    EtcdClient *client;
    EtcdRangeDone done;
    gpointer data;
} RangeCall;

static void range_answer(const RangeCall *call, GBytes *reply, const GError *error)
{
    if (error) {
        g_autoptr(GError) ours = etcd_error_new(call->client, "read", error);
        call->done(NULL, ours, call->data);
        return;
    }
    g_autoptr(GArray) kvs = g_array_new(FALSE, FALSE, sizeof(EtcdKv));
    EtcdRangeReply range;
    gsize size;
    const guint8 *bytes = g_bytes_get_data(reply, &size);
    if (!etcd_wire_range(bytes, size, kvs, &range.revision, &range.more)) {
        g_autoptr(GError) ours =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "etcd's answer to a range is malformed");
        call->done(NULL, ours, call->data);
        return;
    }
    range.kvs = (const EtcdKv *)kvs->data;
    range.n = kvs->len;
    call->done(&range, NULL, call->data);
}

static void range_done(GBytes *reply, const GError *error, gpointer data)
{
    g_autofree RangeCall *call = data;
    range_answer(call, reply, error);
    client_end(call->client);
}

void etcd_range(EtcdClient *client, const EtcdRange *range, gint64 timeout_ms, EtcdRangeDone done, gpointer data)
{
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = borrow(range->key);
    if (range->end)
        request.range_end = borrow(range->end);
    request.revision = range->revision;
    request.limit = range->limit;
    request.keys_only = range->keys_only;
    g_autoptr(GBytes) bytes = pack(&request.base);
    RangeCall *call = g_new(RangeCall, 1);
    *call = (RangeCall){client, done, data};
    RpcCallOptions options = {.timeout_ms = timeout_ms, .idempotent = TRUE, .cancellable = client->stop};
    client_begin(client);
    rpc_unary(client->channel, "/etcdserverpb.KV/Range", bytes, &options, range_done, call);
}

typedef struct {
    EtcdClient *client;
    EtcdTxnDone done;
    gpointer data;
    guint n;
} TxnCall;

static void txn_answer(const TxnCall *call, GBytes *reply, const GError *error)
{
    if (error) {
        g_autoptr(GError) ours = etcd_error_new(call->client, "write", error);
        call->done(0, NULL, ours, call->data);
        return;
    }
    gboolean succeeded[ETCD_TXN_MAX];
    gint64 revision;
    gsize size;
    const guint8 *bytes = g_bytes_get_data(reply, &size);
    if (!etcd_wire_txn(bytes, size, &revision, succeeded, call->n)) {
        g_autoptr(GError) ours =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "etcd's answer to a transaction is malformed");
        call->done(0, NULL, ours, call->data);
        return;
    }
    call->done(revision, succeeded, NULL, call->data);
}

static void txn_done(GBytes *reply, const GError *error, gpointer data)
{
    g_autofree TxnCall *call = data;
    txn_answer(call, reply, error);
    client_end(call->client);
}

/* A transaction as a message that borrows all its bytes; only the arrays are its own. */
typedef struct {
    Etcdserverpb__TxnRequest request;
    Etcdserverpb__Compare *compares;
    Etcdserverpb__Compare **compare_at;
    Etcdserverpb__RequestOp *ops;
    Etcdserverpb__RequestOp **op_at;
    Etcdserverpb__PutRequest *puts;
    Etcdserverpb__DeleteRangeRequest *deletes;
} TxnMessage;

static void txn_message_done(TxnMessage *message)
{
    g_free(message->compares);
    g_free(message->compare_at);
    g_free(message->ops);
    g_free(message->op_at);
    g_free(message->puts);
    g_free(message->deletes);
}

static void txn_message_add_change(TxnMessage *message, guint i, const EtcdChange *change)
{
    Etcdserverpb__RequestOp *op = message->op_at[i] = &message->ops[i];
    etcdserverpb__request_op__init(op);
    if (change->value) {
        gsize size;
        Etcdserverpb__PutRequest *put = op->request_put = &message->puts[i];
        etcdserverpb__put_request__init(put);
        op->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
        put->key = borrow(change->key);
        put->value.data = (guint8 *)g_bytes_get_data(change->value, &size);
        put->value.len = size;
    } else {
        Etcdserverpb__DeleteRangeRequest *delete = op->request_delete_range = &message->deletes[i];
        etcdserverpb__delete_range_request__init(delete);
        op->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
        delete->key = borrow(change->key);
    }
}

static void txn_message_init(TxnMessage *message, const EtcdTxn *txn)
{
    *message = (TxnMessage){
        .compares = g_new(Etcdserverpb__Compare, txn->n_guards),
        .compare_at = g_new(Etcdserverpb__Compare *, txn->n_guards),
        .ops = g_new(Etcdserverpb__RequestOp, txn->n_changes),
        .op_at = g_new(Etcdserverpb__RequestOp *, txn->n_changes),
        .puts = g_new(Etcdserverpb__PutRequest, txn->n_changes),
        .deletes = g_new(Etcdserverpb__DeleteRangeRequest, txn->n_changes),
    };
    etcdserverpb__txn_request__init(&message->request);
    for (guint i = 0; i < txn->n_guards; i++) {
        Etcdserverpb__Compare *compare = message->compare_at[i] = &message->compares[i];
        etcdserverpb__compare__init(compare);
        compare->result = ETCDSERVERPB__COMPARE__COMPARE_RESULT__EQUAL;
        compare->target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__MOD;
        compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION;
        compare->mod_revision = txn->guards[i].mod_revision;
        compare->key = borrow(txn->guards[i].key);
    }
    for (guint i = 0; i < txn->n_changes; i++)
        txn_message_add_change(message, i, &txn->changes[i]);
    message->request.compare = message->compare_at;
    message->request.n_compare = txn->n_guards;
    message->request.success = message->op_at;
    message->request.n_success = txn->n_changes;
}

/* Several transactions nested in an outer one without guards. */
static GBytes *txns_pack(const EtcdTxn *txns, guint n)
{
    g_autofree TxnMessage *messages = g_new(TxnMessage, n);
    Etcdserverpb__RequestOp ops[ETCD_TXN_MAX], *op_at[ETCD_TXN_MAX];
    Etcdserverpb__TxnRequest outer = ETCDSERVERPB__TXN_REQUEST__INIT;
    for (guint i = 0; i < n; i++) {
        txn_message_init(&messages[i], &txns[i]);
        etcdserverpb__request_op__init(&ops[i]);
        ops[i].request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN;
        ops[i].request_txn = &messages[i].request;
        op_at[i] = &ops[i];
    }
    outer.success = op_at;
    outer.n_success = n;
    GBytes *bytes = pack(n == 1 ? &messages[0].request.base : &outer.base);
    for (guint i = 0; i < n; i++)
        txn_message_done(&messages[i]);
    return bytes;
}

void etcd_commit(EtcdClient *client, const EtcdTxn *txns, guint n, gint64 timeout_ms, EtcdTxnDone done, gpointer data)
{
    g_assert(n >= 1 && n <= ETCD_TXN_MAX);
    g_autoptr(GBytes) bytes = txns_pack(txns, n);
    TxnCall *call = g_new(TxnCall, 1);
    *call = (TxnCall){client, done, data, n};
    RpcCallOptions options = {.timeout_ms = timeout_ms, .cancellable = client->stop};
    client_begin(client);
    rpc_unary(client->channel, "/etcdserverpb.KV/Txn", bytes, &options, txn_done, call);
}
