#include "server/store/ring.h"

#define CAPACITY_FIRST 64
#define KEEP_AT_LEAST 64 /* events, however big */

static StoreEvent *slot(const StoreRing *ring, guint64 number)
{
    return &ring->events[number & (ring->capacity - 1)];
}

static void drop_first(StoreRing *ring)
{
    StoreEvent *event = slot(ring, ring->first);
    ring->since = event->revision;
    if (event->old)
        ring->bytes -= store_entry_size(event->old);
    store_entry_unref(event->entry);
    store_entry_unref(event->old);
    ring->first++;
}

void store_ring_reset(StoreRing *ring, gint64 revision)
{
    while (ring->first < ring->end)
        drop_first(ring);
    ring->since = revision;
}

void store_ring_done(StoreRing *ring)
{
    store_ring_reset(ring, 0);
    g_clear_pointer(&ring->events, g_free);
    ring->capacity = 0;
}

static void grow(StoreRing *ring)
{
    StoreRing bigger = *ring;
    bigger.capacity = ring->capacity ? ring->capacity * 2 : CAPACITY_FIRST;
    bigger.events = g_new(StoreEvent, bigger.capacity);
    for (guint64 number = ring->first; number < ring->end; number++)
        *slot(&bigger, number) = *slot(ring, number);
    g_free(ring->events);
    *ring = bigger;
}

void store_ring_push(StoreRing *ring, gint64 revision, StoreEntry *entry, StoreEntry *old)
{
    if (ring->end - ring->first == ring->capacity) {
        if (ring->capacity < STORE_RING_MAX_EVENTS)
            grow(ring);
        else
            drop_first(ring);
    }
    *slot(ring, ring->end++) = (StoreEvent){
        .revision = revision,
        .entry = entry ? store_entry_ref(entry) : NULL,
        .old = old ? store_entry_ref(old) : NULL,
    };
    if (old)
        ring->bytes += store_entry_size(old);
    while (ring->bytes > STORE_RING_MAX_BYTES && ring->end - ring->first > KEEP_AT_LEAST)
        drop_first(ring);
}

const StoreEvent *store_ring_get(const StoreRing *ring, guint64 number)
{
    g_assert(number >= ring->first && number < ring->end);
    return slot(ring, number);
}

gboolean store_ring_find(const StoreRing *ring, gint64 revision, guint64 *ret_number)
{
    if (revision < ring->since)
        return FALSE;
    guint64 low = ring->first, high = ring->end;
    while (low < high) {
        guint64 middle = low + (high - low) / 2;
        if (slot(ring, middle)->revision > revision)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_number = low;
    return TRUE;
}
