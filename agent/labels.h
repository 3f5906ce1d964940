/* Labels and annotations that the agent puts on sandboxes and containers: all it needs to know them again after a restart.
 * Those of Kubernetes keep their names; a sandbox is ours only with our own label for this node. */
#pragma once

#define LABEL_POD_NAME "io.kubernetes.pod.name"
#define LABEL_POD_NAMESPACE "io.kubernetes.pod.namespace"
#define LABEL_POD_UID "io.kubernetes.pod.uid"
#define LABEL_CONTAINER_NAME "io.kubernetes.container.name"
#define LABEL_NODE "cleat.io/node" /* the node's name: whose agent made it */

#define ANNOTATION_HASH "io.kubernetes.container.hash"
#define ANNOTATION_RESTART_COUNT "io.kubernetes.container.restartCount"
#define ANNOTATION_GRACE "io.kubernetes.pod.terminationGracePeriod" /* seconds */
#define ANNOTATION_FAILURES "cleat.io/failures" /* in a row before this start: where the back-off stands */
