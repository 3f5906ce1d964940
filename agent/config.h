/* What the agent is told at its start (main.c reads the flags). */
#pragma once

#include <glib.h>

typedef struct {
    char *config_file; /* kubeconfig; NULL: the default one */
    char *node_name;
    char *node_ip;
    char *runtime_endpoint; /* "unix:/run/containerd/containerd.sock" */
    char *root_dir;         /* volumes of pods, who we are */
    char *log_dir;          /* "/var/log/pods" */
    char *listen;           /* "10.0.0.2:10250"; NULL: logs are not served */
    char *tls_cert;         /* of the log service; all three or none */
    char *tls_key;
    char *client_ca;
    char *cgroup_root; /* "/cleat/node-1" */
    char *cgroup_mount;
    char *resolv_conf; /* what pods with the node's DNS see */
    char **cluster_dns;
    char *cluster_domain;
    int heartbeat_s;
    int max_pods;
} AgentConfig;
