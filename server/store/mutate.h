/* Writing: read the present state from the cache, decide what to make of it, commit that in one etcd transaction on condition
 * that nothing has changed meanwhile; if something has, decide again on the newer state.
 *
 * What the cache holds may be a little old. A decision to write is safe all the same, as etcd checks its condition. A decision
 * not to write (an error, or nothing to do) is taken again on a state that is known to be no older than the request, so
 * that nobody is refused because of what was true once. */
#pragma once

#include "server/store/store.h"

typedef enum { STORE_KEEP, STORE_PUT, STORE_REMOVE } StoreAction;

/* What a decision wants besides. Made by the functions below. */
typedef struct {
    GBytes *object;  /* PUT: the object's new encoding (taken) */
    GArray *guards;  /* internal */
    GArray *changes; /* internal */
} StoreChange;

/* The write must also fail if this other object has changed since. */
void store_change_require(StoreChange *change, Store *store, const StoreEntry *entry);
/* Takes an item of a range of values, which must be free; owner is written beside it, for people who look into etcd. */
void store_change_claim(StoreChange *change, Store *store, const char *range, const char *item, const char *owner);
/* Gives it back. */
void store_change_release(StoreChange *change, Store *store, const char *range, const char *item);

/* One object of a batch. */
typedef struct {
    const ApiResource *resource; /* set by the caller, like key and data */
    char *key;
    gpointer data;

    /* the outcome */
    GError *error; /* set: nothing was written */
    StoreAction action;
    GBytes *object;    /* PUT: what was written */
    StoreEntry *entry; /* KEEP and REMOVE: the last state, if there was one; PUT: the state before, if any */
    gint64 revision;   /* of the object, or of its removal */

    /* internal */
    gboolean settled, doubted;
    guint tries;
    StoreChange change;
} StoreMutation;

void store_mutation_clear(StoreMutation *mutation);

/* What to do about one object, given its present state (NULL: there is none). Sets *error to refuse. Called again with a newer state
 * when the write was overtaken. No blocking. */
typedef StoreAction (*StoreDecide)(StoreMutation *mutation, const StoreEntry *current, StoreChange *change,
                                   GError **error);

/* Decides and writes n objects with different keys, as few etcd transactions as possible, each object on its own conditions. done is
 * called once, possibly within this call; mutations stays the caller's and must live until then. */
void store_mutate(Store *store, StoreMutation *mutations, guint n, StoreDecide decide, void (*done)(gpointer data),
                  gpointer data);
