/* The cgroups of pods: <root>/<class>/pod<uid> in every v1 hierarchy, or in the one v2 tree. All calls are local, short
 * file operations. */
#pragma once

#include "agent/resources.h"

typedef struct CgroupTree CgroupTree;

/* Finds the hierarchies mounted at <mount> ("/sys/fs/cgroup"). root: where ours begin, "/cleat/node-1".
 * Errors: UNAVAILABLE when there is no cgroup file system. */
CgroupTree *cgroup_tree_new(const char *mount, const char *root, GError **error);
/* For given hierarchies (folders, NULL-terminated). */
CgroupTree *cgroup_tree_new_at(const char *const *hierarchies, gboolean v2, const char *root);
void cgroup_tree_free(CgroupTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupTree, cgroup_tree_free)
gboolean cgroup_tree_is_v2(const CgroupTree *tree);

/* "/cleat/node-1/burstable/pod<uid>". New string. */
char *cgroup_pod_path(const CgroupTree *tree, QosClass qos, const char *uid);

/* Makes the folders of the classes with their limits. Errors: INTERNAL naming the file. */
gboolean cgroup_setup(CgroupTree *tree, GError **error);
/* Makes the folder of a pod and sets its limits; harmless if it exists. Errors: INTERNAL naming the file. */
gboolean cgroup_pod_create(CgroupTree *tree, const char *path, const PodLimits *limits, GError **error);
/* Removes a pod's folders bottom-up, killing what still runs in them. FALSE: something is still there, try again soon. */
gboolean cgroup_pod_remove(CgroupTree *tree, const char *path);
/* All paths of pods that exist. New array of new strings. */
GPtrArray *cgroup_list_pods(const CgroupTree *tree);
/* The uid in a path, or NULL. Borrowed from path. */
const char *cgroup_path_uid(const char *path);
