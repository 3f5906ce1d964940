#include "netproxy/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/error.h"

enum { RECEIVE_BUFFER = 64 * 1024, LOOPBACK_INDEX = 1 };

struct Routes {
    struct mnl_socket *netlink;
    struct mnl_socket *events;
    guint source;
    GHashTable *devices; /* set of the indexes of interfaces that our routes use or used */
    void (*changed)(gpointer user_data);
    gpointer user_data;
    guint seq;
    char *buffer;
};

/* --- requests ---------------------------------------------------------------------------------------------------------*/

/* Sends the request in <header> and gives each message of the answer to func (may be NULL). Returns 0 or an errno. */
static int request(Routes *routes, struct nlmsghdr *header, mnl_cb_t func, void *data)
{
    guint seq = header->nlmsg_seq = ++routes->seq;
    if (mnl_socket_sendto(routes->netlink, header, header->nlmsg_len) < 0)
        return errno;
    for (;;) {
        ssize_t length = mnl_socket_recvfrom(routes->netlink, routes->buffer, RECEIVE_BUFFER);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno;
        int result =
            mnl_cb_run(routes->buffer, (size_t)length, seq, mnl_socket_get_portid(routes->netlink), func, data);
        if (result <= MNL_CB_STOP)
            return result < 0 ? errno : 0;
    }
}

static struct rtmsg *route_header(struct nlmsghdr *header, guint16 type, guint16 flags)
{
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->rtm_family = AF_INET;
    body->rtm_table = RT_TABLE_MAIN;
    body->rtm_protocol = ROUTE_PROTOCOL;
    return body;
}

static int route_change(Routes *routes, const Route *route, gboolean add)
{
    char bytes[256];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct rtmsg *body =
        route_header(header, add ? RTM_NEWROUTE : RTM_DELROUTE, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0));
    body->rtm_dst_len = (guint8)route->network.length;
    body->rtm_type = RTN_UNICAST;
    body->rtm_scope = route->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    mnl_attr_put_u32(header, RTA_DST, route->network.address);
    if (route->gateway)
        mnl_attr_put_u32(header, RTA_GATEWAY, route->gateway);
    else
        mnl_attr_put_u32(header, RTA_OIF, LOOPBACK_INDEX);
    if (route->source)
        mnl_attr_put_u32(header, RTA_PREFSRC, route->source);
    return request(routes, header, NULL, NULL);
}

/* --- what is there ----------------------------------------------------------------------------------------------------*/

typedef struct {
    Routes *routes;
    GArray *found; /* Route */
} Listing;

static int route_message(const struct nlmsghdr *header, void *data)
{
    Listing *listing = data;
    const struct rtmsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *attr;
    Route route = {.network.length = body->rtm_dst_len};
    if (body->rtm_protocol != ROUTE_PROTOCOL || body->rtm_table != RT_TABLE_MAIN)
        return MNL_CB_OK;
    mnl_attr_for_each(attr, header, sizeof *body)
    {
        guint type = mnl_attr_get_type(attr);
        if (type == RTA_DST)
            route.network.address = mnl_attr_get_u32(attr);
        else if (type == RTA_GATEWAY)
            route.gateway = mnl_attr_get_u32(attr);
        else if (type == RTA_PREFSRC)
            route.source = mnl_attr_get_u32(attr);
        else if (type == RTA_OIF)
            g_hash_table_add(listing->routes->devices, GUINT_TO_POINTER(mnl_attr_get_u32(attr)));
    }
    g_array_append_val(listing->found, route);
    return MNL_CB_OK;
}

/* Our routes; again if they changed under the listing. Returns 0 or an errno. */
static int routes_list(Routes *routes, GArray *found)
{
    int failed = EINTR;
    for (guint i = 0; i < 10 && failed == EINTR; i++) {
        char bytes[256];
        struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
        Listing listing = {routes, found};
        route_header(header, RTM_GETROUTE, NLM_F_DUMP);
        g_array_set_size(found, 0);
        failed = request(routes, header, route_message, &listing);
    }
    return failed;
}

