/* Kernel parameters of the calling thread's network namespace. */
#pragma once

#include <glib.h>

/* name: "net/ipv4/ip_forward". Writes only if the value differs. Errors: NOT_FOUND when the kernel has no such parameter (its
 * module is not loaded), INTERNAL. */
gboolean sysctl_write(const char *name, const char *value, GError **error);
