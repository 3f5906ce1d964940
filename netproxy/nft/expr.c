#include "netproxy/nft/expr.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#define REG(n) (NFT_REG32_00 + (n))

struct nftnl_rule *nft_rule_new(const char *chain)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, NFT_TABLE_NAME);
    nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
    return rule;
}

static struct nftnl_expr *expr_add(struct nftnl_rule *rule, const char *name)
{
    struct nftnl_expr *expr = nftnl_expr_alloc(name);
    g_assert(expr);
    nftnl_rule_add_expr(rule, expr);
    return expr;
}

void nft_rule_payload(struct nftnl_rule *rule, guint base, guint offset, guint length, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "payload");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, REG(reg));
}

void nft_rule_meta(struct nftnl_rule *rule, guint key, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "meta");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, REG(reg));
}

void nft_rule_ct(struct nftnl_rule *rule, guint key, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "ct");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, REG(reg));
}

void nft_rule_ct_original(struct nftnl_rule *rule, guint key, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "ct");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, REG(reg));
}

void nft_rule_u32(struct nftnl_rule *rule, guint32 value, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "immediate");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, REG(reg));
    nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, &value, sizeof value);
}

void nft_rule_random(struct nftnl_rule *rule, guint32 modulus, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "numgen");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_DREG, REG(reg));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_MODULUS, modulus);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_OFFSET, 0);
}

static void compare(struct nftnl_rule *rule, guint operation, guint reg, const void *data, guint length)
{
    struct nftnl_expr *expr = expr_add(rule, "cmp");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, REG(reg));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, length);
}

void nft_rule_equal(struct nftnl_rule *rule, guint reg, const void *data, guint length)
{
    compare(rule, NFT_CMP_EQ, reg, data, length);
}

void nft_rule_not_equal(struct nftnl_rule *rule, guint reg, const void *data, guint length)
{
    compare(rule, NFT_CMP_NEQ, reg, data, length);
}

void nft_rule_mask(struct nftnl_rule *rule, guint reg, const void *mask, guint length)
{
    static const guint8 zeros[16];
    struct nftnl_expr *expr = expr_add(rule, "bitwise");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, REG(reg));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, REG(reg));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, length);
    nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, length);
    nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zeros, length);
}

static struct nftnl_expr *lookup(struct nftnl_rule *rule, NftMap map, guint reg)
{
    struct nftnl_expr *expr = expr_add(rule, "lookup");
    nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, nft_map_info(map)->name);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, REG(reg));
    return expr;
}

void nft_rule_in_set(struct nftnl_rule *rule, NftMap set, guint reg, gboolean inverted)
{
    struct nftnl_expr *expr = lookup(rule, set, reg);
    if (inverted)
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void nft_rule_in_map(struct nftnl_rule *rule, NftMap map, guint reg, guint data_reg)
{
    nftnl_expr_set_u32(lookup(rule, map, reg), NFTNL_EXPR_LOOKUP_DREG, REG(data_reg));
}

void nft_rule_verdict_map(struct nftnl_rule *rule, NftMap map, guint reg)
{
    nftnl_expr_set_u32(lookup(rule, map, reg), NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

void nft_rule_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
    struct nftnl_expr *expr = expr_add(rule, "immediate");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (guint32)verdict);
    if (chain)
        nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_rule_dnat(struct nftnl_rule *rule, guint address_reg, guint port_reg)
{
    struct nftnl_expr *expr = expr_add(rule, "nat");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, REG(address_reg));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, REG(port_reg));
}

void nft_rule_masquerade(struct nftnl_rule *rule)
{
    struct nftnl_expr *expr = expr_add(rule, "masq");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
}

void nft_rule_reject(struct nftnl_rule *rule, guint type, guint code)
{
    struct nftnl_expr *expr = expr_add(rule, "reject");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
    nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, (guint8)code);
}