/* --- setting ----------------------------------------------------------------------------------------------------------*/

static guint network_hash(gconstpointer data)
{
    const NftNetwork *network = data;
    return network->address * 33 + network->length;
}

static gboolean network_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(NftNetwork)) == 0;
}

/* What an error of the kernel means for a route, and what to look at. */
static const struct {
    int number;
    CleatErrorCode code;
    const char *hint;
} failures[] = {
    {ENETUNREACH, CLEAT_ERROR_UNAVAILABLE, ". The address of the other node must be on a link of this one"},
    {EHOSTUNREACH, CLEAT_ERROR_UNAVAILABLE, ". The address of the other node must be on a link of this one"},
    {ENETDOWN, CLEAT_ERROR_UNAVAILABLE, ". The link is down"},
    {EINVAL, CLEAT_ERROR_UNAVAILABLE, ". The node's address must be on an interface of this machine"},
};

static void failure_add(GError **failure, int failed, const char *verb, const Route *route)
{
    if (!failed || *failure)
        return;
    CleatErrorCode code = CLEAT_ERROR_INTERNAL;
    const char *hint = "";
    for (guint i = 0; i < G_N_ELEMENTS(failures); i++)
        if (failures[i].number == failed) {
            code = failures[i].code;
            hint = failures[i].hint;
        }
    g_autofree char *network = nft_network_to_string(&route->network);
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, route->gateway ? &route->gateway : &route->source, address, sizeof address);
    *failure = g_error_new(CLEAT_ERROR, (gint)code, "%s the route to %s %s %s: %s%s", verb, network,
                           route->gateway ? "by" : "from", address, g_strerror(failed), hint);
}

gboolean routes_set(Routes *routes, const GArray *wanted, guint *ret_changes, GError **error)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Route));
    g_autoptr(GHashTable) want = g_hash_table_new(network_hash, network_equal); /* network -> Route, both borrowed */
    GError *failure = NULL;
    guint changes = 0;
    for (guint i = 0; i < wanted->len; i++)
        g_hash_table_insert(want, &g_array_index(wanted, Route, i).network, &g_array_index(wanted, Route, i));
    int failed = routes_list(routes, found);
    if (failed) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "list the routes: %s", g_strerror(failed));
        return FALSE;
    }
    for (guint i = 0; i < found->len; i++) {
        const Route *there = &g_array_index(found, Route, i);
        const Route *same = g_hash_table_lookup(want, &there->network);
        if (same && memcmp(same, there, sizeof *there) == 0) {
            g_hash_table_remove(want, &there->network);
        } else if (!same) {
            failed = route_change(routes, there, FALSE);
            failure_add(&failure, failed == ESRCH ? 0 : failed, "remove", there);
            changes++;
        }
    }
    GHashTableIter iter;
    gpointer route;
    g_hash_table_iter_init(&iter, want);
    while (g_hash_table_iter_next(&iter, NULL, &route)) {
        failed = route_change(routes, route, TRUE);
        failure_add(&failure, failed, "set", route);
        changes += failed ? 0 : 1;
    }
    if (changes)
        (void)routes_list(routes, found); /* to learn which interfaces the new ones use */
    if (ret_changes)
        *ret_changes = changes;
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

/* --- interfaces -------------------------------------------------------------------------------------------------------*/

typedef struct {
    guint32 address;
    guint32 index;
    guint mtu;
} Search;

static int address_message(const struct nlmsghdr *header, void *data)
{
    Search *search = data;
    const struct ifaddrmsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *attr;
    mnl_attr_for_each(attr, header, sizeof *body) if (mnl_attr_get_type(attr) == IFA_LOCAL &&
                                                      mnl_attr_get_u32(attr) == search->address) search->index =
        body->ifa_index;
    return MNL_CB_OK;
}

static int link_message(const struct nlmsghdr *header, void *data)
{
    const struct nlattr *attr;
    mnl_attr_for_each(attr, header, sizeof(struct ifinfomsg)) if (mnl_attr_get_type(attr) == IFLA_MTU)((Search *)data)
        ->mtu = mnl_attr_get_u32(attr);
    return MNL_CB_OK;
}

