/* Feeds the proxy with the Services, EndpointSlices and Nodes of a server, and tells it when it has all of them. */
#pragma once

#include "client/client.h"
#include "netproxy/netproxy.h"

typedef struct NetproxyWatch NetproxyWatch;

/* Starts at once. The proxy and the client are borrowed and must outlive it. */
NetproxyWatch *netproxy_watch_new(Client *client, Netproxy *netproxy);
void netproxy_watch_free(NetproxyWatch *watch);
