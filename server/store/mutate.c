#include "server/store/mutate.h"

#include "lib/api/envelope.h"
#include "lib/base/error.h"
#include "server/store/key.h"

#define TRIES_MAX 30
#define VALUE_MAX_BYTES (ETCD_REQUEST_MAX_BYTES - 16 * 1024) /* leaves room for the rest of the transaction */
#define CHUNK_BYTES (1024 * 1024)

typedef struct {
    Store *store;
    StoreMutation *mutations;
    guint n;
    StoreDecide decide;
    void (*done)(gpointer data);
    gpointer data;
    gboolean fresh;            /* the caches are no older than the request */
    gint64 overtaken;          /* a revision that has what overtook us; 0: nothing did */
    guint at;                  /* where the next chunk begins */
    guint chunk[ETCD_TXN_MAX]; /* the mutations that are being committed */
    guint n_chunk;
} Batch;

static void batch_round(Batch *batch);
static void batch_commit(Batch *batch);

static void guard_clear(gpointer data)
{
    g_free((char *)((EtcdGuard *)data)->key);
}

static void etcd_change_clear(gpointer data)
{
    EtcdChange *change = data;
    g_free((char *)change->key);
    g_clear_pointer(&change->value, g_bytes_unref);
}

static void change_init(StoreChange *change)
{
    change->object = NULL;
    change->guards = g_array_new(FALSE, FALSE, sizeof(EtcdGuard));
    g_array_set_clear_func(change->guards, guard_clear);
    change->changes = g_array_new(FALSE, FALSE, sizeof(EtcdChange));
    g_array_set_clear_func(change->changes, etcd_change_clear);
}

static void change_clear(StoreChange *change)
{
    g_clear_pointer(&change->object, g_bytes_unref);
    g_clear_pointer(&change->guards, g_array_unref);
    g_clear_pointer(&change->changes, g_array_unref);
}

static void change_guard(StoreChange *change, char *etcd_key, gint64 revision)
{
    EtcdGuard guard = {.key = etcd_key, .mod_revision = revision};
    g_array_append_val(change->guards, guard);
}

static void change_write(StoreChange *change, char *etcd_key, GBytes *value)
{
    EtcdChange write = {.key = etcd_key, .value = value};
    g_array_append_val(change->changes, write);
}

void store_change_require(StoreChange *change, Store *store, const StoreEntry *entry)
{
    change_guard(change, store_key_to_etcd(store_prefix(store), entry->resource, entry->key), entry->revision);
}

void store_change_claim(StoreChange *change, Store *store, const char *range, const char *item, const char *owner)
{
    change_guard(change, store_claim_to_etcd(store_prefix(store), range, item), 0);
    change_write(change, store_claim_to_etcd(store_prefix(store), range, item), g_bytes_new(owner, strlen(owner)));
}

void store_change_release(StoreChange *change, Store *store, const char *range, const char *item)
{
    change_write(change, store_claim_to_etcd(store_prefix(store), range, item), NULL);
}

void store_mutation_clear(StoreMutation *mutation)
{
    g_clear_pointer(&mutation->key, g_free);
    g_clear_error(&mutation->error);
    g_clear_pointer(&mutation->object, g_bytes_unref);
    g_clear_pointer(&mutation->entry, store_entry_unref);
    change_clear(&mutation->change);
}

static void settle(StoreMutation *mutation)
{
    mutation->settled = TRUE;
    if (!mutation->error && mutation->action == STORE_PUT)
        mutation->object = g_steal_pointer(&mutation->change.object);
    change_clear(&mutation->change);
}

/* The envelope around the new object, and what the etcd transaction is made of. */
static gboolean complete_change(Batch *batch, StoreMutation *mutation, GError **error)
{
    StoreChange *change = &mutation->change;
    g_autofree char *etcd_key = store_key_to_etcd(store_prefix(batch->store), mutation->resource, mutation->key);
    g_autoptr(GBytes) value = NULL;
    if (mutation->action == STORE_PUT) {
        gsize size;
        const void *object = g_bytes_get_data(change->object, &size);
        value = api_envelope_wrap(mutation->resource, object, size);
        if (g_bytes_get_size(value) > VALUE_MAX_BYTES) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TOO_LARGE,
                        "%s \"%s\" takes %" G_GSIZE_FORMAT " bytes; the limit is %d", mutation->resource->plural,
                        mutation->key, g_bytes_get_size(value), VALUE_MAX_BYTES);
            return FALSE;
        }
    }
    change_guard(change, g_strdup(etcd_key), mutation->entry ? mutation->entry->revision : 0);
    change_write(change, g_strdup(etcd_key), g_steal_pointer(&value));
    return TRUE;
}

