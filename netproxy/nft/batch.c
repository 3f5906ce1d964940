#include "netproxy/nft/batch.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

enum {
    ROOM = 16 * 1024,               /* more than any single object needs */
    ELEMENT_ROOM = 512,             /* more than any element needs, comment and all */
    ELEMENTS_MAX = 65535 - 2 * 512, /* the nested list has a 16-bit length */
    COMMENT_MAX = 120,
    DISPLAY_HOST_ORDER = 1, /* tells nft that keys which are numbers are in host order */
};

struct NftBatch {
    guint8 *data;
    gsize length; /* of what is written, an open message of elements included */
    gsize capacity;
    GArray *starts; /* gsize: where each message begins; its sequence number is first_seq + index */
    guint32 first_seq;
    gboolean finished;

    /* The message of elements that is still open: its start and the list in it, as offsets. type 0: none. */
    guint16 open_type;
    NftMap open_map;
    gsize open_start;
    gsize open_list;
};

static void batch_reserve(NftBatch *batch, gsize room)
{
    if (batch->length + room <= batch->capacity)
        return;
    batch->capacity = MAX(batch->capacity * 2, batch->length + room);
    batch->data = g_realloc(batch->data, batch->capacity);
}

static struct nlmsghdr *batch_at(const NftBatch *batch, gsize offset)
{
    return (struct nlmsghdr *)(batch->data + offset);
}

/* Starts a message and returns its header, valid until the next reservation. */
static struct nlmsghdr *message_begin(NftBatch *batch, guint16 type, guint16 flags, guint8 family)
{
    batch_reserve(batch, ROOM);
    guint32 seq = batch->first_seq + batch->starts->len;
    g_array_append_val(batch->starts, batch->length);
    return nftnl_nlmsg_build_hdr((char *)batch->data + batch->length, type, family, flags, seq);
}

static void message_end(NftBatch *batch, const struct nlmsghdr *header)
{
    batch->length += MNL_ALIGN(header->nlmsg_len);
}

static void elements_close(NftBatch *batch)
{
    if (!batch->open_type)
        return;
    struct nlmsghdr *header = batch_at(batch, batch->open_start);
    mnl_attr_nest_end(header, (struct nlattr *)(batch->data + batch->open_list));
    batch->length = batch->open_start;
    message_end(batch, header);
    batch->open_type = 0;
}

/* The batch's frame is a message of nfnetlink itself, not of nftables. */
static void frame_put(NftBatch *batch, guint16 type)
{
    batch_reserve(batch, ROOM);
    struct nlmsghdr *header = mnl_nlmsg_put_header(batch->data + batch->length);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = batch->first_seq + batch->starts->len;
    struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = AF_UNSPEC;
    body->version = NFNETLINK_V0;
    body->res_id = htons(NFNL_SUBSYS_NFTABLES);
    g_array_append_val(batch->starts, batch->length);
    message_end(batch, header);
}

NftBatch *nft_batch_new(guint32 first_seq)
{
    NftBatch *batch = g_new0(NftBatch, 1);
    batch->starts = g_array_new(FALSE, FALSE, sizeof(gsize));
    batch->first_seq = first_seq;
    frame_put(batch, NFNL_MSG_BATCH_BEGIN);
    return batch;
}

void nft_batch_free(NftBatch *batch)
{
    if (!batch)
        return;
    g_free(batch->data);
    g_array_unref(batch->starts);
    g_free(batch);
}

static void table_put(NftBatch *batch, guint16 type, guint16 flags)
{
    elements_close(batch);
    struct nftnl_table *table = nftnl_table_alloc();
    nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE_NAME);
    struct nlmsghdr *header = message_begin(batch, type, flags, NFPROTO_IPV4);
    nftnl_table_nlmsg_build_payload(header, table);
    message_end(batch, header);
    nftnl_table_free(table);
}

void nft_batch_add_table(NftBatch *batch)
{
    table_put(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

void nft_batch_delete_table(NftBatch *batch)
{
    table_put(batch, NFT_MSG_DELTABLE, 0);
}

void nft_batch_add_map(NftBatch *batch, NftMap map)
{
    elements_close(batch);
    const NftMapInfo *info = nft_map_info(map);
    struct nftnl_set *set = nftnl_set_alloc();
    nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE_NAME);
    nftnl_set_set_str(set, NFTNL_SET_NAME, info->name);
    nftnl_set_set_u32(set, NFTNL_SET_ID, map + 1);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, info->key_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, info->key_length);
    if (info->data_length || info->verdict) {
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_MAP);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, info->data_type);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, info->data_length);
    }
    struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(64);
    nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, DISPLAY_HOST_ORDER);
    nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata), nftnl_udata_buf_len(udata));
    struct nlmsghdr *header = message_begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE, NFPROTO_IPV4);
    nftnl_set_nlmsg_build_payload(header, set);
    message_end(batch, header);
    nftnl_udata_buf_free(udata);
    nftnl_set_free(set);
}

