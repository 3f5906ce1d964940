/* What the tests of lib/rpc share: a server with a few methods, a place for sockets, and waiting in the main context. */
#pragma once

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/rpc/client.h"
#include "lib/rpc/server.h"

#define PATIENCE_US (30 * G_USEC_PER_SEC) /* for what must happen; a failing test ends then */

/* Iterates the main context until <condition>; fails the test if that takes too long. */
#define wait_for(condition)                                                                                            \
    do {                                                                                                               \
        guint wait_timer_ = g_timeout_add(20, (GSourceFunc)wait_keep_going, NULL);                                     \
        gint64 wait_until_ = g_get_monotonic_time() + PATIENCE_US;                                                     \
        while (!(condition)) {                                                                                         \
            g_assert_cmpint(g_get_monotonic_time(), <, wait_until_);                                                   \
            g_main_context_iteration(NULL, TRUE);                                                                      \
        }                                                                                                              \
        g_source_remove(wait_timer_);                                                                                  \
    } while (0)

static inline gboolean wait_keep_going(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

#define assert_error(error, the_code, text)                                                                            \
    do {                                                                                                               \
        g_assert_nonnull(error);                                                                                       \
        g_assert_cmpstr(cleat_error_to_reason(cleat_error_code(error)), ==, cleat_error_to_reason(the_code));          \
        if (!strstr((error)->message, text))                                                                           \
            g_error("\"%s\" does not contain \"%s\"", (error)->message, text);                                         \
    } while (0)

/* "/echo.Echo/Echo": the request again. */
static inline void handle_echo(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    rpc_server_call_reply(call, request);
}

/* A server in plaintext at an address, with Echo and <method>, on the polling threads. port 0 in address: *ret_address says
 * what it became. */
static inline RpcServer *server_at(const char *address, const RpcServerCredentials *credentials, char **ret_address)
{
    RpcServer *server = rpc_server_new(NULL);
    int port = 0;
    g_autoptr(GError) error = NULL;
    rpc_server_listen(server, address, credentials, &port, &error);
    g_assert_no_error(error);
    if (ret_address) {
        const char *colon = strrchr(address, ':');
        *ret_address = g_str_has_prefix(address, "unix:")
                           ? g_strdup(address)
                           : g_strdup_printf("%.*s:%d", (int)(colon - address), address, port);
    }
    rpc_server_handle(server, "/echo.Echo/Echo", handle_echo, NULL);
    return server;
}

static inline void server_start(RpcServer *server)
{
    g_autoptr(GError) error = NULL;
    rpc_server_start(server, &error);
    g_assert_no_error(error);
}

static inline void server_end(RpcServer *server)
{
    rpc_server_stop(server, 0);
    rpc_server_free(server);
}

static inline RpcChannel *channel_to(const char *address, const RpcClientCredentials *credentials)
{
    const char *addresses[] = {address, NULL};
    RpcChannelOptions options = {.addresses = addresses, .credentials = credentials};
    g_autoptr(GError) error = NULL;
    RpcChannel *channel = rpc_channel_new(&options, &error);
    g_assert_no_error(error);
    return channel;
}

/* Calls and waits, in the main context. */
typedef struct {
    gboolean done;
    GBytes *reply;
    GError *error;
} Answer;

static inline void answer_done(GBytes *reply, const GError *error, gpointer data)
{
    Answer *answer = data;
    g_assert_false(answer->done);
    g_assert_true((reply == NULL) != (error == NULL));
    answer->done = TRUE;
    answer->reply = reply ? g_bytes_ref(reply) : NULL;
    answer->error = error ? g_error_copy(error) : NULL;
}

static inline void answer_clear(Answer *answer)
{
    g_clear_pointer(&answer->reply, g_bytes_unref);
    g_clear_error(&answer->error);
    answer->done = FALSE;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static inline GBytes *text_bytes(const char *text)
{
    return g_bytes_new(text, strlen(text));
}

#define assert_text(bytes, text)                                                                                       \
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text))

/* A new folder below the system's temporary one. */
static inline char *folder_new(void)
{
    g_autoptr(GError) error = NULL;
    char *path = g_dir_make_tmp("cleat-rpc-XXXXXX", &error);
    g_assert_no_error(error);
    return path;
}
