#include "controllers/controller.h"

#include "client/queue.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

#define IN_FLIGHT_MAX 64    /* steps of one plan on their way at a time */
#define SETTLE_CHECK_MS 200 /* a cache can pass a revision without a change that tells us */

typedef struct Operation Operation;

typedef struct {
    PlanVerb verb;
    GError *error;
} Failure;

struct Controller {
    Controllers *all;
    const ControllerRow *row;
    ClientQueue *queue;
    gpointer state;
    GDestroyNotify free_state;
    gboolean uses[API_INDEX_MAX_];
    gboolean working;     /* all caches it uses were full, and it has been woken for every object */
    GHashTable *failures; /* key to Failure */
};

struct Controllers {
    Client *client;
    ClientEvents *events;
    const ControllerRow *const *rows;
    const ControllersOptions *options;
    GPtrArray *list; /* Controller* */
    ClientCache *caches[API_INDEX_MAX_];
    GPtrArray *index_values[API_INDEX_MAX_]; /* ClientIndexValue, by number */
    GHashTable *settling;                    /* Operations that wait for caches; a set */
    guint settle_idle, settle_timer;
    GMainContext *context;
    guint calls; /* under way */
    gboolean stopped;
};

static void free_failure(gpointer pointer)
{
    Failure *failure = pointer;
    g_clear_error(&failure->error);
    g_free(failure);
}

/* --- operations: one plan being carried out --- */

/* A deleted object that the cache must not show as living any more. */
typedef struct {
    guint resource;
    char *key;
    char *uid;
} Gone;

struct Operation {
    Controller *controller;
    char *key;
    Plan *plan;
    guint next; /* the first step not started */
    guint in_flight;
    gboolean failed;
    gint64 revisions[API_INDEX_MAX_]; /* the newest write per resource; 0: none */
    GPtrArray *gone;                  /* Gone* */
};

typedef struct {
    Operation *operation;
    PlanStep *step;
} Call;

static void operation_advance(Operation *operation);
static void controllers_destroy(Controllers *all);

static void free_gone(gpointer pointer)
{
    Gone *gone = pointer;
    g_free(gone->key);
    g_free(gone->uid);
    g_free(gone);
}

static void operation_free(Operation *operation)
{
    g_free(operation->key);
    plan_free(operation->plan);
    g_ptr_array_unref(operation->gone);
    g_free(operation);
}

/* Deleting what is gone, or what is another object by now, is done; the rest of the codes are failures. */
static gboolean step_succeeded(const PlanStep *step, const GError *error)
{
    if (!error)
        return TRUE;
    CleatErrorCode code = cleat_error_code(error);
    return (step->verb == PLAN_DELETE || step->verb == PLAN_GET) && code == CLEAT_ERROR_NOT_FOUND;
}

static void record_failure(Operation *operation, const PlanStep *step, const GError *error)
{
    static const char *const verbs[] = {
        [PLAN_CREATE] = "create", [PLAN_UPDATE] = "update", [PLAN_UPDATE_STATUS] = "update status of",
        [PLAN_DELETE] = "delete", [PLAN_GET] = "get",       [PLAN_LIST] = "list",
    };
    Controller *controller = operation->controller;
    operation->failed = TRUE;
    CleatErrorCode code = cleat_error_code(error);
    /* A conflict or a missing object says that the cache was behind, which the next try will find put right. */
    gboolean stale = code == CLEAT_ERROR_CONFLICT || code == CLEAT_ERROR_NOT_FOUND;
    const char *name = step->object && !*step->name ? api_str(api_meta_peek(step->object)->generatename) : step->name;
    log_write(stale ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "%s %s: cannot %s %s %s%s%s: %s", controller->row->name,
              operation->key, verbs[step->verb], step->resource->kind, step->namespace_, *step->namespace_ ? "/" : "",
              name, error->message);
    Failure *failure = g_new0(Failure, 1);
    failure->verb = step->verb;
    failure->error = g_error_copy(error);
    g_hash_table_insert(controller->failures, g_strdup(operation->key), failure);
    if (step->failure_reason && operation->plan->subject && !stale)
        client_event(controller->all->events, operation->plan->subject, "Warning", step->failure_reason, "%s",
                     error->message);
}

