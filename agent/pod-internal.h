/* Inside the pod's state machine; for agent/pod-*.c only. */
#pragma once

#include "agent/pod.h"
#include "agent/run.h"
#include "lib/base/backoff.h"

/* ADOPT -> SETUP -> SANDBOX <-> RUN -> STOP -> END (terminal, object stays) -> REMOVE -> CLEAN -> DELETE -> GONE.
 * STOP can be reached from every state before it. */
typedef enum {
    POD_ADOPT,   /* what the runtime has of it is not known yet, or whether it should be */
    POD_SETUP,   /* folders, volumes, cgroups */
    POD_SANDBOX, /* a sandbox is made, or replaced */
    POD_RUN,     /* init containers in order, then all containers */
    POD_STOP,    /* containers are stopped */
    POD_END,     /* it has ended; its sandbox is stopped, containers and logs stay until the object goes */
    POD_REMOVE,  /* sandboxes and containers are removed */
    POD_CLEAN,   /* volumes, folders, cgroups are removed */
    POD_DELETE,  /* the object is deleted for good */
    POD_GONE,
    POD_STATE_MAX_,
} PodState;

typedef struct {
    char *id;
    guint attempt;
    gboolean ready;
    gint64 created_ns;
    char **ips;        /* NULL: not asked yet */
    gboolean asking;   /* PodSandboxStatus is under way */
    gboolean stopped;  /* StopPodSandbox has succeeded since the agent started */
    gboolean removing; /* a call that ends it is under way */
    guint exit_checks; /* as for a Run */
    gint64 check_at;
    char *grace; /* seconds, as annotated; NULL: none */
} Sandbox;

typedef enum {
    SLOT_IDLE,   /* no call is under way */
    SLOT_IMAGE,  /* making sure of the image */
    SLOT_CREATE, /* CreateContainer */
    SLOT_START,  /* StartContainer and the status after it */
} SlotState;

/* The place of one container of the spec. */
typedef struct {
    Pod *pod;
    const Core__V1__Container *spec; /* borrowed from the object; set again when that changes */
    gboolean init;
    SlotState state;
    Run *current; /* borrowed from pod->runs */
    Run *previous;
    gboolean done;       /* init: it has succeeded in this sandbox */
    guint next_restarts; /* the restart count of the next run when there is no current one */
    gint64 retry_at;     /* monotonic us: no earlier start; 0: at once */
    gint64 notice_at;    /* when ErrImagePull becomes ImagePullBackOff; 0: no */
    Backoff errors;      /* of what fails before a container is there */
    char *reason;        /* why it waits; NULL: nothing special */
    char *message;
    gint64 told_backoff; /* finished_ns of the run whose back-off was told as an event */
} Slot;

struct Pod {
    const PodEnv *env;
    int refs;
    gboolean detached;
    PodState state;
    char *uid, *namespace_, *name;
    char *dir;     /* <root>/pods/<uid> */
    char *log_dir; /* NULL: names not known */

    const Core__V1__Pod *object; /* borrowed from the cache, or own */
    Core__V1__Pod *own;          /* a copy kept after the object went */
    gboolean object_gone;
    ObjectsHold *hold;
    gint64 start_ns; /* wall clock: taken up by this agent */

    gboolean listed;      /* the runtime's view has been read once */
    GPtrArray *sandboxes; /* Sandbox*, owned */
    GPtrArray *runs;      /* Run*, owned */
    GPtrArray *slots;     /* Slot*, owned: init containers, then containers, in order */
    guint calls;          /* CRI calls under way */
    gint64 touched;       /* monotonic us: the last CRI call began or ended */
    gboolean refreshing;  /* a listing, or the reads that it led to, are under way */
    guint fetching;       /* those reads */
    gint64 refresh_at;    /* monotonic us: when to list again; 0: no need */
    gboolean stale;       /* the view is being read and not fit to act on */

    gboolean set_up;
    gboolean ended;            /* every container has ended for good */
    gboolean stopped;          /* nothing of it runs, nor will */
    gboolean released;         /* END: volumes and cgroups are gone */
    const char *failed_reason; /* static; NULL: the agent has not made it fail */
    const char *failed_message;
    gboolean making_sandbox; /* RunPodSandbox is under way */
    gint64 retry_at;         /* of the state at hand */
    Backoff errors;          /* likewise */
    gboolean verified;       /* REMOVE: a listing showed nothing left */
    guint removals;          /* CLEAN: folders under way */
    gboolean removed;        /* CLEAN: they are gone */
    guint cgroup_tries;
    gboolean deleting; /* DELETE: the call is under way */

    gboolean reporting;    /* an UpdateStatus (or a Get after a conflict) is under way */
    Core__V1__Pod *latest; /* newer than the cache's object; NULL: the cache is current */
    gint64 report_at;      /* monotonic us: not before; 0: at once */
    Backoff report_errors;

