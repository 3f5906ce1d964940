#include "server/admission/service-range.h"

#include <arpa/inet.h>

#include "lib/base/error.h"

struct ServiceRange {
    char *text;
    guint32 first; /* the network's own address, in host order */
    guint32 size;  /* of the network */
};

static gboolean parse_address(const char *text, guint32 *ret)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1)
        return FALSE;
    *ret = ntohl(address.s_addr);
    return TRUE;
}

ServiceRange *service_range_new(const char *cidr, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(cidr, "/", 2);
    guint64 bits;
    guint32 first;
    if (g_strv_length(parts) != 2 || !parse_address(parts[0], &first) ||
        !g_ascii_string_to_unsigned(parts[1], 10, 12, 29, &bits, NULL)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "\"%s\" is no IPv4 range such as 10.96.0.0/16, with a prefix of 12 to 29 bits", cidr);
        return NULL;
    }
    ServiceRange *range = g_new0(ServiceRange, 1);
    range->text = g_strdup(cidr);
    range->size = 1u << (32 - bits);
    range->first = first & ~(range->size - 1);
    return range;
}

void service_range_free(ServiceRange *range)
{
    if (!range)
        return;
    g_free(range->text);
    g_free(range);
}

const char *service_range_text(const ServiceRange *range)
{
    return range->text;
}

gboolean service_range_contains(const ServiceRange *range, const char *address)
{
    guint32 value;
    return parse_address(address, &value) && value > range->first && value < range->first + range->size - 1;
}

/* The first free one of <n> addresses from <low> on, beginning somewhere among them. */
static char *pick_between(const ServiceRange *range, Store *store, guint32 low, guint32 n)
{
    guint32 start = n > 0 ? (guint32)g_random_int_range(0, (gint32)n) : 0;
    for (guint32 i = 0; i < n; i++) {
        struct in_addr address = {.s_addr = htonl(range->first + low + (start + i) % n)};
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, text, sizeof text);
        if (!store_is_claimed(store, SERVICE_RANGE_CLAIMS, text))
            return g_strdup(text);
    }
    return NULL;
}

char *service_range_pick(const ServiceRange *range, Store *store)
{
    guint32 low = MIN(CLAMP(range->size / 16, 16, 256), range->size - 1); /* [1, low) is kept for last */
    guint32 end = range->size - 1;
    char *address = pick_between(range, store, low, end - low);
    return address ? address : pick_between(range, store, 1, low - 1);
}
