#include "agent/image-name.h"
#include "lib/base/error.h"
#include "tests/unit/agent/fixture.h"

static void test_repository(void)
{
    static const char *const rows[][2] = {
        {"nginx", "docker.io/library/nginx"},
        {"nginx:1.2", "docker.io/library/nginx"},
        {"me/app", "docker.io/me/app"},
        {"index.docker.io/me/app", "docker.io/me/app"},
        {"reg.example.com/a/b:1", "reg.example.com/a/b"},
        {"reg:5000/a", "reg:5000/a"},
        {"localhost/a:x", "localhost/a"},
        {"reg.example.com/a@sha256:abc", "reg.example.com/a"},
        {"", NULL},
        {"/a", NULL},
        {"a b", NULL},
        {"a/", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = image_repository(rows[i][0]);
        g_assert_cmpstr(got, ==, rows[i][1]);
    }
}

static void test_policy(void)
{
    static const struct {
        const char *image, *policy;
        PullPolicy expected;
    } rows[] = {
        {"a", NULL, PULL_ALWAYS},
        {"a:latest", NULL, PULL_ALWAYS},
        {"a:1", NULL, PULL_IF_NOT_PRESENT},
        {"r:5000/a", NULL, PULL_ALWAYS},
        {"a@sha256:0", NULL, PULL_IF_NOT_PRESENT},
        {"a:latest", "Never", PULL_NEVER},
        {"a:1", "Always", PULL_ALWAYS},
        {"a", "IfNotPresent", PULL_IF_NOT_PRESENT},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Core__V1__Container container = CORE__V1__CONTAINER__INIT;
        container.image = (char *)rows[i].image;
        container.imagepullpolicy = (char *)rows[i].policy;
        g_assert_cmpint(pull_policy_of(&container), ==, rows[i].expected);
    }
}

static void free_auth(gpointer auth)
{
    API_FREE(auth);
}

static void test_auths(void)
{
    static const struct {
        const char *image, *users;
    } rows[] = {
        {"nginx", "hub"},
        {"reg.example.com/x", "reg"},
        {"reg.example.com/team/x", "team reg"},
        {"reg.example.com/teams/x", "reg"},
        {"eu.wild.example/x", "wild"},
        {"a.eu.wild.example/x", ""},
        {"other.example/x", ""},
    };
    static const char json[] =
        "{\"auths\": {\"https://index.docker.io/v1/\": {\"username\": \"hub\", \"password\": \"p\"},"
        "\"reg.example.com\": {\"username\": \"reg\", \"auth\": \"YQ==\"},"
        "\"https://reg.example.com/team\": {\"username\": \"team\"}, \"*.wild.example\": {\"username\": \"wild\"}}}";
    g_autofree char *base64 = g_base64_encode((const guchar *)json, strlen(json));
    g_autofree char *yaml = g_strdup_printf("metadata: {name: s}\ntype: kubernetes.io/dockerconfigjson\n"
                                            "data: {.dockerconfigjson: %s}\n",
                                            base64);
    API_AUTO(Core__V1__Secret) secret = (Core__V1__Secret *)from_yaml(&core__v1__secret__descriptor, yaml);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) auths = g_ptr_array_new_with_free_func(free_auth);
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) users = g_string_new(NULL);
        g_assert_true(pull_secret_auths(secret, rows[i].image, auths, &error));
        for (guint j = 0; j < auths->len; j++)
            g_string_append_printf(users, "%s%s", j ? " " : "", ((Runtime__V1__AuthConfig *)auths->pdata[j])->username);
        g_assert_cmpstr(users->str, ==, rows[i].users);
    }
}

static void test_bad_secret(void)
{
    static const char *const secrets[] = {
        "metadata: {name: s}\n",
        "metadata: {name: s}\ndata: {.dockerconfigjson: bm8=}\n",
        "metadata: {name: s}\ndata: {.dockerconfigjson: W10=}\n",
        "metadata: {name: s}\ndata: {.dockerconfigjson: e30=}\n",
    };
    for (guint i = 0; i < G_N_ELEMENTS(secrets); i++) {
        API_AUTO(Core__V1__Secret) secret = (Core__V1__Secret *)from_yaml(&core__v1__secret__descriptor, secrets[i]);
        g_autoptr(GPtrArray) auths = g_ptr_array_new();
        g_autoptr(GError) error = NULL;
        g_assert_false(pull_secret_auths(secret, "nginx", auths, &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, "secret \"s\""));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/image-name/repository", test_repository);
    g_test_add_func("/agent/image-name/policy", test_policy);
    g_test_add_func("/agent/image-name/auths", test_auths);
    g_test_add_func("/agent/image-name/bad-secret", test_bad_secret);
    return g_test_run();
}
