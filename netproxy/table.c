#include "netproxy/table.h"

typedef struct {
    guint32 id;
    char *name;
    guint8 protocol;
    guint16 port;
    GArray *frontends; /* NftFrontend: claimed, not necessarily owned */
    GArray *slots;     /* ModelEndpoint */
} Port;

struct Table {
    GHashTable *services; /* key -> GPtrArray of Port */
    GHashTable *claims;   /* NftFrontend -> GPtrArray of Port (borrowed); the first owns it; never empty */
    GHashTable *local;    /* address of an endpoint on this node -> number of slots that hold it */
    GArray *free_ids;     /* guint32 */
    guint32 next_id;
    guint n_ports;
};

/* --- lifecycle --------------------------------------------------------------------------------------------------------*/

static void port_free(gpointer data)
{
    Port *port = data;
    g_free(port->name);
    g_array_unref(port->frontends);
    g_array_unref(port->slots);
    g_free(port);
}

Table *table_new(void)
{
    Table *table = g_new0(Table, 1);
    table->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    table->claims =
        g_hash_table_new_full(nft_frontend_hash, nft_frontend_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    table->local = g_hash_table_new(NULL, NULL);
    table->free_ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    table->next_id = 1;
    return table;
}

void table_free(Table *table)
{
    if (!table)
        return;
    g_hash_table_unref(table->claims);
    g_hash_table_unref(table->services);
    g_hash_table_unref(table->local);
    g_array_unref(table->free_ids);
    g_free(table);
}

static guint32 id_take(Table *table)
{
    if (!table->free_ids->len)
        return table->next_id++;
    guint32 id = g_array_index(table->free_ids, guint32, table->free_ids->len - 1);
    g_array_set_size(table->free_ids, table->free_ids->len - 1);
    return id;
}

/* --- elements ---------------------------------------------------------------------------------------------------------*/

static NftKey id_key(const Port *port)
{
    return (NftKey){.id = port->id};
}

static NftKey slot_key(const Port *port, guint slot)
{
    return (NftKey){.slot = {port->id, slot}};
}

static void slot_add(const Port *port, guint slot, Changes *changes)
{
    NftKey key = slot_key(port, slot);
    NftData data = {.dest = g_array_index(port->slots, ModelEndpoint, slot).dest};
    changes_add(changes, NFT_MAP_ENDPOINTS, &key, &data, NULL);
}

static void slot_delete(const Port *port, guint slot, Changes *changes)
{
    NftKey key = slot_key(port, slot);
    changes_delete(changes, NFT_MAP_ENDPOINTS, &key);
}

static void frontend_add(const Port *port, const NftFrontend *frontend, Changes *changes)
{
    NftKey key = {.frontend = *frontend};
    NftData data = {.service.id = port->id};
    changes_add(changes, NFT_MAP_FRONTENDS, &key, &data, port->name);
}

static void frontend_delete(const NftFrontend *frontend, Changes *changes)
{
    NftKey key = {.frontend = *frontend};
    changes_delete(changes, NFT_MAP_FRONTENDS, &key);
}

/* Counts how often a local endpoint is in use; the first and the last time are changes. */
static void local_count(Table *table, const ModelEndpoint *endpoint, gint by, Changes *changes)
{
    if (!endpoint->local)
        return;
    gpointer address = GUINT_TO_POINTER(endpoint->dest.address);
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(table->local, address));
    guint after = before + (guint)by;
    NftKey key = {.pair = {endpoint->dest.address, endpoint->dest.address}};
    if (after)
        g_hash_table_insert(table->local, address, GUINT_TO_POINTER(after));
    else
        g_hash_table_remove(table->local, address);
    if (!before)
        changes_add(changes, NFT_MAP_HAIRPIN, &key, NULL, NULL);
    else if (!after)
        changes_delete(changes, NFT_MAP_HAIRPIN, &key);
}

/* The number of endpoints went from <before> (-1: the port is new) to <after> (-1: it goes). */
static void class_change(const Port *port, gint before, gint after, Changes *changes)
{
    NftKey key = id_key(port);
    if (before == after)
        return;
    if (before > 0)
        changes_delete(changes, NFT_MAP_CLASSES, &key);
    else if (before == 0)
        changes_delete(changes, NFT_MAP_EMPTY, &key);
    if (after > 0)
        changes_add(changes, NFT_MAP_CLASSES, &key, &(NftData){.count = (guint32)after}, NULL);
    else if (after == 0)
        changes_add(changes, NFT_MAP_EMPTY, &key, NULL, NULL);
}

