#include "server/auth/auth.h"

#include <string.h>

#include "lib/base/error.h"

static const char *const masters[] = {"system:masters", NULL};
static const char *const nodes[] = {"system:nodes", NULL};
static const char *const nothing[] = {NULL};

static void test_verdicts(void)
{
    const struct {
        RpcIdentity who;
        AuthVerb verb;
        ApiResourceIndex resource;
        const char *namespace_, *name, *fields;
        AuthVerdict verdict;
    } cases[] = {
        {{"admin", masters, ""}, AUTH_DELETE, API_INDEX_NODE, "", "n1", NULL, AUTH_ALLOWED},
        {{NULL, masters, ""}, AUTH_GET, API_INDEX_NODE, "", "n1", NULL, AUTH_DENIED}, /* no user, no rights */
        {{"admin", nothing, ""}, AUTH_GET, API_INDEX_NODE, "", "n1", NULL, AUTH_DENIED},
        {{"system:kube-scheduler", nothing, ""}, AUTH_BIND, API_INDEX_POD, "", "", NULL, AUTH_ALLOWED},
        {{"system:kube-scheduler", nothing, ""}, AUTH_UPDATE, API_INDEX_LEASE, "kube-system", "l", NULL, AUTH_ALLOWED},
        {{"system:kube-scheduler", nothing, ""}, AUTH_UPDATE, API_INDEX_LEASE, "default", "l", NULL, AUTH_DENIED},
        {{"system:kube-scheduler", nothing, ""}, AUTH_GET, API_INDEX_SECRET, "default", "s", NULL, AUTH_DENIED},
        {{"system:node:n1", nodes, ""}, AUTH_UPDATE_STATUS, API_INDEX_NODE, "", "n1", NULL, AUTH_ALLOWED},
        {{"system:node:n1", nodes, ""}, AUTH_UPDATE_STATUS, API_INDEX_NODE, "", "n2", NULL, AUTH_DENIED},
        {{"system:node:n1", nodes, ""}, AUTH_UPDATE_STATUS, API_INDEX_POD, "d", "p", NULL, AUTH_IF_BOUND},
        {{"system:node:n1", nodes, ""}, AUTH_CREATE, API_INDEX_POD, "d", "p", NULL, AUTH_DENIED},
        {{"system:node:n1", nodes, ""}, AUTH_WATCH, API_INDEX_POD, "", "", "spec.nodeName=n1", AUTH_ALLOWED},
        {{"system:node:n1", nodes, ""}, AUTH_WATCH, API_INDEX_POD, "", "", "spec.nodeName!=n1", AUTH_DENIED},
        {{"system:node:n1", nodes, ""}, AUTH_WATCH, API_INDEX_POD, "", "", "spec.nodeName=n2", AUTH_DENIED},
        {{"system:node:n1", nothing, ""}, AUTH_UPDATE_STATUS, API_INDEX_NODE, "", "n1", NULL, AUTH_DENIED},
        {{"n1", nodes, ""}, AUTH_UPDATE_STATUS, API_INDEX_NODE, "", "n1", NULL, AUTH_DENIED},
        {{"system:node:", nodes, ""}, AUTH_UPDATE_STATUS, API_INDEX_NODE, "", "", NULL, AUTH_DENIED},
        {{"system:kube-proxy", nothing, ""}, AUTH_WATCH, API_INDEX_ENDPOINT_SLICE, "", "", NULL, AUTH_ALLOWED},
        {{"system:kube-proxy", nothing, ""}, AUTH_WATCH, API_INDEX_SECRET, "", "", NULL, AUTH_DENIED},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const ApiResource *resource = api_resource_row(cases[i].resource);
        g_autoptr(ApiFieldSelector) fields =
            cases[i].fields ? api_field_selector_parse(resource, cases[i].fields, NULL) : NULL;
        AuthRequest request = {&cases[i].who, cases[i].verb, resource, cases[i].namespace_, cases[i].name, fields};
        g_test_message("%u", i);
        g_assert_cmpint(auth_request(&request), ==, cases[i].verdict);
    }
}

static void test_denied(void)
{
    RpcIdentity who = {"eve", nothing, ""};
    AuthRequest request = {&who, AUTH_DELETE, API_DEPLOYMENT, "prod", "web", NULL};
    g_autoptr(GError) error = auth_denied(&request);
    g_assert_true(cleat_error_is(error, CLEAT_ERROR_FORBIDDEN));
    g_assert_cmpstr(
        error->message, ==,
        "deployments \"web\" is forbidden: User \"eve\" cannot delete resource \"deployments\" in API group "
        "\"apps\" in the namespace \"prod\"");
    g_assert_cmpstr(cleat_error_object(error)->name, ==, "web");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/auth/policy/verdicts", test_verdicts);
    g_test_add_func("/server/auth/policy/denied", test_denied);
    return g_test_run();
}
