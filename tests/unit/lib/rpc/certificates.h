/* Certificates for tests, made with OpenSSL on the spot. */
#pragma once

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

typedef struct {
    X509 *certificate;
    EVP_PKEY *key;
    char *pem, *key_pem;
} Certificate;

static inline void certificate_clear(Certificate *self)
{
    g_clear_pointer(&self->certificate, X509_free);
    g_clear_pointer(&self->key, EVP_PKEY_free);
    g_clear_pointer(&self->pem, g_free);
    g_clear_pointer(&self->key_pem, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Certificate, certificate_clear)

static inline char *bio_text(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = g_strndup(data, (gsize)size);
    BIO_free(bio);
    return text;
}

/* An entry of a subject: a field name as OpenSSL knows it ("CN", "O") and a UTF-8 text of any bytes. */
typedef struct {
    const char *field;
    const char *text;
    int size; /* -1: up to the NUL */
} SubjectEntry;

/* Signed by issuer, or by itself if NULL; then it is an authority. alt_names may be NULL. entries end with a NULL field. */
static inline Certificate certificate_new(const SubjectEntry *entries, const char *alt_names, const Certificate *issuer)
{
    static long serial = 1;
    Certificate self = {.certificate = X509_new(), .key = EVP_EC_gen("P-256")};
    X509_set_version(self.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(self.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(self.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(self.certificate), 3600);
    X509_set_pubkey(self.certificate, self.key);
    X509_NAME *name = X509_get_subject_name(self.certificate);
    for (; entries->field; entries++)
        g_assert_cmpint(X509_NAME_add_entry_by_txt(name, entries->field, MBSTRING_UTF8, (const guint8 *)entries->text,
                                                   entries->size, -1, 0),
                        ==, 1);
    const Certificate *signer = issuer ? issuer : &self;
    X509_set_issuer_name(self.certificate, X509_get_subject_name(signer->certificate));
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer->certificate, self.certificate, NULL, NULL, 0);
    const struct {
        int id;
        const char *value;
    } extensions[] = {{NID_basic_constraints, issuer ? NULL : "critical,CA:TRUE"}, {NID_subject_alt_name, alt_names}};
    for (guint i = 0; i < G_N_ELEMENTS(extensions); i++) {
        if (!extensions[i].value)
            continue;
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, extensions[i].id, extensions[i].value);
        g_assert_nonnull(extension);
        X509_add_ext(self.certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    g_assert_cmpint(X509_sign(self.certificate, signer->key, EVP_sha256()), >, 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, self.certificate);
    self.pem = bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, self.key, NULL, NULL, 0, NULL, NULL);
    self.key_pem = bio_text(bio);
    return self;
}

/* CN only, or CN and one O. */
static inline Certificate certificate_for(const char *cn, const char *o, const char *alt_names,
                                          const Certificate *issuer)
{
    SubjectEntry entries[] = {{"CN", cn, -1}, {o ? "O" : NULL, o, -1}, {NULL, NULL, 0}};
    return certificate_new(entries, alt_names, issuer);
}
