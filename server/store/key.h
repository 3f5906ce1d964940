/* Keys: where an object lies in etcd, and how the caches name it. Thread-safe: no state.
 *   etcd:  <prefix>/<plural>[.<group>]/[<namespace>/]<name>, for example /registry/pods/default/web
 *   cache: [<namespace>/]<name> */
#pragma once

#include "lib/api/resource.h"

/* "default/web", or "web" where namespace_ is "" (cluster-scoped kinds). New string. */
char *store_key_new(const char *namespace_, const char *name);

/* The etcd key of an object; key is the cache's. New string. */
char *store_key_to_etcd(const char *prefix, const ApiResource *resource, const char *key);

/* The etcd key that records that <item> of a range of values is taken, for example a service's address:
 * <prefix>/cleat/<range>/<item>. New string. */
char *store_claim_to_etcd(const char *prefix, const char *range, const char *item);

typedef enum { STORE_KEY_OBJECT, STORE_KEY_CLAIM, STORE_KEY_FOREIGN } StoreKeyType;

typedef struct {
    StoreKeyType type;
    const ApiResource *resource; /* OBJECT only */
    const char *rest; /* OBJECT: the cache's key; CLAIM: "<range>/<item>". Points into the etcd key, to its end */
    gsize rest_size;
} StoreKey;

/* What an etcd key (not NUL-terminated) stands for. FOREIGN: none of ours, whatever it is. */
StoreKey store_key_parse(const char *prefix, const char *etcd_key, gsize size);
