/* The pod garbage collector: pods bound to nodes that are gone, and finished pods above a number. */
#pragma once

#include "controllers/controller.h"
#include "controllers/pods.h"

extern const ControllerRow podgc_controller;

/* The decisions. */
void podgc_plan_lost(Plan *plan, const Pod *const *pods, gsize n);
/* pods[0..n): all finished ones that are not being deleted; reordered. Those above <max> go, the oldest first. */
void podgc_plan_finished(Plan *plan, const Pod **pods, gsize n, guint max);
