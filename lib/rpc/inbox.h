/* Inside lib/rpc: finished operations on their way from the polling threads into a GMainContext.
 *
 * One inbox per context, made on first use and kept until rpc_shutdown(). An item is part of the object that it is about; it
 * must not be posted again before it has run. The context is woken once for all items that wait. */
#pragma once

#include <glib.h>

typedef struct RpcWork RpcWork;
struct RpcWork {
    RpcWork *next;
    /* deliver is FALSE when the library stops: free what there is, call nobody. */
    void (*run)(RpcWork *work, gboolean deliver);
};

typedef struct RpcInbox RpcInbox;

/* The inbox of a context; NULL for NULL. Any thread. */
RpcInbox *rpc_inbox_for(GMainContext *context);
/* Runs work in the inbox's context, after what was posted before; at once on this thread if inbox is NULL. Any thread. */
void rpc_inbox_post(RpcInbox *inbox, RpcWork *work);
/* Discards what was not run and frees all inboxes. */
void rpc_inbox_free_all(void);
