/* Which items of ranges of values (addresses of services) are taken: keys in etcd, mirrored here from its events, so that a
 * free one is found without asking. Thread-safe. */
#pragma once

#include <glib.h>

typedef struct StoreClaims StoreClaims;

StoreClaims *store_claims_new(void);
void store_claims_free(StoreClaims *claims);
/* key: "<range>/<item>", not NUL-terminated. */
void store_claims_set(StoreClaims *claims, const char *key, gsize size, gboolean claimed);
gboolean store_claims_has(StoreClaims *claims, const char *range, const char *item);
/* Replaces all by the keys of a set (taken) of new strings. */
void store_claims_reset(StoreClaims *claims, GHashTable *keys);
