#include "lib/rpc/rpc.h"

#include <dlfcn.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/log.h>
#include <openssl/crypto.h>
#include <string.h>

#include "lib/rpc/identity.h"
#include "lib/rpc/inbox.h"
#include "lib/rpc/poller.h"

#define MAX_POLLERS 16

typedef struct {
    RpcTick tick;
    gpointer data;
} Waiting;

struct RpcPoller {
    grpc_completion_queue *queue;
    GThread *thread;
    GArray *waiting; /* of Waiting; its own thread's */
    gint64 ticked;   /* when the waiting were last looked at */
};

static RpcPoller pollers[MAX_POLLERS];
static guint n_pollers;
static guint next_poller;              /* atomic */
static __thread RpcPoller *own_poller; /* of a polling thread */

static GMutex live_lock;
static GCond live_cond;     /* live_first became NULL */
static RpcLive *live_first; /* live_lock */
static gint stopping;       /* atomic */

/* --- polling ----------------------------------------------------------------------------------------------------------*/

/* Looks at everything that waits. A tick may add to the array, so what is kept is moved up only at the end. */
static void poller_tick(RpcPoller *poller, gint64 now)
{
    poller->ticked = now;
    g_autoptr(GArray) old = poller->waiting;
    poller->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
    for (guint i = 0; i < old->len; i++) {
        Waiting *waiting = &g_array_index(old, Waiting, i);
        if (waiting->tick(waiting->data, now))
            g_array_append_val(poller->waiting, *waiting);
    }
}

