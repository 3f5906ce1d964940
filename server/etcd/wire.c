#include "server/etcd/wire.h"

#include "lib/api/wire.h"

#define WIRE_BYTES 2

/* Whether a reader stopped because the message was over. */
static gboolean is_complete(const ApiWireReader *reader)
{
    return reader->at == reader->end;
}

gboolean etcd_wire_kv(const guint8 *data, gsize size, EtcdKv *ret)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    *ret = (EtcdKv){.key = "", .value = (const guint8 *)""};
    while (api_wire_next(&reader)) {
        if (reader.number == 1 && reader.wire_type == WIRE_BYTES) {
            ret->key = (const char *)reader.data;
            ret->key_size = reader.size;
        } else if (reader.number == 3) {
            ret->mod_revision = (gint64)reader.value;
        } else if (reader.number == 5 && reader.wire_type == WIRE_BYTES) {
            ret->value = reader.data;
            ret->value_size = reader.size;
        }
    }
    return is_complete(&reader);
}

gboolean etcd_wire_header(const guint8 *data, gsize size, gint64 *ret_revision)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    while (api_wire_next(&reader)) {
        if (reader.number == 3)
            *ret_revision = (gint64)reader.value;
    }
    return is_complete(&reader);
}

gboolean etcd_wire_range(const guint8 *data, gsize size, GArray *kvs, gint64 *ret_revision, gboolean *ret_more)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    *ret_revision = 0;
    *ret_more = FALSE;
    while (api_wire_next(&reader)) {
        EtcdKv kv;
        if (reader.number == 1 && reader.wire_type == WIRE_BYTES) {
            if (!etcd_wire_header(reader.data, reader.size, ret_revision))
                return FALSE;
        } else if (reader.number == 2 && reader.wire_type == WIRE_BYTES) {
            if (!etcd_wire_kv(reader.data, reader.size, &kv))
                return FALSE;
            g_array_append_val(kvs, kv);
        } else if (reader.number == 3) {
            *ret_more = reader.value != 0;
        }
    }
    return is_complete(&reader);
}

/* One ResponseOp that holds a nested transaction's answer. */
static gboolean nested_succeeded(const guint8 *data, gsize size, gboolean *ret_succeeded)
{
    static const guint8 response_txn[] = {4, 0};
    gint64 revision;
    return api_wire_find(data, size, response_txn, &data, &size) &&
           etcd_wire_txn(data, size, &revision, ret_succeeded, 1);
}

gboolean etcd_wire_txn(const guint8 *data, gsize size, gint64 *ret_revision, gboolean *succeeded, guint n)
{
    ApiWireReader reader;
    guint responses = 0;
    api_wire_reader_init(&reader, data, size);
    *ret_revision = 0;
    if (n == 1)
        succeeded[0] = FALSE;
    while (api_wire_next(&reader)) {
        if (reader.number == 1 && reader.wire_type == WIRE_BYTES) {
            if (!etcd_wire_header(reader.data, reader.size, ret_revision))
                return FALSE;
        } else if (reader.number == 2 && n == 1) {
            succeeded[0] = reader.value != 0;
        } else if (reader.number == 3 && n > 1) {
            if (responses == n || !nested_succeeded(reader.data, reader.size, &succeeded[responses++]))
                return FALSE;
        }
    }
    return is_complete(&reader) && (n == 1 || responses == n);
}

static gboolean wire_event(const guint8 *data, gsize size, EtcdEvent *ret)
{
    ApiWireReader reader;
    gboolean found = FALSE;
    api_wire_reader_init(&reader, data, size);
    ret->deleted = FALSE;
    while (api_wire_next(&reader)) {
        if (reader.number == 1)
            ret->deleted = reader.value == 1;
        else if (reader.number == 2 && reader.wire_type == WIRE_BYTES)
            found = etcd_wire_kv(reader.data, reader.size, &ret->kv);
    }
    return is_complete(&reader) && found;
}

gboolean etcd_wire_watch(const guint8 *data, gsize size, EtcdWatchReply *ret, GArray *events)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    *ret = (EtcdWatchReply){0};
    while (api_wire_next(&reader)) {
        EtcdEvent event;
        switch (reader.number) {
        case 1:
            if (reader.wire_type != WIRE_BYTES || !etcd_wire_header(reader.data, reader.size, &ret->revision))
                return FALSE;
            break;
        case 3:
            ret->created = reader.value != 0;
            break;
        case 4:
            ret->canceled = reader.value != 0;
            break;
        case 5:
            ret->compact_revision = (gint64)reader.value;
            break;
        case 7:
            ret->fragment = reader.value != 0;
            break;
        case 11:
            if (reader.wire_type != WIRE_BYTES || !wire_event(reader.data, reader.size, &event))
                return FALSE;
            g_array_append_val(events, event);
            break;
        default:
            break;
        }
    }
    return is_complete(&reader);
}
