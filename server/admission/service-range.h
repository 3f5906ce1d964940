/* The addresses that Services get: an IPv4 range, of which each service claims one in the transaction that writes it. */
#pragma once

#include "server/store/mutate.h"

typedef struct ServiceRange ServiceRange;

#define SERVICE_RANGE_CLAIMS "serviceips" /* the name of the claims */

/* "10.96.0.0/16", /12 to /29. BAD_REQUEST. */
ServiceRange *service_range_new(const char *cidr, GError **error);
void service_range_free(ServiceRange *range);
const char *service_range_text(const ServiceRange *range);
/* Whether it is an address that a service may have: in the range, neither its first nor its last. */
gboolean service_range_contains(const ServiceRange *range, const char *address);
/* A free address, chosen at random; NULL if there is none. New string. The lowest addresses (a sixteenth of the range, 16 to
 * 256 of them) are given out last, as people ask for them by hand. */
char *service_range_pick(const ServiceRange *range, Store *store);
