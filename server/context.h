/* What the request handlers share. Set up before the first request; everything in it is thread-safe. */
#pragma once

#include "lib/rpc/client.h"
#include "server/store/store.h"

typedef struct Context Context;
typedef struct ServiceRange ServiceRange; /* server/admission/service-range.h */

struct Context {
    Store *store;
    ServiceRange *service_range;
    const RpcClientCredentials *agent_credentials; /* towards the nodes' agents; NULL: no logs */
    gint ready;                                    /* atomic: the caches are filled, the first namespaces exist */
    GPtrArray *methods;                            /* what the handlers of the server's methods are given */
};