static gpointer poller_thread(gpointer data)
{
    RpcPoller *poller = own_poller = data;
    for (;;) {
        gpr_timespec until = gpr_inf_future(GPR_CLOCK_MONOTONIC);
        if (poller->waiting->len > 0)
            until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(RPC_TICK_MS, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(poller->queue, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        if (event.type == GRPC_OP_COMPLETE) {
            RpcTag *tag = event.tag;
            tag->run(tag, event.success != 0);
        }
        if (poller->waiting->len > 0) {
            gint64 now = g_get_monotonic_time();
            if (now - poller->ticked >= RPC_TICK_MS * 1000)
                poller_tick(poller, now);
        }
    }
    return NULL;
}

void rpc_poller_wait(RpcPoller *poller, RpcTick tick, gpointer data)
{
    Waiting waiting = {tick, data};
    if (poller->waiting->len == 0)
        poller->ticked = g_get_monotonic_time();
    g_array_append_val(poller->waiting, waiting);
}

RpcPoller *rpc_poller_next(void)
{
    if (own_poller)
        return own_poller;
    return &pollers[g_atomic_int_add(&next_poller, 1) % n_pollers];
}

guint rpc_poller_count(void)
{
    return n_pollers;
}

RpcPoller *rpc_poller_at(guint i)
{
    return &pollers[i];
}

grpc_completion_queue *rpc_poller_queue(RpcPoller *poller)
{
    return poller->queue;
}

/* --- start and stop ---------------------------------------------------------------------------------------------------*/

/* gRPC's own messages go where GLib's debug messages go: what matters reaches the caller as an error as well. */
static void core_message(gpr_log_func_args *args)
{
    g_log("grpc", G_LOG_LEVEL_INFO, "%s", args->message);
}

/* Debian builds abseil, on which gRPC rests, without NDEBUG; each of its mutexes then looks for lock cycles, under one lock for
 * the whole process: some 15 % of the processor time of a call. The switch has no name in C; where it has another name than
 * Debian 12's, gRPC works as well, only slower. */
static void stop_deadlock_detection(void)
{
    enum { IGNORE = 0 }; /* absl::OnDeadlockCycle::kIgnore */
    void (*set_mode)(int) =
        (void (*)(int))dlsym(RTLD_DEFAULT, "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE");
    if (set_mode)
        set_mode(IGNORE);
}

void rpc_init(guint threads)
{
    g_assert(n_pollers == 0 && threads >= 1 && threads <= MAX_POLLERS);
    stop_deadlock_detection();
    /* gRPC's threads may still be in a TLS handshake when the process exits, also after grpc_shutdown(); OpenSSL must not be
     * taken down under them. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    gpr_set_log_function(core_message);
    grpc_init();
    g_atomic_int_set(&stopping, 0);
    n_pollers = threads;
    for (guint i = 0; i < threads; i++) {
        RpcPoller *poller = &pollers[i];
        poller->queue = grpc_completion_queue_create_for_next(NULL);
        poller->waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
        poller->thread = g_thread_new("rpc", poller_thread, poller);
    }
}

void rpc_shutdown(void)
{
    g_mutex_lock(&live_lock);
    g_atomic_int_set(&stopping, 1);
    for (RpcLive *live = live_first; live; live = live->next)
        live->cancel(live);
    while (live_first)
        g_cond_wait(&live_cond, &live_lock);
    g_mutex_unlock(&live_lock);
    rpc_inbox_free_all();
    rpc_subject_forget_all();
    for (guint i = 0; i < n_pollers; i++)
        grpc_completion_queue_shutdown(pollers[i].queue);
    for (guint i = 0; i < n_pollers; i++) {
        g_thread_join(pollers[i].thread);
        grpc_completion_queue_destroy(pollers[i].queue);
        g_array_unref(pollers[i].waiting);
    }
    n_pollers = 0;
    grpc_shutdown_blocking();
}

gboolean rpc_is_stopping(void)
{
    return g_atomic_int_get(&stopping);
}

void rpc_live_add(RpcLive *live)
{
    g_mutex_lock(&live_lock);
    live->previous = NULL;
    live->next = live_first;
    if (live_first)
        live_first->previous = live;
    live_first = live;
    g_mutex_unlock(&live_lock);
}

void rpc_live_remove(RpcLive *live)
{
    g_mutex_lock(&live_lock);
    if (live->previous)
        live->previous->next = live->next;
    else
        live_first = live->next;
    if (live->next)
        live->next->previous = live->previous;
    if (!live_first)
        g_cond_signal(&live_cond);
    g_mutex_unlock(&live_lock);
}

void rpc_batch(grpc_call *call, const grpc_op *ops, gsize n, RpcTag *tag)
{
    grpc_call_error code = grpc_call_start_batch(call, ops, n, tag, NULL);
    if (code != GRPC_CALL_OK)
        g_error("grpc_call_start_batch: %s", grpc_call_error_to_string(code));
}

/* --- bytes ------------------------------------------------------------------------------------------------------------*/

static void bytes_unref(void *bytes)
{
    g_bytes_unref(bytes);
}

grpc_slice rpc_slice_from_bytes(GBytes *bytes)
{
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    if (size <= GRPC_SLICE_INLINED_SIZE)
        return grpc_slice_from_copied_buffer(data, size);
    return grpc_slice_new_with_user_data((void *)data, size, bytes_unref, g_bytes_ref(bytes));
}

static void slice_free(gpointer data)
{
    grpc_slice *slice = data;
    grpc_slice_unref(*slice);
    g_free(slice);
}

GBytes *rpc_bytes_from_slice(grpc_slice slice)
{
    gsize size = GRPC_SLICE_LENGTH(slice);
    if (!slice.refcount)
        return g_bytes_new(GRPC_SLICE_START_PTR(slice), size);
    grpc_slice *kept = g_memdup2(&slice, sizeof slice);
    return g_bytes_new_with_free_func(GRPC_SLICE_START_PTR(*kept), size, slice_free, kept);
}

GBytes *rpc_bytes_take_buffer(grpc_byte_buffer *buffer)
{
    if (!buffer)
        return NULL;
    grpc_byte_buffer_reader reader;
    grpc_slice first = grpc_empty_slice(), second;
    if (grpc_byte_buffer_reader_init(&reader, buffer)) {
        if (grpc_byte_buffer_reader_next(&reader, &first) && grpc_byte_buffer_reader_next(&reader, &second)) {
            /* In pieces: put them together. */
            grpc_slice_unref(second);
            grpc_slice_unref(first);
            grpc_byte_buffer_reader_destroy(&reader);
            grpc_byte_buffer_reader_init(&reader, buffer);
            first = grpc_byte_buffer_reader_readall(&reader);
        }
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(buffer);
    return rpc_bytes_from_slice(first);
}

grpc_byte_buffer *rpc_buffer_from_bytes(GBytes *bytes)
{
    grpc_slice slice = rpc_slice_from_bytes(bytes);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}
