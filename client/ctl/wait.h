/* The conditions of "wait --for". */
#pragma once

#include "lib/api/object.h"

typedef enum { WAIT_CONDITION, WAIT_JSONPATH, WAIT_DELETE, WAIT_CREATE } WaitKind;

typedef struct {
    WaitKind kind;
    char *key;   /* the condition's type, or the path */
    char *value; /* what it must be; NULL: with a path, anything */
} WaitFor;

/* "condition=Ready", "condition=Ready=False", "jsonpath={.status.phase}=Running", "delete", "create". BAD_REQUEST. */
gboolean wait_for_parse(const char *flag, WaitFor *ret_wait, GError **error);
void wait_for_done(WaitFor *wait);
/* Whether an object (NULL: there is none) is what is waited for. A status that the controller wrote before it saw the
 * present spec does not count. */
gboolean wait_for_met(const WaitFor *wait, const ProtobufCMessage *object);
