/* ctl: what all verbs share. Everything runs in one thread. */
#pragma once

#include <stdio.h>

#include "client/client.h"
#include "lib/api/codec.h"
#include "lib/base/error.h"

typedef struct CtlVerb CtlVerb;

/* One run of the program. */
typedef struct {
    char *config_file; /* global flags; NULL: not given */
    char *context;
    char *server;
    char *namespace_flag;
    const CtlVerb *verb;
    char **command; /* what follows "--"; NULL: there was none */

    ClientConfig *config; /* made when first needed, by ctl_client() and ctl_namespace() */
    Client *client;
    gboolean failed; /* something was reported by ctl_report(): the exit status is 1 */
} Ctl;

/* A row of the table of verbs (ctl.c). run: args are what is left of the command line after ctl_parse() took the flags. */
struct CtlVerb {
    const char *name;
    const char *usage; /* what follows "ctl NAME" */
    const char *summary;
    gboolean (*run)(Ctl *ctl, int argc, char **argv, GError **error);
};
const CtlVerb *ctl_verbs(guint *ret_n);

int ctl_main(int argc, char **argv);

/* Parses the flags of a verb (entries, ended by {NULL}, may be NULL) and the global ones. Booleans also take "=true" and
 * "=false". Returns the remaining arguments, without the verb. NULL with an error. */
char **ctl_parse(Ctl *ctl, const GOptionEntry *entries, int argc, char **argv, GError **error);
/* "error: usage: ctl VERB ..." */
void ctl_set_usage_error(Ctl *ctl, GError **error);

/* Says on stderr what went wrong, as kubectl words it, and lets the program end with status 1. */
void ctl_report(Ctl *ctl, const GError *error);
/* The text that ctl_report() prints, without the final newline. New string. */
char *ctl_error_text(const GError *error);

/* --- the server. Errors of these are marked as the server's, so that ctl_report() can say so. ---------------------------*/
#define CTL_SERVER_ERROR (ctl_server_error_quark())
GQuark ctl_server_error_quark(void);
/* A copy of a CLEAT_ERROR as one that the server sent; the code stays. */
GError *ctl_server_error(const GError *error);
/* Whether the server answered with this code. */
gboolean ctl_server_said(const GError *error, CleatErrorCode code);

Client *ctl_client(Ctl *ctl, GError **error);        /* connects on demand; borrowed */
const char *ctl_namespace(Ctl *ctl, GError **error); /* -n, else the context's, else "default"; borrowed */
/* The namespace for a kind: that, or "" for cluster-scoped ones and, if all, for all namespaces. NULL with an error. */
const char *ctl_namespace_of(Ctl *ctl, const ApiResource *resource, gboolean all, GError **error);

ProtobufCMessage *ctl_get(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                          GError **error);
/* All pages. Returns a new array that owns the objects; *ret_revision (may be NULL) is what a watch may begin at. */
GPtrArray *ctl_list(Ctl *ctl, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                    char **ret_revision, GError **error);
ProtobufCMessage *ctl_create(Ctl *ctl, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *ctl_update(Ctl *ctl, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *ctl_delete(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                             const Meta__V1__DeleteOptions *options, GError **error);

/* Gets an object, asks change for a new state of it and writes that, again from the start when somebody else was faster.
 * change returns the new state, or NULL: with an error, or without one when nothing is to be changed. Returns the object as
 * it is then; *ret_changed says whether it was written. */
typedef ProtobufCMessage *(*CtlChange)(const ProtobufCMessage *object, gpointer data, GError **error);
ProtobufCMessage *ctl_modify(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                             CtlChange change, gpointer data, gboolean *ret_changed, GError **error);

/* --- names ------------------------------------------------------------------------------------------------------------*/
/* "pod/web", "deployment.apps/web". New strings. */
char *ctl_object_label(const ApiResource *resource, const char *name);
/* "deployments.apps" */
char *ctl_plural(const ApiResource *resource);

/* "90", "90s", "1m30s", "2h", "500ms"; one sign in front is allowed. FALSE for anything else; *ret_ms is unchanged then. */
gboolean ctl_duration_parse(const char *text, gint64 *ret_ms);
/* The same for a flag: NULL gives fallback_ms; an error names the flag. */
gboolean ctl_duration_flag(const char *flag, const char *text, gint64 fallback_ms, gint64 *ret_ms, GError **error);
