/* Rules of the proxy's table, one expression per call. Each call appends to the rule; registers are the 32-bit ones,
 * numbered 0 to 15. A register does not survive to the next rule. */
#pragma once

#include <glib.h>
#include <libnftnl/rule.h>

#include "netproxy/nft/element.h"

/* A new rule for a chain of the proxy's table. */
struct nftnl_rule *nft_rule_new(const char *chain);

/* What to load. */
void nft_rule_payload(struct nftnl_rule *rule, guint base, guint offset, guint length, guint reg);
void nft_rule_meta(struct nftnl_rule *rule, guint key, guint reg);
void nft_rule_ct(struct nftnl_rule *rule, guint key, guint reg);
void nft_rule_ct_original(struct nftnl_rule *rule, guint key, guint reg);
void nft_rule_u32(struct nftnl_rule *rule, guint32 value, guint reg);
/* A random number from 0 to modulus - 1. */
void nft_rule_random(struct nftnl_rule *rule, guint32 modulus, guint reg);

/* What must hold for the rule to go on. */
void nft_rule_equal(struct nftnl_rule *rule, guint reg, const void *data, guint length);
void nft_rule_not_equal(struct nftnl_rule *rule, guint reg, const void *data, guint length);
/* Masks a register (bytes as in memory). */
void nft_rule_mask(struct nftnl_rule *rule, guint reg, const void *mask, guint length);
/* The key that begins at <reg> is (or with inverted: is not) in the set. */
void nft_rule_in_set(struct nftnl_rule *rule, NftMap set, guint reg, gboolean inverted);
/* The key that begins at <reg> is in the map; its data goes to <data_reg>. */
void nft_rule_in_map(struct nftnl_rule *rule, NftMap map, guint reg, guint data_reg);

/* What to do. */
void nft_rule_verdict_map(struct nftnl_rule *rule, NftMap map, guint reg);
void nft_rule_verdict(struct nftnl_rule *rule, int verdict, const char *chain);
void nft_rule_dnat(struct nftnl_rule *rule, guint address_reg, guint port_reg);
void nft_rule_masquerade(struct nftnl_rule *rule);
/* type is NFT_REJECT_...; code that of ICMP. */
void nft_rule_reject(struct nftnl_rule *rule, guint type, guint code);
