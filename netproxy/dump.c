#include "netproxy/dump.h"

#include <string.h>

#include "netproxy/nft/socket.h"

typedef struct {
    NftKey key;
    NftData data;
    char *comment;
} Element;

typedef struct {
    GArray *maps[NFT_MAPS_]; /* Element */
    NftMap reading;
} Dump;

static void element_clear(gpointer data)
{
    g_free(((Element *)data)->comment);
}

static void dump_add(const NftKey *key, const NftData *data, const char *comment, gpointer user_data)
{
    Dump *dump = user_data;
    Element element = {*key, *data, g_strdup(comment)};
    g_array_append_val(dump->maps[dump->reading], element);
}

static void dump_reset(gpointer user_data)
{
    Dump *dump = user_data;
    g_array_set_size(dump->maps[dump->reading], 0);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    const Element *one = a, *other = b;
    gint by_name = strcmp(one->comment, other->comment);
    return by_name ? by_name : memcmp(&one->key, &other->key, sizeof one->key);
}

static const Element *element_find(const Dump *dump, NftMap map, const NftKey *key)
{
    for (guint i = 0; i < dump->maps[map]->len; i++) {
        const Element *element = &g_array_index(dump->maps[map], Element, i);
        if (memcmp(&element->key, key, nft_map_info(map)->key_length) == 0)
            return element;
    }
    return NULL;
}

static gint compare_slots(gconstpointer a, gconstpointer b)
{
    const NftSlot *one = &((const Element *)a)->key.slot, *other = &((const Element *)b)->key.slot;
    if (one->id != other->id)
        return one->id < other->id ? -1 : 1;
    return one->slot < other->slot ? -1 : one->slot > other->slot;
}

/* The first slot of a service in the sorted slots, or their number. */
static guint slots_of(const GArray *slots, guint32 id)
{
    guint low = 0, high = slots->len;
    while (low < high) {
        guint middle = (low + high) / 2;
        if (g_array_index(slots, Element, middle).key.slot.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void print_endpoints(const Dump *dump, guint32 id, GString *text)
{
    const GArray *slots = dump->maps[NFT_MAP_ENDPOINTS];
    NftKey key = {.id = id};
    const Element *class = element_find(dump, NFT_MAP_CLASSES, &key);
    guint count = class ? class->data.count : 0, found = 0;
    for (guint i = slots_of(slots, id); i < slots->len && g_array_index(slots, Element, i).key.slot.id == id;
         i++, found++) {
        const NftDest *dest = &g_array_index(slots, Element, i).data.dest;
        NftKey pair = {.pair = {dest->address, dest->address}};
        g_autofree char *address = nft_dest_to_string(dest);
        g_string_append_printf(text, "  -> %s%s\n", address,
                               element_find(dump, NFT_MAP_HAIRPIN, &pair) ? " (on this node)" : "");
    }
    if (!found)
        g_string_append(text, "  no endpoints: refused\n");
    if (count != found)
        g_string_append_printf(text, "  WRONG: the chain is for %u endpoints\n", count);
}

char *dump_services(GError **error)
{
    g_autoptr(NftSocket) nft = nft_socket_new(error);
    Dump dump = {0};
    GString *text = g_string_new(NULL);
    gboolean read = nft != NULL;
    for (NftMap map = 0; map < NFT_MAPS_; map++) {
        dump.maps[map] = g_array_new(FALSE, FALSE, sizeof(Element));
        g_array_set_clear_func(dump.maps[map], element_clear);
        dump.reading = map;
        read = read && nft_socket_read(nft, map, dump_add, dump_reset, &dump, error);
    }
    g_array_sort(dump.maps[NFT_MAP_FRONTENDS], compare_names);
    g_array_sort(dump.maps[NFT_MAP_ENDPOINTS], compare_slots);
    for (guint i = 0; i < dump.maps[NFT_MAP_FRONTENDS]->len; i++) {
        const Element *frontend = &g_array_index(dump.maps[NFT_MAP_FRONTENDS], Element, i);
        g_autofree char *address = nft_frontend_to_string(&frontend->key.frontend);
        g_string_append_printf(text, "%s at %s\n", frontend->comment, address);
        print_endpoints(&dump, frontend->data.service.id, text);
    }
    for (NftMap map = 0; map < NFT_MAPS_; map++)
        g_array_unref(dump.maps[map]);
    return g_string_free(text, !read);
}
