/* One pod on this node: an explicit state machine, moved by changes of its object, by what the runtime tells, and by timers.
 * It belongs to the agent's loop; nothing in it waits, so no pod holds up another. See docs/agent.md for the states. */
#pragma once

#include "agent/cgroup.h"
#include "agent/config.h"
#include "agent/images.h"
#include "agent/node-facts.h"
#include "agent/objects.h"
#include "agent/runtime.h"
#include "client/events.h"

typedef struct Pod Pod;

/* What all pods share. Borrowed from the agent, which outlives them. */
typedef struct {
    const AgentConfig *config;
    const NodeFacts *facts;
    Client *client;
    ClientEvents *events;
    Cri *cri;
    Runtime *runtime;
    Images *images;
    Objects *objects;
    CgroupTree *cgroups;
    const Runtime__V1__DNSConfig *node_dns;
    void (*changed)(Pod *pod, gpointer data); /* a container of it started or ended */
    void (*gone)(Pod *pod, gpointer data);    /* nothing of it is left: forget it */
    gpointer data;
} PodEnv;

/* A pod of which only the names are known; namespace_ and name may be NULL. It does nothing before pod_listed(). */
Pod *pod_new(const PodEnv *env, const char *uid, const char *namespace_, const char *name);
Pod *pod_ref(Pod *pod);
void pod_unref(Pod *pod);
/* Stops following it, whatever it is doing: containers go on. For the end of the agent. */
void pod_detach(Pod *pod);

const char *pod_uid(const Pod *pod);
const char *pod_namespace(const Pod *pod);
const char *pod_name(const Pod *pod);
const Core__V1__Pod *pod_object(const Pod *pod); /* NULL: none was seen; borrowed */
const char *pod_state_name(const Pod *pod);      /* for messages; static */

/* Its object came or changed. Borrowed until the next call or pod_object_gone(). */
void pod_set_object(Pod *pod, const Core__V1__Pod *object);
/* There is no (longer an) object: everything of it goes. */
void pod_object_gone(Pod *pod);

/* What the runtime has of it, all of it, as of <asked> (monotonic us). Borrowed. */
void pod_listed(Pod *pod, Runtime__V1__PodSandbox *const *sandboxes, gsize n_sandboxes,
                Runtime__V1__Container *const *containers, gsize n_containers, gint64 asked);
/* Whether <id> is one of its sandboxes or containers. */
gboolean pod_has_id(const Pod *pod, const char *id);
/* The runtime told of <id>; exited: its process ended. */
void pod_runtime_changed(Pod *pod, const char *id, gboolean exited);
/* Something that it may be waiting for has changed: look again soon. */
void pod_wake(Pod *pod);

/* The folder for logs of its containers. Borrowed. */
const char *pod_log_dir(const Pod *pod);
/* A container for readers of its log: the run whose log is meant (previous: the one before). NULL with a message for users
 * when there is none: *ret_why (new string). *ret_alive: it may still write. */
char *pod_log_path(const Pod *pod, const char *container, gboolean previous, gboolean *ret_alive, char **ret_why);
