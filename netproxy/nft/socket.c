#include "netproxy/nft/socket.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/error.h"

enum {
    SEND_SLACK = 64 * 1024,
    RECEIVE_BYTES = 1 << 20, /* room for the answers to a batch of which everything failed, more or less */
    REPORTED_MAX = 3,        /* objects named in an error */
    DUMP_TRIES = 20,
};

struct NftSocket {
    struct mnl_socket *netlink;
    guint32 next_seq;
    gsize send_room; /* what SO_SNDBUF was last raised to */
    guint8 *buffer;  /* RECEIVE_BUFFER bytes */
};

enum { RECEIVE_BUFFER = 64 * 1024 };

NftSocket *nft_socket_new(GError **error)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "open a netlink socket for nftables: %s",
                    g_strerror(errno));
        if (netlink)
            mnl_socket_close(netlink);
        return NULL;
    }
    int on = 1, receive = RECEIVE_BYTES;
    (void)mnl_socket_setsockopt(netlink, NETLINK_EXT_ACK, &on,
                                sizeof on); /* offsets in errors; without: vaguer messages */
    (void)mnl_socket_setsockopt(netlink, NETLINK_CAP_ACK, &on, sizeof on);
    (void)setsockopt(mnl_socket_get_fd(netlink), SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
    NftSocket *socket = g_new0(NftSocket, 1);
    socket->netlink = netlink;
    socket->next_seq =
        (guint32)g_random_int_range(1, 1 << 30); /* answers to a former owner of the port id are not ours */
    socket->buffer = g_malloc(RECEIVE_BUFFER);
    return socket;
}

void nft_socket_free(NftSocket *socket)
{
    if (!socket)
        return;
    mnl_socket_close(socket->netlink);
    g_free(socket->buffer);
    g_free(socket);
}

guint32 nft_socket_port(const NftSocket *socket)
{
    return mnl_socket_get_portid(socket->netlink);
}

NftBatch *nft_socket_batch(NftSocket *socket)
{
    return nft_batch_new(socket->next_seq);
}

/* Throws away what is left of earlier answers. */
static void drain(NftSocket *socket)
{
    while (mnl_socket_recvfrom(socket->netlink, socket->buffer, RECEIVE_BUFFER) > 0 || errno == ENOBUFS ||
           errno == EINTR)
        ;
}

/* --- transactions -----------------------------------------------------------------------------------------------------*/

typedef struct {
    const NftBatch *batch;
    gboolean acknowledged;
    guint n_errors;
    GString *text; /* the first objects refused */
} Answer;

/* Where in the request the kernel sees the fault, or 0. */
static guint32 error_offset(const struct nlmsghdr *header)
{
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(header);
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return 0;
    gsize request = header->nlmsg_flags & NLM_F_CAPPED ? 0 : MNL_ALIGN(body->msg.nlmsg_len - sizeof body->msg);
    const struct nlattr *attr;
    mnl_attr_for_each(attr, header, sizeof *body + request) if (mnl_attr_get_type(attr) ==
                                                                NLMSGERR_ATTR_OFFS) return mnl_attr_get_u32(attr);
    return 0;
}

static void answer_add(Answer *answer, const struct nlmsghdr *header)
{
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(header);
    if (header->nlmsg_type != NLMSG_ERROR ||
        header->nlmsg_seq - nft_batch_first_seq(answer->batch) > nft_batch_messages(answer->batch) + 1)
        return;
    if (body->error == 0) {
        answer->acknowledged |= header->nlmsg_seq == nft_batch_last_seq(answer->batch);
        return;
    }
    if (answer->n_errors++ < REPORTED_MAX) {
        g_autofree char *object = nft_batch_describe(answer->batch, header->nlmsg_seq, error_offset(header));
        g_string_append_printf(answer->text, "%s%s: %s", answer->text->len ? "; " : "", object,
                               g_strerror(-body->error));
    }
}

