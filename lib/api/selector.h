/* Label and field selectors. Immutable once made, so matching is thread-safe. */
#pragma once

#include "lib/api/object.h"

typedef struct ApiSelector ApiSelector; /* of at most 256 requirements */

/* "app=web,tier in (a, b),!old,env!=x,n notin (1),has": BAD_REQUEST says where it goes wrong. NULL or "" matches
 * all. */
ApiSelector *api_selector_parse(const char *text, GError **error);
/* From an object's selector. NULL matches nothing, an empty one everything (as in Kubernetes). */
ApiSelector *api_selector_from_message(const Meta__V1__LabelSelector *selector, GError **error);
/* From a plain map, as in Service.spec.selector: all must be equal. An empty one matches nothing. */
ApiSelector *api_selector_from_map(ApiMapEntry *const *entries, gsize n);
void api_selector_free(ApiSelector *selector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApiSelector, api_selector_free)

gboolean api_selector_matches(const ApiSelector *selector, ApiMapEntry *const *labels, gsize n);
gboolean api_selector_matches_meta(const ApiSelector *selector, const Meta__V1__ObjectMeta *meta);
gboolean api_selector_is_everything(const ApiSelector *selector);
/* The text form, canonical and sorted. New string. */
char *api_selector_format(const ApiSelector *selector);

/* For objects that are not decoded: lookup gives a label's value (not NUL-terminated); FALSE if absent. */
typedef gboolean (*ApiLabelLookup)(gconstpointer labels, const char *key, const char **ret_value, gsize *ret_size);
gboolean api_selector_matches_lookup(const ApiSelector *selector, ApiLabelLookup lookup, gconstpointer labels);

/* Field selectors: "spec.nodeName=n1,status.phase!=Failed": only =, == and !=, joined by commas; each path must be
 * metadata.name, metadata.namespace or a selectable field of the resource, else BAD_REQUEST naming those that are. */
typedef struct ApiFieldSelector ApiFieldSelector;
ApiFieldSelector *api_field_selector_parse(const ApiResource *resource, const char *text, GError **error);
void api_field_selector_free(ApiFieldSelector *selector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApiFieldSelector, api_field_selector_free)
gboolean api_field_selector_is_everything(const ApiFieldSelector *selector);
gboolean api_field_selector_matches(const ApiFieldSelector *selector, const ProtobufCMessage *object);
/* For objects that are not decoded: lookup gives the value of selectable field <field> of the resource's row (its
 * index), or of the name (-1) or namespace (-2); size 0 if unset. */
typedef void (*ApiFieldLookup)(gconstpointer object, int field, const char **ret_value, gsize *ret_size);
gboolean api_field_selector_matches_lookup(const ApiFieldSelector *selector, ApiFieldLookup lookup,
                                           gconstpointer object);
/* The value that "metadata.name=" pins, or NULL. Borrowed. */
const char *api_field_selector_name(const ApiFieldSelector *selector);
/* The value that selectable field <field> of the resource's row is pinned to by "=", or NULL. Borrowed. */
const char *api_field_selector_value(const ApiFieldSelector *selector, int field);
