/* A node for a test: a real containerd with a bridge network and the project's images, and the agent, beside the harness's
 * etcd and server. All of it lives in a network namespace and a mount namespace of the test's own, without a route off the
 * machine. A process beside the test cleans up after it, however the test ends. Needs root. */
#pragma once

#include "tests/integration/harness.h"

typedef struct NodeLab NodeLab;

/* Before rpc_init() and before any thread: moves the test into its namespaces. FALSE when it is not run by root: skip. */
gboolean node_lab_enter(void);

/* Starts containerd (images loaded), etcd, a server and the agent of node "n1"; waits until the node is Ready. */
NodeLab *node_lab_new(void);
void node_lab_free(NodeLab *lab);

Harness *node_lab_harness(NodeLab *lab);
RpcChannel *node_lab_api(NodeLab *lab);                        /* as admin; borrowed */
RpcChannel *node_lab_cri(NodeLab *lab);                        /* borrowed */
RpcChannel *node_lab_logs(NodeLab *lab, const char *identity); /* to the agent's log service; new */
const char *node_lab_dir(NodeLab *lab);
const char *node_lab_agent_dir(NodeLab *lab); /* its --root-dir */
const char *node_lab_log_dir(NodeLab *lab);
const char *node_lab_cgroup(NodeLab *lab); /* "/cleat-test-PID" */

void node_lab_agent_start(NodeLab *lab);
void node_lab_agent_stop(NodeLab *lab, int signal); /* and waits for its end */
GPid node_lab_agent_pid(NodeLab *lab);
/* Runs one more agent with the same node name and another folder to its end. Returns its exit status; *ret_text is what it
 * said (new string). */
int node_lab_second_agent(NodeLab *lab, char **ret_text);
/* Runs ctr in the k8s.io namespace; it must succeed. New string: its output. */
char *node_lab_ctr(NodeLab *lab, const char *const *args);
