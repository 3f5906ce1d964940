/* The last events of one resource, in order. Not thread-safe: its cache's lock guards it. */
#pragma once

#include "server/store/entry.h"

#define STORE_RING_MAX_EVENTS 16384
#define STORE_RING_MAX_BYTES (16 * 1024 * 1024) /* of states that only the ring still holds */

/* One change. entry NULL: deleted; old NULL: created. */
typedef struct {
    gint64 revision;
    StoreEntry *entry;
    StoreEntry *old;
} StoreEvent;

/* Events are numbered from 0 for ever; the ring holds [first, end). */
typedef struct {
    StoreEvent *events; /* number n lies at n % capacity */
    guint capacity;     /* a power of two, or 0 */
    guint64 first, end;
    gint64 since; /* the ring holds every event after this revision */
    gsize bytes;  /* memory of the old states */
} StoreRing;

void store_ring_done(StoreRing *ring);
/* Empties it: nothing up to <revision> is known any more. Event numbers go on. */
void store_ring_reset(StoreRing *ring, gint64 revision);
/* Takes references of its own; drops the oldest events when there are too many. */
void store_ring_push(StoreRing *ring, gint64 revision, StoreEntry *entry, StoreEntry *old);
const StoreEvent *store_ring_get(const StoreRing *ring, guint64 number); /* borrowed; first <= number < end */
/* The number of the first event after <revision>; end if there is none yet. FALSE if some of them are gone. */
gboolean store_ring_find(const StoreRing *ring, gint64 revision, guint64 *ret_number);
