/* All verbs of all resources, as methods of a server. */
#pragma once

#include "lib/rpc/server.h"
#include "server/context.h"

/* Registers /cleat.v1.<Service>/<Verb> for every row of the resource table. The context must outlive the server. */
void verbs_register(Context *context, RpcServer *server);
