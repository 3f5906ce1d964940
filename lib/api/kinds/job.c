#include "lib/api/column.h"
#include "lib/api/kinds/kinds.h"
#include "lib/api/labels.h"

/* The names that the labels had before they got a prefix; Kubernetes sets both. */
#define LEGACY_LABEL_JOB_NAME "job-name"
#define LEGACY_LABEL_CONTROLLER_UID "controller-uid"

static const Batch__V1__JobSpec *spec_of(const ProtobufCMessage *object)
{
    return ((const Batch__V1__Job *)object)->spec;
}

static gboolean has_condition(const Batch__V1__Job *job, const char *type)
{
    for (gsize i = 0; job->status && i < job->status->n_conditions; i++) {
        const Batch__V1__JobCondition *condition = job->status->conditions[i];
        if (api_str_equal(condition->type, type) && api_str_equal(condition->status, "True"))
            return TRUE;
    }
    return FALSE;
}

static char *print_status(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Batch__V1__Job *job = (const Batch__V1__Job *)object;
    if (has_condition(job, "Complete"))
        return g_strdup("Complete");
    if (has_condition(job, "Failed"))
        return g_strdup("Failed");
    if (job->metadata && job->metadata->deletiontimestamp)
        return g_strdup("Terminating");
    if (has_condition(job, "Suspended"))
        return g_strdup("Suspended");
    return g_strdup(has_condition(job, "FailureTarget") ? "FailureTarget" : "Running");
}

static char *print_completions(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Batch__V1__JobSpec *spec = spec_of(object);
    const Batch__V1__JobStatus *status = ((const Batch__V1__Job *)object)->status;
    int succeeded = status ? status->succeeded : 0;
    if (spec && spec->has_completions)
        return g_strdup_printf("%d/%d", succeeded, spec->completions);
    if (spec && spec->parallelism > 1)
        return g_strdup_printf("%d/1 of %d", succeeded, spec->parallelism);
    return g_strdup_printf("%d/1", succeeded);
}

static char *print_duration(const ProtobufCMessage *object, gint64 now_ns)
{
    const Batch__V1__JobStatus *status = ((const Batch__V1__Job *)object)->status;
    if (!status || !status->starttime)
        return g_strdup("");
    gint64 end = status->completiontime ? api_time_ns(status->completiontime) : now_ns;
    return api_elapsed_format(api_time_ns(status->starttime), end);
}

static char *print_containers(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Batch__V1__JobSpec *spec = spec_of(object);
    return column_containers(spec ? spec->template_ : NULL);
}

static char *print_images(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Batch__V1__JobSpec *spec = spec_of(object);
    return column_images(spec ? spec->template_ : NULL);
}

static char *print_selector(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Batch__V1__JobSpec *spec = spec_of(object);
    return column_selector(spec ? spec->selector : NULL);
}

const ApiColumn job_columns[] = {
    {"STATUS", FALSE, print_status},
    {"COMPLETIONS", FALSE, print_completions},
    {"DURATION", FALSE, print_duration},
    {"CONTAINERS", TRUE, print_containers},
    {"IMAGES", TRUE, print_images},
    {"SELECTOR", TRUE, print_selector},
    {NULL, FALSE, NULL},
};

/* A job without labels takes those of its pods. */
static void default_labels(Batch__V1__Job *job)
{
    const Meta__V1__ObjectMeta *template = job->spec->template_ ? job->spec->template_->metadata : NULL;
    Meta__V1__ObjectMeta *meta = API_META(job);
    if (!template || meta->n_labels > 0)
        return;
    for (gsize i = 0; i < template->n_labels; i++)
        api_append(meta->labels, meta->n_labels, API_CLONE(template->labels[i]));
}

void job_set_defaults(ProtobufCMessage *object)
{
    Batch__V1__Job *job = (Batch__V1__Job *)object;
    Batch__V1__JobSpec *spec = job->spec;
    if (!spec)
        return;
    pod_template_set_defaults(spec->template_);
    default_labels(job);
    if (!spec->has_completions && !spec->has_parallelism) /* completions left out alone means a work queue */
        api_set_scalar(spec, completions, 1);
    if (!spec->has_parallelism)
        api_set_scalar(spec, parallelism, 1);
    if (!spec->has_backofflimit)
        api_set_scalar(spec, backofflimit, 6);
    if (api_str(spec->completionmode)[0] == '\0')
        api_set_string(&spec->completionmode, "NonIndexed");
    if (!spec->has_suspend)
        api_set_scalar(spec, suspend, FALSE);
    if (!spec->has_manualselector)
        api_set_scalar(spec, manualselector, FALSE);
    if (api_str(spec->podreplacementpolicy)[0] == '\0')
        api_set_string(&spec->podreplacementpolicy, "TerminatingOrFailed");
}

static void set_missing_label(Meta__V1__ObjectMeta *meta, const char *key, const char *value)
{
    if (!api_label(meta, key))
        api_label_set(meta, key, value);
}

