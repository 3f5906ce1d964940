#include "lib/api/kinds/kinds.h"

static const Apps__V1__ReplicaSetSpec *spec_of(const ProtobufCMessage *object)
{
    return ((const Apps__V1__ReplicaSet *)object)->spec;
}

static char *print_desired(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetSpec *spec = spec_of(object);
    return g_strdup_printf("%d", spec ? spec->replicas : 0);
}

static char *print_current(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetStatus *status = ((const Apps__V1__ReplicaSet *)object)->status;
    return g_strdup_printf("%d", status ? status->replicas : 0);
}

static char *print_ready(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetStatus *status = ((const Apps__V1__ReplicaSet *)object)->status;
    return g_strdup_printf("%d", status ? status->readyreplicas : 0);
}

static char *print_containers(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetSpec *spec = spec_of(object);
    return column_containers(spec ? spec->template_ : NULL);
}

static char *print_images(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetSpec *spec = spec_of(object);
    return column_images(spec ? spec->template_ : NULL);
}

static char *print_selector(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Apps__V1__ReplicaSetSpec *spec = spec_of(object);
    return column_selector(spec ? spec->selector : NULL);
}

const ApiColumn replica_set_columns[] = {
    {"DESIRED", FALSE, print_desired},
    {"CURRENT", FALSE, print_current},
    {"READY", FALSE, print_ready},
    {"CONTAINERS", TRUE, print_containers},
    {"IMAGES", TRUE, print_images},
    {"SELECTOR", TRUE, print_selector},
    {NULL, FALSE, NULL},
};

void replica_set_set_defaults(ProtobufCMessage *object)
{
    Apps__V1__ReplicaSetSpec *spec = ((Apps__V1__ReplicaSet *)object)->spec;
    if (!spec)
        return;
    pod_template_set_defaults(spec->template_);
    if (!spec->has_replicas)
        api_set_scalar(spec, replicas, 1);
}

void replica_set_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Apps__V1__ReplicaSetSpec *spec = spec_of(object), *old_spec = old ? spec_of(old) : NULL;
    const Path *path = FIELD(NULL, "spec");
    if (!spec) {
        fail_required(errors, path, NULL);
        return;
    }
    check_not_negative(errors, FIELD(path, "replicas"), spec->replicas);
    check_not_negative(errors, FIELD(path, "minReadySeconds"), spec->minreadyseconds);
    selector_validate(spec->selector, spec->template_, "replicaset", errors);
    long_running_template_validate(spec->template_, FIELD(path, "template"), errors);
    if (old_spec)
        check_immutable(errors, FIELD(path, "selector"), (const ProtobufCMessage *)spec->selector,
                        (const ProtobufCMessage *)old_spec->selector);
}
