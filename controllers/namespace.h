/* The namespace controllers: one empties a namespace that is being deleted and lets it go, the other sees to it that
 * every namespace has its default ServiceAccount. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "controllers/controller.h"

extern const ControllerRow namespace_controller;
extern const ControllerRow serviceaccount_controller;

typedef Core__V1__Namespace Namespace;

/* The decisions. They ask the server for the contents, not a cache: what is forgotten here would be left behind for
 * ever. */
void namespace_plan(Plan *plan, const Namespace *namespace_);
void serviceaccount_plan(Plan *plan, const Namespace *namespace_, gboolean has_account);
