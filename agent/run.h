/* One run of a container as the runtime tells of it: the part of a CRI ContainerStatus that the agent keeps. */
#pragma once

#include "foreign/cri/runtime.pb-c.h"
#include "lib/api/object.h"

typedef enum { RUN_CREATED, RUN_RUNNING, RUN_EXITED, RUN_UNKNOWN } RunState; /* as in the CRI */

typedef struct {
    char *id;
    char *container;  /* its name in the pod */
    char *sandbox_id; /* the sandbox it was made in; NULL: not told */
    guint restarts;   /* how often the container had been started before */
    guint failures;   /* back-off: starts in a row before this one that ended early */
    char *hash;       /* of what was asked for (pod-config.h); "": not known */
    RunState state;
    gint64 created_ns; /* wall clock; 0: not yet */
    gint64 started_ns;
    gint64 finished_ns;
    int exit_code;
    char *reason; /* "Completed", "Error", "OOMKilled", ...; may be "" */
    char *message;
    char *image;
    char *image_ref;

    /* What the pod's state machine knows beyond the runtime. */
    gint64 stop_until; /* asked to stop: when it will be killed (monotonic us); 0: not asked */
    gboolean stopping; /* a StopContainer is under way */
    guint exit_checks; /* its exit was told and its status is awaited: how often that was asked for */
    gint64 check_at;   /* when to ask again (monotonic us); 0: not */
} Run;

Run *run_new(const Runtime__V1__ContainerStatus *status, const char *sandbox_id);
void run_free(Run *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

/* Ended for good: exited, or in a state that the runtime cannot tell. */
gboolean run_is_over(const Run *run);
gboolean run_is_alive(const Run *run); /* created or running */
