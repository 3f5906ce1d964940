/* Threads that do what must leave the thread that applies events: sends to watchers, answers to readers that waited. */
#pragma once

#include <glib.h>

/* Embedded in what has work to do; in the queue at most once at a time. */
typedef struct StoreJob StoreJob;
struct StoreJob {
    StoreJob *next;
    void (*run)(StoreJob *job);
};

/* First in, first out. Not thread-safe: for collecting jobs before they are handed over. */
typedef struct {
    StoreJob *first, **last; /* last: where the next one is hooked; NULL while empty */
} StoreJobList;
void store_job_list_add(StoreJobList *list, StoreJob *job);

typedef struct StorePump StorePump;
StorePump *store_pump_new(guint threads);
/* Runs what is queued, then stops the threads. Not from a job. */
void store_pump_free(StorePump *pump);
/* Queues all jobs of a list, in order, and empties it. Any thread. */
void store_pump_push(StorePump *pump, StoreJobList *list);