static void record_success(Operation *operation, const PlanStep *step, const ProtobufCMessage *result)
{
    guint resource = api_resource_index(step->resource);
    if (result)
        operation->revisions[resource] = MAX(operation->revisions[resource], api_object_revision(result));
    if (step->verb == PLAN_DELETE) {
        Gone *gone = g_new0(Gone, 1);
        gone->resource = resource;
        gone->key = *step->namespace_ ? g_strconcat(step->namespace_, "/", step->name, NULL) : g_strdup(step->name);
        gone->uid = g_strdup(step->uid);
        g_ptr_array_add(operation->gone, gone);
    }
    if (!step->event_message || !operation->plan->subject)
        return;
    gboolean named = g_str_has_suffix(step->event_message, ": ");
    client_event(operation->controller->all->events, operation->plan->subject,
                 step->event_is_warning ? "Warning" : "Normal", step->event_reason, "%s%s", step->event_message,
                 named && result ? api_object_name(result)
                 : named         ? step->name
                                 : "");
}

/* After controllers_free(): the last call under way ends everything. */
static void stopped_step_done(Operation *operation)
{
    Controllers *all = operation->controller->all;
    if (operation->in_flight == 0)
        operation_free(operation);
    if (all->calls == 0)
        controllers_destroy(all);
}

static void step_done(const ProtobufCMessage *result, const GError *error, gpointer data)
{
    g_autofree Call *call = data;
    Operation *operation = call->operation;
    operation->in_flight--;
    operation->controller->all->calls--;
    if (operation->controller->all->stopped) {
        stopped_step_done(operation);
        return;
    }
    const PlanStep *step = call->step;
    if (!step_succeeded(step, error)) {
        record_failure(operation, step, error);
    } else if (step->then) {
        plan_continue(operation->plan, step);
        step->then(operation->plan, result, error, step->data);
    } else {
        record_success(operation, step, result);
    }
    operation_advance(operation);
}

static void step_start(Operation *operation, PlanStep *step)
{
    Client *client = operation->controller->all->client;
    Call *call = g_new(Call, 1);
    *call = (Call){operation, step};
    operation->in_flight++;
    operation->controller->all->calls++;
    switch (step->verb) {
    case PLAN_CREATE:
        client_create(client, step->object, step_done, call);
        break;
    case PLAN_UPDATE:
        client_update(client, step->object, step_done, call);
        break;
    case PLAN_UPDATE_STATUS:
        client_update_status(client, step->object, step_done, call);
        break;
    case PLAN_DELETE: {
        Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
        Meta__V1__Preconditions preconditions = META__V1__PRECONDITIONS__INIT;
        preconditions.uid = step->uid;
        options.preconditions = step->uid ? &preconditions : NULL;
        options.propagationpolicy = (char *)step->propagation;
        options.has_graceperiodseconds = step->grace_s >= 0;
        options.graceperiodseconds = MAX(step->grace_s, 0);
        client_delete(client, step->resource, step->namespace_, step->name, &options, step_done, call);
        break;
    }
    case PLAN_GET:
        client_get(client, step->resource, step->namespace_, step->name, step_done, call);
        break;
    case PLAN_LIST:
        client_list(client, step->resource, step->namespace_, NULL, step_done, call);
        break;
    case PLAN_CALL:
        g_assert_not_reached();
    }
}

/* --- settling: until the caches show what was written --- */

static gboolean gone_is_visible(Controllers *all, const Gone *gone)
{
    const ProtobufCMessage *object = client_cache_get_key(all->caches[gone->resource], gone->key);
    if (!object)
        return TRUE;
    return (gone->uid && !g_str_equal(gone->uid, api_object_uid(object))) || api_meta_peek(object)->deletiontimestamp;
}

