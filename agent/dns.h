/* What a pod sees of names: resolv.conf and /etc/hosts. Pure. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "foreign/cri/runtime.pb-c.h"

/* Reads the text of a resolv.conf; lines that are none are left out. New message. */
Runtime__V1__DNSConfig *dns_parse_resolv_conf(const char *text);

/* The pod's resolver by its dnsPolicy and dnsConfig. <node>: the node's own. cluster_dns: addresses of the cluster's DNS
 * service, NULL-terminated; where there are none (NULL or empty), ClusterFirst is as Default. New message. */
Runtime__V1__DNSConfig *dns_config_for(const Core__V1__Pod *pod, const Runtime__V1__DNSConfig *node,
                                       const char *const *cluster_dns, const char *cluster_domain);

/* The host name inside the pod: spec.hostname or its name, cut at 63 characters. New string. */
char *pod_hostname(const Core__V1__Pod *pod);

/* The pod's /etc/hosts: own lines for a pod with a network of its own, else node_hosts (the node's file; may be NULL); then
 * spec.hostAliases. New string. */
char *hosts_file(const Core__V1__Pod *pod, const char *const *pod_ips, const char *cluster_domain,
                 const char *node_hosts);
