/* What the verbs that write have in common: one object, one mutation. */
#pragma once

#include "server/admission/admission.h"
#include "server/verbs/request.h"

typedef struct {
    Request *request;
    ProtobufCMessage *object;  /* from the client; NULL for Delete */
    ProtobufCMessage *options; /* of the verb's options type */
    StoreMutation mutation;    /* data: this WriteOp */
    gboolean generated;        /* Create: the name was made from generateName */
    guint tries;               /* Create: of making one */
} WriteOp;

WriteOp *write_op_new(Request *request);
void write_op_free(WriteOp *op); /* not its request */
/* Answers with an error, and ends. */
void write_op_fail(WriteOp *op, const GError *error);
/* Runs the mutation on the object of the request's target. */
void write_op_run(WriteOp *op, StoreDecide decide, void (*done)(gpointer op));
/* Answers with the outcome: the object as it was written, as it is, or as it was before it was removed. */
void write_op_reply(gpointer op);

/* BAD_REQUEST for options that ask for what is not done yet. */
gboolean write_refuse_dry_run(gsize n_dry_run, GError **error);
/* CONFLICT unless the revision and uid that the client gave ("" or NULL: any) are the object's. */
gboolean write_check_version(const Request *request, const StoreEntry *current, const char *resource_version,
                             const char *uid, GError **error);
/* Packs a finished object, brought into its one stored form, into the change; KEEP where nothing differs from what is stored. */
StoreAction write_put(ProtobufCMessage *object, const StoreEntry *current, StoreChange *change);
/* The removal of an object, with what its kind gives back. */
StoreAction write_remove(const Request *request, const ProtobufCMessage *object, StoreChange *change);
/* Whether an object that is being deleted is to go: nothing holds it and no grace is left. */
gboolean write_is_to_go(const Request *request, const ProtobufCMessage *object);
/* A new object's server-side metadata, and away with what only the server may set. */
void write_prepare_meta(Meta__V1__ObjectMeta *meta, gboolean has_generation);
