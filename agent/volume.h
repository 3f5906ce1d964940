/* Volumes of a pod on the node: emptyDir (disk and memory) and hostPath. One row per kind in volume.c: to add a kind, add
 * a row. All calls are local, short file operations. */
#pragma once

#include <glib.h>

#include "cleat/core/v1/core.pb-c.h"
#include "foreign/cri/runtime.pb-c.h"

/* Makes the pod's volumes ready below <pod_dir>; harmless when they are. Errors: INVALID for a volume that cannot be (the
 * message names it), INTERNAL naming the file. */
gboolean volumes_prepare(const Core__V1__Pod *pod, const char *pod_dir, GError **error);

/* The container's mounts of volumes, in order. New array of owned Runtime__V1__Mount*. Errors: INVALID naming the mount. */
GPtrArray *volumes_mounts(const Core__V1__Pod *pod, const Core__V1__Container *container, const char *pod_dir,
                          GError **error);

/* Unmounts what volumes_prepare() mounted below <pod_dir>, so that the folder can be removed. */
void volumes_release(const char *pod_dir);

Runtime__V1__Mount *mount_new(const char *container_path, const char *host_path, gboolean readonly);
