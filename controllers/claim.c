#include "controllers/claim.h"

gboolean owner_reference_remove(Meta__V1__ObjectMeta *meta, const char *uid)
{
    gsize kept = 0;
    for (gsize i = 0; i < meta->n_ownerreferences; i++) {
        Meta__V1__OwnerReference *reference = meta->ownerreferences[i];
        if (api_str_equal(reference->uid, uid))
            API_FREE(reference);
        else
            meta->ownerreferences[kept++] = reference;
    }
    gboolean removed = kept < meta->n_ownerreferences;
    meta->n_ownerreferences = kept;
    if (kept == 0)
        g_clear_pointer(&meta->ownerreferences, g_free);
    return removed;
}

gboolean finalizer_remove(Meta__V1__ObjectMeta *meta, const char *finalizer)
{
    gsize kept = 0;
    for (gsize i = 0; i < meta->n_finalizers; i++) {
        if (g_str_equal(meta->finalizers[i], finalizer))
            g_free(meta->finalizers[i]);
        else
            meta->finalizers[kept++] = meta->finalizers[i];
    }
    gboolean removed = kept < meta->n_finalizers;
    meta->n_finalizers = kept;
    if (kept == 0)
        g_clear_pointer(&meta->finalizers, g_free);
    return removed;
}

gboolean finalizer_has(const Meta__V1__ObjectMeta *meta, const char *finalizer)
{
    for (gsize i = 0; meta && i < meta->n_finalizers; i++)
        if (g_str_equal(meta->finalizers[i], finalizer))
            return TRUE;
    return FALSE;
}

typedef enum { CLAIM_FOREIGN, CLAIM_OURS, CLAIM_ADOPT, CLAIM_RELEASE } ClaimKind;

static ClaimKind classify(const char *owner_uid, gboolean owner_lives, const ApiSelector *selector,
                          const Meta__V1__ObjectMeta *meta)
{
    const Meta__V1__OwnerReference *controller = api_controller_of(meta);
    if (controller && !api_str_equal(controller->uid, owner_uid))
        return CLAIM_FOREIGN;
    gboolean matches = selector ? api_selector_matches_meta(selector, meta) : controller != NULL;
    if (controller)
        return matches ? CLAIM_OURS : owner_lives && !meta->deletiontimestamp ? CLAIM_RELEASE : CLAIM_FOREIGN;
    return matches && owner_lives && !meta->deletiontimestamp ? CLAIM_ADOPT : CLAIM_FOREIGN;
}

GPtrArray *claim(Plan *plan, const ApiResource *owner_resource, gconstpointer owner, const ApiSelector *selector,
                 const ProtobufCMessage *const *candidates, gsize n)
{
    g_autoptr(GPtrArray) claimed = g_ptr_array_new();
    gboolean owner_lives = !API_META_PEEK(owner)->deletiontimestamp;
    const char *uid = api_object_uid(owner);
    gboolean wrote = FALSE;
    for (gsize i = 0; i < n; i++) {
        const Meta__V1__ObjectMeta *meta = api_meta_peek(candidates[i]);
        ClaimKind kind = meta ? classify(uid, owner_lives, selector, meta) : CLAIM_FOREIGN;
        if (kind == CLAIM_OURS)
            g_ptr_array_add(claimed, (gpointer)candidates[i]);
        if (kind == CLAIM_ADOPT || kind == CLAIM_RELEASE) {
            ProtobufCMessage *changed = api_message_clone(candidates[i]);
            Meta__V1__ObjectMeta *new_meta = api_meta(changed);
            if (kind == CLAIM_ADOPT)
                api_append(new_meta->ownerreferences, new_meta->n_ownerreferences,
                           api_owner_reference_new(owner_resource, owner));
            else
                owner_reference_remove(new_meta, uid);
            plan_update(plan, changed);
            wrote = TRUE;
        }
    }
    return wrote ? NULL : g_steal_pointer(&claimed);
}

/* --- candidates --- */

static char *index_orphan(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    return api_controller_of(meta) ? NULL : g_strdup(api_str(meta->namespace_));
}

void claim_start(Controller *controller, const ApiResource *dependents)
{
    controller_index(controller, dependents, client_index_controller_uid);
    controller_index(controller, dependents, index_orphan);
}

GPtrArray *claim_candidates(Controller *controller, const ApiResource *dependents, gconstpointer owner)
{
    GPtrArray *candidates =
        controller_by_index(controller, dependents, client_index_controller_uid, api_object_uid(owner));
    g_autoptr(GPtrArray) orphans =
        controller_by_index(controller, dependents, index_orphan, api_object_namespace(owner));
    g_ptr_array_extend(candidates, orphans, NULL, NULL);
    return candidates;
}

void claim_wake(Controller *controller, const ApiResource *owners,
                const Meta__V1__LabelSelector *(*selector)(const ProtobufCMessage *owner), const ProtobufCMessage *old,
                const ProtobufCMessage *now)
{
    if (controller_wake_owner(controller, owners, old, now) || !now)
        return;
    const Meta__V1__ObjectMeta *meta = api_meta_peek(now);
    if (meta->deletiontimestamp || meta->n_labels == 0)
        return;
    g_autoptr(GPtrArray) all = client_cache_list(controller_cache(controller, owners), meta->namespace_);
    for (guint i = 0; i < all->len; i++) {
        g_autoptr(ApiSelector) wanted = api_selector_from_message(selector(all->pdata[i]), NULL);
        if (wanted && api_selector_matches_meta(wanted, meta))
            controller_wake_self(controller, NULL, all->pdata[i]);
    }
}
