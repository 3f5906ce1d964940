/* Inside lib/rpc: who a client certificate belongs to. */
#pragma once

#include "lib/rpc/server.h"

/* CN and O entries of a PEM certificate (the first CN, the groups in their order). One parse per certificate: results are kept
 * for the process, up to a few thousand. The caller unrefs; `peer` is not set. An unreadable certificate gives no user. */
typedef struct {
    gatomicrefcount refs;
    char *user;
    char **groups;
} RpcSubject;
RpcSubject *rpc_subject_of(const char *pem, gsize size);
void rpc_subject_unref(RpcSubject *subject);
/* Forgets what is kept. */
void rpc_subject_forget_all(void);
