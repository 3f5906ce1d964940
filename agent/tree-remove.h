/* Removes a folder with all that is in it, a slice of work at a time, so that a large one never holds up the loop. Follows no
 * symbolic link and does not descend into other file systems. */
#pragma once

#include <glib.h>

/* done(ok, data) runs once, from the loop; ok also when there was nothing. Runs to its end: it cannot be cancelled. */
void tree_remove(const char *path, void (*done)(gboolean ok, gpointer data), gpointer data);
