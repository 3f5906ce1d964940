/* A work queue of keys: each key waits at most once, is worked on by one at a time, and is retried after its own back-off.
 * Belongs to the thread of <context>. */
#pragma once

#include <glib.h>

typedef struct ClientQueue ClientQueue;

/* Starts work on <key>; the work is over when client_queue_done() is called, now or later. */
typedef void (*ClientQueueWork)(ClientQueue *queue, const char *key, gpointer data);

/* At most <concurrency> keys are in work. context NULL: the default one. */
ClientQueue *client_queue_new(GMainContext *context, guint concurrency, ClientQueueWork work, gpointer data);
void client_queue_free(ClientQueue *queue);
/* Adds a key; no effect if it waits already. If it is in work it is worked on once more afterwards. */
void client_queue_add(ClientQueue *queue, const char *key);
/* The same after <ms>; the earliest of several delays counts. Does not disturb a key that waits. */
void client_queue_add_after(ClientQueue *queue, const char *key, guint ms);
/* ok: forget the key's failures. Otherwise try again after 5 ms * 2^failures, at most 60 s. */
void client_queue_done(ClientQueue *queue, const char *key, gboolean ok);
/* How often <key> has failed in a row. */
guint client_queue_failures(const ClientQueue *queue, const char *key);
/* Keys waiting (not delayed) and in work. */
guint client_queue_length(const ClientQueue *queue);