static void decide_one(Batch *batch, StoreMutation *mutation)
{
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&mutation->entry, store_entry_unref);
    mutation->entry = store_cache_get(store_cache(batch->store, mutation->resource), mutation->key);
    change_clear(&mutation->change);
    change_init(&mutation->change);
    mutation->action = batch->decide(mutation, mutation->entry, &mutation->change, &error);
    mutation->doubted = FALSE;
    if (!error && mutation->action != STORE_KEEP && complete_change(batch, mutation, &error))
        return;
    if (batch->fresh) {
        mutation->error = g_steal_pointer(&error);
        mutation->revision = mutation->entry ? mutation->entry->revision : 0;
        settle(mutation);
    } else {
        mutation->doubted = TRUE;
    }
}

static void batch_failed(Batch *batch, const GError *error)
{
    for (guint i = 0; i < batch->n; i++) {
        StoreMutation *mutation = &batch->mutations[i];
        if (mutation->settled)
            continue;
        mutation->error = g_error_copy(error);
        settle(mutation);
    }
}

static void batch_finish(Batch *batch)
{
    batch->done(batch->data);
    g_free(batch);
}

/* The caches are as new as they have to be for the next round. */
static void on_caught_up(const GError *error, gpointer data)
{
    Batch *batch = data;
    if (error) {
        batch_failed(batch, error);
        batch_finish(batch);
        return;
    }
    batch->fresh = TRUE;
    batch_round(batch);
}

/* All that could be committed is: another round for the rest, if there is any. */
static void batch_next_round(Batch *batch)
{
    gboolean open = FALSE, doubted = FALSE;
    for (guint i = 0; i < batch->n; i++) {
        open |= !batch->mutations[i].settled;
        doubted |= !batch->mutations[i].settled && batch->mutations[i].doubted;
    }
    if (!open)
        batch_finish(batch);
    else if (doubted)
        store_sync(batch->store, on_caught_up, batch); /* also reaches what overtook the others */
    else
        store_wait(batch->store, batch->overtaken, on_caught_up, batch);
}

static void mutation_committed(StoreMutation *mutation, gboolean succeeded, gint64 revision)
{
    if (succeeded) {
        mutation->revision = revision;
        settle(mutation);
    } else if (++mutation->tries >= TRIES_MAX) {
        mutation->error =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_CONFLICT, "%s \"%s\" keeps being changed by others; try again",
                        mutation->resource->plural, mutation->key);
        settle(mutation);
    }
}

static void on_committed(gint64 revision, const gboolean *succeeded, const GError *error, gpointer data)
{
    Batch *batch = data;
    for (guint i = 0; i < batch->n_chunk; i++) {
        StoreMutation *mutation = &batch->mutations[batch->chunk[i]];
        if (error) {
            mutation->error = g_error_copy(error);
            settle(mutation);
        } else {
            mutation_committed(mutation, succeeded[i], revision);
        }
    }
    if (!error)
        batch->overtaken = MAX(batch->overtaken, revision);
    batch_commit(batch);
}

static gsize change_bytes(const StoreChange *change)
{
    gsize bytes = 0;
    for (guint i = 0; i < change->changes->len; i++) {
        GBytes *value = g_array_index(change->changes, EtcdChange, i).value;
        bytes += 256 + (value ? g_bytes_get_size(value) : 0);
    }
    return bytes;
}

/* Commits the next chunk: as many of the open mutations as fit into one transaction. */
static void batch_commit(Batch *batch)
{
    EtcdTxn txns[ETCD_TXN_MAX];
    gsize bytes = 0;
    batch->n_chunk = 0;
    for (; batch->at < batch->n && batch->n_chunk < ETCD_TXN_MAX; batch->at++) {
        StoreMutation *mutation = &batch->mutations[batch->at];
        if (mutation->settled || mutation->doubted)
            continue;
        bytes += change_bytes(&mutation->change);
        if (batch->n_chunk > 0 && bytes > CHUNK_BYTES)
            break;
        const StoreChange *change = &mutation->change;
        txns[batch->n_chunk] = (EtcdTxn){
            .guards = (const EtcdGuard *)change->guards->data,
            .n_guards = change->guards->len,
            .changes = (const EtcdChange *)change->changes->data,
            .n_changes = change->changes->len,
        };
        batch->chunk[batch->n_chunk++] = batch->at;
    }
    if (batch->n_chunk == 0)
        batch_next_round(batch);
    else
        etcd_commit(store_etcd(batch->store), txns, batch->n_chunk, STORE_TIMEOUT_MS, on_committed, batch);
}

static void batch_round(Batch *batch)
{
    for (guint i = 0; i < batch->n; i++) {
        if (!batch->mutations[i].settled)
            decide_one(batch, &batch->mutations[i]);
    }
    batch->at = 0;
    batch_commit(batch);
}

void store_mutate(Store *store, StoreMutation *mutations, guint n, StoreDecide decide, void (*done)(gpointer data),
                  gpointer data)
{
    Batch *batch = g_new0(Batch, 1);
    *batch = (Batch){.store = store, .mutations = mutations, .n = n, .decide = decide, .done = done, .data = data};
    batch_round(batch);
}
