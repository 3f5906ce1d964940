/* How far the rollout of a Deployment is. */
#pragma once

#include "cleat/apps/v1/apps.pb-c.h"
#include "lib/api/object.h"

/* A line in kubectl's words; *ret_done when it is over. NULL with an error when it has failed. New string. */
char *rollout_progress(const Apps__V1__Deployment *deployment, gboolean *ret_done, GError **error);
