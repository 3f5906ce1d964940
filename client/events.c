#include "client/events.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/time.h"

#define EVENT_MESSAGE_MAX 1024
#define EVENT_REPEAT_S 600      /* the same again within this counts up */
#define EVENT_BURST 25          /* per object */
#define EVENT_REFILL_S 300      /* one more per object after this */
#define EVENT_OBJECTS_MAX 4096  /* objects and events remembered; beyond that all are forgotten at once */
#define EVENT_PENDING_MAX 512   /* writes under way */

/* An event that was told, so that the next of its kind counts up. */
typedef struct {
    Core__V1__Event *event; /* as the server has it */
    gint64 last;            /* monotonic us */
    gboolean busy;          /* being written */
    guint more;             /* told again meanwhile */
} Told;

typedef struct {
    double tokens;
    gint64 filled; /* monotonic us */
} Bucket;

struct ClientEvents {
    Client *client;
    char *component, *host;
    GHashTable *told;    /* what makes events equal -> Told* */
    GHashTable *buckets; /* uid of the object -> Bucket* */
    guint pending;
    guint64 dropped;
    gboolean freed; /* by client_events_free() while writes were under way: the last one frees the rest */
};

typedef struct {
    ClientEvents *events;
    char *identity; /* key of told */
} Write;

static void told_free(gpointer data)
{
    Told *told = data;
    API_FREE(told->event);
    g_free(told);
}

ClientEvents *client_events_new(Client *client, const char *component, const char *host)
{
    ClientEvents *events = g_new0(ClientEvents, 1);
    events->client = client;
    events->component = g_strdup(component);
    events->host = g_strdup(host);
    events->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, told_free);
    events->buckets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return events;
}

static void events_destroy(ClientEvents *events)
{
    g_hash_table_unref(events->told);
    g_hash_table_unref(events->buckets);
    g_free(events->component);
    g_free(events->host);
    g_free(events);
}

void client_events_free(ClientEvents *events)
{
    if (!events)
        return;
    events->freed = TRUE;
    if (events->pending == 0)
        events_destroy(events);
}

guint64 client_events_dropped(const ClientEvents *events)
{
    return events->dropped;
}

/* Whether this object may tell one more event now. */
static gboolean events_admit(ClientEvents *events, const char *uid)
{
    gint64 now = g_get_monotonic_time();
    Bucket *bucket = g_hash_table_lookup(events->buckets, uid);
    if (!bucket) {
        if (g_hash_table_size(events->buckets) >= EVENT_OBJECTS_MAX)
            g_hash_table_remove_all(events->buckets);
        bucket = g_new(Bucket, 1);
        *bucket = (Bucket){EVENT_BURST, now};
        g_hash_table_insert(events->buckets, g_strdup(uid), bucket);
    }
    bucket->tokens += (double)(now - bucket->filled) / G_USEC_PER_SEC / EVENT_REFILL_S;
    bucket->tokens = MIN(bucket->tokens, EVENT_BURST);
    bucket->filled = now;
    if (bucket->tokens < 1)
        return FALSE;
    bucket->tokens -= 1;
    return TRUE;
}

static Core__V1__ObjectReference *reference_new(const ProtobufCMessage *object, const char *field_path)
{
    const ApiResource *resource = api_resource_by_descriptor(object->descriptor);
    Core__V1__ObjectReference *reference = API_NEW(Core__V1__ObjectReference, core__v1__object_reference);
    reference->kind = g_strdup(resource->kind);
    reference->apiversion = api_resource_api_version(resource);
    if (resource->namespaced)
        reference->namespace_ = g_strdup(api_object_namespace(object));
    reference->name = g_strdup(api_object_name(object));
    reference->uid = g_strdup(api_object_uid(object));
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    reference->resourceversion = g_strdup(meta ? meta->resourceversion : NULL);
    reference->fieldpath = g_strdup(field_path);
    return reference;
}

