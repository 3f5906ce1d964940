/* The storage form: "k8s\0", then runtime.Unknown{typeMeta{apiVersion, kind}, raw}, raw being the packed object. */
#pragma once

#include "lib/api/object.h"

/* The envelope around an encoded object. New bytes. */
GBytes *api_envelope_wrap(const ApiResource *resource, const void *object, gsize size);

/* Finds kind and object in an envelope without copying: *ret_object points into <data>. BAD_REQUEST when it is none, or
 * of a kind that the table does not have (the message says which). */
gboolean api_envelope_open(const void *data, gsize size, const ApiResource **ret_resource, const guint8 **ret_object,
                           gsize *ret_size, GError **error);
