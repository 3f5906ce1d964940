#include "client/ctl/wait.h"

#include <string.h>

#include "client/ctl/follow.h"
#include "client/ctl/jsonpath.h"
#include "client/ctl/targets.h"
#include "client/ctl/tree.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"

#define DEFAULT_TIMEOUT_MS 30000
#define A_WEEK_MS (7 * 24 * 3600 * G_GINT64_CONSTANT(1000))

/* "KEY" or "KEY=VALUE", where the key may be a path that holds "=" inside braces. */
static void split_value(const char *text, WaitFor *wait)
{
    const char *brace = *text == '{' ? strrchr(text, '}') : NULL;
    const char *equals = strchr(brace ? brace : text, '=');
    wait->key = equals ? g_strndup(text, (gsize)(equals - text)) : g_strdup(text);
    wait->value = equals ? g_strdup(equals + 1) : NULL;
}

gboolean wait_for_parse(const char *flag, WaitFor *ret_wait, GError **error)
{
    *ret_wait = (WaitFor){0};
    if (g_ascii_strcasecmp(flag, "delete") == 0 || g_ascii_strcasecmp(flag, "create") == 0) {
        ret_wait->kind = g_ascii_strcasecmp(flag, "delete") == 0 ? WAIT_DELETE : WAIT_CREATE;
        return TRUE;
    }
    if (g_str_has_prefix(flag, "condition=") && flag[strlen("condition=")]) {
        ret_wait->kind = WAIT_CONDITION;
        split_value(flag + strlen("condition="), ret_wait);
        return TRUE;
    }
    if (g_str_has_prefix(flag, "jsonpath=") && flag[strlen("jsonpath=")]) {
        ret_wait->kind = WAIT_JSONPATH;
        split_value(flag + strlen("jsonpath="), ret_wait);
        json_t *nothing = json_object(); /* a path with a fault is refused before anything is waited for */
        g_autoptr(GPtrArray) found = jsonpath_find(nothing, ret_wait->key, error);
        json_decref(nothing);
        if (!found)
            wait_for_done(ret_wait);
        return found != NULL;
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "--for: expected condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], delete or create, not \"%s\"", flag);
    return FALSE;
}

void wait_for_done(WaitFor *wait)
{
    g_clear_pointer(&wait->key, g_free);
    g_clear_pointer(&wait->value, g_free);
}

static gboolean condition_met(const WaitFor *wait, const json_t *tree)
{
    json_t *status = json_object_get(tree, "status"), *condition;
    json_t *seen = json_object_get(status, "observedGeneration");
    json_t *generation = json_object_get(json_object_get(tree, "metadata"), "generation");
    if (seen && json_integer_value(seen) < json_integer_value(generation))
        return FALSE;
    size_t i;
    json_array_foreach(json_object_get(status, "conditions"), i, condition)
    {
        const char *type = json_string_value(json_object_get(condition, "type"));
        const char *value = json_string_value(json_object_get(condition, "status"));
        if (type && g_ascii_strcasecmp(type, wait->key) == 0)
            return g_ascii_strcasecmp(api_str(value), wait->value ? wait->value : "True") == 0;
    }
    return FALSE;
}

static gboolean path_met(const WaitFor *wait, json_t *tree)
{
    g_autoptr(GPtrArray) found = jsonpath_find(tree, wait->key, NULL);
    if (!found || found->len == 0)
        return FALSE;
    g_autofree char *text = jsonpath_value_text(found->pdata[0]);
    return !wait->value || g_str_equal(text, wait->value);
}

gboolean wait_for_met(const WaitFor *wait, const ProtobufCMessage *object)
{
    if (wait->kind == WAIT_DELETE || wait->kind == WAIT_CREATE)
        return (object != NULL) == (wait->kind == WAIT_CREATE);
    if (!object)
        return FALSE;
    json_t *tree = tree_from_object(object);
    gboolean met = wait->kind == WAIT_CONDITION ? condition_met(wait, tree) : path_met(wait, tree);
    json_decref(tree);
    return met;
}

/* What follow_object() is to test; vanished ends the wait as well. */
typedef struct {
    const WaitFor *wait;
    gboolean vanished;
} Test;

static gboolean test(const ProtobufCMessage *object, gpointer data)
{
    Test *state = data;
    state->vanished = !object && state->wait->kind != WAIT_DELETE && state->wait->kind != WAIT_CREATE;
    return state->vanished || wait_for_met(state->wait, object);
}

static gboolean wait_one(Ctl *ctl, const Target *target, const WaitFor *wait, gint64 timeout_ms, GError **error)
{
    const char *namespace_ = ctl_namespace_of(ctl, target->resource, FALSE, error);
    Test state = {.wait = wait};
    gboolean timed_out = FALSE;
    if (!namespace_ ||
        !follow_object(ctl, target->resource, namespace_, target->name, timeout_ms, test, &state, &timed_out, error))
        return FALSE;
    g_autofree char *plural = ctl_plural(target->resource);
    if (state.vanished) {
        g_autoptr(GError) missing =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "%s \"%s\" not found", plural, target->name);
        g_propagate_error(error, ctl_server_error(missing));
        return FALSE;
    }
    if (timed_out) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TIMEOUT, "timed out waiting for the condition on %s/%s", plural,
                    target->name);
        return FALSE;
    }
    g_autofree char *label = ctl_object_label(target->resource, target->name);
    printf("%s condition met\n", label);
    return TRUE;
}

static gboolean wait_all(Ctl *ctl, const GPtrArray *targets, const WaitFor *wait, gint64 timeout_ms)
{
    gint64 end = g_get_monotonic_time() + (timeout_ms < 0 ? A_WEEK_MS : timeout_ms) * 1000;
    for (guint i = 0; i < targets->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (!wait_one(ctl, targets->pdata[i], wait, MAX(0, end - g_get_monotonic_time()) / 1000, &problem))
            ctl_report(ctl, problem);
    }
    return TRUE;
}

VERB(wait)
{
    char *for_flag = NULL, *timeout_flag = NULL, *label_selector = NULL;
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"for", 0, 0, G_OPTION_ARG_STRING, &for_flag,
         "condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], delete or create", "CONDITION"},
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &timeout_flag, "How long (default 30s); negative: a week", "30s"},
        {"selector", 'l', 0, G_OPTION_ARG_STRING, &label_selector, "All objects with these labels", "SELECTOR"},
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "All objects of the type in the namespace", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gboolean good = args != NULL;
    if (good && (!for_flag || !*args)) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    gint64 timeout_ms;
    WaitFor wait = {0};
    good = good && ctl_duration_flag("timeout", timeout_flag, DEFAULT_TIMEOUT_MS, &timeout_ms, error) &&
           wait_for_parse(for_flag, &wait, error);
    g_autoptr(GPtrArray) targets = good ? targets_select(ctl, args, label_selector, all, error) : NULL;
    good = targets && wait_all(ctl, targets, &wait, timeout_ms);
    wait_for_done(&wait);
    g_free(for_flag);
    g_free(timeout_flag);
    g_free(label_selector);
    return good;
}
