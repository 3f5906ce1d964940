#include "lib/rpc/identity.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define MAX_KEPT 8192

static GMutex kept_lock;
static GHashTable *kept; /* PEM text as GBytes -> RpcSubject; kept_lock */

/* The text of a name's entry in UTF-8, or NULL if it holds a NUL (which could pass for a shorter name). New string. */
static char *entry_text(X509_NAME *name, int i)
{
    unsigned char *utf8 = NULL;
    int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
    if (size < 0)
        return NULL;
    char *text = memchr(utf8, '\0', (size_t)size) ? NULL : g_strndup((const char *)utf8, (gsize)size);
    OPENSSL_free(utf8);
    return text;
}

static RpcSubject *subject_parse(const char *pem, gsize size)
{
    RpcSubject *subject = g_new0(RpcSubject, 1);
    g_atomic_ref_count_init(&subject->refs);
    g_autoptr(GStrvBuilder) groups = g_strv_builder_new();
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
    int cn = name ? X509_NAME_get_index_by_NID(name, NID_commonName, -1) : -1;
    if (cn >= 0)
        subject->user = entry_text(name, cn);
    for (int i = -1; subject->user && (i = X509_NAME_get_index_by_NID(name, NID_organizationName, i)) >= 0;) {
        g_autofree char *group = entry_text(name, i);
        if (group)
            g_strv_builder_add(groups, group);
    }
    subject->groups = g_strv_builder_end(groups);
    X509_free(certificate);
    BIO_free(bio);
    return subject;
}

static RpcSubject *subject_ref(RpcSubject *subject)
{
    g_atomic_ref_count_inc(&subject->refs);
    return subject;
}

void rpc_subject_unref(RpcSubject *subject)
{
    if (!subject || !g_atomic_ref_count_dec(&subject->refs))
        return;
    g_free(subject->user);
    g_strfreev(subject->groups);
    g_free(subject);
}

RpcSubject *rpc_subject_of(const char *pem, gsize size)
{
    g_autoptr(GBytes) key = g_bytes_new_static(pem, size);
    g_mutex_lock(&kept_lock);
    RpcSubject *subject = kept ? g_hash_table_lookup(kept, key) : NULL;
    if (subject)
        subject_ref(subject);
    g_mutex_unlock(&kept_lock);
    if (subject)
        return subject;
    subject = subject_parse(pem, size);
    g_mutex_lock(&kept_lock);
    if (!kept)
        kept = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                     (GDestroyNotify)rpc_subject_unref);
    if (g_hash_table_size(kept) >= MAX_KEPT)
        g_hash_table_remove_all(kept);
    g_hash_table_insert(kept, g_bytes_new(pem, size), subject_ref(subject));
    g_mutex_unlock(&kept_lock);
    return subject;
}

void rpc_subject_forget_all(void)
{
    g_mutex_lock(&kept_lock);
    g_clear_pointer(&kept, g_hash_table_destroy);
    g_mutex_unlock(&kept_lock);
}