void nft_batch_add_chain(NftBatch *batch, const char *name, const char *type, guint hook, gint32 priority)
{
    elements_close(batch);
    struct nftnl_chain *chain = nftnl_chain_alloc();
    nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE_NAME);
    nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
    if (type) {
        nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, type);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
        nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, priority);
    }
    struct nlmsghdr *header = message_begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_IPV4);
    nftnl_chain_nlmsg_build_payload(header, chain);
    message_end(batch, header);
    nftnl_chain_free(chain);
}

void nft_batch_add_rule(NftBatch *batch, struct nftnl_rule *rule)
{
    elements_close(batch);
    struct nlmsghdr *header = message_begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_IPV4);
    nftnl_rule_nlmsg_build_payload(header, rule);
    message_end(batch, header);
    nftnl_rule_free(rule);
}

/* Opens a message for elements of this map and verb, unless the open one can take another element. */
static struct nlmsghdr *elements_open(NftBatch *batch, guint16 type, NftMap map)
{
    if (batch->open_type == type && batch->open_map == map && batch->length - batch->open_list < ELEMENTS_MAX) {
        batch_reserve(batch, ELEMENT_ROOM);
        return batch_at(batch, batch->open_start);
    }
    elements_close(batch);
    guint16 flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
    struct nlmsghdr *header = message_begin(batch, type, flags, NFPROTO_IPV4);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, nft_map_info(map)->name);
    struct nlattr *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    batch->open_type = type;
    batch->open_map = map;
    batch->open_start = batch->length;
    batch->open_list = (gsize)((guint8 *)list - batch->data);
    return header;
}

static void data_put(struct nlmsghdr *header, guint16 attribute, const void *bytes, gsize length)
{
    struct nlattr *nest = mnl_attr_nest_start(header, attribute);
    mnl_attr_put(header, NFTA_DATA_VALUE, length, bytes);
    mnl_attr_nest_end(header, nest);
}

