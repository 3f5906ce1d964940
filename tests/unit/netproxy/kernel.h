/* What the kernel holds in the proxy's maps, as sorted text. */
#pragma once

#include <glib.h>

#include "netproxy/nft/socket.h"

typedef struct {
    NftMap map;
    GPtrArray *lines;
} KernelReader;

static inline void kernel_element(const NftKey *key, const NftData *data, const char *comment, gpointer user_data)
{
    KernelReader *reader = user_data;
    g_autofree char *text = nft_key_to_string(reader->map, key), *dest = nft_dest_to_string(&data->dest);
    char *line = reader->map == NFT_MAP_FRONTENDS
                     ? g_strdup_printf("%s = service %u (%s)", text, data->service.id, comment)
                 : reader->map == NFT_MAP_CLASSES   ? g_strdup_printf("%s = %u endpoints", text, data->count)
                 : reader->map == NFT_MAP_ENDPOINTS ? g_strdup_printf("%s = %s", text, dest)
                 : reader->map == NFT_MAP_EMPTY     ? g_strdup_printf("%s = empty", text)
                                                    : g_strdup(text);
    g_ptr_array_add(reader->lines, line);
}

static inline gint kernel_compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* New string, one element a line. */
static inline char *kernel_dump(NftSocket *nft)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (NftMap map = 0; map < NFT_MAPS_; map++) {
        g_autoptr(GError) error = NULL;
        KernelReader reader = {map, lines};
        nft_socket_read(nft, map, kernel_element, NULL, &reader, &error);
        g_assert_no_error(error);
    }
    g_ptr_array_sort(lines, kernel_compare);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}
