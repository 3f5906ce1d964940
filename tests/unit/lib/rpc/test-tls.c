#include "certificates.h"
#include "fixture.h"

static Certificate authority, foreign_authority, server_certificate;

/* "/test.Test/Who": user and groups. */
static void handle_who(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    const RpcIdentity *identity = rpc_server_call_identity(call);
    g_autofree char *groups = g_strjoinv("|", (char **)identity->groups);
    g_autofree char *text = g_strdup_printf("%s: %s", identity->user ? identity->user : "nobody", groups);
    g_autoptr(GBytes) reply = text_bytes(text);
    rpc_server_call_reply(call, reply);
}

static RpcServer *who_server(const char *address, gboolean require_client, char **ret_address)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcServerCredentials) credentials = rpc_server_credentials_new(
        authority.pem, server_certificate.pem, server_certificate.key_pem, require_client, &error);
    g_assert_no_error(error);
    RpcServer *server = server_at(address, credentials, ret_address);
    rpc_server_handle(server, "/test.Test/Who", handle_who, NULL);
    server_start(server);
    return server;
}

static RpcClientCredentials *client_credentials(const char *ca, const Certificate *certificate)
{
    g_autoptr(GError) error = NULL;
    RpcClientCredentials *credentials = rpc_client_credentials_new(ca, certificate ? certificate->pem : NULL,
                                                                   certificate ? certificate->key_pem : NULL, &error);
    g_assert_no_error(error);
    return credentials;
}

/* What Who answers; NULL and the error if it cannot be reached. */
static char *ask_who(const char *address, const char *server_name, const RpcClientCredentials *credentials,
                     GError **error)
{
    const char *addresses[] = {address, NULL};
    RpcChannelOptions options = {.addresses = addresses, .credentials = credentials, .server_name = server_name};
    g_autoptr(RpcChannel) channel = rpc_channel_new(&options, NULL);
    g_autoptr(GBytes) request = text_bytes("");
    RpcCallOptions call = {.fail_fast = TRUE};
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/test.Test/Who", request, &call, error);
    return reply ? g_strndup(g_bytes_get_data(reply, NULL), g_bytes_get_size(reply)) : NULL;
}

static void assert_who(const char *address, const char *name, const RpcClientCredentials *credentials,
                       const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *who = ask_who(address, name, credentials, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(who, ==, expected);
}

static void assert_refused(const char *address, const char *name, const RpcClientCredentials *credentials)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *who = ask_who(address, name, credentials, &error);
    g_assert_null(who);
    assert_error(error, CLEAT_ERROR_UNAVAILABLE, address);
}

static void test_identity(void)
{
    static const struct {
        SubjectEntry entries[6];
        const char *who;
    } cases[] = {
        {{{"O", "system:nodes", -1}, {"CN", "system:node:n1", -1}}, "system:node:n1: system:nodes"},
        {{{"O", "b", -1}, {"O", "a", -1}, {"CN", "u", -1}, {"O", "c", -1}}, "u: b|a|c"},
        {{{"CN", "a, O=system:masters", -1}}, "a, O=system:masters: "},
        {{{"CN", "first", -1}, {"CN", "second", -1}}, "first: "},
        {{{"CN", "J\xc3\xb6rg", -1}, {"O", "a,b\\", -1}}, "J\xc3\xb6rg: a,b\\"},
        {{{"O", "system:masters", -1}}, "nobody: "},
        {{{"CN", "admin\0.example", 14}, {"O", "g", -1}}, "nobody: "},
        {{{"CN", "u", -1}, {"O", "system:masters\0x", 16}}, "u: "},
    };
    g_autofree char *address = NULL;
    RpcServer *server = who_server("127.0.0.1:0", TRUE, &address);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Certificate) client = certificate_new(cases[i].entries, "DNS:other,IP:10.0.0.1", &authority);
        g_autoptr(RpcClientCredentials) credentials = client_credentials(authority.pem, &client);
        assert_who(address, NULL, credentials, cases[i].who);
        assert_who(address, NULL, credentials, cases[i].who); /* from what is kept */
    }
    server_end(server);
}

