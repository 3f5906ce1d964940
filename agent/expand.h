/* $(NAME) in commands, arguments and values of environment variables. Pure. */
#pragma once

#include <glib.h>

/* The value of a variable, or NULL when there is none. */
typedef const char *(*ExpandLookup)(const char *name, gpointer data);

/* Replaces $(NAME) by its value and $$ by $. What names no variable stays as it is written, as Kubernetes does it.
 * New string. */
char *expand(const char *text, ExpandLookup lookup, gpointer data);