static gboolean operation_is_settled(const Operation *operation)
{
    Controllers *all = operation->controller->all;
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        if (operation->revisions[i] && all->caches[i] &&
            client_cache_revision(all->caches[i]) < operation->revisions[i])
            return FALSE;
    for (guint i = 0; i < operation->gone->len; i++) {
        const Gone *gone = g_ptr_array_index(operation->gone, i);
        if (all->caches[gone->resource] && !gone_is_visible(all, gone))
            return FALSE;
    }
    return TRUE;
}

/* Ends the operation: its key is free again. */
static void operation_finish(Operation *operation)
{
    Controller *controller = operation->controller;
    gint64 after_ns = operation->plan->after_ns;
    if (!operation->failed) {
        g_hash_table_remove(controller->failures, operation->key);
        if (after_ns >= 0)
            client_queue_add_after(controller->queue, operation->key, CLAMP(after_ns / 1000000 + 1, 1, G_MAXINT32));
    }
    client_queue_done(controller->queue, operation->key, !operation->failed);
    operation_free(operation);
}

static void settle(Controllers *all)
{
    g_autoptr(GList) waiting = g_hash_table_get_keys(all->settling);
    for (GList *l = waiting; l; l = l->next) {
        Operation *operation = l->data;
        if (!operation_is_settled(operation))
            continue;
        g_hash_table_remove(all->settling, operation);
        operation_finish(operation);
    }
}

static gboolean settle_idle(gpointer data)
{
    Controllers *all = data;
    all->settle_idle = 0;
    settle(all);
    return G_SOURCE_REMOVE;
}

static gboolean settle_timer(gpointer data)
{
    Controllers *all = data;
    settle(all);
    if (g_hash_table_size(all->settling) > 0)
        return G_SOURCE_CONTINUE;
    all->settle_timer = 0;
    return G_SOURCE_REMOVE;
}

static guint add_source(Controllers *all, GSource *source, GSourceFunc function)
{
    g_source_set_callback(source, function, all, NULL);
    guint id = g_source_attach(source, all->context);
    g_source_unref(source);
    return id;
}

static void settle_soon(Controllers *all)
{
    if (all->settle_idle == 0 && g_hash_table_size(all->settling) > 0)
        all->settle_idle = add_source(all, g_idle_source_new(), settle_idle);
}

static void operation_settle(Operation *operation)
{
    Controllers *all = operation->controller->all;
    if (operation_is_settled(operation)) {
        operation_finish(operation);
        return;
    }
    g_hash_table_add(all->settling, operation);
    if (all->settle_timer == 0)
        all->settle_timer = add_source(all, g_timeout_source_new(SETTLE_CHECK_MS), settle_timer);
}

/* Starts what may start: the steps of the stage that is under way or, when nothing is, of the next one. */
static void operation_advance(Operation *operation)
{
    GPtrArray *steps = operation->plan->steps;
    while (!operation->failed && operation->next < steps->len && operation->in_flight < IN_FLIGHT_MAX) {
        PlanStep *step = g_ptr_array_index(steps, operation->next);
        const PlanStep *before = operation->next > 0 ? g_ptr_array_index(steps, operation->next - 1) : step;
        if (operation->in_flight > 0 && step->stage != before->stage)
            return;
        operation->next++;
        if (step->verb == PLAN_CALL) {
            plan_continue(operation->plan, step);
            step->then(operation->plan, NULL, NULL, step->data);
        } else {
            step_start(operation, step);
        }
    }
    if (operation->in_flight == 0)
        operation_settle(operation);
}

static void work(ClientQueue *queue, const char *key, gpointer data)
{
    (void)queue;
    Controller *controller = data;
    Operation *operation = g_new0(Operation, 1);
    operation->controller = controller;
    operation->key = g_strdup(key);
    operation->gone = g_ptr_array_new_with_free_func(free_gone);
    operation->plan = plan_new(time_now_ns());
    controller->row->reconcile(controller, operation->key, operation->plan);
    operation_advance(operation);
}

/* --- caches and waking --- */

static gboolean wake_concerns(const ControllerWake *wake, guint resource)
{
    return wake->resource == resource || (wake->resource == API_INDEX_MAX_ && resource != API_INDEX_EVENT);
}