/* Reads all answers: they are in the queue already. */
static gboolean answers_read(NftSocket *socket, Answer *answer, GError **error)
{
    for (;;) {
        ssize_t length = mnl_socket_recvfrom(socket->netlink, socket->buffer, RECEIVE_BUFFER);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return TRUE;
        if (length < 0 && errno == ENOBUFS) { /* more errors than the queue could take */
            answer->n_errors++;
            continue;
        }
        if (length <= 0) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                        "read the kernel's answer to a change of table %s: %s", NFT_TABLE_NAME, g_strerror(errno));
            return FALSE;
        }
        int left = (int)length;
        for (const struct nlmsghdr *header = (const void *)socket->buffer; mnl_nlmsg_ok(header, left);
             header = mnl_nlmsg_next(header, &left))
            answer_add(answer, header);
    }
}

/* A batch is one datagram, so the send buffer must hold all of it. */
static void send_room(NftSocket *socket, gsize length)
{
    if (length + SEND_SLACK <= socket->send_room)
        return;
    int room = (int)MIN(length + SEND_SLACK, G_MAXINT / 2);
    if (setsockopt(mnl_socket_get_fd(socket->netlink), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) == 0)
        socket->send_room = (gsize)room;
}

gboolean nft_socket_commit(NftSocket *socket, NftBatch *batch, GError **error)
{
    gsize length;
    const void *data = nft_batch_finish(batch, &length);
    socket->next_seq = nft_batch_next_seq(batch);
    if (nft_batch_messages(batch) == 0)
        return TRUE;
    drain(socket);
    send_room(socket, length);
    if (mnl_socket_sendto(socket->netlink, data, length) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                    "send %" G_GSIZE_FORMAT " bytes of changes of table %s: %s", length, NFT_TABLE_NAME,
                    g_strerror(errno));
        return FALSE;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    Answer answer = {.batch = batch, .text = text};
    if (!answers_read(socket, &answer, error))
        return FALSE;
    if (answer.n_errors) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "change table %s: %u of %u messages refused: %s",
                    NFT_TABLE_NAME, answer.n_errors, nft_batch_messages(batch),
                    text->len ? text->str : "too many to tell");
        return FALSE;
    }
    if (!answer.acknowledged) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "change table %s: the kernel did not answer",
                    NFT_TABLE_NAME);
        return FALSE;
    }
    return TRUE;
}

/* --- reading ----------------------------------------------------------------------------------------------------------*/

typedef struct {
    NftElementFunc func;
    gpointer user_data;
    NftMap map;
    guint32 generation;
} Reader;

static int element_attribute(const struct nlattr *attr, void *data)
{
    const struct nlattr **table = data;
    if (mnl_attr_get_type(attr) <= NFTA_SET_ELEM_MAX)
        table[mnl_attr_get_type(attr)] = attr;
    return MNL_CB_OK;
}

/* The value in a nest of key or data, into at most <size> bytes. */
static void value_read(const struct nlattr *nest, void *into, gsize size)
{
    const struct nlattr *attr;
    mnl_attr_for_each_nested(attr, nest) if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE)
        memcpy(into, mnl_attr_get_payload(attr), MIN(size, mnl_attr_get_payload_len(attr)));
}

static void verdict_read(const struct nlattr *nest, NftData *data)
{
    const struct nlattr *attr, *part;
    mnl_attr_for_each_nested(attr, nest)
    {
        if (mnl_attr_get_type(attr) != NFTA_DATA_VERDICT)
            continue;
        mnl_attr_for_each_nested(part, attr) if (mnl_attr_get_type(part) == NFTA_VERDICT_CHAIN &&
                                                 sscanf(mnl_attr_get_str(part), "n-%u", &data->count) != 1)
            data->count = 0;
    }
}

/* nft's user data: type, length, text with NUL. */
static const char *comment_read(const struct nlattr *attr)
{
    const guint8 *udata = mnl_attr_get_payload(attr);
    gsize length = mnl_attr_get_payload_len(attr);
    if (length < 3 || udata[0] != 0 || (gsize)udata[1] + 2 > length || udata[1 + udata[1]] != '\0')
        return "";
    return (const char *)udata + 2;
}

