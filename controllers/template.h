/* Pod templates: are two the same, and a short name for one. Both ignore the label pod-template-hash and the order of
 * labels and other maps. Pure functions. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"

gboolean template_equal(const Core__V1__PodTemplateSpec *a, const Core__V1__PodTemplateSpec *b);

/* Up to 10 characters that fit in names and label values. collisions: how often the name was found taken. New
 * string. */
char *template_hash(const Core__V1__PodTemplateSpec *template_, gint32 collisions);
