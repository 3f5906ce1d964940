#include "controllers/plan.h"

static void plan_step_free(gpointer pointer)
{
    PlanStep *step = pointer;
    API_FREE(step->object);
    g_free(step->namespace_);
    g_free(step->name);
    g_free(step->uid);
    g_free(step->event_message);
    g_free(step);
}

Plan *plan_new(gint64 now_ns)
{
    Plan *plan = g_new0(Plan, 1);
    plan->steps = g_ptr_array_new_with_free_func(plan_step_free);
    plan->now_ns = now_ns;
    plan->after_ns = -1;
    return plan;
}

void plan_free(Plan *plan)
{
    if (!plan)
        return;
    g_ptr_array_unref(plan->steps);
    API_FREE(plan->subject);
    if (plan->free_data)
        plan->free_data(plan->data);
    g_free(plan);
}

static PlanStep *plan_add(Plan *plan, PlanVerb verb, const ApiResource *resource, const char *namespace_,
                          const char *name)
{
    PlanStep *step = g_new0(PlanStep, 1);
    step->verb = verb;
    step->stage = plan->stage;
    step->resource = resource;
    step->namespace_ = g_strdup(api_str(namespace_));
    step->name = g_strdup(api_str(name));
    step->grace_s = -1;
    g_ptr_array_add(plan->steps, step);
    return step;
}

static PlanStep *plan_add_object(Plan *plan, PlanVerb verb, gconstpointer object)
{
    const ProtobufCMessage *message = object;
    const ApiResource *resource = api_resource_by_descriptor(message->descriptor);
    g_assert(resource != NULL);
    return plan_add(plan, verb, resource, api_object_namespace(message), api_object_name(message));
}

PlanStep *plan_create(Plan *plan, gpointer object)
{
    PlanStep *step = plan_add_object(plan, PLAN_CREATE, object);
    step->object = object;
    return step;
}

PlanStep *plan_update(Plan *plan, gpointer object)
{
    PlanStep *step = plan_add_object(plan, PLAN_UPDATE, object);
    step->object = object;
    return step;
}

PlanStep *plan_update_status(Plan *plan, gpointer object)
{
    PlanStep *step = plan_add_object(plan, PLAN_UPDATE_STATUS, object);
    step->object = object;
    return step;
}

PlanStep *plan_delete(Plan *plan, gconstpointer object)
{
    PlanStep *step = plan_add_object(plan, PLAN_DELETE, object);
    step->uid = g_strdup(api_object_uid(object));
    return step;
}

PlanStep *plan_get(Plan *plan, const ApiResource *resource, const char *namespace_, const char *name, PlanThen then,
                   gpointer data)
{
    PlanStep *step = plan_add(plan, PLAN_GET, resource, namespace_, name);
    step->then = then;
    step->data = data;
    return step;
}

PlanStep *plan_list(Plan *plan, const ApiResource *resource, const char *namespace_, PlanThen then, gpointer data)
{
    PlanStep *step = plan_add(plan, PLAN_LIST, resource, namespace_, NULL);
    step->then = then;
    step->data = data;
    return step;
}

PlanStep *plan_call(Plan *plan, PlanThen then, gpointer data)
{
    PlanStep *step = plan_add(plan, PLAN_CALL, NULL, NULL, NULL);
    step->then = then;
    step->data = data;
    return step;
}

void plan_barrier(Plan *plan)
{
    if (plan->steps->len == 0)
        return;
    const PlanStep *last = g_ptr_array_index(plan->steps, plan->steps->len - 1);
    plan->stage = last->stage + 1;
}

void plan_continue(Plan *plan, const PlanStep *step)
{
    const PlanStep *last = g_ptr_array_index(plan->steps, plan->steps->len - 1);
    plan->stage = MAX(last->stage, step->stage + 1);
}

void plan_after(Plan *plan, gint64 ns)
{
    ns = MAX(ns, 0);
    if (plan->after_ns < 0 || ns < plan->after_ns)
        plan->after_ns = ns;
}

void plan_at(Plan *plan, gint64 time_ns)
{
    plan_after(plan, time_ns - plan->now_ns);
}

void plan_set_subject(Plan *plan, gconstpointer object)
{
    api_set(plan->subject, api_message_clone(object));
}

void plan_step_event(PlanStep *step, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_free(step->event_message);
    step->event_message = g_strdup_vprintf(format, args);
    va_end(args);
    step->event_reason = reason;
}

void plan_step_failure_event(PlanStep *step, const char *reason)
{
    step->failure_reason = reason;
}

void plan_create_slowly(Plan *plan, GPtrArray *objects, const char *event_reason, const char *event_message,
                        const char *failure_reason)
{
    guint batch = 1, in_batch = 0;
    for (guint i = 0; i < objects->len; i++) {
        if (in_batch == batch) {
            plan_barrier(plan);
            batch *= 2;
            in_batch = 0;
        }
        PlanStep *step = plan_create(plan, g_ptr_array_index(objects, i));
        plan_step_event(step, event_reason, "%s", event_message);
        plan_step_failure_event(step, failure_reason);
        in_batch++;
    }
    g_ptr_array_set_size(objects, 0);
}
