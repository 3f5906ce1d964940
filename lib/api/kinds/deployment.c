#include "lib/api/kinds/kinds.h"

static const Apps__V1__DeploymentSpec *spec_of(const ProtobufCMessage *object)
{
    return ((const Apps__V1__Deployment *)object)->spec;
}

static char *print_ready(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__Deployment *deployment = (const Apps__V1__Deployment *)object;
    return g_strdup_printf("%d/%d", deployment->status ? deployment->status->readyreplicas : 0,
                           deployment->spec ? deployment->spec->replicas : 0);
}

static char *print_up_to_date(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__DeploymentStatus *status = ((const Apps__V1__Deployment *)object)->status;
    return g_strdup_printf("%d", status ? status->updatedreplicas : 0);
}

static char *print_available(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__DeploymentStatus *status = ((const Apps__V1__Deployment *)object)->status;
    return g_strdup_printf("%d", status ? status->availablereplicas : 0);
}

static char *print_containers(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__DeploymentSpec *spec = spec_of(object);
    return column_containers(spec ? spec->template_ : NULL);
}

static char *print_images(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__DeploymentSpec *spec = spec_of(object);
    return column_images(spec ? spec->template_ : NULL);
}

static char *print_selector(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__DeploymentSpec *spec = spec_of(object);
    return column_selector(spec ? spec->selector : NULL);
}

const ApiColumn deployment_columns[] = {
    {"READY", FALSE, print_ready},
    {"UP-TO-DATE", FALSE, print_up_to_date},
    {"AVAILABLE", FALSE, print_available},
    {"CONTAINERS", TRUE, print_containers},
    {"IMAGES", TRUE, print_images},
    {"SELECTOR", TRUE, print_selector},
    {NULL, FALSE, NULL},
};

static Meta__V1__IntOrString *quarter(void)
{
    Meta__V1__IntOrString *value = API_NEW(Meta__V1__IntOrString, meta__v1__int_or_string);
    api_set_scalar(value, type, 1);
    value->strval = g_strdup("25%");
    return value;
}

void deployment_set_defaults(ProtobufCMessage *object)
{
    Apps__V1__DeploymentSpec *spec = ((Apps__V1__Deployment *)object)->spec;
    if (!spec)
        return;
    pod_template_set_defaults(spec->template_);
    if (!spec->has_replicas)
        api_set_scalar(spec, replicas, 1);
    if (!spec->has_revisionhistorylimit)
        api_set_scalar(spec, revisionhistorylimit, 10);
    if (!spec->has_progressdeadlineseconds)
        api_set_scalar(spec, progressdeadlineseconds, 600);
    if (!spec->strategy)
        spec->strategy = API_NEW(Apps__V1__DeploymentStrategy, apps__v1__deployment_strategy);
    if (api_str(spec->strategy->type)[0] == '\0')
        api_set_string(&spec->strategy->type, "RollingUpdate");
    if (!g_str_equal(spec->strategy->type, "RollingUpdate"))
        return;
    if (!spec->strategy->rollingupdate)
        spec->strategy->rollingupdate = API_NEW(Apps__V1__RollingUpdateDeployment, apps__v1__rolling_update_deployment);
    if (!spec->strategy->rollingupdate->maxunavailable)
        spec->strategy->rollingupdate->maxunavailable = quarter();
    if (!spec->strategy->rollingupdate->maxsurge)
        spec->strategy->rollingupdate->maxsurge = quarter();
}

/* A count or a percentage, against a base of 100. FALSE, with an error, if it is neither. */
static gboolean check_bound(const Meta__V1__IntOrString *value, const Path *path, ApiFieldErrors *errors, gint64 *ret)
{
    if (!value || !api_int_or_string_scaled(value, 100, TRUE, ret)) {
        fail_invalid(
            errors, path, value ? value->strval : NULL,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%')");
        return FALSE;
    }
    check_not_negative(errors, path, *ret);
    return TRUE;
}

static void validate_strategy(const Apps__V1__DeploymentStrategy *strategy, ApiFieldErrors *errors)
{
    static const char *const types[] = {"Recreate", "RollingUpdate", NULL};
    const Path *path = FIELD(FIELD(NULL, "spec"), "strategy");
    require_one_of(errors, FIELD(path, "type"), strategy->type, types);
    const Path *rolling = FIELD(path, "rollingUpdate");
    if (api_str_equal(strategy->type, "Recreate") && strategy->rollingupdate)
        fail_forbidden(errors, rolling, "may not be specified when strategy `type` is 'Recreate'");
    if (!api_str_equal(strategy->type, "RollingUpdate"))
        return;
    if (!strategy->rollingupdate) {
        fail_required(errors, rolling, "this should be defaulted and never be nil");
        return;
    }
    gint64 unavailable = 0, surge = 0;
    gboolean good =
        check_bound(strategy->rollingupdate->maxunavailable, FIELD(rolling, "maxUnavailable"), errors, &unavailable);
    good &= check_bound(strategy->rollingupdate->maxsurge, FIELD(rolling, "maxSurge"), errors, &surge);
    if (good && unavailable == 0 && surge == 0)
        fail_number(errors, FIELD(rolling, "maxUnavailable"), 0, "may not be 0 when `maxSurge` is 0");
    if (strategy->rollingupdate->maxunavailable && strategy->rollingupdate->maxunavailable->type == 1 &&
        unavailable > 100)
        fail_invalid(errors, FIELD(rolling, "maxUnavailable"), strategy->rollingupdate->maxunavailable->strval,
                     "must not be greater than 100%");
}

void deployment_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Apps__V1__DeploymentSpec *spec = spec_of(object), *old_spec = old ? spec_of(old) : NULL;
    const Path *path = FIELD(NULL, "spec");
    if (!spec) {
        fail_required(errors, path, NULL);
        return;
    }
    check_not_negative(errors, FIELD(path, "replicas"), spec->replicas);
    check_not_negative(errors, FIELD(path, "minReadySeconds"), spec->minreadyseconds);
    check_not_negative(errors, FIELD(path, "revisionHistoryLimit"), spec->revisionhistorylimit);
    if (spec->has_progressdeadlineseconds && spec->progressdeadlineseconds <= spec->minreadyseconds)
        fail_number(errors, FIELD(path, "progressDeadlineSeconds"), spec->progressdeadlineseconds,
                    "must be greater than minReadySeconds");
    selector_validate(spec->selector, spec->template_, "deployment", errors);
    long_running_template_validate(spec->template_, FIELD(path, "template"), errors);
    if (spec->strategy)
        validate_strategy(spec->strategy, errors);
    if (old_spec)
        check_immutable(errors, FIELD(path, "selector"), (const ProtobufCMessage *)spec->selector,
                        (const ProtobufCMessage *)old_spec->selector);
}
