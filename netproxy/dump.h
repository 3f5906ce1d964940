/* What the kernel does for services just now, in words, for "cleat-netproxy --dump". */
#pragma once

#include <glib.h>

/* Reads the table of the calling thread's network namespace. New string. Errors: NOT_FOUND when there is no table. */
char *dump_services(GError **error);
