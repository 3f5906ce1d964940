/* Pods that have no node yet. A pod is in one of three places:
 *   active   ready to be tried: highest priority first, then the oldest
 *   back-off tried and not placed; ready again at a time of its own (1 s, doubled per attempt, at most 10 s)
 *   waiting  fits nowhere: until one of the events comes that may help, or 5 minutes
 * Times are monotonic us, given by the caller, so that the queue has no clock. Belongs to one thread. */
#pragma once

#include "scheduler/engine.h"

typedef struct SchedQueue SchedQueue;

SchedQueue *sched_queue_new(void);
void sched_queue_free(SchedQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedQueue, sched_queue_free)

/* Adds a pod as active; takes it over. One of the same key is replaced, wherever it was. */
void sched_queue_add(SchedQueue *queue, SchedPod *pod);
/* Forgets a pod. No effect if unknown. */
void sched_queue_remove(SchedQueue *queue, const char *key);
gboolean sched_queue_has(const SchedQueue *queue, const char *key);

/* The next pod to try, given over to the caller, who counts the attempt by giving it back. NULL: none is active. */
SchedPod *sched_queue_pop(SchedQueue *queue);
/* Back after an attempt that failed for a reason of its own (a bind that did not go through): back-off. Takes it over. */
void sched_queue_retry(SchedQueue *queue, SchedPod *pod, gint64 now);
/* Back because it fits nowhere: waits for one of <events> (SchedEvent). Takes it over. */
void sched_queue_wait(SchedQueue *queue, SchedPod *pod, guint events, gint64 now);

/* Something happened: pods that wait for it become active, or go to back-off if they were tried too recently. */
void sched_queue_wake(SchedQueue *queue, guint events, gint64 now);
/* Makes active what is due by now. Returns when the next will be, or -1 if nothing is waiting for a time. */
gint64 sched_queue_flush(SchedQueue *queue, gint64 now);

guint sched_queue_active(const SchedQueue *queue);
guint sched_queue_size(const SchedQueue *queue);
