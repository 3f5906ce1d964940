/* Image references: what a name means, when to pull it, which credentials fit. Pure. */
#pragma once

#include <glib.h>

#include "cleat/core/v1/core.pb-c.h"
#include "foreign/cri/runtime.pb-c.h"

/* "registry/path" without tag and digest: "nginx" and "nginx:1" are "docker.io/library/nginx". NULL for what cannot be an
 * image's name. New string. */
char *image_repository(const char *image);

typedef enum { PULL_ALWAYS, PULL_IF_NOT_PRESENT, PULL_NEVER } PullPolicy;
/* The container's policy; without one Always for the tag latest (or none), else IfNotPresent. */
PullPolicy pull_policy_of(const Core__V1__Container *container);

/* Adds to <auths> (of Runtime__V1__AuthConfig*, owned by the array) the entries of a pull secret that fit the image,
 * the most specific first. <type>: kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg. Errors: INVALID when the text
 * is no such configuration. */
gboolean pull_secret_auths(const Core__V1__Secret *secret, const char *image, GPtrArray *auths, GError **error);
