/* The main loop of a program: runs until SIGINT or SIGTERM. */
#pragma once

#include <glib.h>

/* Runs the default GMainContext until SIGINT, SIGTERM or loop_quit(). Returns the signal's number, or 0 after loop_quit().
 * SIGPIPE is ignored from then on. Main thread only. */
int loop_run(void);

/* Ends loop_run(). Any thread. */
void loop_quit(void);