static void cache_changed(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    Controllers *all = data;
    guint resource = api_resource_index(client_cache_resource(cache));
    for (guint i = 0; i < all->list->len; i++) {
        Controller *controller = g_ptr_array_index(all->list, i);
        if (!controller->working)
            continue;
        for (const ControllerWake *wake = controller->row->wakes; wake->map; wake++)
            if (wake_concerns(wake, resource))
                wake->map(controller, old, now);
    }
    settle_soon(all);
}

/* Once all caches of a controller are full, it is woken for every object there is. */
static void controller_try_start(Controller *controller)
{
    Controllers *all = controller->all;
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        if (controller->uses[i] && !client_cache_is_synced(all->caches[i]))
            return;
    controller->working = TRUE;
    log_debug("%s: working", controller->row->name);
    for (const ControllerWake *wake = controller->row->wakes; wake->map; wake++) {
        for (guint i = 0; i < API_INDEX_MAX_; i++) {
            if (!wake_concerns(wake, i))
                continue;
            g_autoptr(GPtrArray) objects = client_cache_list(all->caches[i], NULL);
            for (guint j = 0; j < objects->len; j++)
                wake->map(controller, NULL, g_ptr_array_index(objects, j));
        }
    }
}

static void cache_synced(ClientCache *cache, gpointer data)
{
    (void)cache;
    Controllers *all = data;
    for (guint i = 0; i < all->list->len; i++) {
        Controller *controller = g_ptr_array_index(all->list, i);
        if (!controller->working)
            controller_try_start(controller);
    }
}

ClientCache *controller_cache(Controller *controller, const ApiResource *resource)
{
    Controllers *all = controller->all;
    guint index = api_resource_index(resource);
    g_assert(all->caches[index] || !controller->working);
    controller->uses[index] = TRUE;
    if (!all->caches[index]) {
        ClientCacheOptions options = {.changed = cache_changed, .synced = cache_synced, .data = all};
        all->caches[index] = client_cache_new(all->client, resource, &options);
    }
    return all->caches[index];
}

gconstpointer controller_get(Controller *controller, const ApiResource *resource, const char *key)
{
    return client_cache_get_key(controller_cache(controller, resource), key);
}

void controller_index(Controller *controller, const ApiResource *resource, ClientIndexValue value)
{
    ClientCache *cache = controller_cache(controller, resource);
    GPtrArray **values = &controller->all->index_values[api_resource_index(resource)];
    if (!*values)
        *values = g_ptr_array_new();
    if (g_ptr_array_find(*values, (gconstpointer)value, NULL))
        return;
    guint index = client_cache_add_index(cache, value);
    g_assert(index == (*values)->len);
    g_ptr_array_add(*values, (gpointer)value);
}

GPtrArray *controller_by_index(Controller *controller, const ApiResource *resource, ClientIndexValue value,
                               const char *wanted)
{
    guint index = 0;
    gboolean found =
        g_ptr_array_find(controller->all->index_values[api_resource_index(resource)], (gconstpointer)value, &index);
    g_assert(found);
    return client_cache_by_index(controller_cache(controller, resource), index, wanted);
}

/* --- the rest of what rows use --- */

void controller_add(Controller *controller, const char *key)
{
    client_queue_add(controller->queue, key);
}

void controller_add_after(Controller *controller, const char *key, guint ms)
{
    client_queue_add_after(controller->queue, key, ms);
}

void controller_set_state(Controller *controller, gpointer state, GDestroyNotify free_state)
{
    controller->state = state;
    controller->free_state = free_state;
}

gpointer controller_state(Controller *controller)
{
    return controller->state;
}

ClientEvents *controller_events(Controller *controller)
{
    return controller->all->events;
}

const GError *controller_failure(Controller *controller, const char *key, PlanVerb *ret_verb)
{
    const Failure *failure = g_hash_table_lookup(controller->failures, key);
    if (!failure)
        return NULL;
    if (ret_verb)
        *ret_verb = failure->verb;
    return failure->error;
}