static void element_read(Reader *reader, const struct nlattr *element)
{
    const struct nlattr *table[NFTA_SET_ELEM_MAX + 1] = {0};
    mnl_attr_parse_nested(element, element_attribute, table);
    NftKey key = {0};
    NftData data = {0};
    if (table[NFTA_SET_ELEM_KEY])
        value_read(table[NFTA_SET_ELEM_KEY], &key, sizeof key);
    if (table[NFTA_SET_ELEM_DATA] && nft_map_info(reader->map)->verdict)
        verdict_read(table[NFTA_SET_ELEM_DATA], &data);
    else if (table[NFTA_SET_ELEM_DATA])
        value_read(table[NFTA_SET_ELEM_DATA], &data, sizeof data);
    reader->func(&key, &data, table[NFTA_SET_ELEM_USERDATA] ? comment_read(table[NFTA_SET_ELEM_USERDATA]) : "",
                 reader->user_data);
}

static int elements_message(const struct nlmsghdr *header, void *data)
{
    const struct nlattr *attr, *element;
    mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
            continue;
        mnl_attr_for_each_nested(element, attr) element_read(data, element);
    }
    return MNL_CB_OK;
}

static int generation_message(const struct nlmsghdr *header, void *data)
{
    Reader *reader = data;
    const struct nlattr *attr;
    mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
        reader->generation = mnl_attr_get_u32(attr);
    return MNL_CB_OK;
}

/* Sends a request and hands every message of the answer to func. Returns 0 or an errno. */
static int request(NftSocket *socket, struct nlmsghdr *header, mnl_cb_t func, Reader *reader)
{
    drain(socket);
    header->nlmsg_seq = socket->next_seq++;
    if (mnl_socket_sendto(socket->netlink, header, header->nlmsg_len) < 0)
        return errno;
    for (;;) {
        ssize_t length = mnl_socket_recvfrom(socket->netlink, socket->buffer, RECEIVE_BUFFER);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno;
        int result =
            mnl_cb_run(socket->buffer, (size_t)length, header->nlmsg_seq, nft_socket_port(socket), func, reader);
        if (result <= MNL_CB_STOP)
            return result < 0 ? errno : 0;
    }
}

static int read_generation(NftSocket *socket, Reader *reader)
{
    char bytes[256];
    struct nlmsghdr *header = nftnl_nlmsg_build_hdr(bytes, NFT_MSG_GETGEN, AF_UNSPEC, NLM_F_ACK, 0);
    return request(socket, header, generation_message, reader);
}

/* One dump. *ret_whole says that no transaction fell into it: dumps of elements do not tell by themselves. */
static int read_once(NftSocket *socket, Reader *reader, gboolean *ret_whole)
{
    char bytes[512];
    int failed = read_generation(socket, reader);
    guint32 before = reader->generation;
    if (failed)
        return failed;
    struct nlmsghdr *header = nftnl_nlmsg_build_hdr(bytes, NFT_MSG_GETSETELEM, NFPROTO_IPV4, NLM_F_DUMP, 0);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, nft_map_info(reader->map)->name);
    failed = request(socket, header, elements_message, reader);
    if (failed && failed != EINTR)
        return failed;
    gboolean interrupted = failed == EINTR;
    failed = read_generation(socket, reader);
    *ret_whole = !interrupted && reader->generation == before;
    return failed;
}

gboolean nft_socket_read(NftSocket *socket, NftMap map, NftElementFunc func, void (*reset)(gpointer user_data),
                         gpointer user_data, GError **error)
{
    Reader reader = {func, user_data, map, 0};
    gboolean whole = FALSE;
    int failed = 0;
    for (guint i = 0; i < DUMP_TRIES && !failed && !whole; i++) {
        if (i && reset)
            reset(user_data);
        failed = read_once(socket, &reader, &whole);
    }
    if (failed == ENOENT) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND,
                    "there is no nftables table %s in this network namespace: cleat-netproxy has not run here",
                    NFT_TABLE_NAME);
        return FALSE;
    }
    if (failed || !whole) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "read map %s of table %s: %s", nft_map_info(map)->name,
                    NFT_TABLE_NAME, failed ? g_strerror(failed) : "it changes all the time");
        return FALSE;
    }
    return TRUE;
}