/* --- frontends --------------------------------------------------------------------------------------------------------*/

static Port *owner_of(const Table *table, const NftFrontend *frontend)
{
    const GPtrArray *claims = g_hash_table_lookup(table->claims, frontend);
    return claims ? claims->pdata[0] : NULL;
}

/* A flow of datagrams keeps the endpoint it began with, or none, until conntrack forgets it. */
static void flow_changed(const NftFrontend *frontend, Changes *changes)
{
    if (nft_protocol_is_datagram(frontend->protocol))
        changes_add_flow(changes, frontend);
}

static void frontend_claim(Table *table, Port *port, const NftFrontend *frontend, Changes *changes)
{
    GPtrArray *claims = g_hash_table_lookup(table->claims, frontend);
    g_array_append_val(port->frontends, *frontend);
    if (claims) {
        g_ptr_array_add(claims, port);
        return;
    }
    claims = g_ptr_array_new();
    g_ptr_array_add(claims, port);
    g_hash_table_insert(table->claims, g_memdup2(frontend, sizeof *frontend), claims);
    frontend_add(port, frontend, changes);
    flow_changed(frontend, changes);
}

/* The caller removes it from port->frontends. */
static void frontend_release(Table *table, Port *port, const NftFrontend *frontend, Changes *changes)
{
    GPtrArray *claims = g_hash_table_lookup(table->claims, frontend);
    gboolean owned = claims->pdata[0] == port;
    g_ptr_array_remove(claims, port);
    if (owned) {
        frontend_delete(frontend, changes);
        flow_changed(frontend, changes);
        if (claims->len)
            frontend_add(claims->pdata[0], frontend, changes);
    }
    if (!claims->len)
        g_hash_table_remove(table->claims, frontend);
}

static gboolean frontends_contain(const GArray *frontends, const NftFrontend *frontend)
{
    for (guint i = 0; i < frontends->len; i++)
        if (nft_frontend_equal(&g_array_index(frontends, NftFrontend, i), frontend))
            return TRUE;
    return FALSE;
}

static void frontends_move(Table *table, Port *port, const GArray *wanted, Changes *changes)
{
    for (guint i = port->frontends->len; i-- > 0;) {
        NftFrontend frontend = g_array_index(port->frontends, NftFrontend, i);
        if (frontends_contain(wanted, &frontend))
            continue;
        frontend_release(table, port, &frontend, changes);
        g_array_remove_index_fast(port->frontends, i);
    }
    for (guint i = 0; i < wanted->len; i++) {
        const NftFrontend *frontend = &g_array_index(wanted, NftFrontend, i);
        if (!frontends_contain(port->frontends, frontend))
            frontend_claim(table, port, frontend, changes);
    }
}

/* The name is the comment of the elements. */
static void name_move(const Table *table, Port *port, const char *name, Changes *changes)
{
    if (g_str_equal(port->name, name))
        return;
    g_free(port->name);
    port->name = g_strdup(name);
    for (guint i = 0; i < port->frontends->len; i++) {
        const NftFrontend *frontend = &g_array_index(port->frontends, NftFrontend, i);
        if (owner_of(table, frontend) == port) {
            frontend_delete(frontend, changes);
            frontend_add(port, frontend, changes);
        }
    }
}

/* --- slots ------------------------------------------------------------------------------------------------------------*/

/* Endpoints that go leave holes; those that come fill the holes first, so a replacement touches one slot and not the count.
 * Holes that stay are filled with the last slots, endpoints that are left are appended. */
