/* Typed verbs on any kind of the resource table. A client belongs to one GMainContext: all functions but the _sync ones are
 * called, and all callbacks run, in its thread. Objects handed in are borrowed and packed at once. */
#pragma once

#include "client/config.h"
#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"
#include "lib/rpc/client.h"

typedef struct Client Client;

/* context NULL: the default one. user_agent: the component's name, static. rpc_init() must have been called. */
Client *client_new(const ClientConfig *config, const char *user_agent, GMainContext *context, GError **error);
/* Ends calls and watches under way with CANCELLED: their callbacks run inside this, which runs the context for up to 2 s.
 * Caches, leaders and recorders go first. Not inside a callback. */
void client_free(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)
RpcChannel *client_channel(Client *client); /* borrowed: for other services of the same server */
GMainContext *client_context(Client *client);

/* One of object and error is NULL; both are borrowed. object is of the kind asked for (or its list). */
typedef void (*ClientDone)(const ProtobufCMessage *object, const GError *error, gpointer data);

typedef struct {
    const char *label_selector; /* each may be NULL */
    const char *field_selector;
    const char *resource_version;
    const char *continue_token;
    gint64 limit; /* 0: all */
} ClientListOptions;

/* namespace_ is "" or NULL for cluster-scoped kinds, and for lists over all namespaces. done may be NULL for writes.
 * Deadline: 30 s. Get and List are tried again on other servers; of the writes, Update with a resourceVersion and Delete
 * are (both can be repeated safely), Create is not once it was sent. */
void client_get(Client *client, const ApiResource *resource, const char *namespace_, const char *name, ClientDone done,
                gpointer data);
void client_list(Client *client, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                 ClientDone done, gpointer data);
void client_create(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data);
void client_update(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data);
void client_update_status(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data);
/* options may be NULL. */
void client_delete(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                   const Meta__V1__DeleteOptions *options, ClientDone done, gpointer data);

/* The same for programs that have nothing else to do. Not inside a callback. Results are owned by the caller. */
ProtobufCMessage *client_get_sync(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                                  GError **error);
ProtobufCMessage *client_list_sync(Client *client, const ApiResource *resource, const char *namespace_,
                                   const ClientListOptions *options, GError **error);
ProtobufCMessage *client_create_sync(Client *client, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *client_update_sync(Client *client, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *client_update_status_sync(Client *client, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *client_delete_sync(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                                     const Meta__V1__DeleteOptions *options, GError **error);

/* Binds pods to nodes in one request. results->n_results equals n; each is a meta.v1.Status. */
typedef void (*ClientBound)(Meta__V1__Status *const *results, gsize n, const GError *error, gpointer data);
void client_bind(Client *client, Core__V1__Binding *const *bindings, gsize n, ClientBound done, gpointer data);

/* A watch as it comes, for ctl; components use client/cache.h. type: ADDED, MODIFIED, DELETED, BOOKMARK. end is called once;
 * error NULL: the server ended it. Cancel with rpc_stream_cancel(); the caller owns the stream's reference. */
typedef struct {
    void (*event)(const char *type, const ProtobufCMessage *object, gpointer data);
    void (*end)(const GError *error, gpointer data);
} ClientWatchHandlers;
RpcStream *client_watch(Client *client, const ApiResource *resource, const char *namespace_,
                        const ClientListOptions *options, const ClientWatchHandlers *handlers, gpointer data);