static void verdict_put(struct nlmsghdr *header, guint count)
{
    g_autofree char *chain = nft_class_chain(count);
    struct nlattr *nest = mnl_attr_nest_start(header, NFTA_SET_ELEM_DATA);
    struct nlattr *verdict = mnl_attr_nest_start(header, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(header, NFTA_VERDICT_CODE, htonl((guint32)NFT_GOTO));
    mnl_attr_put_strz(header, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(header, verdict);
    mnl_attr_nest_end(header, nest);
}

static void comment_put(struct nlmsghdr *header, const char *comment)
{
    guint8 udata[COMMENT_MAX + 3]; /* type, length, text, NUL */
    gsize length = MIN(strlen(comment), COMMENT_MAX);
    udata[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
    udata[1] = (guint8)(length + 1);
    memcpy(udata + 2, comment, length);
    udata[2 + length] = '\0';
    mnl_attr_put(header, NFTA_SET_ELEM_USERDATA, length + 3, udata);
}

void nft_batch_add_element(NftBatch *batch, NftMap map, const NftKey *key, const NftData *data, const char *comment)
{
    g_assert(!batch->finished);
    const NftMapInfo *info = nft_map_info(map);
    struct nlmsghdr *header = elements_open(batch, NFT_MSG_NEWSETELEM, map);
    struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    data_put(header, NFTA_SET_ELEM_KEY, key, info->key_length);
    if (info->verdict)
        verdict_put(header, data->count);
    else if (info->data_length)
        data_put(header, NFTA_SET_ELEM_DATA, data, info->data_length);
    if (comment)
        comment_put(header, comment);
    mnl_attr_nest_end(header, element);
    batch->length = batch->open_start + header->nlmsg_len;
}

void nft_batch_delete_element(NftBatch *batch, NftMap map, const NftKey *key)
{
    g_assert(!batch->finished);
    struct nlmsghdr *header = elements_open(batch, NFT_MSG_DELSETELEM, map);
    struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    data_put(header, NFTA_SET_ELEM_KEY, key, nft_map_info(map)->key_length);
    mnl_attr_nest_end(header, element);
    batch->length = batch->open_start + header->nlmsg_len;
}

/* The last message that changes something asks for an answer; the end of the batch does not, as kernels before 6.10 do not
 * answer it. */
const void *nft_batch_finish(NftBatch *batch, gsize *ret_length)
{
    if (!batch->finished) {
        elements_close(batch);
        gsize last = g_array_index(batch->starts, gsize, batch->starts->len - 1);
        batch_at(batch, last)->nlmsg_flags |= NLM_F_ACK;
        frame_put(batch, NFNL_MSG_BATCH_END);
        batch->finished = TRUE;
    }
    *ret_length = batch->length;
    return batch->data;
}

guint nft_batch_messages(const NftBatch *batch)
{
    return batch->starts->len - (batch->finished ? 2 : 1);
}

guint32 nft_batch_first_seq(const NftBatch *batch)
{
    return batch->first_seq;
}

guint32 nft_batch_last_seq(const NftBatch *batch)
{
    return batch->first_seq + nft_batch_messages(batch);
}

guint32 nft_batch_next_seq(const NftBatch *batch)
{
    return batch->first_seq + batch->starts->len + (batch->finished ? 0 : 1);
}

/* --- what a message was about -----------------------------------------------------------------------------------------*/

/* The attribute of this type among those of a message or of a nest, or NULL. */
static const struct nlattr *attribute_in(const void *payload, gsize length, guint16 type)
{
    const struct nlattr *attr = payload;
    while (mnl_attr_ok(attr, (int)(length - (gsize)((const guint8 *)attr - (const guint8 *)payload)))) {
        if (mnl_attr_get_type(attr) == type)
            return attr;
        attr = mnl_attr_next(attr);
    }
    return NULL;
}

static const struct nlattr *message_attribute(const struct nlmsghdr *header, guint16 type)
{
    return attribute_in(mnl_nlmsg_get_payload_offset(header, sizeof(struct nfgenmsg)),
                        mnl_nlmsg_get_payload_len(header) - sizeof(struct nfgenmsg), type);
}

static const char *message_string(const struct nlmsghdr *header, guint16 type)
{
    const struct nlattr *attr = message_attribute(header, type);
    return attr ? mnl_attr_get_str(attr) : "?";
}

/* The element that holds the byte at offset of the message; the only one if there is just one. NULL if it is unclear. */
static const struct nlattr *element_at(const struct nlmsghdr *header, guint32 offset)
{
    const struct nlattr *list = message_attribute(header, NFTA_SET_ELEM_LIST_ELEMENTS), *element, *only = NULL;
    guint n = 0;
    if (!list)
        return NULL;
    mnl_attr_for_each_nested(element, list)
    {
        gsize start = (gsize)((const guint8 *)element - (const guint8 *)header);
        if (offset >= start && offset < start + element->nla_len)
            return element;
        only = element;
        n++;
    }
    return n == 1 ? only : NULL;
}

static char *describe_element(const struct nlmsghdr *header, guint16 type, guint32 offset)
{
    const char *name = message_string(header, NFTA_SET_ELEM_LIST_SET);
    const char *verb = type == NFT_MSG_NEWSETELEM ? "add" : "delete";
    NftMap map = nft_map_by_name(name);
    const struct nlattr *element = element_at(header, offset);
    if (!element || map == NFT_MAPS_)
        return g_strdup_printf("%s elements of map %s", verb, name);
    const struct nlattr *key =
        attribute_in(mnl_attr_get_payload(element), mnl_attr_get_payload_len(element), NFTA_SET_ELEM_KEY);
    const struct nlattr *value =
        attribute_in(mnl_attr_get_payload(key), mnl_attr_get_payload_len(key), NFTA_DATA_VALUE);
    NftKey bytes = {0};
    memcpy(&bytes, mnl_attr_get_payload(value), nft_map_info(map)->key_length);
    g_autofree char *text = nft_key_to_string(map, &bytes);
    return g_strdup_printf("%s element %s of map %s", verb, text, name);
}

char *nft_batch_describe(const NftBatch *batch, guint32 seq, guint32 offset)
{
    guint32 index = seq - batch->first_seq;
    if (index >= batch->starts->len)
        return g_strdup("a message that was not sent");
    const struct nlmsghdr *header = batch_at(batch, g_array_index(batch->starts, gsize, index));
    guint16 type = NFNL_MSG_TYPE(header->nlmsg_type);
    if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
        return g_strdup("the batch itself");
    if (type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM)
        return describe_element(header, type, offset);
    if (type == NFT_MSG_NEWRULE)
        return g_strdup_printf("add a rule to chain %s", message_string(header, NFTA_RULE_CHAIN));
    if (type == NFT_MSG_NEWCHAIN)
        return g_strdup_printf("add chain %s", message_string(header, NFTA_CHAIN_NAME));
    if (type == NFT_MSG_NEWSET)
        return g_strdup_printf("add map %s", message_string(header, NFTA_SET_NAME));
    return g_strdup_printf("%s table %s", type == NFT_MSG_NEWTABLE ? "add" : "delete",
                           message_string(header, NFTA_TABLE_NAME));
}
