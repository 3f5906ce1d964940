/* What the benchmark programs share: closed-loop load, percentiles, memory of a process, one line per figure. */
#pragma once

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/rpc/client.h"

static inline G_NORETURN void bench_fail(const char *what, const GError *error)
{
    fprintf(stderr, "%s: %s\n", what, error ? error->message : g_strerror(errno));
    exit(1);
}

/* --- figures ----------------------------------------------------------------------------------------------------------*/

static inline int bench_compare(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share of the sample lies (0.5: the median). Sorts the sample. NAN if it is empty. */
static inline double bench_quantile(GArray *sample, double share)
{
    if (sample->len == 0)
        return NAN;
    g_array_sort(sample, bench_compare);
    return g_array_index(sample, double, MIN((guint)(share * sample->len), sample->len - 1));
}

static inline GArray *bench_sample(void)
{
    return g_array_new(FALSE, FALSE, sizeof(double));
}

static inline void bench_add(GArray *sample, double value)
{
    g_array_append_val(sample, value);
}

static inline double bench_seconds(void)
{
    return (double)g_get_monotonic_time() / 1e6;
}

/* --- load -------------------------------------------------------------------------------------------------------------*/

/* The i-th request; called by several threads. New bytes. */
typedef GBytes *(*BenchRequest)(guint64 i, gpointer data);

typedef struct {
    RpcChannel **channels;
    guint n_channels;
    const char *method;
    BenchRequest request;
    gpointer data;
    guint64 first;     /* the number of the first request */
    guint concurrency; /* calls in flight, each followed by the next as soon as it is answered */
    double seconds;
    guint64 max; /* end after so many calls; 0: when the time is up */
} BenchLoad;

typedef struct {
    guint64 calls;
    double seconds;
    double rate;           /* calls per second */
    double p50_us, p99_us; /* of one call */
    gsize reply_bytes;     /* of one call */
} BenchResult;

typedef struct BenchRun BenchRun;

typedef struct {
    BenchRun *run;
    RpcChannel *channel;
    GArray *latencies; /* us */
    gint64 sent;
    gsize reply_bytes;
} BenchCaller;

struct BenchRun {
    const BenchLoad *load;
    gint64 until;
    gint64 next; /* atomic */
    GMutex lock;
    GCond cond;
    guint running; /* lock */
};

static inline void bench_call(BenchCaller *caller);

static inline void bench_called(GBytes *reply, const GError *error, gpointer data)
{
    BenchCaller *caller = data;
    if (error)
        bench_fail(caller->run->load->method, error);
    bench_add(caller->latencies, (double)(g_get_monotonic_time() - caller->sent));
    caller->reply_bytes += g_bytes_get_size(reply);
    bench_call(caller);
}

static inline void bench_call(BenchCaller *caller)
{
    BenchRun *run = caller->run;
    const BenchLoad *load = run->load;
    guint64 i = (guint64)__atomic_fetch_add(&run->next, 1, __ATOMIC_RELAXED);
    caller->sent = g_get_monotonic_time();
    if (caller->sent >= run->until || (load->max && i >= load->max)) {
        g_mutex_lock(&run->lock);
        if (--run->running == 0)
            g_cond_signal(&run->cond);
        g_mutex_unlock(&run->lock);
        return;
    }
    g_autoptr(GBytes) request = load->request(load->first + i, load->data);
    static const RpcCallOptions options = {.timeout_ms = 60000};
    rpc_unary(caller->channel, load->method, request, &options, bench_called, caller);
}

static inline BenchResult bench_load(const BenchLoad *load)
{
    BenchRun run = {.load = load, .running = load->concurrency};
    g_autofree BenchCaller *callers = g_new0(BenchCaller, load->concurrency);
    gint64 start = g_get_monotonic_time();
    run.until = load->max ? G_MAXINT64 : start + (gint64)(load->seconds * 1e6);
    for (guint i = 0; i < load->concurrency; i++) {
        callers[i] =
            (BenchCaller){.run = &run, .channel = load->channels[i % load->n_channels], .latencies = bench_sample()};
        bench_call(&callers[i]);
    }
    g_mutex_lock(&run.lock);
    while (run.running > 0)
        g_cond_wait(&run.cond, &run.lock);
    g_mutex_unlock(&run.lock);
    BenchResult result = {.seconds = (double)(g_get_monotonic_time() - start) / 1e6};
    g_autoptr(GArray) all = bench_sample();
    for (guint i = 0; i < load->concurrency; i++) {
        g_array_append_vals(all, callers[i].latencies->data, callers[i].latencies->len);
        result.reply_bytes += callers[i].reply_bytes;
        g_array_unref(callers[i].latencies);
    }
    result.calls = all->len;
    result.rate = (double)all->len / result.seconds;
    result.p50_us = bench_quantile(all, 0.5);
    result.p99_us = bench_quantile(all, 0.99);
    result.reply_bytes /= MAX(all->len, 1);
    return result;
}

/* --- processor time ---------------------------------------------------------------------------------------------------*/

/* What a process has used so far, user and system, in seconds. */
static inline double bench_cpu_seconds(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        bench_fail(path, error);
    unsigned long user = 0, system = 0;
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        bench_fail(path, NULL);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* --- memory -----------------------------------------------------------------------------------------------------------*/

/* A value in KiB from a file of /proc/PID: "status" and "VmRSS:" or "VmHWM:", "smaps_rollup" and "Pss:". */
static inline long bench_proc_kib(int pid, const char *file, const char *key)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        bench_fail(path, error);
    const char *line = strstr(text, key);
    return line ? strtol(line + strlen(key), NULL, 10) : -1;
}

static inline long bench_rss_kib(int pid)
{
    return bench_proc_kib(pid, "status", "VmRSS:");
}

/* The highest RSS since the last call of bench_reset_peak(). */
static inline long bench_peak_kib(int pid)
{
    return bench_proc_kib(pid, "status", "VmHWM:");
}

static inline void bench_reset_peak(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/clear_refs", pid);
    FILE *file = fopen(path, "w");
    if (!file || fputs("5", file) < 0 || fclose(file) != 0)
        bench_fail(path, NULL);
}
