#include "agent/image-name.h"

#include <jansson.h>
#include <string.h>

#include "lib/api/object.h"
#include "lib/base/error.h"

#define DEFAULT_REGISTRY "docker.io"

static const char *last_of(const char *text, char c)
{
    const char *found = strrchr(text, c);
    return found ? found + 1 : text;
}

/* The part before "@digest" and ":tag". New string. */
static char *without_tag(const char *image)
{
    const char *at = strchr(image, '@');
    char *name = at ? g_strndup(image, (gsize)(at - image)) : g_strdup(image);
    char *colon = strchr((char *)last_of(name, '/'), ':');
    if (colon)
        *colon = '\0';
    return name;
}

char *image_repository(const char *image)
{
    g_autofree char *name = without_tag(image);
    if (!name[0] || name[0] == '/' || strchr(name, ' ') || g_str_has_suffix(name, "/"))
        return NULL;
    const char *slash = strchr(name, '/');
    if (!slash)
        return g_strconcat(DEFAULT_REGISTRY "/library/", name, NULL);
    g_autofree char *first = g_strndup(name, (gsize)(slash - name));
    if (strpbrk(first, ".:") || g_str_equal(first, "localhost"))
        return g_str_equal(first, "index.docker.io") ? g_strconcat(DEFAULT_REGISTRY, slash, NULL)
                                                     : g_steal_pointer(&name);
    return g_strconcat(DEFAULT_REGISTRY "/", name, NULL);
}

PullPolicy pull_policy_of(const Core__V1__Container *container)
{
    static const char *const names[] = {"Always", "IfNotPresent", "Never"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (api_str_equal(container->imagepullpolicy, names[i]))
            return (PullPolicy)i;
    }
    const char *image = api_str(container->image);
    const char *tag = strchr(last_of(image, '/'), ':');
    if (strchr(image, '@'))
        return PULL_IF_NOT_PRESENT;
    return !tag || g_str_equal(tag, ":latest") ? PULL_ALWAYS : PULL_IF_NOT_PRESENT;
}

/* "https://index.docker.io/v1/" to "docker.io"; otherwise scheme and trailing "/" go. New string. */
static char *normalize_registry(const char *key)
{
    const char *scheme = strstr(key, "://");
    char *text = g_strdup(scheme ? scheme + 3 : key);
    while (g_str_has_suffix(text, "/"))
        text[strlen(text) - 1] = '\0';
    if (g_str_equal(text, "index.docker.io") || g_str_equal(text, "index.docker.io/v1") ||
        g_str_equal(text, "registry-1.docker.io")) {
        g_free(text);
        return g_strdup(DEFAULT_REGISTRY);
    }
    return text;
}

/* Whether a registry entry ("host[:port][/path]", "*" for one label of the host) covers a repository. */
static gboolean registry_matches(const char *registry, const char *repository)
{
    g_auto(GStrv) want = g_strsplit(registry, "/", 2);
    g_auto(GStrv) have = g_strsplit(repository, "/", 2);
    if (!want[0] || !have[0] || !have[1])
        return FALSE;
    g_auto(GStrv) want_labels = g_strsplit(want[0], ".", -1);
    g_auto(GStrv) have_labels = g_strsplit(have[0], ".", -1);
    if (g_strv_length(want_labels) != g_strv_length(have_labels))
        return FALSE;
    for (guint i = 0; want_labels[i]; i++) {
        if (!g_pattern_match_simple(want_labels[i], have_labels[i]))
            return FALSE;
    }
    if (!want[1])
        return TRUE;
    gsize size = strlen(want[1]);
    return strncmp(want[1], have[1], size) == 0 && (have[1][size] == '\0' || have[1][size] == '/');
}

static void set_from_json(char **field, json_t *entry, const char *key)
{
    const char *value = json_string_value(json_object_get(entry, key));
    if (value)
        *field = g_strdup(value);
}

static Runtime__V1__AuthConfig *auth_from_json(json_t *entry)
{
    Runtime__V1__AuthConfig *auth = API_NEW(Runtime__V1__AuthConfig, runtime__v1__auth_config);
    set_from_json(&auth->username, entry, "username");
    set_from_json(&auth->password, entry, "password");
    set_from_json(&auth->auth, entry, "auth");
    set_from_json(&auth->identity_token, entry, "identitytoken");
    set_from_json(&auth->registry_token, entry, "registrytoken");
    return auth;
}

static int by_length_falling(gconstpointer a, gconstpointer b)
{
    gsize size_a = strlen(*(char *const *)a), size_b = strlen(*(char *const *)b);
    return size_a < size_b ? 1 : size_a > size_b ? -1 : strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_matching(json_t *auths, const char *repository, GPtrArray *out)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    const char *key;
    json_t *entry;
    json_object_foreach(auths, key, entry)
    {
        g_autofree char *registry = normalize_registry(key);
        if (json_is_object(entry) && registry_matches(registry, repository))
            g_ptr_array_add(keys, (gpointer)key);
    }
    g_ptr_array_sort(keys, by_length_falling);
    for (guint i = 0; i < keys->len; i++)
        g_ptr_array_add(out, auth_from_json(json_object_get(auths, keys->pdata[i])));
}

gboolean pull_secret_auths(const Core__V1__Secret *secret, const char *image, GPtrArray *auths, GError **error)
{
    gboolean old_form = api_str_equal(secret->type, "kubernetes.io/dockercfg");
    const char *key = old_form ? ".dockercfg" : ".dockerconfigjson";
    const ProtobufCBinaryData *data = NULL;
    for (gsize i = 0; i < secret->n_data; i++) {
        if (api_str_equal(secret->data[i]->key, key))
            data = &secret->data[i]->value;
    }
    json_t *root = data ? json_loadb((const char *)data->data, data->len, 0, NULL) : NULL;
    json_t *entries = old_form ? root : json_object_get(root, "auths");
    g_autofree char *repository = image_repository(image);
    gboolean ok = json_is_object(entries);
    if (ok && repository)
        add_matching(entries, repository, auths);
    if (!ok)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "secret \"%s\" holds no registry credentials in %s",
                    api_object_name(&secret->base), key);
    json_decref(root);
    return ok;
}
