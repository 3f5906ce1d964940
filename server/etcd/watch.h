/* One watch over etcd's whole keyspace: one ordered log of all changes, resumed by itself after disconnections and leader
 * changes so that no event is lost or told twice.
 *
 * Watching everything, not only our prefix, gives an event for each revision that etcd makes: the revision of the last event is
 * then the revision up to which everything is known, without asking for progress notifications. */
#pragma once

#include "server/etcd/wire.h"

typedef struct EtcdWatch EtcdWatch;

/* Called one at a time, in order, on polling threads (timers: the default main context). */
typedef struct {
    /* All events of one or several whole revisions, in order. Everything is borrowed. */
    void (*events)(const EtcdEvent *events, guint n, gpointer data);
    /* etcd no longer has what follows the last event: the watch is over. Read everything again and start another. */
    void (*compacted)(gpointer data);
    /* It follows etcd (error NULL), or why not; tried again by itself. Told at each change. */
    void (*state)(const GError *error, gpointer data);
} EtcdWatchHandlers;

/* Starts with the event after <revision>. */
EtcdWatch *etcd_watch_new(EtcdClient *client, gint64 revision, const EtcdWatchHandlers *handlers, gpointer data);
/* No handler runs after this has returned. Not inside a handler, except compacted(). NULL is allowed. */
void etcd_watch_free(EtcdWatch *watch);
