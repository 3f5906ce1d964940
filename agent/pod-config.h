/* From a PodSpec to what the runtime is asked to make. Pure: what the node contributes is handed in. */
#pragma once

#include "agent/env.h"
#include "agent/resources.h"
#include "foreign/cri/runtime.pb-c.h"

typedef struct {
    const char *node_name;
    const char *log_directory; /* of the pod */
    const char *cgroup_parent;
    const Runtime__V1__DNSConfig *dns;
    guint attempt;
} SandboxInput;

/* New message. The same pod, input and attempt give the same configuration, as CreateContainer needs it again. */
Runtime__V1__PodSandboxConfig *sandbox_config_new(const Core__V1__Pod *pod, const SandboxInput *input);

typedef struct {
    const char *node_name;
    const char *image; /* what the runtime calls the image that was made sure of */
    EnvVars *env;
    const GPtrArray *mounts; /* of Runtime__V1__Mount*, borrowed; copied */
    gint64 node_memory;      /* bytes */
    guint restarts;
    guint failures;
} ContainerInput;

/* New message. */
Runtime__V1__ContainerConfig *container_config_new(const Core__V1__Pod *pod, const Core__V1__Container *container,
                                                   const ContainerInput *input);

/* What of a container's spec makes it another container: its name and image. New string. */
char *container_hash(const Core__V1__Container *container);

/* The user that the container would run as: its own, its pod's, or the image's (-1: not told). Errors: INVALID when it may
 * not be root and would be, or that cannot be told (user_name: of the image; may be NULL or ""). */
gboolean container_check_non_root(const Core__V1__Pod *pod, const Core__V1__Container *container, gint64 image_user,
                                  const char *user_name, GError **error);