    GSource *idle;  /* a step is due */
    GSource *timer; /* wakes it at wake_at */
    gint64 wake_at; /* monotonic us; 0: no timer */
};

/* --- pod.c ---*/
/* Wakes the pod at <when> (monotonic us), if nothing does earlier. */
void pod_wake_at(Pod *pod, gint64 when);
gboolean pod_should_run(Pod *pod);
gboolean pod_is_deleted(const Pod *pod); /* the object is gone or is to go */
gint64 pod_grace_s(const Pod *pod);
void pod_event(Pod *pod, const char *type, const char *reason, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* A CRI call for the pod; <id> is handed on (copied). done is not called once the pod is detached. */
typedef void (*PodReply)(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error);
void pod_call(Pod *pod, CriMethod method, const ProtobufCMessage *request, gint64 extra_ms, const char *id,
              PodReply done);
/* The wait after a failure in this state, from 1 to 10 s. */
void pod_retry_later(Pod *pod);

/* --- pod-sync.c: the runtime's view ---*/
/* Does the reading that is due. FALSE while the view is not fit to act on. */
gboolean pod_sync(Pod *pod);
void pod_refresh(Pod *pod);                       /* lists and reads it again */
void pod_fetch_run(Pod *pod, const char *id);     /* ContainerStatus */
void pod_fetch_sandbox(Pod *pod, const char *id); /* PodSandboxStatus */
Run *pod_find_run(const Pod *pod, const char *id);
Run *pod_add_run(Pod *pod, Run *run); /* takes it; replaces one of the same id */
void pod_drop_run(Pod *pod, const char *id);
Sandbox *pod_find_sandbox(const Pod *pod, const char *id);
Sandbox *pod_add_sandbox(Pod *pod, const char *id, guint attempt, gboolean ready, gint64 created_ns);
void pod_drop_sandbox(Pod *pod, const char *id); /* and the runs in it */
Sandbox *pod_ready_sandbox(const Pod *pod);      /* the newest that is ready, or NULL */
void sandbox_free(gpointer sandbox);

/* --- pod-sandbox.c, pod-stop.c ---*/
/* The configuration that the sandbox of that attempt was or is made with. New message. */
Runtime__V1__PodSandboxConfig *pod_sandbox_config(Pod *pod, guint attempt);
/* Asks a running container to end within grace_s; a second call can only shorten that. */
void pod_stop_run(Pod *pod, Run *run, gint64 grace_s);
void pod_stop_sandbox(Pod *pod, Sandbox *sandbox);
void pod_remove_run(Pod *pod, const Run *run); /* and its log */
void pod_remove_sandbox(Pod *pod, Sandbox *sandbox);

/* --- pod-slot.c: containers ---*/
void slot_free(gpointer slot);
void pod_make_slots(Pod *pod);                 /* from the object's spec */
void pod_assign_runs(Pod *pod);                /* current and previous of every slot */
gboolean slot_wants_run(const Slot *slot);     /* it has not ended for good */
gboolean slot_is_restarting(const Slot *slot); /* its current run is over and will be followed by another */
void slot_step(Slot *slot, Sandbox *sandbox);
void slot_set_reason(Slot *slot, const char *reason, const char *message);
void slot_event(Slot *slot, const char *type, const char *reason, const char *format, ...) G_GNUC_PRINTF(4, 5);
gint64 slot_backoff_s(guint failures); /* pause before the next start after that many failures */

Slot *pod_slot_named(const Pod *pod, const char *name); /* NULL: no such container */

/* --- pod-message.c ---*/
/* Makes the file for the message of the run that is to begin and adds its mount. */
gboolean pod_message_mount(Slot *slot, guint restarts, GPtrArray *mounts, GError **error);
void pod_message_fill(Pod *pod, Run *run); /* of a run that is over */
void pod_message_remove(const Pod *pod, const Run *run);

/* --- the states: each does what can be done and returns the state to be in ---*/
PodState pod_step_adopt(Pod *pod);
PodState pod_step_setup(Pod *pod);
PodState pod_step_sandbox(Pod *pod);
PodState pod_step_run(Pod *pod);
PodState pod_step_stop(Pod *pod);
PodState pod_step_end(Pod *pod);
PodState pod_step_remove(Pod *pod);
PodState pod_step_clean(Pod *pod);
PodState pod_step_delete(Pod *pod);

/* --- pod-report.c ---*/
/* Writes the status if it is not what the object says. */
void pod_report(Pod *pod);
/* Whether the last status has arrived (or there is no object to write it to). */
gboolean pod_report_is_settled(Pod *pod);
/* The pod's addresses: of its sandbox, of the node for host network, or as last reported. New, NULL-terminated. */
char **pod_addresses(const Pod *pod);
