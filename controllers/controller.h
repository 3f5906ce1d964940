/* The framework that all controllers share: caches, queues, and carrying out plans.
 *
 * A controller is a row {name, what wakes it, reconcile(key)}. It is level-triggered: a reconcile looks at the
 * caches, compares with what should be, and plans writes (plan.h); what woke it does not matter. A key is in work
 * until all steps of its plan have ended and every cache concerned shows the writes that succeeded, so that no
 * reconcile acts on a cache older than its own last write. A failed plan is tried again after a back-off per key.
 * Everything runs in the client's GMainContext. */
#pragma once

#include "client/cache.h"
#include "client/events.h"
#include "controllers/plan.h"

typedef struct Controllers Controllers; /* all of them, in one process */
typedef struct Controller Controller;   /* one that runs */

typedef struct {
    const char *cluster_cidr;  /* pods' addresses, "10.244.0.0/16"; NULL: nodes get none */
    guint node_mask_size;      /* prefix length of one node's share */
    guint node_grace_s;        /* a node that is silent for so long is lost; pods of one that was deleted go as late */
    double node_eviction_rate; /* nodes per second from which pods may be driven off */
    guint terminated_pods_max; /* more finished pods than that: the oldest are deleted; 0: no limit */
} ControllersOptions;

/* What wakes a controller: a change of an object of <resource> (API_INDEX_MAX_: of any kind but Event). map adds
 * keys with controller_add(). old or now is NULL as in ClientCacheOptions.changed. When the controller starts, map
 * is called for every object with old NULL. */
typedef struct {
    ApiResourceIndex resource;
    void (*map)(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now);
} ControllerWake;

typedef struct {
    const char *name;
    guint concurrency;           /* keys in work at a time */
    const ControllerWake *wakes; /* ends with map NULL */
    /* Optional. Before the caches are filled: makes the state (controller_set_state), adds indexes
     * (controller_index), names further kinds that reconcile reads (controller_cache). */
    void (*start)(Controller *controller, const ControllersOptions *options);
    void (*reconcile)(Controller *controller, const char *key, Plan *plan);
} ControllerRow;

/* The table of controllers, table.c. Ends with NULL. */
extern const ControllerRow *const controller_rows[];

/* rows: NULL-terminated. options and rows are borrowed and must outlive the result. Nothing is done before
 * controllers_start(). */
Controllers *controllers_new(Client *client, const ControllerRow *const *rows, const ControllersOptions *options);
/* Begins: each controller works as soon as its caches are filled. Once. */
void controllers_start(Controllers *controllers);
/* Before client_free(). No new work begins; the memory goes when the calls under way have ended, which client_free()
 * sees to. */
void controllers_free(Controllers *controllers);
/* TRUE once all controllers work. */
gboolean controllers_are_synced(const Controllers *controllers);

/* --- for the rows --- */

void controller_add(Controller *controller, const char *key);
void controller_add_after(Controller *controller, const char *key, guint ms);

/* The shared cache of a kind, made when first asked for (only from start; later it must exist). Borrowed. */
ClientCache *controller_cache(Controller *controller, const ApiResource *resource);
/* The object <key> of a kind, from its cache. Borrowed; NULL if there is none. */
gconstpointer controller_get(Controller *controller, const ApiResource *resource, const char *key);
/* From start: an index on a cache, shared by all controllers that name the same function. */
void controller_index(Controller *controller, const ApiResource *resource, ClientIndexValue value);
/* A new array of the (borrowed) objects for which an index's function gives <wanted>. */
GPtrArray *controller_by_index(Controller *controller, const ApiResource *resource, ClientIndexValue value,
                               const char *wanted);

void controller_set_state(Controller *controller, gpointer state, GDestroyNotify free_state);
gpointer controller_state(Controller *controller);
ClientEvents *controller_events(Controller *controller);

/* Why the last plan of <key> failed, or NULL after a success. *ret_verb (may be NULL) is the step's. Borrowed. */
const GError *controller_failure(Controller *controller, const char *key, PlanVerb *ret_verb);

/* Ready-made maps: the object's own key; the key of the owner that controls it (whatever its kind: see
 * controller_wake_owner_of); the name of the object's namespace. */
void controller_wake_self(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now);
void controller_wake_namespace(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now);
/* Adds the key of the controlling owner, old and new, if it is of kind <owner>. FALSE if <now> has no controller at
 * all. */
gboolean controller_wake_owner(Controller *controller, const ApiResource *owner, const ProtobufCMessage *old,
                               const ProtobufCMessage *now);