static Core__V1__Event *event_new(const ClientEvents *events, const ProtobufCMessage *object, const char *field_path,
                                  const char *type, const char *reason, const char *message)
{
    gint64 now = time_now_ns();
    Core__V1__Event *event = API_NEW(Core__V1__Event, core__v1__event);
    event->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    const char *namespace_ = api_object_namespace(object);
    event->metadata->namespace_ = g_strdup(*namespace_ ? namespace_ : "default");
    event->metadata->name = g_strdup_printf("%.200s.%" G_GINT64_MODIFIER "x", api_object_name(object), now);
    event->involvedobject = reference_new(object, field_path);
    event->type = g_strdup(type);
    event->reason = g_strdup(reason);
    event->message = g_strdup(message);
    event->source = API_NEW(Core__V1__EventSource, core__v1__event_source);
    event->source->component = g_strdup(events->component);
    event->source->host = g_strdup(events->host);
    event->reportingcomponent = g_strdup(events->component);
    event->reportinginstance = g_strdup(events->host);
    event->firsttimestamp = api_time_new(now);
    event->lasttimestamp = api_time_new(now);
    api_set_scalar(event, count, 1);
    return event;
}

static void events_write(ClientEvents *events, const char *identity, Told *told);

static void events_written(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    Write *write = data;
    ClientEvents *events = write->events;
    events->pending--;
    if (error)
        events->dropped++;
    if (events->freed) {
        if (events->pending == 0)
            events_destroy(events);
    } else {
        Told *told = g_hash_table_lookup(events->told, write->identity);
        if (told && error) {
            g_hash_table_remove(events->told, write->identity); /* the next one begins anew */
        } else if (told) {
            told->busy = FALSE;
            api_set(told->event, (Core__V1__Event *)api_message_clone(object));
            if (told->more)
                events_write(events, write->identity, told);
        }
    }
    g_free(write->identity);
    g_free(write);
}

/* Creates the event, or counts it up by what has come since. */
static void events_write(ClientEvents *events, const char *identity, Told *told)
{
    Write *write = g_new(Write, 1);
    *write = (Write){events, g_strdup(identity)};
    events->pending++;
    told->busy = TRUE;
    if (api_object_revision(&told->event->base) == 0) {
        client_create(events->client, &told->event->base, events_written, write);
        return;
    }
    told->event->count += (gint32)told->more;
    told->more = 0;
    api_set(told->event->lasttimestamp, api_time_new(time_now_ns()));
    client_update(events->client, &told->event->base, events_written, write);
}

/* Cuts at most EVENT_MESSAGE_MAX bytes without splitting a character. */
static void message_cut(char *message)
{
    if (strlen(message) <= EVENT_MESSAGE_MAX)
        return;
    char *end = g_utf8_find_prev_char(message, message + EVENT_MESSAGE_MAX + 1);
    *(end ? end : message + EVENT_MESSAGE_MAX) = '\0';
}

static void events_tell(ClientEvents *events, const ProtobufCMessage *object, const char *field_path, const char *type,
                        const char *reason, char *message)
{
    message_cut(message);
    const char *uid = api_object_uid(object);
    g_autofree char *identity = g_strjoin("\n", uid, api_object_name(object), api_str(field_path), type, reason, message, NULL);
    Told *told = g_hash_table_lookup(events->told, identity);
    gint64 now = g_get_monotonic_time();
    gboolean repeated = told && now - told->last < EVENT_REPEAT_S * G_USEC_PER_SEC;
    if (told && told->busy) {
        told->more++;
        return;
    }
    if (events->pending >= EVENT_PENDING_MAX || !events_admit(events, uid)) {
        events->dropped++;
        return;
    }
    if (repeated) {
        told->more++;
    } else {
        if (!told && g_hash_table_size(events->told) >= EVENT_OBJECTS_MAX)
            g_hash_table_remove_all(events->told);
        told = g_new0(Told, 1);
        told->event = event_new(events, object, field_path, type, reason, message);
        g_hash_table_replace(events->told, g_strdup(identity), told);
    }
    told->last = now;
    events_write(events, identity, told);
}

void client_event(ClientEvents *events, const ProtobufCMessage *object, const char *type, const char *reason,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    events_tell(events, object, NULL, type, reason, message);
}

void client_event_about(ClientEvents *events, const ProtobufCMessage *object, const char *field_path, const char *type,
                        const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    events_tell(events, object, field_path, type, reason, message);
}