static void slots_move(Table *table, Port *port, const GArray *wanted, Changes *changes)
{
    g_autoptr(GHashTable) coming =
        g_hash_table_new(nft_dest_hash, nft_dest_equal);                /* NftDest -> ModelEndpoint, borrowed */
    g_autoptr(GArray) holes = g_array_new(FALSE, FALSE, sizeof(guint)); /* descending */
    gboolean gone = FALSE;
    for (guint i = 0; i < wanted->len; i++) {
        ModelEndpoint *endpoint = &g_array_index(wanted, ModelEndpoint, i);
        g_hash_table_insert(coming, &endpoint->dest, endpoint);
    }
    for (guint i = port->slots->len; i-- > 0;) {
        ModelEndpoint *endpoint = &g_array_index(port->slots, ModelEndpoint, i);
        const ModelEndpoint *same = g_hash_table_lookup(coming, &endpoint->dest);
        if (same && same->local == endpoint->local) {
            g_hash_table_remove(coming, &endpoint->dest);
            continue;
        }
        local_count(table, endpoint, -1, changes);
        slot_delete(port, i, changes);
        g_array_append_val(holes, i);
        gone = TRUE;
    }
    for (guint i = 0; i < wanted->len; i++) {
        const ModelEndpoint *endpoint = &g_array_index(wanted, ModelEndpoint, i);
        if (!g_hash_table_remove(coming, &endpoint->dest))
            continue;
        guint slot = port->slots->len;
        if (holes->len) {
            slot = g_array_index(holes, guint, holes->len - 1); /* the lowest */
            g_array_set_size(holes, holes->len - 1);
            g_array_index(port->slots, ModelEndpoint, slot) = *endpoint;
        } else {
            g_array_append_val(port->slots, *endpoint);
        }
        local_count(table, endpoint, 1, changes);
        slot_add(port, slot, changes);
    }
    for (guint i = 0; i < holes->len; i++) { /* from the highest: whatever is above a hole is no hole any more */
        guint hole = g_array_index(holes, guint, i), last = port->slots->len - 1;
        if (hole != last) {
            slot_delete(port, last, changes);
            g_array_index(port->slots, ModelEndpoint, hole) = g_array_index(port->slots, ModelEndpoint, last);
            slot_add(port, hole, changes);
        }
        g_array_set_size(port->slots, last);
    }
    for (guint i = 0; gone && i < port->frontends->len; i++)
        flow_changed(&g_array_index(port->frontends, NftFrontend, i), changes);
}

/* --- services ---------------------------------------------------------------------------------------------------------*/

static Port *port_new(Table *table, const ModelPort *wanted)
{
    Port *port = g_new0(Port, 1);
    port->id = id_take(table);
    port->name = g_strdup(wanted->name);
    port->protocol = wanted->protocol;
    port->port = wanted->port;
    port->frontends = g_array_new(FALSE, FALSE, sizeof(NftFrontend));
    port->slots = g_array_new(FALSE, TRUE, sizeof(ModelEndpoint));
    table->n_ports++;
    return port;
}

static void port_move(Table *table, Port *port, gboolean is_new, const ModelPort *wanted, Changes *changes)
{
    gint before = is_new ? -1 : (gint)port->slots->len;
    name_move(table, port, wanted->name, changes);
    frontends_move(table, port, wanted->frontends, changes);
    slots_move(table, port, wanted->endpoints, changes);
    class_change(port, before, (gint)port->slots->len, changes);
}

static void port_drop(Table *table, Port *port, Changes *changes)
{
    class_change(port, (gint)port->slots->len, -1, changes);
    for (guint i = 0; i < port->frontends->len; i++)
        frontend_release(table, port, &g_array_index(port->frontends, NftFrontend, i), changes);
    for (guint i = 0; i < port->slots->len; i++) {
        local_count(table, &g_array_index(port->slots, ModelEndpoint, i), -1, changes);
        slot_delete(port, i, changes);
    }
    g_array_append_val(table->free_ids, port->id);
    table->n_ports--;
}

static gboolean same_port(const Port *port, const ModelPort *wanted)
{
    return port->protocol == wanted->protocol && port->port == wanted->port;
}

