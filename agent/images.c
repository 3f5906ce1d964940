#include "agent/images.h"

#include "lib/api/object.h"
#include "lib/base/error.h"

struct Images {
    Cri *cri;
    int refs; /* the owner's and one per want or pull under way */
    gboolean closed;
    GHashTable *pulls; /* key -> Pull* */
};

/* One caller's wish. */
typedef struct {
    Images *images;
    char *image;
    PullPolicy policy;
    GPtrArray *auths;
    ImageHandlers handlers;
    gpointer data;
    gboolean pulled;
    gint64 pull_us;
} Want;

/* One pull for all who want the same. */
typedef struct {
    Images *images;
    char *key;
    GPtrArray *wants; /* Want* */
    guint next_auth;
    gint64 since;
} Pull;

Images *images_new(Cri *cri)
{
    Images *images = g_new0(Images, 1);
    images->cri = cri;
    images->refs = 1;
    images->pulls = g_hash_table_new(g_str_hash, g_str_equal);
    return images;
}

static void images_unref(Images *images)
{
    if (--images->refs > 0)
        return;
    g_hash_table_unref(images->pulls);
    g_free(images);
}

void images_free(Images *images)
{
    if (!images)
        return;
    images->closed = TRUE;
    images_unref(images);
}

static void want_finish(Want *want, const ImageResult *result)
{
    if (!want->images->closed)
        want->handlers.done(result, want->data);
    images_unref(want->images);
    g_ptr_array_unref(want->auths);
    g_free(want->image);
    g_free(want);
}

static void want_fail(Want *want, const char *reason, const char *message)
{
    ImageResult result = {.reason = reason, .message = message, .user = -1};
    want_finish(want, &result);
}

/* --- pulling ----------------------------------------------------------------------------------------------------------*/

static void ask_status(Want *want);
static void pull_try(Pull *pull);

static void pull_finish(Pull *pull, const GError *error)
{
    g_autoptr(GPtrArray) wants = g_steal_pointer(&pull->wants);
    gint64 took = g_get_monotonic_time() - pull->since;
    g_hash_table_remove(pull->images->pulls, pull->key);
    for (guint i = 0; i < wants->len; i++) {
        Want *want = wants->pdata[i];
        want->pulled = TRUE;
        want->pull_us = took;
        if (pull->images->closed) {
            want_fail(want, "Cancelled", "");
        } else if (error) {
            g_autofree char *message = g_strdup_printf("failed to pull image \"%s\": %s", want->image, error->message);
            want_fail(want, "ErrImagePull", message);
        } else {
            ask_status(want);
        }
    }
    images_unref(pull->images);
    g_free(pull->key);
    g_free(pull);
}

static void on_pulled(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    (void)reply;
    Pull *pull = data;
    const Want *first = pull->wants->pdata[0];
    if (error && !pull->images->closed && ++pull->next_auth < first->auths->len)
        pull_try(pull);
    else
        pull_finish(pull, error);
}

static void pull_try(Pull *pull)
{
    const Want *first = pull->wants->pdata[0];
    Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
    Runtime__V1__PullImageRequest request = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
    spec.image = first->image;
    request.image = &spec;
    if (pull->next_auth < first->auths->len)
        request.auth = first->auths->pdata[pull->next_auth];
    cri_call(pull->images->cri, CRI_PULL_IMAGE, &request.base, 0, on_pulled, pull);
}

/* The image and a digest of the credentials. New string. */
static char *pull_key(const Want *want)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < want->auths->len; i++) {
        g_autoptr(GBytes) bytes = api_message_pack(want->auths->pdata[i]);
        gsize size;
        const guint8 *data = g_bytes_get_data(bytes, &size);
        g_checksum_update(sum, data, (gssize)size);
    }
    return g_strconcat(want->image, " ", g_checksum_get_string(sum), NULL);
}

static void want_pull(Want *want)
{
    g_autofree char *key = pull_key(want);
    Pull *pull = g_hash_table_lookup(want->images->pulls, key);
    want->handlers.pulling(want->data);
    if (pull) {
        g_ptr_array_add(pull->wants, want);
        return;
    }
    pull = g_new0(Pull, 1);
    pull->images = want->images;
    pull->images->refs++;
    pull->key = g_steal_pointer(&key);
    pull->wants = g_ptr_array_new();
    pull->since = g_get_monotonic_time();
    g_ptr_array_add(pull->wants, want);
    g_hash_table_insert(want->images->pulls, pull->key, pull);
    pull_try(pull);
}

/* --- status -----------------------------------------------------------------------------------------------------------*/

static void want_succeed(Want *want, const Runtime__V1__Image *image)
{
    ImageResult result = {
        .id = image->id,
        .user = image->uid ? image->uid->value : -1,
        .user_name = image->username,
        .pulled = want->pulled,
        .pull_us = want->pull_us,
        .size = image->size,
    };
    if (!image->uid && !image->username[0])
        result.user = 0; /* an image without a user runs as root */
    want_finish(want, &result);
}

static void on_status(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Want *want = data;
    const Runtime__V1__ImageStatusResponse *status = (const Runtime__V1__ImageStatusResponse *)reply;
    gboolean here = status && status->image;
    if (want->images->closed) {
        want_fail(want, "Cancelled", "");
    } else if (error) {
        want_fail(want, "ImageInspectError", error->message);
    } else if (here && (want->policy != PULL_ALWAYS || want->pulled)) {
        want_succeed(want, status->image);
    } else if (want->pulled) {
        want_fail(want, "ErrImagePull", "the image is gone right after it was pulled");
    } else if (want->policy == PULL_NEVER) {
        g_autofree char *message =
            g_strdup_printf("Container image \"%s\" is not present with pull policy of Never", want->image);
        want_fail(want, "ErrImageNeverPull", message);
    } else {
        want_pull(want);
    }
}

static void ask_status(Want *want)
{
    Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
    Runtime__V1__ImageStatusRequest request = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
    spec.image = want->image;
    request.image = &spec;
    cri_call(want->images->cri, CRI_IMAGE_STATUS, &request.base, 0, on_status, want);
}

static gboolean refuse_name(gpointer data)
{
    Want *want = data;
    g_autofree char *message = g_strdup_printf("couldn't parse image name \"%s\"", want->image);
    want_fail(want, "InvalidImageName", message);
    return G_SOURCE_REMOVE;
}

void images_ensure(Images *images, const char *image, PullPolicy policy, GPtrArray *auths,
                   const ImageHandlers *handlers, gpointer data)
{
    Want *want = g_new0(Want, 1);
    want->images = images;
    images->refs++;
    want->image = g_strdup(image);
    want->policy = policy;
    want->auths = auths;
    want->handlers = *handlers;
    want->data = data;
    g_autofree char *repository = image_repository(image);
    if (repository)
        ask_status(want);
    else
        g_idle_add(refuse_name, want);
}
