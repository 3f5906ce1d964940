#include "controllers/gc.h"

#include <string.h>

#include "controllers/claim.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define ABSENT_MAX 10000 /* uids remembered as gone; then the memory begins anew */

/* --- decisions --- */

/* Drops the references whose owner is not solid. */
static void plan_drop_references(Plan *plan, const ProtobufCMessage *object, const GcOwner *owners)
{
    ProtobufCMessage *changed = api_message_clone(object);
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    for (gsize i = 0; i < meta->n_ownerreferences; i++)
        if (owners[i] != GC_OWNER_SOLID)
            owner_reference_remove(api_meta(changed), meta->ownerreferences[i]->uid);
    plan_update(plan, changed);
}

void gc_plan_dependent(Plan *plan, const ProtobufCMessage *object, const GcOwner *owners, gboolean has_dependents)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    guint solid = 0, waiting = 0;
    for (gsize i = 0; i < meta->n_ownerreferences; i++) {
        solid += owners[i] == GC_OWNER_SOLID;
        waiting += owners[i] == GC_OWNER_WAITING;
    }
    if (solid == meta->n_ownerreferences)
        return;
    if (solid > 0) {
        plan_drop_references(plan, object, owners);
        return;
    }
    /* An owner that waits for us wants our dependents gone as well. */
    PlanStep *step = plan_delete(plan, object);
    if (finalizer_has(meta, API_FINALIZER_ORPHAN))
        step->propagation = "Orphan";
    else if (finalizer_has(meta, API_FINALIZER_FOREGROUND) || (waiting > 0 && has_dependents))
        step->propagation = "Foreground";
    else
        step->propagation = "Background";
}

static gboolean blocks(const ProtobufCMessage *dependent, const char *uid)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(dependent);
    for (gsize i = 0; i < meta->n_ownerreferences; i++)
        if (api_str_equal(meta->ownerreferences[i]->uid, uid) && meta->ownerreferences[i]->blockownerdeletion)
            return TRUE;
    return FALSE;
}

static void plan_remove_finalizer(Plan *plan, const ProtobufCMessage *object, const char *finalizer)
{
    ProtobufCMessage *changed = api_message_clone(object);
    finalizer_remove(api_meta(changed), finalizer);
    plan_update(plan, changed);
}

void gc_plan_owner(Plan *plan, const ProtobufCMessage *object, const ProtobufCMessage *const *dependents, gsize n)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    if (finalizer_has(meta, API_FINALIZER_ORPHAN)) {
        for (gsize i = 0; i < n; i++) {
            ProtobufCMessage *changed = api_message_clone(dependents[i]);
            owner_reference_remove(api_meta(changed), meta->uid);
            plan_update(plan, changed);
        }
        plan_barrier(plan);
        plan_remove_finalizer(plan, object, API_FINALIZER_ORPHAN);
    } else if (finalizer_has(meta, API_FINALIZER_FOREGROUND)) {
        for (gsize i = 0; i < n; i++)
            if (blocks(dependents[i], meta->uid))
                return;
        plan_remove_finalizer(plan, object, API_FINALIZER_FOREGROUND);
    }
}

/* --- the graph ---
 * Objects are named "<resource index>:<key>". Whether an owner is there is asked of its kind's cache; only the way from
 * an owner to its dependents needs a table. */

typedef struct {
    GHashTable *dependents; /* owner's uid to a set of names */
    GHashTable *absent;     /* set of uids */
} State;

static void state_free(gpointer pointer)
{
    State *state = pointer;
    g_hash_table_unref(state->dependents);
    g_hash_table_unref(state->absent);
    g_free(state);
}

static char *object_name(const ProtobufCMessage *object)
{
    g_autofree char *key = api_object_key(object);
    return g_strdup_printf("%u:%s", api_resource_index(api_resource_by_descriptor(object->descriptor)), key);
}

static const ProtobufCMessage *find_object(Controller *controller, const char *name)
{
    char *key;
    guint resource = strtoul(name, &key, 10);
    return controller_get(controller, api_resource_row(resource), key + 1);
}

static void graph_remove(State *state, const char *uid, const char *name)
{
    GHashTable *set = g_hash_table_lookup(state->dependents, uid);
    if (!set)
        return;
    g_hash_table_remove(set, name);
    if (g_hash_table_size(set) == 0)
        g_hash_table_remove(state->dependents, uid);
}

static void graph_add(State *state, const char *uid, const char *name)
{
    GHashTable *set = g_hash_table_lookup(state->dependents, uid);
    if (!set) {
        set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(state->dependents, g_strdup(uid), set);
    }
    g_hash_table_add(set, g_strdup(name));
}

