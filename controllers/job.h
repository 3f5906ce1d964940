/* The job controller: runs pods until enough have succeeded or too many have failed.
 *
 * Counts stay exact although pods may be deleted at any time: each pod of a job carries a finalizer, and is counted
 * in three writes: its uid is noted in status.uncountedTerminatedPods; the finalizer is removed; the uid becomes
 * one more in status.succeeded or status.failed. Whatever is interrupted goes on from where it is. */
#pragma once

#include "cleat/batch/v1/batch.pb-c.h"
#include "controllers/controller.h"
#include "controllers/pods.h"

#define JOB_FINALIZER "batch.kubernetes.io/job-tracking"

extern const ControllerRow job_controller;

typedef Batch__V1__Job Job;

/* The decision: candidates are all pods of the namespace that may concern the job. */
void job_plan(Plan *plan, const Job *job, const ProtobufCMessage *const *candidates, gsize n);
