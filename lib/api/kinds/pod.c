#include <string.h>

#include "lib/api/column.h"
#include "lib/api/kinds/kinds.h"
#include "lib/api/quantity.h"

/* The states of one pod, in the words and numbers of "ctl get pods". */
typedef struct {
    int ready;
    gint64 restarts;
    gint64 last_restart_ns; /* 0 if none is known */
    GString *status;
} Summary;

static void summary_done(Summary *summary)
{
    g_string_free(summary->status, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Summary, summary_done)

static gboolean is_condition_true(const Core__V1__PodStatus *status, const char *type)
{
    for (gsize i = 0; i < status->n_conditions; i++) {
        if (api_str_equal(status->conditions[i]->type, type))
            return api_str_equal(status->conditions[i]->status, "True");
    }
    return FALSE;
}

static void count_restarts(Summary *summary, const Core__V1__ContainerStatus *container)
{
    summary->restarts += container->restartcount;
    const Core__V1__ContainerStateTerminated *last = container->laststate ? container->laststate->terminated : NULL;
    if (last)
        summary->last_restart_ns = MAX(summary->last_restart_ns, api_time_ns(last->finishedat));
}

/* "Error", "Signal:9" or "ExitCode:1". */
static void describe_end(GString *text, const Core__V1__ContainerStateTerminated *end)
{
    if (api_str(end->reason)[0])
        g_string_append(text, end->reason);
    else if (end->signal != 0)
        g_string_append_printf(text, "Signal:%d", end->signal);
    else
        g_string_append_printf(text, "ExitCode:%d", end->exitcode);
}

/* The first init container that has not succeeded decides. FALSE when all have. */
static gboolean summarize_init(Summary *summary, const Core__V1__Pod *pod)
{
    const Core__V1__PodStatus *status = pod->status;
    for (gsize i = 0; i < status->n_initcontainerstatuses; i++) {
        const Core__V1__ContainerStatus *container = status->initcontainerstatuses[i];
        const Core__V1__ContainerState *state = container->state;
        count_restarts(summary, container);
        if (state && state->terminated && state->terminated->exitcode == 0)
            continue;
        g_string_assign(summary->status, "Init:");
        if (state && state->terminated)
            describe_end(summary->status, state->terminated);
        else if (state && state->waiting && api_str(state->waiting->reason)[0] &&
                 !g_str_equal(state->waiting->reason, "PodInitializing"))
            g_string_append(summary->status, state->waiting->reason);
        else
            g_string_append_printf(summary->status, "%zu/%zu", i, pod->spec ? pod->spec->n_initcontainers : 0);
        return TRUE;
    }
    return FALSE;
}

/* The first container that waits or has ended decides. */
static void summarize_containers(Summary *summary, const Core__V1__PodStatus *status)
{
    gboolean running = FALSE;
    summary->restarts = 0;
    summary->last_restart_ns = 0;
    for (gsize i = status->n_containerstatuses; i-- > 0;) {
        const Core__V1__ContainerStatus *container = status->containerstatuses[i];
        const Core__V1__ContainerState *state = container->state;
        count_restarts(summary, container);
        if (state && state->waiting && api_str(state->waiting->reason)[0]) {
            g_string_assign(summary->status, state->waiting->reason);
        } else if (state && state->terminated) {
            g_string_truncate(summary->status, 0);
            describe_end(summary->status, state->terminated);
        } else if (state && state->running && container->ready) {
            running = TRUE;
            summary->ready++;
        }
    }
    if (running && g_str_equal(summary->status->str, "Completed"))
        g_string_assign(summary->status, is_condition_true(status, "Ready") ? "Running" : "NotReady");
}

static gboolean is_finished(const Core__V1__Pod *pod)
{
    const char *phase = pod->status ? api_str(pod->status->phase) : "";
    return g_str_equal(phase, "Succeeded") || g_str_equal(phase, "Failed");
}

static void summarize(const Core__V1__Pod *pod, Summary *summary)
{
    const Core__V1__PodStatus *status = pod->status;
    *summary = (Summary){.status = g_string_new(status ? status->phase : NULL)};
    if (status && api_str(status->reason)[0])
        g_string_assign(summary->status, status->reason);
    if (status && (!summarize_init(summary, pod) || is_condition_true(status, "Initialized")))
        summarize_containers(summary, status);
    if (!pod->metadata || !pod->metadata->deletiontimestamp)
        return;
    if (status && api_str_equal(status->reason, "NodeLost"))
        g_string_assign(summary->status, "Unknown");
    else if (!is_finished(pod))
        g_string_assign(summary->status, "Terminating");
}

static char *print_ready(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__Pod *pod = (const Core__V1__Pod *)object;
    g_auto(Summary) summary;
    summarize(pod, &summary);
    return g_strdup_printf("%d/%zu", summary.ready, pod->spec ? pod->spec->n_containers : 0);
}

static char *print_status(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    g_auto(Summary) summary;
    summarize((const Core__V1__Pod *)object, &summary);
    return g_strdup(summary.status->str);
}

static char *print_restarts(const ProtobufCMessage *object, gint64 now_ns)
{
    g_auto(Summary) summary;
    summarize((const Core__V1__Pod *)object, &summary);
    if (summary.restarts == 0 || summary.last_restart_ns == 0)
        return g_strdup_printf("%" G_GINT64_FORMAT, summary.restarts);
    g_autofree char *ago = api_elapsed_format(summary.last_restart_ns, now_ns);
    return g_strdup_printf("%" G_GINT64_FORMAT " (%s ago)", summary.restarts, ago);
}

static char *print_ip(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__PodStatus *status = ((const Core__V1__Pod *)object)->status;
    return column_none(!status ? NULL : status->n_podips > 0 ? status->podips[0]->ip : status->podip);
}

static char *print_node(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__PodSpec *spec = ((const Core__V1__Pod *)object)->spec;
    return column_none(spec ? spec->nodename : NULL);
}

static char *print_nominated_node(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__PodStatus *status = ((const Core__V1__Pod *)object)->status;
    return column_none(status ? status->nominatednodename : NULL);
}

const ApiColumn pod_columns[] = {
    {"READY", FALSE, print_ready}, {"STATUS", FALSE, print_status}, {"RESTARTS", FALSE, print_restarts},
    {"IP", TRUE, print_ip},        {"NODE", TRUE, print_node},      {"NOMINATED NODE", TRUE, print_nominated_node},
    {NULL, FALSE, NULL},
};

/* What of cpu and memory is asked for in a map, added up over containers. */
typedef struct {
    ApiQuantity total[2];
    gboolean found[2];
} ComputeSum;

static const char *const compute_resources[] = {"cpu", "memory"};

/* Returns whether both are there and greater than zero. */
static gboolean add_compute(ComputeSum *sum, QuantityEntry *const *entries, gsize n)
{
    gboolean both = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(compute_resources); i++) {
        ApiQuantity value;
        api_quantity_get(quantity_map_get(entries, n, compute_resources[i]), &value);
        if (value.nano <= 0) {
            both = FALSE;
            continue;
        }
        sum->total[i] = api_quantity_add(sum->total[i], value);
        sum->found[i] = TRUE;
    }
    return both;
}

