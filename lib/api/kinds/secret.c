#include <string.h>

#include "lib/api/kinds/kinds.h"

#define DATA_MAX (1024 * 1024)

static char *print_type(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return column_none(((const Core__V1__Secret *)object)->type);
}

static char *print_data(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup_printf("%zu", ((const Core__V1__Secret *)object)->n_data);
}

const ApiColumn secret_columns[] = {
    {"TYPE", FALSE, print_type},
    {"DATA", FALSE, print_data},
    {NULL, FALSE, NULL},
};

typedef Core__V1__Secret__DataEntry DataEntry;

/* Moves one text into the data, where it takes the place of a value of the same key. */
static void merge_text(Core__V1__Secret *secret, GHashTable *by_key, const char *key, const char *text)
{
    DataEntry *entry = g_hash_table_lookup(by_key, key);
    if (!entry) {
        entry = API_NEW(DataEntry, core__v1__secret__data_entry);
        entry->key = g_strdup(key);
        api_append(secret->data, secret->n_data, entry);
        g_hash_table_insert(by_key, entry->key, entry);
    }
    g_free(entry->value.data);
    entry->has_value = 1;
    entry->value.len = strlen(text);
    entry->value.data = g_memdup2(text, entry->value.len);
}

/* stringData is for writing only: its texts become bytes of data. */
static void merge_string_data(Core__V1__Secret *secret)
{
    if (secret->n_stringdata == 0)
        return;
    g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < secret->n_data; i++)
        g_hash_table_insert(by_key, (gpointer)api_str(secret->data[i]->key), secret->data[i]);
    for (gsize i = 0; i < secret->n_stringdata; i++)
        merge_text(secret, by_key, api_str(secret->stringdata[i]->key), api_str(secret->stringdata[i]->value));
    for (gsize i = 0; i < secret->n_stringdata; i++)
        API_FREE(secret->stringdata[i]);
    g_clear_pointer(&secret->stringdata, g_free);
    secret->n_stringdata = 0;
}

void secret_set_defaults(ProtobufCMessage *object)
{
    Core__V1__Secret *secret = (Core__V1__Secret *)object;
    merge_string_data(secret);
    if (api_str(secret->type)[0] == '\0')
        api_set_string(&secret->type, "Opaque");
}

/* Keys that secrets of a well-known type must have. */
static const struct {
    const char *type;
    const char *keys[3];
} needed[] = {
    {"kubernetes.io/dockercfg", {".dockercfg"}},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey"}},
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
};

static void validate_needed_keys(const Core__V1__Secret *secret, GHashTable *keys, ApiFieldErrors *errors)
{
    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!api_str_equal(secret->type, needed[i].type))
            continue;
        for (const char *const *key = needed[i].keys; *key; key++) {
            if (!g_hash_table_contains(keys, *key))
                fail_required(errors, KEY(FIELD(NULL, "data"), *key), NULL);
        }
    }
    if (api_str_equal(secret->type, "kubernetes.io/basic-auth") && !g_hash_table_contains(keys, "username") &&
        !g_hash_table_contains(keys, "password")) {
        fail_required(errors, KEY(FIELD(NULL, "data"), "username"), NULL);
        fail_required(errors, KEY(FIELD(NULL, "data"), "password"), NULL);
    }
}

static gboolean same_content(const Core__V1__Secret *secret, const Core__V1__Secret *old)
{
    Core__V1__Secret a = *secret, b = *old;
    a.metadata = b.metadata = NULL;
    a.has_immutable = b.has_immutable = 0;
    return SAME_MEANING(&a, &b);
}

static void validate_update(const Core__V1__Secret *secret, const Core__V1__Secret *old, ApiFieldErrors *errors)
{
    if (!api_str_equal(secret->type, old->type))
        api_field_invalid(errors, "type", secret->type, "field is immutable");
    if (!old->immutable)
        return;
    if (!secret->immutable)
        api_field_forbidden(errors, "immutable", "field is immutable when `immutable` is set");
    if (!same_content(secret, old))
        api_field_forbidden(errors, "data", "field is immutable when `immutable` is set");
}

void secret_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Core__V1__Secret *secret = (const Core__V1__Secret *)object;
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    gsize size = 0;
    for (gsize i = 0; i < secret->n_data; i++) {
        const char *key = api_str(secret->data[i]->key);
        require_name(errors, KEY(FIELD(NULL, "data"), key), key, api_name_config_key);
        g_hash_table_add(keys, (gpointer)key);
        size += secret->data[i]->value.len;
    }
    if (size > DATA_MAX)
        api_field_invalid_number(errors, "data", (gint64)size, "Too long: may not be more than 1048576 bytes");
    validate_needed_keys(secret, keys, errors);
    if (old)
        validate_update(secret, (const Core__V1__Secret *)old, errors);
}
