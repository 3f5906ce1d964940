#include "lib/rpc/credentials.h"

#include <gio/gio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "lib/base/error.h"

static X509 *certificate_parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *key_parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* gRPC takes any text and fails at each handshake, with a message in its own log only; so everything is tried here. */
static gboolean pem_check(const char *ca, const char *cert, const char *key_pem, GError **error)
{
    const char *fault = NULL;
    X509 *authority = ca ? certificate_parse(ca) : NULL;
    X509 *certificate = cert ? certificate_parse(cert) : NULL;
    EVP_PKEY *key = key_pem ? key_parse(key_pem) : NULL;
    if (ca && !authority)
        fault = "the certificate authority is not a PEM certificate";
    else if (!cert != !key_pem)
        fault = cert ? "there is a certificate without a key" : "there is a key without a certificate";
    else if (cert && !certificate)
        fault = "the certificate is not a PEM certificate";
    else if (cert && !key)
        fault = "the key is not an unencrypted PEM private key";
    else if (cert && X509_check_private_key(certificate, key) != 1)
        fault = "the key does not belong to the certificate";
    X509_free(authority);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (fault)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "TLS credentials: %s", fault);
    return fault == NULL;
}

RpcClientCredentials *rpc_client_credentials_new(const char *ca, const char *cert, const char *key, GError **error)
{
    if (!pem_check(ca, cert, key, error))
        return NULL;
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = cert};
    RpcClientCredentials *credentials = g_new0(RpcClientCredentials, 1);
    credentials->core = grpc_ssl_credentials_create_ex(ca, cert ? &pair : NULL, NULL, NULL);
    return credentials;
}

void rpc_client_credentials_free(RpcClientCredentials *credentials)
{
    if (!credentials)
        return;
    grpc_channel_credentials_release(credentials->core);
    g_free(credentials);
}

RpcServerCredentials *rpc_server_credentials_new(const char *client_ca, const char *cert, const char *key,
                                                 gboolean require_client, GError **error)
{
    if (!cert || !key || (require_client && !client_ca)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "TLS credentials: a server needs %s",
                    cert && key ? "a certificate authority to require certificates of clients"
                                : "a certificate and its key");
        return NULL;
    }
    if (!pem_check(client_ca, cert, key, error))
        return NULL;
    grpc_ssl_client_certificate_request_type request = !client_ca ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                       : require_client
                                                           ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                           : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = cert};
    RpcServerCredentials *credentials = g_new0(RpcServerCredentials, 1);
    credentials->core = grpc_ssl_server_credentials_create_ex(client_ca, &pair, 1, request, NULL);
    return credentials;
}

void rpc_server_credentials_free(RpcServerCredentials *credentials)
{
    if (!credentials)
        return;
    grpc_server_credentials_release(credentials->core);
    g_free(credentials);
}

/* The texts of up to three files. NULL names stay NULL. */
typedef struct {
    char *ca, *cert, *key;
} PemTexts;

static void pem_texts_done(PemTexts *texts)
{
    g_free(texts->ca);
    g_free(texts->cert);
    if (texts->key)
        OPENSSL_cleanse(texts->key, strlen(texts->key));
    g_free(texts->key);
}

static gboolean pem_texts_load(PemTexts *ret_texts, const char *ca, const char *cert, const char *key, GError **error)
{
    PemTexts texts = {0};
    if ((!ca || g_file_get_contents(ca, &texts.ca, NULL, error)) &&
        (!cert || g_file_get_contents(cert, &texts.cert, NULL, error)) &&
        (!key || g_file_get_contents(key, &texts.key, NULL, error))) {
        *ret_texts = texts;
        return TRUE;
    }
    pem_texts_done(&texts);
    return FALSE;
}

RpcClientCredentials *rpc_client_credentials_load(const char *ca_file, const char *cert_file, const char *key_file,
                                                  GError **error)
{
    PemTexts texts;
    if (!pem_texts_load(&texts, ca_file, cert_file, key_file, error))
        return NULL;
    RpcClientCredentials *credentials = rpc_client_credentials_new(texts.ca, texts.cert, texts.key, error);
    if (!credentials)
        g_prefix_error(error, "%s, %s: ", ca_file ? ca_file : "-", cert_file ? cert_file : "-");
    pem_texts_done(&texts);
    return credentials;
}

RpcServerCredentials *rpc_server_credentials_load(const char *client_ca_file, const char *cert_file,
                                                  const char *key_file, gboolean require_client, GError **error)
{
    PemTexts texts;
    if (!pem_texts_load(&texts, client_ca_file, cert_file, key_file, error))
        return NULL;
    RpcServerCredentials *credentials =
        rpc_server_credentials_new(texts.ca, texts.cert, texts.key, require_client, error);
    if (!credentials)
        g_prefix_error(error, "%s, %s: ", client_ca_file ? client_ca_file : "-", cert_file ? cert_file : "-");
    pem_texts_done(&texts);
    return credentials;
}