/* Labels that tie the pods to this job, by name for people and by uid for the selector: no two jobs share pods. */
static void generate_selector(Batch__V1__JobSpec *spec, const char *name, const char *uid)
{
    Meta__V1__ObjectMeta *meta = API_META(spec->template_);
    set_missing_label(meta, LEGACY_LABEL_JOB_NAME, name);
    set_missing_label(meta, API_LABEL_JOB_NAME, name);
    set_missing_label(meta, LEGACY_LABEL_CONTROLLER_UID, uid);
    set_missing_label(meta, API_LABEL_JOB_CONTROLLER_UID, uid);
    if (!spec->selector)
        spec->selector = API_NEW(Meta__V1__LabelSelector, meta__v1__label_selector);
    if (!api_map_get(API_MAP(spec->selector->matchlabels), spec->selector->n_matchlabels, API_LABEL_JOB_CONTROLLER_UID))
        api_map_set((ApiMapEntry ***)&spec->selector->matchlabels, &spec->selector->n_matchlabels,
                    &meta__v1__label_selector__match_labels_entry__descriptor, API_LABEL_JOB_CONTROLLER_UID, uid);
}

void job_prepare_create(ProtobufCMessage *object)
{
    status_prepare_create(object);
    Batch__V1__JobSpec *spec = ((Batch__V1__Job *)object)->spec;
    if (spec && spec->template_ && !spec->manualselector)
        generate_selector(spec, api_object_name(object), api_object_uid(object));
    if (spec)
        default_labels((Batch__V1__Job *)object); /* the generated ones, where there were none at all */
}

void job_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    status_prepare_update(object, old);
    /* A manifest that is applied again does not know what was generated. */
    Batch__V1__JobSpec *spec = ((Batch__V1__Job *)object)->spec;
    if (spec && spec->template_ && !spec->manualselector && !spec->selector)
        generate_selector(spec, api_object_name(old), api_object_uid(old));
    if (spec)
        default_labels((Batch__V1__Job *)object);
}

/* The labels of generate_selector() as they must be: a user may have written others. */
static void validate_generated(const ProtobufCMessage *object, const Batch__V1__JobSpec *spec, ApiFieldErrors *errors)
{
    const Meta__V1__ObjectMeta *meta = spec->template_ ? spec->template_->metadata : NULL;
    const struct {
        const char *key, *value;
    } labels[] = {{API_LABEL_JOB_CONTROLLER_UID, api_object_uid(object)},
                  {API_LABEL_JOB_NAME, api_object_name(object)}};
    const Path *path = FIELD(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "metadata"), "labels");
    for (guint i = 0; i < G_N_ELEMENTS(labels); i++) {
        const char *value = api_label(meta, labels[i].key);
        g_autofree char *detail = g_strdup_printf("must be '%s'", labels[i].value);
        if (!value)
            fail_required(errors, KEY(path, labels[i].key), detail);
        else if (!g_str_equal(value, labels[i].value))
            fail_invalid(errors, KEY(path, labels[i].key), value, detail);
    }
}

static void validate_update(const Batch__V1__JobSpec *spec, const Batch__V1__JobSpec *old, ApiFieldErrors *errors)
{
    const Path *path = FIELD(NULL, "spec");
    if (spec->has_completions != old->has_completions || spec->completions != old->completions)
        fail_number(errors, FIELD(path, "completions"), spec->completions, "field is immutable");
    if (!api_str_equal(spec->completionmode, old->completionmode))
        fail_invalid(errors, FIELD(path, "completionMode"), spec->completionmode, "field is immutable");
    check_immutable(errors, FIELD(path, "selector"), (const ProtobufCMessage *)spec->selector,
                    (const ProtobufCMessage *)old->selector);
    check_immutable(errors, FIELD(path, "template"), (const ProtobufCMessage *)spec->template_,
                    (const ProtobufCMessage *)old->template_);
}

void job_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    static const char *const modes[] = {"Indexed", "NonIndexed", NULL};
    const Batch__V1__JobSpec *spec = spec_of(object), *old_spec = old ? spec_of(old) : NULL;
    const Path *path = FIELD(NULL, "spec");
    if (!spec) {
        fail_required(errors, path, NULL);
        return;
    }
    check_not_negative(errors, FIELD(path, "parallelism"), spec->parallelism);
    check_not_negative(errors, FIELD(path, "completions"), spec->completions);
    check_not_negative(errors, FIELD(path, "activeDeadlineSeconds"), spec->activedeadlineseconds);
    check_not_negative(errors, FIELD(path, "backoffLimit"), spec->backofflimit);
    check_not_negative(errors, FIELD(path, "ttlSecondsAfterFinished"), spec->ttlsecondsafterfinished);
    require_one_of(errors, FIELD(path, "completionMode"), spec->completionmode, modes);
    selector_validate(spec->selector, spec->template_, "job", errors);
    if (!spec->manualselector && !old)
        validate_generated(object, spec, errors);
    pod_template_validate(spec->template_, FIELD(path, "template"), errors);
    const Core__V1__PodSpec *pod = spec->template_ ? spec->template_->spec : NULL;
    if (pod && api_str_equal(pod->restartpolicy, "Always"))
        fail_required(errors, FIELD(FIELD(FIELD(path, "template"), "spec"), "restartPolicy"),
                      "valid values: \"OnFailure\", \"Never\"");
    if (old_spec)
        validate_update(spec, old_spec, errors);
}