/* Guaranteed: every container has limits of cpu and memory, and requests equal to them. BestEffort: none has any of
 * these. */
const char *pod_spec_qos(const Core__V1__PodSpec *spec)
{
    ComputeSum requests = {0}, limits = {0};
    gboolean guaranteed = TRUE;
    for (gsize i = 0; i < spec->n_containers + spec->n_initcontainers; i++) {
        const Core__V1__Container *container =
            i < spec->n_containers ? spec->containers[i] : spec->initcontainers[i - spec->n_containers];
        const Core__V1__ResourceRequirements *resources = container->resources;
        if (!resources) {
            guaranteed = FALSE;
            continue;
        }
        add_compute(&requests, QUANTITIES(resources->requests), resources->n_requests);
        guaranteed &= add_compute(&limits, QUANTITIES(resources->limits), resources->n_limits);
    }
    gboolean any = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(compute_resources); i++) {
        any |= requests.found[i] || limits.found[i];
        guaranteed &= requests.found[i] == limits.found[i] && requests.total[i].nano == limits.total[i].nano;
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void pod_prepare_create(ProtobufCMessage *object)
{
    Core__V1__Pod *pod = (Core__V1__Pod *)object;
    status_prepare_create(object);
    pod->status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    pod->status->phase = g_strdup("Pending");
    if (pod->spec)
        pod->status->qosclass = g_strdup(pod_spec_qos(pod->spec));
}

void pod_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    status_prepare_update(object, old);
    /* A manifest that is applied again knows nothing of the node that was chosen. */
    Core__V1__PodSpec *spec = ((Core__V1__Pod *)object)->spec;
    const Core__V1__PodSpec *old_spec = ((const Core__V1__Pod *)old)->spec;
    if (spec && old_spec && api_str(spec->nodename)[0] == '\0')
        api_set_string(&spec->nodename, old_spec->nodename);
}

gint64 pod_deletion_grace(const ProtobufCMessage *object)
{
    const Core__V1__Pod *pod = (const Core__V1__Pod *)object;
    if (!pod->spec || api_str(pod->spec->nodename)[0] == '\0' || is_finished(pod))
        return 0; /* nobody has to stop anything */
    return MAX(pod->spec->terminationgraceperiodseconds, 0);
}
