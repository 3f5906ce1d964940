#include "lib/api/kinds/kinds.h"

static char *print_secrets(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup_printf("%zu", ((const Core__V1__ServiceAccount *)object)->n_secrets);
}

const ApiColumn service_account_columns[] = {
    {"SECRETS", FALSE, print_secrets},
    {NULL, FALSE, NULL},
};