static void test_refused(void)
{
    g_auto(Certificate) good = certificate_for("u", "g", NULL, &authority);
    g_auto(Certificate) stranger = certificate_for("u", "g", NULL, &foreign_authority);
    g_auto(Certificate) self_signed = certificate_for("u", "g", NULL, NULL);
    g_autoptr(RpcClientCredentials) with_good = client_credentials(authority.pem, &good);
    g_autoptr(RpcClientCredentials) with_stranger = client_credentials(authority.pem, &stranger);
    g_autoptr(RpcClientCredentials) with_self_signed = client_credentials(authority.pem, &self_signed);
    g_autoptr(RpcClientCredentials) with_none = client_credentials(authority.pem, NULL);
    g_autoptr(RpcClientCredentials) distrustful = client_credentials(foreign_authority.pem, &good);
    for (int require = 0; require < 2; require++) {
        g_autofree char *address = NULL;
        RpcServer *server = who_server("127.0.0.1:0", require, &address);
        assert_refused(address, NULL, with_stranger);
        assert_refused(address, NULL, with_self_signed);
        assert_refused(address, NULL, distrustful);
        assert_refused(address, "elsewhere", with_good);
        assert_refused(address, NULL, NULL); /* plaintext */
        if (require)
            assert_refused(address, NULL, with_none);
        else
            assert_who(address, NULL, with_none, "nobody: ");
        assert_who(address, NULL, with_good, "u: g");
        assert_who(address, "cleat", with_good, "u: g");
        server_end(server);
    }
}

static void test_unix(void)
{
    g_autofree char *folder = folder_new();
    g_autofree char *address = g_strdup_printf("unix:%s/s", folder);
    RpcServer *server = who_server(address, TRUE, NULL);
    g_auto(Certificate) client = certificate_for("u", "g", NULL, &authority);
    g_autoptr(RpcClientCredentials) credentials = client_credentials(authority.pem, &client);
    assert_who(address, NULL, credentials, "u: g"); /* as "localhost" */
    assert_refused(address, "elsewhere", credentials);
    server_end(server);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_bad_credentials(void)
{
    const char *good = server_certificate.pem, *key = server_certificate.key_pem, *other = authority.key_pem;
    const struct {
        const char *ca, *certificate, *key, *text;
    } cases[] = {
        {"rubbish", NULL, NULL, "authority"},    {good, "rubbish", key, "certificate"},
        {good, good, "rubbish", "key"},          {good, good, other, "does not belong"},
        {good, good, NULL, "without a key"},     {good, NULL, key, "without a certificate"},
        {good, key, good, "the certificate is"}, {"", good, key, "authority"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL, server_error = NULL;
        g_assert_null(rpc_client_credentials_new(cases[i].ca, cases[i].certificate, cases[i].key, &error));
        assert_error(error, CLEAT_ERROR_BAD_REQUEST, cases[i].text);
        g_assert_null(rpc_server_credentials_new(cases[i].ca, cases[i].certificate, cases[i].key, TRUE, &server_error));
        assert_error(server_error, CLEAT_ERROR_BAD_REQUEST, "TLS credentials");
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(rpc_server_credentials_new(NULL, good, key, TRUE, &error));
    assert_error(error, CLEAT_ERROR_BAD_REQUEST, "certificate authority");
}

static void test_load(void)
{
    g_autofree char *folder = folder_new();
    g_autofree char *ca = g_build_filename(folder, "ca", NULL), *cert = g_build_filename(folder, "cert", NULL);
    g_autofree char *key = g_build_filename(folder, "key", NULL);
    g_assert_true(g_file_set_contents(ca, authority.pem, -1, NULL));
    g_assert_true(g_file_set_contents(cert, server_certificate.pem, -1, NULL));
    g_autoptr(GError) error = NULL;
    g_assert_null(rpc_client_credentials_load(ca, cert, key, &error));
    g_assert_nonnull(strstr(error->message, key)); /* not there */
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(key, authority.key_pem, -1, NULL));
    g_assert_null(rpc_server_credentials_load(ca, cert, key, TRUE, &error));
    assert_error(error, CLEAT_ERROR_BAD_REQUEST, cert);
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(key, server_certificate.key_pem, -1, NULL));
    g_autoptr(RpcServerCredentials) server = rpc_server_credentials_load(ca, cert, key, TRUE, &error);
    g_assert_no_error(error);
    g_autoptr(RpcClientCredentials) client = rpc_client_credentials_load(ca, NULL, NULL, &error);
    g_assert_no_error(error);
    g_unlink(ca);
    g_unlink(cert);
    g_unlink(key);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    authority = certificate_for("authority", NULL, NULL, NULL);
    foreign_authority = certificate_for("authority", NULL, NULL, NULL);
    server_certificate = certificate_for("server", NULL, "DNS:localhost,DNS:cleat,IP:127.0.0.1", &authority);
    g_test_add_func("/rpc/tls/identity", test_identity);
    g_test_add_func("/rpc/tls/refused", test_refused);
    g_test_add_func("/rpc/tls/unix", test_unix);
    g_test_add_func("/rpc/tls/bad-credentials", test_bad_credentials);
    g_test_add_func("/rpc/tls/load", test_load);
    int result = g_test_run();
    certificate_clear(&authority);
    certificate_clear(&foreign_authority);
    certificate_clear(&server_certificate);
    rpc_shutdown();
    return result;
}
