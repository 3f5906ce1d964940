/* What the Services and EndpointSlices ask for: pure data, no kernel. Feed it objects as they change; ask it for the ports
 * of a service, which it works out from all slices of that service at that moment; take the keys of what has changed.
 * A service's key is "namespace/name". Not thread-safe. */
#pragma once

#include <glib.h>

#include "cleat/core/v1/core.pb-c.h"
#include "cleat/discovery/v1/discovery.pb-c.h"
#include "netproxy/nft/element.h"

typedef struct {
    NftDest dest;
    gboolean local; /* on this node */
} ModelEndpoint;

/* One port of a service. */
typedef struct {
    char *name;        /* "default/web:http", or "default/web:80/tcp" for a port without a name: for people */
    guint8 protocol;   /* with port, what tells the ports of a service apart */
    guint16 port;      /* network order */
    GArray *frontends; /* NftFrontend: where clients find it */
    GArray *endpoints; /* ModelEndpoint, without duplicates: who answers */
} ModelPort;

typedef struct Model Model;

Model *model_new(const char *node_name);
void model_free(Model *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, model_free)

/* Adds or replaces an object; the messages are copied as far as needed. What cannot be used (no cluster IP, IPv6, a
 * malformed address or an unknown protocol) is left out: it is the server's work to refuse it. */
void model_set_service(Model *model, const Core__V1__Service *service);
void model_remove_service(Model *model, const char *namespace, const char *name);
void model_set_slice(Model *model, const Discovery__V1__EndpointSlice *slice);
void model_remove_slice(Model *model, const char *namespace, const char *name);

/* The ports of a service: new array of ModelPort*, empty if there is no such service or it has no address. */
GPtrArray *model_ports(const Model *model, const char *key);

/* The keys of the services whose ports may have changed since the last call: new array of new strings, in no order. */
GPtrArray *model_take_changed(Model *model);
gboolean model_has_changed(const Model *model);
