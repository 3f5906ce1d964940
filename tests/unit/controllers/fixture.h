/* Objects from YAML and plans as text, for the tests of controllers. */
#pragma once

#include <string.h>

#include "cleat/apps/v1/apps.pb-c.h"
#include "controllers/plan.h"
#include "lib/api/codec.h"
#include "lib/base/time.h"

#define NOW_S 1000000 /* the wall clock of the tests */
#define NOW_NS (NOW_S * TIME_NS_PER_S)

/* Decodes one object of the type; a mistake in the text ends the test. The test owns it. */
static inline gpointer fixture_decode(const ProtobufCMessageDescriptor *type, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *message = api_decode(type, yaml, strlen(yaml), "test", &error);
    g_assert_no_error(error);
    return message;
}

/* The objects of a ";"-separated text of flow mappings without the outer braces. The array owns them. */
static inline void fixture_free_object(gpointer object)
{
    API_FREE(object);
}

static inline GPtrArray *fixture_list(const ProtobufCMessageDescriptor *type, const char *text)
{
    GPtrArray *objects = g_ptr_array_new_with_free_func(fixture_free_object);
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);
    for (guint i = 0; parts[i]; i++) {
        if (!*g_strstrip(parts[i]))
            continue;
        g_autofree char *yaml = g_strdup_printf("{%s}", parts[i]);
        g_ptr_array_add(objects, fixture_decode(type, yaml));
    }
    return objects;
}

/* A pod in words: "NAME [PHASE] [ready[@SECONDS AGO]] [node=N] [ip=A] [owner=UID] [KEY:VALUE (a label)] [deleting]
 * [restarts=N] [ended=SECONDS AGO] [age=SECONDS] [cost=N] [tracked]". Its uid is u-NAME, its namespace default. */
static inline gpointer fixture_pod(const char *words)
{
    g_auto(GStrv) word = g_strsplit(words, " ", -1);
    g_autoptr(GString) meta = g_string_new(NULL), labels = g_string_new(NULL), spec = g_string_new(NULL),
                       status = g_string_new(NULL), container = g_string_new(NULL);
    g_string_printf(meta, "name: '%s', namespace: default, uid: u-%s", word[0], word[0]);
    for (guint i = 1; word[i]; i++) {
        const char *w = word[i], *value = strchr(w, '=');
        g_autofree char *ago = NULL;
        if (g_str_has_prefix(w, "ready")) {
            const char *at = strchr(w, '@');
            ago = time_format((NOW_S - (at ? atoi(at + 1) : 0)) * TIME_NS_PER_S, 0);
            g_string_append_printf(status, "conditions: [{type: Ready, status: 'True', lastTransitionTime: '%s'}], ",
                                   ago);
        } else if (g_str_equal(w, "deleting")) {
            ago = time_format(NOW_NS, 0);
            g_string_append_printf(meta, ", deletionTimestamp: '%s'", ago);
        } else if (g_str_equal(w, "tracked")) {
            g_string_append(meta, ", finalizers: [batch.kubernetes.io/job-tracking]");
        } else if (g_str_has_prefix(w, "node=")) {
            g_string_append_printf(spec, "nodeName: '%s', ", value + 1);
        } else if (g_str_has_prefix(w, "ip=")) {
            g_string_append_printf(status, "podIP: '%s', ", value + 1);
        } else if (g_str_has_prefix(w, "owner=")) {
            g_string_append_printf(
                meta, ", ownerReferences: [{controller: true, apiVersion: v1, kind: K, name: o, uid: '%s'}]",
                value + 1);
        } else if (g_str_has_prefix(w, "restarts=")) {
            g_string_append_printf(container, "restartCount: %s, ", value + 1);
        } else if (g_str_has_prefix(w, "ended=")) {
            ago = time_format((NOW_S - atoi(value + 1)) * TIME_NS_PER_S, 0);
            g_string_append_printf(container, "state: {terminated: {finishedAt: '%s'}}, ", ago);
        } else if (g_str_has_prefix(w, "age=")) {
            ago = time_format((NOW_S - atoi(value + 1)) * TIME_NS_PER_S, 0);
            g_string_append_printf(meta, ", creationTimestamp: '%s'", ago);
        } else if (g_str_has_prefix(w, "cost=")) {
            g_string_append_printf(meta, ", annotations: {controller.kubernetes.io/pod-deletion-cost: '%s'}",
                                   value + 1);
        } else if (strchr(w, ':')) {
            const char *colon = strchr(w, ':');
            g_string_append_printf(labels, "'%.*s': '%s', ", (int)(colon - w), w, colon + 1);
        } else if (*w) {
            g_string_append_printf(status, "phase: %s, ", w);
        }
    }
    g_autofree char *yaml =
        g_strdup_printf("{metadata: {%s, labels: {%s}}, spec: {%s}, status: {%s containerStatuses: [{%s name: c}]}}",
                        meta->str, labels->str, spec->str, status->str, container->str);
    return fixture_decode(&core__v1__pod__descriptor, yaml);
}

/* Several pods, separated by ";". The array owns them. */
static inline GPtrArray *fixture_pods(const char *text)
{
    GPtrArray *pods = g_ptr_array_new_with_free_func(fixture_free_object);
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);
    for (guint i = 0; parts[i]; i++)
        if (*g_strstrip(parts[i]))
            g_ptr_array_add(pods, fixture_pod(parts[i]));
    return pods;
}

/* A plan as text, one step each: "STAGE VERB KIND NAME[=REPLICAS];" where an object gets its name later, its
 * generateName. */
static inline char *fixture_plan_text(const Plan *plan)
{
    static const char *const verbs[] = {"create", "update", "status", "delete", "get", "list", "call"};
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        const char *name = step->name;
        if (step->object && !*name)
            name = api_str(api_meta_peek(step->object)->generatename);
        g_string_append_printf(text, "%s%u %s %s %s", i ? "; " : "", step->stage, verbs[step->verb],
                               step->resource ? step->resource->kind : "-", name);
        if (step->resource == API_REPLICA_SET && (step->verb == PLAN_CREATE || step->verb == PLAN_UPDATE))
            g_string_append_printf(text, "=%d", ((const Apps__V1__ReplicaSet *)step->object)->spec->replicas);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static inline void fixture_assert_plan(const Plan *plan, const char *expected)
{
    g_autofree char *text = fixture_plan_text(plan);
    g_assert_cmpstr(text, ==, expected);
}

/* The object that the plan's first step of this verb writes. Borrowed; NULL if there is no such step. */
static inline gconstpointer fixture_written(const Plan *plan, PlanVerb verb, const ApiResource *resource)
{
    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        if (step->verb == verb && step->resource == resource)
            return step->object;
    }
    return NULL;
}