/* New array of the (borrowed) objects that refer to <uid>. */
static GPtrArray *graph_dependents(Controller *controller, const char *uid)
{
    const State *state = controller_state(controller);
    GPtrArray *objects = g_ptr_array_new();
    GHashTable *set = g_hash_table_lookup(state->dependents, uid);
    if (!set)
        return objects;
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, set);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        const ProtobufCMessage *object = find_object(controller, name);
        if (object)
            g_ptr_array_add(objects, (gpointer)object);
    }
    return objects;
}

/* --- owners --- */

/* The owner's row, or NULL if we cannot look: an unknown kind, or a namespaced owner of an object without a
 * namespace. */
static const ApiResource *owner_resource(const Meta__V1__ObjectMeta *meta, const Meta__V1__OwnerReference *reference)
{
    const char *version = api_str(reference->apiversion), *slash = strchr(version, '/');
    g_autofree char *group = slash ? g_strndup(version, slash - version) : g_strdup("");
    const ApiResource *resource = api_resource_by_kind(group, NULL, api_str(reference->kind));
    if (!resource || resource == API_EVENT || (resource->namespaced && !*api_str(meta->namespace_)))
        return NULL;
    return resource;
}

/* The owner as the cache has it, or NULL. */
static const ProtobufCMessage *find_owner(Controller *controller, const Meta__V1__ObjectMeta *meta,
                                          const Meta__V1__OwnerReference *reference, const ApiResource *resource)
{
    g_autofree char *key =
        resource->namespaced ? g_strconcat(meta->namespace_, "/", reference->name, NULL) : g_strdup(reference->name);
    const ProtobufCMessage *owner = controller_get(controller, resource, key);
    return owner && g_str_equal(api_object_uid(owner), api_str(reference->uid)) ? owner : NULL;
}

static gboolean is_waiting(const ProtobufCMessage *owner)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(owner);
    return meta->deletiontimestamp && finalizer_has(meta, API_FINALIZER_FOREGROUND);
}

static GcOwner look_at_owner(Controller *controller, const Meta__V1__ObjectMeta *meta,
                             const Meta__V1__OwnerReference *reference)
{
    const State *state = controller_state(controller);
    const ApiResource *resource = owner_resource(meta, reference);
    if (!resource)
        return GC_OWNER_SOLID;
    const ProtobufCMessage *owner = find_owner(controller, meta, reference, resource);
    if (owner)
        return is_waiting(owner) ? GC_OWNER_WAITING : GC_OWNER_SOLID;
    return g_hash_table_contains(state->absent, api_str(reference->uid)) ? GC_OWNER_ABSENT : GC_OWNER_UNSEEN;
}

/* --- waking --- */

static gboolean same_references(const Meta__V1__ObjectMeta *a, const Meta__V1__ObjectMeta *b)
{
    if (a->n_ownerreferences != b->n_ownerreferences)
        return FALSE;
    for (gsize i = 0; i < a->n_ownerreferences; i++)
        if (!API_EQUAL(a->ownerreferences[i], b->ownerreferences[i]))
            return FALSE;
    return TRUE;
}

static gboolean needs_a_look(Controller *controller, const Meta__V1__ObjectMeta *meta)
{
    if (meta->deletiontimestamp)
        return finalizer_has(meta, API_FINALIZER_FOREGROUND) || finalizer_has(meta, API_FINALIZER_ORPHAN);
    for (gsize i = 0; i < meta->n_ownerreferences; i++)
        if (look_at_owner(controller, meta, meta->ownerreferences[i]) != GC_OWNER_SOLID)
            return TRUE;
    return FALSE;
}

/* Owners that wait for their dependents look again. */
static void wake_waiting_owners(Controller *controller, const Meta__V1__ObjectMeta *meta)
{
    for (gsize i = 0; i < meta->n_ownerreferences; i++) {
        const ApiResource *resource = owner_resource(meta, meta->ownerreferences[i]);
        const ProtobufCMessage *owner =
            resource ? find_owner(controller, meta, meta->ownerreferences[i], resource) : NULL;
        if (!owner || !is_waiting(owner))
            continue;
        g_autofree char *name = object_name(owner);
        controller_add(controller, name);
    }
}

static void wake_dependents(Controller *controller, const char *uid)
{
    g_autoptr(GPtrArray) dependents = graph_dependents(controller, uid);
    for (guint i = 0; i < dependents->len; i++) {
        g_autofree char *name = object_name(dependents->pdata[i]);
        controller_add(controller, name);
    }
}

