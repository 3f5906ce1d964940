/* What one reconcile wants done: a list of steps in stages. A controller's decision logic reads objects and fills a
 * plan; it does no I/O itself, so that it can be tested as a table. controller.c carries plans out.
 *
 * The steps of a stage run side by side; the next stage begins when all of them have succeeded. After a failure no
 * further stage begins, and the key is reconciled again after a back-off. Owned by one thread. */
#pragma once

#include "lib/api/object.h"

typedef struct Plan Plan;

typedef enum {
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_UPDATE_STATUS,
    PLAN_DELETE,
    PLAN_GET,  /* asks the server, not the cache */
    PLAN_LIST, /* the same, all objects of a kind in a namespace */
    PLAN_CALL, /* no I/O: runs <then> when its stage comes */
} PlanVerb;

/* The answer to PLAN_GET or PLAN_LIST (borrowed; one of result and error is NULL), or both NULL for PLAN_CALL. It
 * may add steps to the plan, which run after those planned so far have begun and after this one's stage. An error of
 * PLAN_GET that is NOT_FOUND does not make the plan fail. */
typedef void (*PlanThen)(Plan *plan, const ProtobufCMessage *result, const GError *error, gpointer data);

typedef struct {
    PlanVerb verb;
    guint stage;
    const ApiResource *resource;
    ProtobufCMessage *object; /* what to write; NULL for the other verbs */
    char *namespace_;         /* the object's, "" for cluster-scoped kinds */
    char *name;               /* "" for PLAN_LIST, and for an object that gets its name from generateName */
    char *uid;                /* PLAN_DELETE: only the object with this uid; NULL: any */
    const char *propagation; /* PLAN_DELETE: static, "Background", "Foreground" or "Orphan"; NULL: the kind's default */
    gint64 grace_s;          /* PLAN_DELETE: seconds; -1: the object's own */
    PlanThen then;
    gpointer data; /* for then; borrowed */
    /* Events about the plan's subject. A success message that ends in ": " gets the name of the written object. */
    const char *event_reason; /* static; NULL: none */
    char *event_message;      /* NULL: none */
    gboolean event_is_warning;
    const char *failure_reason; /* static; NULL: none. The message is the error. */
} PlanStep;

struct Plan {
    GPtrArray *steps;          /* PlanStep*, in ascending order of stage */
    guint stage;               /* of the next step */
    gint64 now_ns;             /* the wall clock when the reconcile began */
    gint64 after_ns;           /* reconcile again after so long even if nothing changes; -1: not */
    ProtobufCMessage *subject; /* whom events are about; NULL: none */
    gpointer data;             /* the controller's, shared by the callbacks of this plan */
    GDestroyNotify free_data;
};

Plan *plan_new(gint64 now_ns);
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

/* All of these return the new step, owned by the plan, for adornment. Objects to write are taken over. */
PlanStep *plan_create(Plan *plan, gpointer object);
PlanStep *plan_update(Plan *plan, gpointer object);
PlanStep *plan_update_status(Plan *plan, gpointer object);
PlanStep *plan_delete(Plan *plan, gconstpointer object);
PlanStep *plan_get(Plan *plan, const ApiResource *resource, const char *namespace_, const char *name, PlanThen then,
                   gpointer data);
PlanStep *plan_list(Plan *plan, const ApiResource *resource, const char *namespace_, PlanThen then, gpointer data);
PlanStep *plan_call(Plan *plan, PlanThen then, gpointer data);

/* What follows waits until all that was planned so far has succeeded. */
void plan_barrier(Plan *plan);
/* For whoever carries the plan out: before the <then> of a step that has ended. */
void plan_continue(Plan *plan, const PlanStep *step);
/* Reconcile again in <ns>; the earliest of several counts. What is negative counts as 0. */
void plan_after(Plan *plan, gint64 ns);
/* The same at a wall-clock time. */
void plan_at(Plan *plan, gint64 time_ns);

/* Events: about whom (copied), and what a step says when it has succeeded or failed. */
void plan_set_subject(Plan *plan, gconstpointer object);
void plan_step_event(PlanStep *step, const char *reason, const char *format, ...) G_GNUC_PRINTF(3, 4);
void plan_step_failure_event(PlanStep *step, const char *reason);

/* Creates objects[0..n) in batches of 1, 2, 4, ...: when creating fails, for example for a quota, few requests are
 * in vain. Takes the objects over. Each step is adorned with the two event reasons and the success message. */
void plan_create_slowly(Plan *plan, GPtrArray *objects, const char *event_reason, const char *event_message,
                        const char *failure_reason);
