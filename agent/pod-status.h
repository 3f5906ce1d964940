/* A pod's status from what the runtime tells. Pure: the same input gives the same status, byte for byte. */
#pragma once

#include "agent/run.h"
#include "cleat/core/v1/core.pb-c.h"

/* One container of the pod as the agent sees it. All borrowed. */
typedef struct {
    const Core__V1__Container *spec;
    gboolean init;
    gboolean done;              /* init: has succeeded, also if the runtime has forgotten its run */
    const Run *current;         /* the newest run; NULL: none yet */
    const Run *previous;        /* the one before; NULL: none, or forgotten */
    gboolean restarting;        /* current is over and will be followed by another run */
    const char *waiting_reason; /* while nothing runs; NULL: ContainerCreating or PodInitializing */
    const char *waiting_message;
} StatusSlot;

typedef struct {
    const Core__V1__Pod *pod; /* with its last known status: conditions of others and transition times are kept */
    const StatusSlot *slots;  /* init containers in order, then containers in order */
    gsize n_slots;
    gboolean sandbox_ready;
    const char *const *pod_ips; /* NULL-terminated; may be NULL */
    const char *host_ip;
    const char *runtime_name;  /* "containerd" */
    gboolean terminal;         /* the pod runs no more and never will again: its phase is Succeeded or Failed */
    const char *failed_reason; /* the agent made it fail: "DeadlineExceeded"; NULL: it did not */
    const char *failed_message;
    gint64 start_ns; /* when the agent took the pod up */
    gint64 now_ns;
} StatusInput;

/* New message. */
Core__V1__PodStatus *pod_status_compute(const StatusInput *input);

/* Whether a status says that the pod has ended for good. */
gboolean pod_status_is_terminal(const Core__V1__PodStatus *status);
