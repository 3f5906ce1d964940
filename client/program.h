/* The main function of a component that is a client of the server: flags, connection, leader election, loop, clean end. */
#pragma once

#include "client/client.h"

typedef struct {
    const char *name;            /* "cleat-scheduler"; also of the Lease */
    const char *summary;         /* for --help: "- places pods on nodes" */
    const GOptionEntry *entries; /* own flags, beside --config, --log-level, --version; may be NULL */
    /* Does what own flags ask for in place of running (print something, clean up), without a connection: TRUE if there was such
     * a thing; *ret_status is then the program's exit status. May be NULL. */
    gboolean (*instead)(int *ret_status);
    gboolean elects;             /* only one instance is active: adds --no-leader-election */
    /* Starts the component; flags are parsed by then. NULL with an error ends the program. */
    gpointer (*start)(Client *client, GError **error);
    void (*lead)(gpointer component); /* with elects: we are the active one from now on */
    void (*stop)(gpointer component); /* frees it */
} ClientProgram;

/* Runs until SIGINT, SIGTERM or the loss of leadership (a fresh process then starts from the cluster's state). Returns the
 * program's exit status. */
int client_program_main(const ClientProgram *program, int argc, char **argv);
