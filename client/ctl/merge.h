/* Three-way merge of objects as JSON trees, as "kubectl apply" does it. Thread-safe. */
#pragma once

#include <jansson.h>

/* What live becomes when the user, who said original the last time, now says modified: fields that original had and modified
 * has not are removed, fields of modified are set, and everything else (set by the server and by others) stays. Lists of
 * named items (containers, env, ports, ...) are merged item by item, other lists are replaced. New reference. */
json_t *merge_three_way(const json_t *original, const json_t *modified, const json_t *live);
