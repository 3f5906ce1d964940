/* Event recorder: tells what happened to an object. The same event (object, type, reason, message) again within 10 minutes
 * counts up in place of making a new one; each object has a burst of 25 and then one every 5 minutes. Never blocks; an event
 * that cannot be written is dropped and counted. Belongs to the client's GMainContext. */
#pragma once

#include "client/client.h"

typedef struct ClientEvents ClientEvents;

/* component: "cleat-scheduler"; host may be NULL. */
ClientEvents *client_events_new(Client *client, const char *component, const char *host);
void client_events_free(ClientEvents *events);

/* type: "Normal" or "Warning". reason: Kubernetes' word, CamelCase. The message is cut at 1 024 bytes. */
void client_event(ClientEvents *events, const ProtobufCMessage *object, const char *type, const char *reason,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);
/* The same about a part of a pod: field_path is "spec.containers{web}". */
void client_event_about(ClientEvents *events, const ProtobufCMessage *object, const char *field_path, const char *type,
                        const char *reason, const char *format, ...) G_GNUC_PRINTF(6, 7);
guint64 client_events_dropped(const ClientEvents *events);