gboolean routes_mtu_of_address(Routes *routes, guint32 address, guint *ret_mtu)
{
    char bytes[256];
    Search search = {.address = address};
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    header->nlmsg_type = RTM_GETADDR;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ((struct ifaddrmsg *)mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg)))->ifa_family = AF_INET;
    if (request(routes, header, address_message, &search) || !search.index)
        return FALSE;
    header = mnl_nlmsg_put_header(bytes);
    header->nlmsg_type = RTM_GETLINK;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ((struct ifinfomsg *)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg)))->ifi_index = (int)search.index;
    if (request(routes, header, link_message, &search) || !search.mtu)
        return FALSE;
    *ret_mtu = search.mtu;
    return TRUE;
}

/* --- events -----------------------------------------------------------------------------------------------------------*/

/* The kernel drops routes without a word when an interface goes down or loses its address, so these events count as well as
 * the removal of a route. Interfaces of pods, which come and go all the time, do not. */
static gboolean event_concerns(const Routes *routes, const struct nlmsghdr *header)
{
    if (header->nlmsg_pid == mnl_socket_get_portid(routes->netlink))
        return FALSE;
    if (header->nlmsg_type == RTM_DELROUTE)
        return ((const struct rtmsg *)mnl_nlmsg_get_payload(header))->rtm_protocol == ROUTE_PROTOCOL;
    if (header->nlmsg_type == RTM_NEWROUTE)
        return (header->nlmsg_flags & NLM_F_REPLACE) != 0;
    if (header->nlmsg_type == RTM_NEWLINK || header->nlmsg_type == RTM_DELLINK) {
        const struct ifinfomsg *body = mnl_nlmsg_get_payload(header);
        return g_hash_table_contains(routes->devices, GUINT_TO_POINTER(body->ifi_index));
    }
    return header->nlmsg_type == RTM_NEWADDR || header->nlmsg_type == RTM_DELADDR;
}

static gboolean events_readable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    Routes *routes = data;
    gboolean concerns = FALSE;
    ssize_t length;
    while ((length = mnl_socket_recvfrom(routes->events, routes->buffer, RECEIVE_BUFFER)) > 0) {
        int left = (int)length;
        for (const struct nlmsghdr *header = (const void *)routes->buffer; mnl_nlmsg_ok(header, left);
             header = mnl_nlmsg_next(header, &left))
            concerns |= event_concerns(routes, header);
    }
    if (concerns || errno == ENOBUFS)
        routes->changed(routes->user_data);
    return G_SOURCE_CONTINUE;
}

static struct mnl_socket *socket_open(guint groups)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (netlink && mnl_socket_bind(netlink, groups, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(netlink);
        netlink = NULL;
    }
    return netlink;
}

Routes *routes_new(void (*changed)(gpointer user_data), gpointer user_data, GError **error)
{
    Routes *routes = g_new0(Routes, 1);
    routes->devices = g_hash_table_new(NULL, NULL);
    routes->buffer = g_malloc(RECEIVE_BUFFER);
    routes->changed = changed;
    routes->user_data = user_data;
    routes->netlink = socket_open(0);
    routes->events = socket_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
    if (!routes->netlink || !routes->events) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "open a netlink socket for routes: %s",
                    g_strerror(errno));
        routes_free(routes);
        return NULL;
    }
    int strict =
        1; /* the kernel then lists our routes only, not thousands of others'; without, we pick them ourselves */
    (void)mnl_socket_setsockopt(routes->netlink, NETLINK_GET_STRICT_CHK, &strict, sizeof strict);
    routes->source = g_unix_fd_add(mnl_socket_get_fd(routes->events), G_IO_IN, events_readable, routes);
    return routes;
}

void routes_free(Routes *routes)
{
    if (!routes)
        return;
    if (routes->source)
        g_source_remove(routes->source);
    if (routes->events)
        mnl_socket_close(routes->events);
    if (routes->netlink)
        mnl_socket_close(routes->netlink);
    g_hash_table_unref(routes->devices);
    g_free(routes->buffer);
    g_free(routes);
}