void table_set_service(Table *table, const char *key, const GPtrArray *wanted, Changes *changes)
{
    GPtrArray *ports = g_hash_table_lookup(table->services, key);
    if (!ports) {
        if (!wanted->len)
            return;
        ports = g_ptr_array_new_with_free_func(port_free);
        g_hash_table_insert(table->services, g_strdup(key), ports);
    }
    for (guint i = ports->len; i-- > 0;) {
        guint j = 0;
        while (j < wanted->len && !same_port(ports->pdata[i], wanted->pdata[j]))
            j++;
        if (j == wanted->len) {
            port_drop(table, ports->pdata[i], changes);
            g_ptr_array_remove_index_fast(ports, i);
        }
    }
    for (guint j = 0; j < wanted->len; j++) {
        guint i = 0;
        while (i < ports->len && !same_port(ports->pdata[i], wanted->pdata[j]))
            i++;
        gboolean is_new = i == ports->len;
        if (is_new)
            g_ptr_array_add(ports, port_new(table, wanted->pdata[j]));
        port_move(table, ports->pdata[i], is_new, wanted->pdata[j], changes);
    }
    if (!ports->len)
        g_hash_table_remove(table->services, key);
}

/* --- everything at once -----------------------------------------------------------------------------------------------*/

typedef void (*PortFunc)(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes);

static void for_each_port(const Table *table, PortFunc func, NftBatch *batch, GHashTable *classes)
{
    GHashTableIter iter;
    gpointer ports;
    g_hash_table_iter_init(&iter, table->services);
    while (g_hash_table_iter_next(&iter, NULL, &ports))
        for (guint i = 0; i < ((GPtrArray *)ports)->len; i++)
            func(table, ((GPtrArray *)ports)->pdata[i], batch, classes);
}

static void write_chains(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes)
{
    (void)table;
    changes_write_class(batch, classes, port->slots->len);
}

static void write_frontends(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes)
{
    (void)classes;
    for (guint i = 0; i < port->frontends->len; i++) {
        NftKey key = {.frontend = g_array_index(port->frontends, NftFrontend, i)};
        if (owner_of(table, &key.frontend) == port)
            nft_batch_add_element(batch, NFT_MAP_FRONTENDS, &key, &(NftData){.service.id = port->id}, port->name);
    }
}

static void write_class(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes)
{
    (void)table;
    (void)classes;
    NftKey key = id_key(port);
    if (port->slots->len)
        nft_batch_add_element(batch, NFT_MAP_CLASSES, &key, &(NftData){.count = port->slots->len}, NULL);
}

static void write_empty(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes)
{
    (void)table;
    (void)classes;
    NftKey key = id_key(port);
    if (!port->slots->len)
        nft_batch_add_element(batch, NFT_MAP_EMPTY, &key, NULL, NULL);
}

static void write_slots(const Table *table, const Port *port, NftBatch *batch, GHashTable *classes)
{
    (void)table;
    (void)classes;
    for (guint i = 0; i < port->slots->len; i++) {
        NftKey key = slot_key(port, i);
        NftData data = {.dest = g_array_index(port->slots, ModelEndpoint, i).dest};
        nft_batch_add_element(batch, NFT_MAP_ENDPOINTS, &key, &data, NULL);
    }
}

void table_write(const Table *table, NftBatch *batch, GHashTable *classes)
{
    static const PortFunc passes[] = {write_chains, write_slots, write_class, write_empty, write_frontends};
    for (guint i = 0; i < G_N_ELEMENTS(passes); i++)
        for_each_port(table, passes[i], batch, classes);
    GHashTableIter iter;
    gpointer address;
    g_hash_table_iter_init(&iter, table->local);
    while (g_hash_table_iter_next(&iter, &address, NULL)) {
        NftKey key = {.pair = {GPOINTER_TO_UINT(address), GPOINTER_TO_UINT(address)}};
        nft_batch_add_element(batch, NFT_MAP_HAIRPIN, &key, NULL, NULL);
    }
}

/* --- questions --------------------------------------------------------------------------------------------------------*/

guint table_n_ports(const Table *table)
{
    return table->n_ports;
}

gboolean table_find(const Table *table, const NftFrontend *frontend, const NftDest *dest, gboolean *ret_served)
{
    const Port *port = owner_of(table, frontend);
    if (!port)
        return FALSE;
    if (!ret_served)
        return TRUE;
    *ret_served = FALSE;
    for (guint i = 0; i < port->slots->len && !*ret_served; i++)
        *ret_served = nft_dest_equal(&g_array_index(port->slots, ModelEndpoint, i).dest, dest);
    return TRUE;
}
