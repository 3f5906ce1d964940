/* The node controllers.
 *   node        watches the heartbeats: what is silent for the grace period is lost. Conditions, taints, readiness of
 *   its pods.
 *   node-evict  deletes pods that do not tolerate a NoExecute taint of their node, or no longer.
 *   node-ipam   gives each node its share of the cluster's pod addresses. */
#pragma once

#include "cleat/coordination/v1/coordination.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "controllers/controller.h"
#include "controllers/pods.h"

extern const ControllerRow node_controller;
extern const ControllerRow node_evict_controller;
extern const ControllerRow node_ipam_controller;

typedef Core__V1__Node Node;

const Core__V1__NodeCondition *node_condition(const Node *node, const char *type); /* NULL if absent; borrowed */
/* The status of condition Ready: "True", "False" or "Unknown"; "" for a node that never said. Borrowed. */
const char *node_ready(const Node *node);

/* --- node --- */

/* How bad it is in a zone (nodes with the same label topology.kubernetes.io/zone). When very many nodes vanish at
 * once, the fault is more likely here than there, and driving pods off would make it worse. */
typedef enum {
    NODE_ZONE_NORMAL,
    NODE_ZONE_PARTIAL, /* 55 % or more are not ready, and more than 2 */
    NODE_ZONE_FULL,    /* none is ready */
} NodeZoneState;

NodeZoneState node_zone_state(guint nodes, guint ready);
/* Nodes per second that may get a NoExecute taint; rate is the normal one. */
double node_zone_rate(NodeZoneState state, guint nodes, double rate);

/* A bucket that holds one token and is filled at a rate. */
typedef struct {
    double tokens;
    gint64 filled_us; /* monotonic; 0: never */
} NodeBucket;
/* Takes the token. Otherwise returns FALSE and when to try again, in us from now (G_MAXINT64: rate is 0). */
gboolean node_bucket_take(NodeBucket *bucket, double rate, gint64 now_us, gint64 *ret_wait_us);

/* TRUE if a NoExecute taint is due that the node does not have. */
gboolean node_wants_eviction(const Node *node);

typedef struct {
    gboolean silent;     /* no sign of life for the grace period */
    gboolean may_evict;  /* a NoExecute taint that is due may be set */
    gboolean evict_none; /* the whole cluster is down: NoExecute taints are taken away */
} NodeSituation;
/* The decision about one node; pods[0..n): those bound to it whose readiness is doubtful if the node is lost. */
void node_plan(Plan *plan, const Node *node, const Pod *const *pods, gsize n, NodeSituation situation);

/* --- node-evict --- */

/* When a pod must leave a node with these taints: G_MAXINT64 never; else wall-clock ns, which may be long past. A
 * taint that does not say when it was added was added now. */
gint64 node_evict_time(const Core__V1__Taint *const *taints, gsize n, const Pod *pod, gint64 now_ns);
void node_evict_plan(Plan *plan, const Node *node, const Pod *const *pods, gsize n);

/* --- node-ipam --- */

/* The shares of a network: IPv4 blocks of <mask_size> inside <cidr>. */
typedef struct NodeShares NodeShares;

/* Errors: BAD_REQUEST for what is no IPv4 network, or a mask size outside it or beyond 16 bits more. */
NodeShares *node_shares_new(const char *cidr, guint mask_size, GError **error);
void node_shares_free(NodeShares *shares);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeShares, node_shares_free)
/* Marks a share as <node>'s. FALSE if it is none of ours, or another node's. */
gboolean node_shares_claim(NodeShares *shares, const char *cidr, const char *node);
/* The share of <node>; the next free one if it has none yet, going round so that one that was just freed rests. New
 * string; NULL: there is none left. */
char *node_shares_get(NodeShares *shares, const char *node);
void node_shares_release(NodeShares *shares, const char *node);
guint node_shares_free_count(const NodeShares *shares);
/* Whether these options make shares; before controllers_new(). Errors: BAD_REQUEST. */
gboolean node_ipam_check(const ControllersOptions *options, GError **error);