void controller_wake_self(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    g_autofree char *key = api_object_key(now ? now : old);
    controller_add(controller, key);
}

void controller_wake_namespace(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    const char *namespace_ = api_object_namespace(now ? now : old);
    if (*namespace_)
        controller_add(controller, namespace_);
}

static const Meta__V1__OwnerReference *add_owner(Controller *controller, const ApiResource *owner,
                                                 const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = object ? api_meta_peek(object) : NULL;
    const Meta__V1__OwnerReference *reference = meta ? api_controller_of(meta) : NULL;
    if (!reference || !api_str_equal(reference->kind, owner->kind))
        return reference;
    g_autofree char *key = g_strconcat(api_str(meta->namespace_), "/", reference->name, NULL);
    controller_add(controller, key);
    return reference;
}

gboolean controller_wake_owner(Controller *controller, const ApiResource *owner, const ProtobufCMessage *old,
                               const ProtobufCMessage *now)
{
    add_owner(controller, owner, old);
    return add_owner(controller, owner, now) != NULL;
}

/* --- life --- */

static void controller_free(gpointer pointer)
{
    Controller *controller = pointer;
    g_clear_pointer(&controller->queue, client_queue_free);
    if (controller->free_state)
        controller->free_state(controller->state);
    g_hash_table_unref(controller->failures);
    g_free(controller);
}

static void controller_start(Controllers *all, const ControllerRow *row)
{
    Controller *controller = g_new0(Controller, 1);
    controller->all = all;
    controller->row = row;
    controller->failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_failure);
    controller->queue = client_queue_new(all->context, row->concurrency, work, controller);
    g_ptr_array_add(all->list, controller);
    for (const ControllerWake *wake = row->wakes; wake->map; wake++)
        for (guint i = 0; i < API_INDEX_MAX_; i++)
            if (wake_concerns(wake, i))
                controller_cache(controller, api_resource_row(i));
    if (row->start)
        row->start(controller, all->options);
}

Controllers *controllers_new(Client *client, const ControllerRow *const *rows, const ControllersOptions *options)
{
    Controllers *all = g_new0(Controllers, 1);
    all->client = client;
    all->context = g_main_context_ref(client_context(client));
    all->rows = rows;
    all->options = options;
    all->list = g_ptr_array_new_with_free_func(controller_free);
    all->settling = g_hash_table_new(NULL, NULL);
    return all;
}

void controllers_start(Controllers *all)
{
    all->events = client_events_new(all->client, "cleat-controllers", NULL);
    for (const ControllerRow *const *row = all->rows; *row; row++)
        controller_start(all, *row);
}

static void destroy_source(GMainContext *context, guint id)
{
    if (id)
        g_source_destroy(g_main_context_find_source_by_id(context, id));
}

void controllers_free(Controllers *all)
{
    all->stopped = TRUE;
    destroy_source(all->context, all->settle_idle);
    destroy_source(all->context, all->settle_timer);
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        g_clear_pointer(&all->caches[i], client_cache_free);
    for (guint i = 0; i < all->list->len; i++) {
        Controller *controller = g_ptr_array_index(all->list, i);
        g_clear_pointer(&controller->queue, client_queue_free);
    }
    g_autoptr(GList) waiting = g_hash_table_get_keys(all->settling);
    for (GList *l = waiting; l; l = l->next)
        operation_free(l->data);
    g_clear_pointer(&all->events, client_events_free);
    if (all->calls == 0)
        controllers_destroy(all);
}

static void controllers_destroy(Controllers *all)
{
    g_ptr_array_unref(all->list);
    g_hash_table_unref(all->settling);
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        if (all->index_values[i])
            g_ptr_array_unref(all->index_values[i]);
    g_main_context_unref(all->context);
    g_free(all);
}

gboolean controllers_are_synced(const Controllers *all)
{
    for (guint i = 0; i < all->list->len; i++)
        if (!((const Controller *)g_ptr_array_index(all->list, i))->working)
            return FALSE;
    return TRUE;
}
