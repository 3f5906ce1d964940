/* What a command line names: TYPE NAME..., TYPE/NAME..., TYPE,TYPE, and files. */
#pragma once

#include "client/ctl/ctl.h"

typedef struct {
    const ApiResource *resource;
    char *name; /* NULL: all of them */
} Target;

/* "pods,svc", "pods a b", "pod/a svc/b", "all". Returns a new array that owns the targets. BAD_REQUEST in kubectl's words. */
GPtrArray *targets_parse(char **args, GError **error);
/* The same, but every target must have a name. */
GPtrArray *targets_parse_named(Ctl *ctl, char **args, GError **error);

/* Every target with its name: those without one stand for all objects of the kind in the current namespace that have the
 * labels (which needs a selector or all). Errors as above, and NOT_FOUND when nothing matches. */
GPtrArray *targets_select(Ctl *ctl, char **args, const char *label_selector, gboolean all, GError **error);

/* The objects of files, folders (*.yaml, *.yml, *.json in them, by name) and "-" (standard input): ApiManifest*, in order.
 * paths is NULL-terminated. BAD_REQUEST, also when there is none. */
GPtrArray *manifests_read(char **paths, GError **error);

/* Puts objects that have no namespace into the current one. BAD_REQUEST when -n names another than an object has. */
gboolean manifest_set_namespace(Ctl *ctl, ApiManifest *manifest, GError **error);
