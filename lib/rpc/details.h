/* Inside lib/rpc: errors as gRPC trailers and back. */
#pragma once

#include "lib/rpc/rpc.h"

#define RPC_DETAILS_KEY "grpc-status-details-bin"
/* What a peer's header list may hold (both our sides say 64 KiB, but foreign clients have gRPC's 8 KiB). */
#define RPC_MAX_METADATA_BYTES (64 * 1024)
#define RPC_MAX_DETAILS_BYTES 4096
#define RPC_MAX_STATUS_MESSAGE_BYTES 1024

/* The value of RPC_DETAILS_KEY: google.rpc.Status with a meta.v1.Status in it. Causes at the end, and then the rest of a long
 * message, are left out to stay within RPC_MAX_DETAILS_BYTES. The caller unrefs it. */
grpc_slice rpc_details_from_error(const GError *error);
/* The gRPC status message: the error's, cut to RPC_MAX_STATUS_MESSAGE_BYTES at a character. The caller unrefs it. */
grpc_slice rpc_status_message_from_error(const GError *error);

/* The error that a status other than OK stands for. New. */
GError *rpc_error_from_status(grpc_status_code code, grpc_slice message, const grpc_metadata_array *trailers);
