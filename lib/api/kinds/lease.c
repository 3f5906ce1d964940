#include "lib/api/kinds/kinds.h"

static char *print_holder(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Coordination__V1__LeaseSpec *spec = ((const Coordination__V1__Lease *)object)->spec;
    return g_strdup(spec ? api_str(spec->holderidentity) : "");
}

const ApiColumn lease_columns[] = {
    {"HOLDER", FALSE, print_holder},
    {NULL, FALSE, NULL},
};

void lease_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    (void)old;
    const Coordination__V1__LeaseSpec *spec = ((const Coordination__V1__Lease *)object)->spec;
    const Path *path = FIELD(NULL, "spec");
    if (!spec)
        return;
    if (spec->has_leasedurationseconds && spec->leasedurationseconds <= 0)
        fail_number(errors, FIELD(path, "leaseDurationSeconds"), spec->leasedurationseconds, "must be greater than 0");
    check_not_negative(errors, FIELD(path, "leaseTransitions"), spec->leasetransitions);
}