static void wake(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    State *state = controller_state(controller);
    const Meta__V1__ObjectMeta *before = old ? api_meta_peek(old) : NULL, *after = now ? api_meta_peek(now) : NULL;
    gboolean same = before && after && same_references(before, after);
    /* Nearly all changes are of this sort. */
    if (same && !after->deletiontimestamp)
        return;
    g_autofree char *name = object_name(now ? now : old);
    for (gsize i = 0; before && !same && i < before->n_ownerreferences; i++)
        graph_remove(state, api_str(before->ownerreferences[i]->uid), name);
    for (gsize i = 0; after && !same && i < after->n_ownerreferences; i++)
        graph_add(state, api_str(after->ownerreferences[i]->uid), name);
    if (before && !same)
        wake_waiting_owners(controller, before);
    if (after && needs_a_look(controller, after))
        controller_add(controller, name);
    if (!after || is_waiting(now))
        wake_dependents(controller, (after ? after : before)->uid);
}

/* --- reconcile --- */

/* One plan's questions about owners that the cache does not have. */
typedef struct {
    Controller *controller;
    char *name;          /* of the dependent */
    GHashTable *present; /* uids that the server has */
} Inquiry;

static void inquiry_free(gpointer pointer)
{
    Inquiry *inquiry = pointer;
    g_free(inquiry->name);
    g_hash_table_unref(inquiry->present);
    g_free(inquiry);
}

static void owner_asked(Plan *plan, const ProtobufCMessage *owner, const GError *error, gpointer data)
{
    (void)error, (void)data;
    Inquiry *inquiry = plan->data;
    if (owner)
        g_hash_table_add(inquiry->present, g_strdup(api_object_uid(owner)));
}

static GcOwner owner_after_inquiry(const Inquiry *inquiry, const Meta__V1__ObjectMeta *meta,
                                   const Meta__V1__OwnerReference *reference)
{
    State *state = controller_state(inquiry->controller);
    GcOwner owner = look_at_owner(inquiry->controller, meta, reference);
    if (owner != GC_OWNER_UNSEEN)
        return owner;
    if (g_hash_table_contains(inquiry->present, api_str(reference->uid)))
        return GC_OWNER_SOLID;
    if (g_hash_table_size(state->absent) >= ABSENT_MAX)
        g_hash_table_remove_all(state->absent);
    g_hash_table_add(state->absent, g_strdup(api_str(reference->uid)));
    return GC_OWNER_ABSENT;
}

/* All questions are answered; the object may have changed meanwhile. */
static void owners_known(Plan *plan, const ProtobufCMessage *nothing, const GError *error, gpointer data)
{
    (void)nothing, (void)error, (void)data;
    const Inquiry *inquiry = plan->data;
    const ProtobufCMessage *object = find_object(inquiry->controller, inquiry->name);
    const Meta__V1__ObjectMeta *meta = object ? api_meta_peek(object) : NULL;
    if (!meta || meta->deletiontimestamp || meta->n_ownerreferences == 0)
        return;
    g_autofree GcOwner *owners = g_new(GcOwner, meta->n_ownerreferences);
    for (gsize i = 0; i < meta->n_ownerreferences; i++)
        owners[i] = owner_after_inquiry(inquiry, meta, meta->ownerreferences[i]);
    g_autoptr(GPtrArray) dependents = graph_dependents(inquiry->controller, meta->uid);
    gc_plan_dependent(plan, object, owners, dependents->len > 0);
    if (g_hash_table_size(inquiry->present) > 0) /* the cache will have them, and tell us when they go */
        plan_after(plan, TIME_NS_PER_S);
}

static void reconcile_dependent(Controller *controller, const char *name, const ProtobufCMessage *object, Plan *plan)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    Inquiry *inquiry = g_new0(Inquiry, 1);
    inquiry->controller = controller;
    inquiry->name = g_strdup(name);
    inquiry->present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plan->data = inquiry;
    plan->free_data = inquiry_free;
    for (gsize i = 0; i < meta->n_ownerreferences; i++) {
        const Meta__V1__OwnerReference *reference = meta->ownerreferences[i];
        if (look_at_owner(controller, meta, reference) == GC_OWNER_UNSEEN)
            plan_get(plan, owner_resource(meta, reference), meta->namespace_, reference->name, owner_asked, NULL);
    }
    plan_barrier(plan);
    plan_call(plan, owners_known, NULL);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const ProtobufCMessage *object = find_object(controller, key);
    if (!object)
        return;
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    if (!meta->deletiontimestamp) {
        if (meta->n_ownerreferences > 0)
            reconcile_dependent(controller, key, object, plan);
        return;
    }
    g_autoptr(GPtrArray) dependents = graph_dependents(controller, meta->uid);
    gc_plan_owner(plan, object, (const ProtobufCMessage *const *)dependents->pdata, dependents->len);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    State *state = g_new0(State, 1);
    state->dependents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    state->absent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    controller_set_state(controller, state, state_free);
}

static const ControllerWake wakes[] = {
    {API_INDEX_MAX_, wake},
    {},
};

const ControllerRow gc_controller = {
    .name = "gc",
    .concurrency = 32,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
