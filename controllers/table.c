#include "controllers/deployment.h"
#include "controllers/endpoints.h"
#include "controllers/gc.h"
#include "controllers/job.h"
#include "controllers/namespace.h"
#include "controllers/node.h"
#include "controllers/podgc.h"
#include "controllers/replicaset.h"

const ControllerRow *const controller_rows[] = {
    &deployment_controller, &replicaset_controller, &job_controller,
    &endpoints_controller,  &namespace_controller,  &serviceaccount_controller,
    &node_controller,       &node_evict_controller, &node_ipam_controller,
    &gc_controller,         &podgc_controller,      NULL,
};
