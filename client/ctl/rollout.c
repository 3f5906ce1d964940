#include "client/ctl/rollout.h"

#include "client/ctl/follow.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define ANNOTATION_RESTARTED_AT "kubectl.kubernetes.io/restartedAt"

char *rollout_progress(const Apps__V1__Deployment *deployment, gboolean *ret_done, GError **error)
{
    static const Apps__V1__DeploymentStatus none = APPS__V1__DEPLOYMENT_STATUS__INIT;
    const Apps__V1__DeploymentStatus *status = deployment->status ? deployment->status : &none;
    const Apps__V1__DeploymentSpec *spec = deployment->spec;
    const char *name = api_object_name(&deployment->base);
    gint64 generation = deployment->metadata ? deployment->metadata->generation : 0;
    gint32 wanted = spec && spec->has_replicas ? spec->replicas : 1;
    *ret_done = FALSE;
    if (status->observedgeneration < generation)
        return g_strdup("Waiting for deployment spec update to be observed...");
    for (size_t i = 0; i < status->n_conditions; i++) {
        const Apps__V1__DeploymentCondition *condition = status->conditions[i];
        if (api_str_equal(condition->type, "Progressing") &&
            api_str_equal(condition->reason, "ProgressDeadlineExceeded")) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TIMEOUT, "deployment \"%s\" exceeded its progress deadline",
                        name);
            return NULL;
        }
    }
    if (status->updatedreplicas < wanted)
        return g_strdup_printf(
            "Waiting for deployment \"%s\" rollout to finish: %d out of %d new replicas have been updated...", name,
            status->updatedreplicas, wanted);
    if (status->replicas > status->updatedreplicas)
        return g_strdup_printf(
            "Waiting for deployment \"%s\" rollout to finish: %d old replicas are pending termination...", name,
            status->replicas - status->updatedreplicas);
    if (status->availablereplicas < status->updatedreplicas)
        return g_strdup_printf(
            "Waiting for deployment \"%s\" rollout to finish: %d of %d updated replicas are available...", name,
            status->availablereplicas, status->updatedreplicas);
    *ret_done = TRUE;
    return g_strdup_printf("deployment \"%s\" successfully rolled out", name);
}

typedef struct {
    char *last; /* what was printed */
    const char *name;
    GError *problem;
} Progress;

static gboolean progress_test(const ProtobufCMessage *object, gpointer data)
{
    Progress *progress = data;
    if (!object) {
        progress->problem =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "deployments.apps \"%s\" not found", progress->name);
        return TRUE;
    }
    gboolean done;
    g_autofree char *line = rollout_progress((const Apps__V1__Deployment *)object, &done, &progress->problem);
    if (line && g_strcmp0(line, progress->last) != 0) {
        puts(line);
        fflush(stdout);
        g_free(progress->last);
        progress->last = g_steal_pointer(&line);
    }
    return done || progress->problem;
}

static gboolean show_status(Ctl *ctl, const Target *target, const char *namespace_, gint64 timeout_ms, GError **error)
{
    Progress progress = {.name = target->name};
    gboolean timed_out = FALSE;
    gboolean good = follow_object(ctl, target->resource, namespace_, target->name, timeout_ms > 0 ? timeout_ms : -1,
                                  progress_test, &progress, &timed_out, error);
    if (good && progress.problem) {
        g_propagate_error(error, g_steal_pointer(&progress.problem));
        good = FALSE;
    } else if (good && timed_out) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TIMEOUT, "timed out waiting for the rollout of deployment \"%s\"",
                    target->name);
        good = FALSE;
    }
    g_free(progress.last);
    return good;
}

static ProtobufCMessage *restart_change(const ProtobufCMessage *object, gpointer data, GError **error)
{
    (void)error;
    Apps__V1__Deployment *copy = (Apps__V1__Deployment *)api_message_clone(object);
    if (!copy->spec)
        copy->spec = API_NEW(Apps__V1__DeploymentSpec, apps__v1__deployment_spec);
    if (!copy->spec->template_)
        copy->spec->template_ = API_NEW(Core__V1__PodTemplateSpec, core__v1__pod_template_spec);
    if (!copy->spec->template_->metadata)
        copy->spec->template_->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    api_annotation_set(copy->spec->template_->metadata, ANNOTATION_RESTARTED_AT, data);
    return &copy->base;
}

static gboolean restart(Ctl *ctl, const Target *target, const char *namespace_, GError **error)
{
    gboolean changed;
    g_autofree char *now = time_format(time_now_ns(), 0);
    ProtobufCMessage *object =
        ctl_modify(ctl, target->resource, namespace_, target->name, restart_change, now, &changed, error);
    if (!object)
        return FALSE;
    g_autofree char *label = ctl_object_label(target->resource, target->name);
    printf("%s restarted\n", label);
    api_message_free(object);
    return TRUE;
}

VERB(rollout)
{
    char *timeout_flag = NULL;
    const GOptionEntry entries[] = {
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &timeout_flag,
         "How long status waits; 0 (the default): as long as it takes", "30s"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gint64 timeout_ms = 0;
    gboolean good = args && ctl_duration_flag("timeout", timeout_flag, 0, &timeout_ms, error);
    gboolean is_status = good && g_strcmp0(args[0], "status") == 0;
    if (good && !is_status && g_strcmp0(args[0], "restart") != 0) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    g_autoptr(GPtrArray) targets = good ? targets_parse_named(ctl, args + 1, error) : NULL;
    good = targets != NULL;
    for (guint i = 0; good && i < targets->len; i++) {
        const Target *target = targets->pdata[i];
        const char *namespace_ = ctl_namespace(ctl, error);
        if (target->resource != API_DEPLOYMENT) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "only deployments have rollouts, not %s",
                        target->resource->plural);
            good = FALSE;
        } else {
            good = namespace_ && (is_status ? show_status(ctl, target, namespace_, timeout_ms, error)
                                            : restart(ctl, target, namespace_, error));
        }
    }
    g_free(timeout_flag);
    return good;
}
