/* Short words for tests of the server: objects from YAML, verbs that must or must not succeed, watches that are read one event at
 * a time. Everything blocks; use it from the test's main thread. */
#pragma once

#include "lib/api/object.h"
#include "lib/rpc/client.h"

#include "cleat/v1/requests.pb-c.h"

/* One object from YAML (several lines may be joined by \n). New. */
ProtobufCMessage *kit_object(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Any verb: sends bytes, returns the answer or the error. */
GBytes *kit_call(RpcChannel *channel, const ApiResource *resource, const char *verb, GBytes *request, GError **error);

/* A Create or Update request for an object. New bytes. */
GBytes *kit_write_request(const ProtobufCMessage *object);

/* Verbs. Those that return an object return NULL with an error. New objects. */
ProtobufCMessage *kit_create(RpcChannel *channel, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *kit_update(RpcChannel *channel, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *kit_update_status(RpcChannel *channel, const ProtobufCMessage *object, GError **error);
ProtobufCMessage *kit_get(RpcChannel *channel, const ApiResource *resource, const char *namespace_, const char *name,
                          const char *resource_version, GError **error);
/* options may be NULL; namespace_ "" is all. */
ProtobufCMessage *kit_list(RpcChannel *channel, const ApiResource *resource, const char *namespace_,
                           const Meta__V1__ListOptions *options, GError **error);
ProtobufCMessage *kit_delete(RpcChannel *channel, const ApiResource *resource, const char *namespace_, const char *name,
                             const Meta__V1__DeleteOptions *options, GError **error);

/* The same, from YAML, and it must succeed. */
ProtobufCMessage *kit_must_create(RpcChannel *channel, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Creates a namespace with a name of its own and returns that. New string. */
char *kit_namespace(RpcChannel *channel);

/* Asserts that *error is of that code and that its message contains text; clears it. */
#define kit_assert_error(error, code, text) kit_assert_error_at(__FILE__, __LINE__, error, code, text)
void kit_assert_error_at(const char *file, int line, GError **error, int code, const char *text);

/* The items of a list message. */
ProtobufCMessage **kit_items(const ProtobufCMessage *list, gsize *ret_n);
const Meta__V1__ListMeta *kit_list_meta(const ProtobufCMessage *list);

/* A watch: events are queued as they come. */
typedef struct KitWatch KitWatch;
KitWatch *kit_watch(RpcChannel *channel, const ApiResource *resource, const char *namespace_,
                    const Meta__V1__ListOptions *options);
void kit_watch_free(KitWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KitWatch, kit_watch_free)

typedef struct {
    char *type; /* NULL: the stream has ended */
    ProtobufCMessage *object;
    GError *error; /* of the end; NULL: it ended well */
} KitEvent;
void kit_event_free(KitEvent *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KitEvent, kit_event_free)
/* The next event; fails the test when none comes within 20 s. */
KitEvent *kit_watch_next(KitWatch *watch);
/* It must be of that type and about the object of that name ("" : any). Returns its revision. */
gint64 kit_watch_expect(KitWatch *watch, const char *type, const char *name);
/* Stops and goes on reading from the connection, as a slow client does. */
void kit_watch_hold(KitWatch *watch);
void kit_watch_release(KitWatch *watch);
/* Whether something comes within ms. For events that must not come: give a later one that must, if you can. */
gboolean kit_watch_silent(KitWatch *watch, guint ms);
