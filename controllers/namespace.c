#include "controllers/namespace.h"

#include "lib/api/labels.h"
#include "lib/base/time.h"

#define LOOK_AGAIN_NS (5 * TIME_NS_PER_S) /* for contents that end without telling us */
#define DEFAULT_ACCOUNT "default"

/* --- deletion --- */

/* Shared by the steps of one plan. */
typedef struct {
    Namespace *namespace_;
    guint remaining; /* objects that the lists still had */
} Emptying;

static void emptying_free(gpointer pointer)
{
    Emptying *emptying = pointer;
    API_FREE(emptying->namespace_);
    g_free(emptying);
}

/* One kind was listed: deletes what is not being deleted yet. List messages are {metadata = 1, items = 2}. */
static void kind_listed(Plan *plan, const ProtobufCMessage *list, const GError *error, gpointer data)
{
    (void)error;
    Emptying *emptying = data;
    const ProtobufCFieldDescriptor *items = protobuf_c_message_descriptor_get_field(list->descriptor, 2);
    gsize n = G_STRUCT_MEMBER(size_t, list, items->quantifier_offset);
    ProtobufCMessage *const *objects = G_STRUCT_MEMBER(ProtobufCMessage **, list, items->offset);
    emptying->remaining += n;
    for (gsize i = 0; i < n; i++)
        if (!api_meta_peek(objects[i])->deletiontimestamp)
            plan_delete(plan, objects[i])->propagation = "Background";
}

static void all_listed(Plan *plan, const ProtobufCMessage *nothing, const GError *error, gpointer data)
{
    (void)nothing, (void)error;
    Emptying *emptying = data;
    if (emptying->remaining > 0) {
        plan_after(plan, LOOK_AGAIN_NS);
        return;
    }
    Namespace *changed = (Namespace *)API_CLONE(emptying->namespace_);
    gsize kept = 0;
    for (gsize i = 0; i < changed->spec->n_finalizers; i++) {
        if (g_str_equal(changed->spec->finalizers[i], API_FINALIZER_NAMESPACE))
            g_free(changed->spec->finalizers[i]);
        else
            changed->spec->finalizers[kept++] = changed->spec->finalizers[i];
    }
    changed->spec->n_finalizers = kept;
    if (kept == 0)
        g_clear_pointer(&changed->spec->finalizers, g_free);
    plan_update(plan, changed);
}

static gboolean has_our_finalizer(const Namespace *namespace_)
{
    for (gsize i = 0; namespace_->spec && i < namespace_->spec->n_finalizers; i++)
        if (g_str_equal(namespace_->spec->finalizers[i], API_FINALIZER_NAMESPACE))
            return TRUE;
    return FALSE;
}

void namespace_plan(Plan *plan, const Namespace *namespace_)
{
    if (!namespace_->metadata->deletiontimestamp || !has_our_finalizer(namespace_))
        return;
    Emptying *emptying = g_new0(Emptying, 1);
    emptying->namespace_ = (Namespace *)API_CLONE(namespace_);
    plan->data = emptying;
    plan->free_data = emptying_free;
    guint n;
    const ApiResource *resources = api_resources(&n);
    for (guint i = 0; i < n; i++)
        if (resources[i].namespaced)
            plan_list(plan, &resources[i], namespace_->metadata->name, kind_listed, emptying);
    plan_barrier(plan);
    plan_call(plan, all_listed, emptying);
}

/* Something in a namespace went: if that is being deleted, it may have been the last. */
static void wake_contents(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    const char *name = now ? "" : api_object_namespace(old);
    if (!*name)
        return;
    const Namespace *namespace_ = controller_get(controller, API_NAMESPACE, name);
    if (namespace_ && namespace_->metadata->deletiontimestamp)
        controller_add(controller, name);
}

static void reconcile_namespace(Controller *controller, const char *key, Plan *plan)
{
    const Namespace *namespace_ = controller_get(controller, API_NAMESPACE, key);
    if (namespace_)
        namespace_plan(plan, namespace_);
}

static const ControllerWake namespace_wakes[] = {
    {API_INDEX_NAMESPACE, controller_wake_self},
    {API_INDEX_MAX_, wake_contents},
    {},
};

const ControllerRow namespace_controller = {
    .name = "namespace",
    .concurrency = 4,
    .wakes = namespace_wakes,
    .reconcile = reconcile_namespace,
};

/* --- the default ServiceAccount --- */

void serviceaccount_plan(Plan *plan, const Namespace *namespace_, gboolean has_account)
{
    if (has_account || namespace_->metadata->deletiontimestamp)
        return;
    Core__V1__ServiceAccount *account = API_NEW(Core__V1__ServiceAccount, core__v1__service_account);
    account->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    account->metadata->namespace_ = g_strdup(namespace_->metadata->name);
    account->metadata->name = g_strdup(DEFAULT_ACCOUNT);
    plan_create(plan, account);
}

static void reconcile_account(Controller *controller, const char *key, Plan *plan)
{
    const Namespace *namespace_ = controller_get(controller, API_NAMESPACE, key);
    if (!namespace_)
        return;
    g_autofree char *account_key = g_strconcat(key, "/", DEFAULT_ACCOUNT, NULL);
    serviceaccount_plan(plan, namespace_, controller_get(controller, API_SERVICE_ACCOUNT, account_key) != NULL);
}

static const ControllerWake serviceaccount_wakes[] = {
    {API_INDEX_NAMESPACE, controller_wake_self},
    {API_INDEX_SERVICE_ACCOUNT, controller_wake_namespace},
    {},
};

const ControllerRow serviceaccount_controller = {
    .name = "serviceaccount",
    .concurrency = 4,
    .wakes = serviceaccount_wakes,
    .reconcile = reconcile_account,
};
