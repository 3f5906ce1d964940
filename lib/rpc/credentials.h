/* Inside lib/rpc: what is behind the credentials of rpc.h. */
#pragma once

#include <grpc/grpc_security.h>

#include "lib/rpc/rpc.h"

struct RpcClientCredentials {
    grpc_channel_credentials *core;
};

struct RpcServerCredentials {
    grpc_server_credentials *core;
};
