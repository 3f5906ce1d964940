#include "netproxy/nft/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/error.h"
#include "netproxy/nft/element.h"

enum { RECEIVE_BYTES = 4 << 20, RECEIVE_BUFFER = 64 * 1024 };

struct NftMonitor {
    struct mnl_socket *netlink;
    guint source;
    NftMonitorFunc func;
    gpointer user_data;
    gboolean changed; /* the transaction whose messages are coming in touched the table */
    guint8 *buffer;
};

/* All messages of a datagram are of one transaction, so the author of the first is that of all. The filter's loads are
 * big-endian; the header is in host order. */
static gboolean filter_own(struct mnl_socket *netlink, guint32 own_port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, G_MAXUINT32),
    };
    struct sock_fprog program = {G_N_ELEMENTS(code), code};
    return setsockopt(mnl_socket_get_fd(netlink), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* Every kind of nftables object names its table in attribute 1. */
static gboolean about_our_table(const struct nlmsghdr *header)
{
    const struct nfgenmsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *attr;
    G_STATIC_ASSERT(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
                    NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1 && NFTA_FLOWTABLE_TABLE == 1);
    if (body->nfgen_family != NFPROTO_IPV4)
        return FALSE;
    mnl_attr_for_each(attr, header,
                      sizeof *body) if (mnl_attr_get_type(attr) ==
                                        NFTA_TABLE_NAME) return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
        g_str_equal(mnl_attr_get_str(attr), NFT_TABLE_NAME);
    return FALSE;
}

static char *author_of(const struct nlmsghdr *generation)
{
    const struct nlattr *attr;
    const char *name = "a process";
    guint32 pid = 0;
    mnl_attr_for_each(attr, generation, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_PID)
            pid = ntohl(mnl_attr_get_u32(attr));
        if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_NAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
            name = mnl_attr_get_str(attr);
    }
    return g_strdup_printf("%s (pid %u)", name, pid);
}

/* A transaction's objects come first, then its generation with the author's name. */
static int message(const struct nlmsghdr *header, void *data)
{
    NftMonitor *monitor = data;
    if (NFNL_MSG_TYPE(header->nlmsg_type) != NFT_MSG_NEWGEN) {
        monitor->changed |= about_our_table(header);
    } else if (monitor->changed) {
        g_autofree char *who = author_of(header);
        monitor->changed = FALSE;
        monitor->func(who, monitor->user_data);
    }
    return MNL_CB_OK;
}

static gboolean readable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    NftMonitor *monitor = data;
    ssize_t length;
    while ((length = mnl_socket_recvfrom(monitor->netlink, monitor->buffer, RECEIVE_BUFFER)) > 0)
        mnl_cb_run(monitor->buffer, (size_t)length, 0, 0, message, monitor);
    if (length < 0 && errno == ENOBUFS) { /* what was lost may have been about our table */
        monitor->changed = FALSE;
        monitor->func("unknown, as notifications were lost", monitor->user_data);
    }
    return G_SOURCE_CONTINUE;
}

NftMonitor *nft_monitor_new(guint32 own_port, NftMonitorFunc func, gpointer user_data, GError **error)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int group = NFNLGRP_NFTABLES, receive = RECEIVE_BYTES;
    if (!netlink || !filter_own(netlink, own_port) || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_setsockopt(netlink, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "listen for changes of nftables: %s", g_strerror(errno));
        if (netlink)
            mnl_socket_close(netlink);
        return NULL;
    }
    (void)setsockopt(mnl_socket_get_fd(netlink), SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
    NftMonitor *monitor = g_new0(NftMonitor, 1);
    monitor->netlink = netlink;
    monitor->func = func;
    monitor->user_data = user_data;
    monitor->buffer = g_malloc(RECEIVE_BUFFER);
    monitor->source = g_unix_fd_add(mnl_socket_get_fd(netlink), G_IO_IN, readable, monitor);
    return monitor;
}

void nft_monitor_free(NftMonitor *monitor)
{
    if (!monitor)
        return;
    g_source_remove(monitor->source);
    mnl_socket_close(monitor->netlink);
    g_free(monitor->buffer);
    g_free(monitor);
}
