/* Well-known labels, taints, annotations, finalizers and namespaces, by their Kubernetes names. */
#pragma once

#define API_LABEL_HOSTNAME "kubernetes.io/hostname"
#define API_LABEL_ARCH "kubernetes.io/arch"
#define API_LABEL_OS "kubernetes.io/os"
#define API_LABEL_NAMESPACE_NAME "kubernetes.io/metadata.name"
#define API_LABEL_SERVICE_NAME "kubernetes.io/service-name"
#define API_LABEL_ENDPOINTSLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define API_LABEL_POD_TEMPLATE_HASH "pod-template-hash"
#define API_LABEL_JOB_NAME "batch.kubernetes.io/job-name"
#define API_LABEL_JOB_CONTROLLER_UID "batch.kubernetes.io/controller-uid"
#define API_ANNOTATION_DEPLOYMENT_REVISION "deployment.kubernetes.io/revision"
#define API_ANNOTATION_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define API_TAINT_NOT_READY "node.kubernetes.io/not-ready"
#define API_TAINT_UNREACHABLE "node.kubernetes.io/unreachable"
#define API_TAINT_UNSCHEDULABLE "node.kubernetes.io/unschedulable"
#define API_FINALIZER_FOREGROUND "foregroundDeletion"
#define API_FINALIZER_ORPHAN "orphan"
#define API_FINALIZER_NAMESPACE "kubernetes" /* in Namespace.spec.finalizers */
#define API_NAMESPACE_DEFAULT "default"
#define API_NAMESPACE_SYSTEM "kube-system"
#define API_NAMESPACE_NODE_LEASE "kube-node-lease"
#define API_SERVICE_ACCOUNT_DEFAULT "default"
