#include "agent/run.h"

#include "agent/labels.h"

static guint number(const char *text, guint fallback)
{
    guint64 value;
    return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT, &value, NULL) ? (guint)value : fallback;
}

Run *run_new(const Runtime__V1__ContainerStatus *status, const char *sandbox_id)
{
    Run *run = g_new0(Run, 1);
    ApiMapEntry **annotations = API_MAP(status->annotations);
    const char *name = api_map_get(API_MAP(status->labels), status->n_labels, LABEL_CONTAINER_NAME);
    guint attempt = status->metadata ? status->metadata->attempt : 0;
    run->id = g_strdup(status->id);
    run->container = g_strdup(name ? name : status->metadata ? status->metadata->name : "");
    run->sandbox_id = g_strdup(sandbox_id);
    run->restarts = number(api_map_get(annotations, status->n_annotations, ANNOTATION_RESTART_COUNT), attempt);
    run->failures = number(api_map_get(annotations, status->n_annotations, ANNOTATION_FAILURES), 0);
    run->hash = g_strdup(api_str(api_map_get(annotations, status->n_annotations, ANNOTATION_HASH)));
    run->state = (RunState)status->state;
    run->created_ns = status->created_at;
    run->started_ns = status->started_at;
    run->finished_ns = status->finished_at;
    run->exit_code = status->exit_code;
    run->reason = g_strdup(api_str(status->reason));
    run->message = g_strdup(api_str(status->message));
    run->image = g_strdup(status->image ? api_str(status->image->image) : "");
    run->image_ref = g_strdup(api_str(status->image_ref));
    return run;
}

void run_free(Run *run)
{
    if (!run)
        return;
    g_free(run->id);
    g_free(run->container);
    g_free(run->sandbox_id);
    g_free(run->hash);
    g_free(run->reason);
    g_free(run->message);
    g_free(run->image);
    g_free(run->image_ref);
    g_free(run);
}

gboolean run_is_over(const Run *run)
{
    return run->state == RUN_EXITED || run->state == RUN_UNKNOWN;
}

gboolean run_is_alive(const Run *run)
{
    return run->state == RUN_CREATED || run->state == RUN_RUNNING;
}
