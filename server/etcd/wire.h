/* Reading etcd's answers without copying them: scanners over the encoded bytes. */
#pragma once

#include "server/etcd/client.h"

/* mvccpb.KeyValue. FALSE on malformed bytes. */
gboolean etcd_wire_kv(const guint8 *data, gsize size, EtcdKv *ret);
/* ResponseHeader.revision. */
gboolean etcd_wire_header(const guint8 *data, gsize size, gint64 *ret_revision);
/* RangeResponse; *kvs (of EtcdKv) point into data. */
gboolean etcd_wire_range(const guint8 *data, gsize size, GArray *kvs, gint64 *ret_revision, gboolean *ret_more);
/* TxnResponse; succeeded gets the outcome of the transaction itself (n == 1), or of each of the n nested in it. */
gboolean etcd_wire_txn(const guint8 *data, gsize size, gint64 *ret_revision, gboolean *succeeded, guint n);

typedef struct {
    EtcdKv kv;
    gboolean deleted; /* kv.value is empty then */
} EtcdEvent;

typedef struct {
    gint64 revision;
    gint64 compact_revision;
    gboolean created, canceled, fragment;
} EtcdWatchReply;

/* WatchResponse; its events are appended to events (of EtcdEvent). */
gboolean etcd_wire_watch(const guint8 *data, gsize size, EtcdWatchReply *ret, GArray *events);
