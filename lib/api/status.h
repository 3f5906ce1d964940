/* Errors on the wire: a GError as a meta.v1.Status and back. The bytes travel as gRPC status details. Thread-safe. */
#pragma once

#include "lib/api/object.h"

Meta__V1__Status *api_status_from_error(const GError *error);
/* New error. grpc_code decides where details are absent (status NULL); message is the gRPC status message. */
GError *api_status_to_error(int grpc_code, const char *message, const Meta__V1__Status *status);
