#include "server/etcd/wire.h"

#include "foreign/etcd/rpc.pb-c.h"
#include "lib/api/object.h"

static ProtobufCBinaryData bytes(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (guint8 *)text};
}

static void test_range(void)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__RangeResponse message = ETCDSERVERPB__RANGE_RESPONSE__INIT;
    Mvccpb__KeyValue one = MVCCPB__KEY_VALUE__INIT, two = MVCCPB__KEY_VALUE__INIT, *all[] = {&one, &two};
    header.revision = 77;
    message.header = &header;
    one.key = bytes("a");
    one.value = bytes("1");
    one.mod_revision = 5;
    two.key = bytes("b");
    two.mod_revision = 6;
    message.kvs = all;
    message.n_kvs = 2;
    message.more = TRUE;
    g_autoptr(GBytes) packed = api_message_pack(&message.base);
    g_autoptr(GArray) kvs = g_array_new(FALSE, FALSE, sizeof(EtcdKv));
    gint64 revision;
    gboolean more;
    gsize size;
    const guint8 *data = g_bytes_get_data(packed, &size);
    g_assert_true(etcd_wire_range(data, size, kvs, &revision, &more));
    g_assert_cmpint(revision, ==, 77);
    g_assert_true(more);
    g_assert_cmpuint(kvs->len, ==, 2);
    const EtcdKv *first = &g_array_index(kvs, EtcdKv, 0), *second = &g_array_index(kvs, EtcdKv, 1);
    g_assert_cmpmem(first->key, first->key_size, "a", 1);
    g_assert_cmpmem(first->value, first->value_size, "1", 1);
    g_assert_cmpint(first->mod_revision, ==, 5);
    g_assert_cmpuint(second->value_size, ==, 0);
    guint refused = 0;
    for (gsize cut = 1; cut < size; cut++)
        refused += !etcd_wire_range(data, cut, kvs, &revision, &more);
    g_assert_cmpuint(refused, >, size / 2); /* all but the cuts between two fields */
}

/* One transaction says whether it was made; of several, each does. */
static void test_txn(void)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__TxnResponse inner[3], outer = ETCDSERVERPB__TXN_RESPONSE__INIT;
    Etcdserverpb__ResponseOp ops[3], *all[3];
    header.revision = 9;
    outer.header = &header;
    outer.succeeded = TRUE;
    outer.responses = all;
    outer.n_responses = 3;
    for (int i = 0; i < 3; i++) {
        etcdserverpb__txn_response__init(&inner[i]);
        etcdserverpb__response_op__init(&ops[i]);
        inner[i].succeeded = i != 1;
        ops[i].response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
        ops[i].response_txn = &inner[i];
        all[i] = &ops[i];
    }
    g_autoptr(GBytes) packed = api_message_pack(&outer.base);
    gsize size;
    const guint8 *data = g_bytes_get_data(packed, &size);
    gboolean succeeded[4];
    gint64 revision;
    g_assert_true(etcd_wire_txn(data, size, &revision, succeeded, 3));
    g_assert_cmpint(revision, ==, 9);
    g_assert_true(succeeded[0] && !succeeded[1] && succeeded[2]);
    g_assert_true(etcd_wire_txn(data, size, &revision, succeeded, 1));
    g_assert_true(succeeded[0]);
    g_assert_false(etcd_wire_txn(data, size, &revision, succeeded, 2));
    g_assert_false(etcd_wire_txn(data, size, &revision, succeeded, 4));
}

static void test_watch(void)
{
    Etcdserverpb__WatchResponse message = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    Mvccpb__Event put = MVCCPB__EVENT__INIT, delete = MVCCPB__EVENT__INIT, *all[] = {&put, &delete};
    Mvccpb__KeyValue a = MVCCPB__KEY_VALUE__INIT, b = MVCCPB__KEY_VALUE__INIT;
    a.key = bytes("a");
    a.value = bytes("v");
    a.mod_revision = 3;
    b.key = bytes("b");
    b.mod_revision = 4;
    put.kv = &a;
    delete.kv = &b;
    delete.type = MVCCPB__EVENT__EVENT_TYPE__DELETE;
    message.events = all;
    message.n_events = 2;
    message.fragment = TRUE;
    g_autoptr(GBytes) packed = api_message_pack(&message.base);
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(EtcdEvent));
    EtcdWatchReply reply;
    gsize size;
    const guint8 *data = g_bytes_get_data(packed, &size);
    g_assert_true(etcd_wire_watch(data, size, &reply, events));
    g_assert_true(reply.fragment && !reply.canceled && reply.compact_revision == 0);
    g_assert_cmpuint(events->len, ==, 2);
    const EtcdEvent *first = &g_array_index(events, EtcdEvent, 0), *second = &g_array_index(events, EtcdEvent, 1);
    g_assert_false(first->deleted);
    g_assert_cmpmem(first->kv.value, first->kv.value_size, "v", 1);
    g_assert_true(second->deleted);
    g_assert_cmpint(second->kv.mod_revision, ==, 4);

    Etcdserverpb__WatchResponse compacted = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    compacted.canceled = TRUE;
    compacted.compact_revision = 12;
    g_autoptr(GBytes) end = api_message_pack(&compacted.base);
    data = g_bytes_get_data(end, &size);
    g_assert_true(etcd_wire_watch(data, size, &reply, events));
    g_assert_true(reply.canceled && reply.compact_revision == 12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/etcd/wire/range", test_range);
    g_test_add_func("/server/etcd/wire/txn", test_txn);
    g_test_add_func("/server/etcd/wire/watch", test_watch);
    return g_test_run();
}
