/* The container runtime as a whole: who it is, whether it is ready, and its stream of events. Belongs to the agent's loop. */
#pragma once

#include "agent/cri.h"

typedef struct Runtime Runtime;

typedef struct {
    /* The process of a container or sandbox started, ended or went. exited: its status will soon say so. */
    void (*changed)(const char *id, gboolean exited, gpointer data);
    /* Events may have been missed (the stream broke, or has just begun): list everything. */
    void (*resync)(gpointer data);
    /* Readiness or identity changed. */
    void (*state)(gpointer data);
} RuntimeHandlers;

/* Starts at once: asks for version and status (every <poll_ms>), subscribes to events. handlers are copied. */
Runtime *runtime_new(Cri *cri, GMainContext *context, guint poll_ms, const RuntimeHandlers *handlers, gpointer data);
void runtime_free(Runtime *runtime);

const char *runtime_name(const Runtime *runtime);    /* "containerd"; "" before it was heard of */
const char *runtime_version(const Runtime *runtime); /* "1.6.20" */

typedef struct {
    gboolean heard;      /* an answer, or the failure to get one, came since the start */
    gboolean runtime;    /* RuntimeReady */
    gboolean network;    /* NetworkReady */
    const char *message; /* why not, for users; "" when ready. Borrowed until the next state() */
} RuntimeReadiness;
RuntimeReadiness runtime_readiness(const Runtime *runtime);
