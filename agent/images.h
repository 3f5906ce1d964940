/* Makes sure that an image is on the node. Pods that want the same image with the same credentials share one pull.
 * Belongs to the agent's loop. */
#pragma once

#include "agent/cri.h"
#include "agent/image-name.h"

typedef struct Images Images;

Images *images_new(Cri *cri);
/* What is under way is dropped: its done is never called. */
void images_free(Images *images);

typedef struct {
    const char *reason;  /* NULL: the image is there; else ErrImagePull, ErrImageNeverPull, InvalidImageName, ... */
    const char *message; /* the runtime's own text */
    const char *id;      /* what the runtime knows it by */
    gint64 user;         /* that it runs as; -1: by name, or not told */
    const char *user_name;
    gboolean pulled; /* from a registry, just now */
    gint64 pull_us;  /* how long that took */
    guint64 size;    /* bytes */
} ImageResult;

typedef struct {
    void (*pulling)(gpointer data);                         /* a pull begins; not called when the image is there */
    void (*done)(const ImageResult *result, gpointer data); /* once, last; result is borrowed */
} ImageHandlers;

/* auths: of Runtime__V1__AuthConfig*, tried in turn until one works; taken. Handlers run from the loop. */
void images_ensure(Images *images, const char *image, PullPolicy policy, GPtrArray *auths,
                   const ImageHandlers *handlers, gpointer data);
