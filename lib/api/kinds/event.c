#include "lib/api/column.h"
#include "lib/api/kinds/kinds.h"
#include "lib/api/labels.h"

static const Core__V1__Event *event_of(const ProtobufCMessage *object)
{
    return (const Core__V1__Event *)object;
}

/* When it was last seen, by whichever of the times the reporter has set; 0 if none. */
static gint64 last_seen_ns(const Core__V1__Event *event)
{
    if (event->series && event->series->lastobservedtime)
        return api_micro_time_ns(event->series->lastobservedtime);
    if (event->lasttimestamp)
        return api_time_ns(event->lasttimestamp);
    return event->firsttimestamp ? api_time_ns(event->firsttimestamp) : api_micro_time_ns(event->eventtime);
}

static char *print_last_seen(const ProtobufCMessage *object, gint64 now_ns)
{
    gint64 seen_ns = last_seen_ns(event_of(object));
    return seen_ns ? api_elapsed_format(seen_ns, now_ns) : g_strdup("<unknown>");
}

static char *print_type(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup(api_str(event_of(object)->type));
}

static char *print_reason(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup(api_str(event_of(object)->reason));
}

static char *print_object(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__ObjectReference *reference = event_of(object)->involvedobject;
    g_autofree char *kind = g_ascii_strdown(reference ? api_str(reference->kind) : "", -1);
    const char *name = reference ? api_str(reference->name) : "";
    return g_strconcat(kind, name[0] ? "/" : "", name, NULL);
}

static char *print_source(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__Event *event = event_of(object);
    if (!event->source || api_str(event->source->component)[0] == '\0')
        return g_strdup(api_str(event->reportingcomponent));
    const char *host = api_str(event->source->host);
    return g_strconcat(event->source->component, host[0] ? ", " : "", host, NULL);
}

static char *print_message(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strstrip(g_strdup(api_str(event_of(object)->message)));
}

static char *print_count(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__Event *event = event_of(object);
    return g_strdup_printf("%d", event->series ? event->series->count : MAX(event->count, 1));
}

const ApiColumn event_columns[] = {
    {"LAST SEEN", FALSE, print_last_seen}, {"TYPE", FALSE, print_type},
    {"REASON", FALSE, print_reason},       {"OBJECT", FALSE, print_object},
    {"SOURCE", TRUE, print_source},        {"MESSAGE", FALSE, print_message},
    {"COUNT", TRUE, print_count},          {NULL, FALSE, NULL},
};

/* An event lives with what it is about; events of cluster-scoped objects live in "default". */
void event_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    (void)old;
    const Core__V1__ObjectReference *reference = event_of(object)->involvedobject;
    const char *about = reference ? api_str(reference->namespace_) : "";
    const char *expected = about[0] ? about : API_NAMESPACE_DEFAULT;
    if (!g_str_equal(api_object_namespace(object), expected))
        api_field_invalid(errors, "involvedObject.namespace", about, "does not match event.namespace");
}
