#include "netproxy/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/error.h"

/* What a dump may be limited to: bits of CTA_FILTER_ORIG_FLAGS, which the kernel's headers do not name. */
enum { FILTER_DESTINATION = 1 << 1, FILTER_PROTOCOL = 1 << 3 };

enum {
    RECEIVE_BUFFER = 64 * 1024,
    DELETE_ROOM = 512,    /* more than one deletion needs */
    SEND_MAX = 32 * 1024, /* bytes of deletions per datagram */
};

typedef struct {
    struct mnl_socket *netlink;
    ConntrackStaleFunc stale;
    gpointer user_data;
    GByteArray *deletions; /* messages */
    GArray *ends;          /* gsize: where each message ends */
    guint seq;
} Cleaner;

typedef struct {
    guint32 source;
    guint32 destination;
    guint16 source_port;
    guint16 destination_port;
    guint8 protocol;
} Tuple;

/* --- what the kernel tells --------------------------------------------------------------------------------------------*/

static void tuple_part_read(const struct nlattr *nest, Tuple *tuple)
{
    const struct nlattr *attr;
    gboolean is_address = mnl_attr_get_type(nest) == CTA_TUPLE_IP;
    mnl_attr_for_each_nested(attr, nest)
    {
        guint type = mnl_attr_get_type(attr);
        if (is_address && type == CTA_IP_V4_SRC)
            tuple->source = mnl_attr_get_u32(attr);
        else if (is_address && type == CTA_IP_V4_DST)
            tuple->destination = mnl_attr_get_u32(attr);
        else if (!is_address && type == CTA_PROTO_NUM)
            tuple->protocol = mnl_attr_get_u8(attr);
        else if (!is_address && type == CTA_PROTO_SRC_PORT)
            tuple->source_port = mnl_attr_get_u16(attr);
        else if (!is_address && type == CTA_PROTO_DST_PORT)
            tuple->destination_port = mnl_attr_get_u16(attr);
    }
}

static Tuple tuple_read(const struct nlattr *nest)
{
    Tuple tuple = {0};
    const struct nlattr *attr;
    mnl_attr_for_each_nested(attr, nest) if (mnl_attr_get_type(attr) == CTA_TUPLE_IP ||
                                             mnl_attr_get_type(attr) == CTA_TUPLE_PROTO) tuple_part_read(attr, &tuple);
    return tuple;
}

static int top_attribute(const struct nlattr *attr, void *data)
{
    const struct nlattr **table = data;
    if (mnl_attr_get_type(attr) <= CTA_MAX)
        table[mnl_attr_get_type(attr)] = attr;
    return MNL_CB_OK;
}

