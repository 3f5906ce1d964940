#include "server/store/pump.h"

struct StorePump {
    GMutex lock; /* guards what follows */
    GCond wake;
    StoreJobList queue;
    gboolean stopping;
    GPtrArray *threads; /* of GThread; set before they run */
};

void store_job_list_add(StoreJobList *list, StoreJob *job)
{
    job->next = NULL;
    if (list->first)
        *list->last = job;
    else
        list->first = job;
    list->last = &job->next;
}

static gpointer pump_thread(gpointer data)
{
    StorePump *pump = data;
    g_mutex_lock(&pump->lock);
    for (;;) {
        StoreJob *job = pump->queue.first;
        if (job) {
            pump->queue.first = job->next;
            g_mutex_unlock(&pump->lock);
            job->run(job);
            g_mutex_lock(&pump->lock);
        } else if (pump->stopping) {
            break;
        } else {
            g_cond_wait(&pump->wake, &pump->lock);
        }
    }
    g_mutex_unlock(&pump->lock);
    return NULL;
}

StorePump *store_pump_new(guint threads)
{
    StorePump *pump = g_new0(StorePump, 1);
    g_mutex_init(&pump->lock);
    g_cond_init(&pump->wake);
    pump->threads = g_ptr_array_new();
    for (guint i = 0; i < threads; i++)
        g_ptr_array_add(pump->threads, g_thread_new("pump", pump_thread, pump));
    return pump;
}

void store_pump_free(StorePump *pump)
{
    if (!pump)
        return;
    g_mutex_lock(&pump->lock);
    pump->stopping = TRUE;
    g_cond_broadcast(&pump->wake);
    g_mutex_unlock(&pump->lock);
    for (guint i = 0; i < pump->threads->len; i++)
        g_thread_join(pump->threads->pdata[i]);
    g_ptr_array_unref(pump->threads);
    g_cond_clear(&pump->wake);
    g_mutex_clear(&pump->lock);
    g_free(pump);
}

void store_pump_push(StorePump *pump, StoreJobList *list)
{
    if (!list->first)
        return;
    g_mutex_lock(&pump->lock);
    if (pump->queue.first)
        *pump->queue.last = list->first;
    else
        pump->queue.first = list->first;
    pump->queue.last = list->last;
    g_cond_broadcast(&pump->wake);
    g_mutex_unlock(&pump->lock);
    *list = (StoreJobList){0};
}