static void attribute_copy(struct nlmsghdr *header, const struct nlattr *attr)
{
    if (attr)
        mnl_attr_put(header, attr->nla_type, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
}

/* The entry is named as the kernel named it; the id keeps a new flow with the same addresses from being hit. */
static void deletion_add(Cleaner *cleaner, const struct nlattr *const *table)
{
    gsize start = cleaner->deletions->len;
    g_byte_array_set_size(cleaner->deletions, (guint)(start + DELETE_ROOM));
    struct nlmsghdr *header = mnl_nlmsg_put_header(cleaner->deletions->data + start);
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = ++cleaner->seq;
    struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = AF_INET;
    body->version = NFNETLINK_V0;
    attribute_copy(header, table[CTA_TUPLE_ORIG]);
    attribute_copy(header, table[CTA_ID]);
    attribute_copy(header, table[CTA_ZONE]);
    gsize end = start + MNL_ALIGN(header->nlmsg_len);
    g_byte_array_set_size(cleaner->deletions, (guint)end);
    g_array_append_val(cleaner->ends, end);
}

static int flow_message(const struct nlmsghdr *header, void *data)
{
    Cleaner *cleaner = data;
    const struct nlattr *table[CTA_MAX + 1] = {0};
    mnl_attr_parse(header, sizeof(struct nfgenmsg), top_attribute, table);
    if (!table[CTA_TUPLE_ORIG] || !table[CTA_TUPLE_REPLY])
        return MNL_CB_OK;
    Tuple original = tuple_read(table[CTA_TUPLE_ORIG]), reply = tuple_read(table[CTA_TUPLE_REPLY]);
    NftFrontend sent_to = {
        .address = original.destination, .protocol = original.protocol, .port = original.destination_port};
    NftDest answered_by = {.address = reply.source, .port = reply.source_port};
    if (original.protocol == IPPROTO_UDP && cleaner->stale(&sent_to, &answered_by, cleaner->user_data))
        deletion_add(cleaner, table);
    return MNL_CB_OK;
}

/* --- requests ---------------------------------------------------------------------------------------------------------*/

/* Asks for the UDP flows, of one destination if only_address is given. */
static void dump_request(struct nlmsghdr *header, guint32 only_address)
{
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = AF_INET;
    body->version = NFNETLINK_V0;
    struct nlattr *tuple = mnl_attr_nest_start(header, CTA_TUPLE_ORIG);
    if (only_address) {
        struct nlattr *ip = mnl_attr_nest_start(header, CTA_TUPLE_IP);
        mnl_attr_put_u32(header, CTA_IP_V4_DST, only_address);
        mnl_attr_nest_end(header, ip);
    }
    struct nlattr *protocol = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_UDP);
    mnl_attr_nest_end(header, protocol);
    mnl_attr_nest_end(header, tuple);
    struct nlattr *filter = mnl_attr_nest_start(header, CTA_FILTER);
    mnl_attr_put_u32(header, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | (only_address ? FILTER_DESTINATION : 0));
    mnl_attr_put_u32(header, CTA_FILTER_REPLY_FLAGS, 0);
    mnl_attr_nest_end(header, filter);
}

static gboolean dump(Cleaner *cleaner, guint32 only_address, GError **error)
{
    g_autofree char *buffer = g_malloc(RECEIVE_BUFFER);
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    dump_request(header, only_address);
    guint seq = header->nlmsg_seq = ++cleaner->seq;
    int result = mnl_socket_sendto(cleaner->netlink, header, header->nlmsg_len) < 0 ? MNL_CB_ERROR : MNL_CB_OK;
    while (result > MNL_CB_STOP) {
        ssize_t length = mnl_socket_recvfrom(cleaner->netlink, buffer, RECEIVE_BUFFER);
        result = length < 0 ? MNL_CB_ERROR
                            : mnl_cb_run(buffer, (size_t)length, seq, mnl_socket_get_portid(cleaner->netlink),
                                         flow_message, cleaner);
    }
    if (result == MNL_CB_ERROR) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "list the UDP flows of conntrack: %s", g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

/* Nothing is answered but errors, and the only one to expect is that a flow ended meanwhile. */
static gboolean send_deletions(Cleaner *cleaner, GError **error)
{
    gsize sent = 0;
    for (guint i = 0; i < cleaner->ends->len; i++) {
        gsize end = g_array_index(cleaner->ends, gsize, i);
        if (i + 1 < cleaner->ends->len && end - sent < SEND_MAX)
            continue;
        if (mnl_socket_sendto(cleaner->netlink, cleaner->deletions->data + sent, end - sent) < 0) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "delete stale UDP flows from conntrack: %s",
                        g_strerror(errno));
            return FALSE;
        }
        sent = end;
    }
    return TRUE;
}

gboolean conntrack_remove_stale(guint32 only_address, ConntrackStaleFunc stale, gpointer user_data, guint *ret_removed,
                                GError **error)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "open a netlink socket for conntrack: %s",
                    g_strerror(errno));
        if (netlink)
            mnl_socket_close(netlink);
        return FALSE;
    }
    g_autoptr(GByteArray) deletions = g_byte_array_new();
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(gsize));
    Cleaner cleaner = {
        .netlink = netlink, .stale = stale, .user_data = user_data, .deletions = deletions, .ends = ends};
    gboolean done = dump(&cleaner, only_address, error) && send_deletions(&cleaner, error);
    mnl_socket_close(netlink);
    if (done && ret_removed)
        *ret_removed = ends->len;
    return done;
}
