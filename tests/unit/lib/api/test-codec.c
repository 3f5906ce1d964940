#include <string.h>

#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "cleat/runtime/runtime.pb-c.h"
#include "foreign/etcd/rpc.pb-c.h"
#include "lib/api/codec.h"
#include "lib/base/error.h"

#define POD &core__v1__pod__descriptor
#define SPEC &core__v1__pod_spec__descriptor
#define CONTAINER &core__v1__container__descriptor
#define VOLUME &core__v1__volume__descriptor
#define PROBE &core__v1__probe__descriptor
#define SERVICE_PORT &core__v1__service_port__descriptor
#define CONFIG_MAP &core__v1__config_map__descriptor
#define SECRET &core__v1__secret__descriptor
#define META &meta__v1__object_meta__descriptor
#define RESOURCES &core__v1__resource_requirements__descriptor

/* A text is decoded as a type and gives this JSON. */
static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *type;
    const char *text;
    const char *json;
} values[] = {
    {"empty mapping", SPEC, "{}", "{}"},
    {"null is absent", CONTAINER, "name: a\nimage: null\nargs: ~\n", "{\"name\":\"a\"}"},
    {"empty value is absent", CONTAINER, "name: a\nimage:\n", "{\"name\":\"a\"}"},
    {"empty string stays", CONTAINER, "image: ''\n", "{\"image\":\"\"}"},
    {"empty list is absent", CONTAINER, "args: []\n", "{}"},
    {"JSON", CONTAINER, "{\"name\": \"a\", \"args\": [\"x\", \"y\"]}", "{\"args\":[\"x\",\"y\"],\"name\":\"a\"}"},
    {"JSON escapes", CONTAINER, "{\"name\": \"\\ud83d\\ude00\\u00e9\\n\\/\"}",
     "{\"name\":\"\xF0\x9F\x98\x80\xC3\xA9\\n/\"}"},
    {"flow YAML that begins like JSON", CONTAINER, "{name: a, args: [x]}", "{\"args\":[\"x\"],\"name\":\"a\"}"},
    {"byte order mark", CONTAINER, "\xEF\xBB\xBFname: a", "{\"name\":\"a\"}"},
    {"apiVersion and kind on a kind", POD, "apiVersion: v1\nkind: Pod\n", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}"},
    {"and without", POD, "metadata: {name: a}",
     "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}"},
    {"no kind inside a reference", &core__v1__object_reference__descriptor, "{kind: Pod, apiVersion: x/v9}",
     "{\"apiVersion\":\"x/v9\",\"kind\":\"Pod\"}"},
    {"yes is true", CONTAINER, "stdin: yes\ntty: off\nstdinOnce: True",
     "{\"stdin\":true,\"stdinOnce\":true,\"tty\":false}"},
    {"quoted yes is a string", CONTAINER, "name: \"yes\"", "{\"name\":\"yes\"}"},
    {"!!str", CONTAINER, "name: !!str 12", "{\"name\":\"12\"}"},
    {"dates are strings", CONTAINER, "name: 2026-01-31", "{\"name\":\"2026-01-31\"}"},
    {"octal", &core__v1__key_to_path__descriptor, "mode: 0644", "{\"mode\":420}"},
    {"0o octal", &core__v1__key_to_path__descriptor, "mode: 0o644", "{\"mode\":420}"},
    {"hexadecimal", &core__v1__key_to_path__descriptor, "mode: 0x1F", "{\"mode\":31}"},
    {"binary, signed", &core__v1__key_to_path__descriptor, "mode: -0b101", "{\"mode\":-5}"},
    {"grouped digits", &core__v1__key_to_path__descriptor, "mode: 1_000", "{\"mode\":1000}"},
    {"08 is eight", &core__v1__key_to_path__descriptor, "mode: 08", "{\"mode\":8}"},
    {"int32 ends", &core__v1__container_resize_policy__descriptor, "{}", "{}"},
    {"least int32", &core__v1__key_to_path__descriptor, "mode: -2147483648", "{\"mode\":-2147483648}"},
    {"int64", &core__v1__sleep_action__descriptor, "seconds: 9223372036854775807", "{\"seconds\":9223372036854775807}"},
    {"int or string: int", SERVICE_PORT, "targetPort: 80", "{\"targetPort\":80}"},
    {"int or string: string", SERVICE_PORT, "targetPort: http", "{\"targetPort\":\"http\"}"},
    {"int or string: digits in quotes", SERVICE_PORT, "targetPort: '80'", "{\"targetPort\":\"80\"}"},
    {"percentage", &apps__v1__rolling_update_deployment__descriptor, "maxSurge: 25%", "{\"maxSurge\":\"25%\"}"},
    {"quantities as written", RESOURCES, "limits: {cpu: 1500m, memory: 1.50Gi, a: 1, b: 0.5, c: 1e9, d: .5, e: '1'}",
     "{\"limits\":{\"a\":\"1\",\"b\":\"0.5\",\"c\":\"1e9\",\"cpu\":\"1500m\",\"d\":\"0.5\",\"e\":\"1\",\"memory\":\"1.50Gi\"}}"},
    {"time", META, "creationTimestamp: 2026-01-31T12:00:00Z", "{\"creationTimestamp\":\"2026-01-31T12:00:00Z\"}"},
    {"time: offset and decimals", META, "creationTimestamp: '2026-01-31T14:00:00.9+02:00'",
     "{\"creationTimestamp\":\"2026-01-31T12:00:00Z\"}"},
    {"time: null", META, "creationTimestamp: null", "{}"},
    {"time before 1970", META, "creationTimestamp: 1969-12-31T23:59:59.5Z",
     "{\"creationTimestamp\":\"1969-12-31T23:59:59Z\"}"},
    {"micro time", &core__v1__event_series__descriptor, "lastObservedTime: 2026-01-31T12:00:00.1234567Z",
     "{\"lastObservedTime\":\"2026-01-31T12:00:00.123456Z\"}"},
    {"maps are sorted", META, "labels: {b: '2', a.b/c: '1'}", "{\"labels\":{\"a.b/c\":\"1\",\"b\":\"2\"}}"},
    {"map keys are names, whatever they look like", CONFIG_MAP, "data: {8080: a, on: b, 0x10: c, true: d}",
     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"0x10\":\"c\",\"8080\":\"a\",\"on\":\"b\",\"true\":\"d\"}}"},
    {"null in a string map is empty", CONFIG_MAP, "data: {a: }",
     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"a\":\"\"}}"},
    {"bytes", SECRET, "data: {a: aGVsbG8=, b: ''}",
     "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"aGVsbG8=\",\"b\":\"\"}}"},
    {"folded bytes", SECRET, "data:\n  a: |\n    aGVs\n    bG8=\n",
     "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"aGVsbG8=\"}}"},
    {"inline volume source", VOLUME, "name: v\nemptyDir: {}", "{\"emptyDir\":{},\"name\":\"v\"}"},
    {"inline reference", VOLUME, "configMap: {name: c, items: [{key: a}]}",
     "{\"configMap\":{\"items\":[{\"key\":\"a\"}],\"name\":\"c\"}}"},
    {"inline handler", PROBE, "httpGet: {port: 80}\nperiodSeconds: 1",
     "{\"httpGet\":{\"port\":80},\"periodSeconds\":1}"},
    {"inline container", &core__v1__ephemeral_container__descriptor, "name: a\ntargetContainerName: b",
     "{\"name\":\"a\",\"targetContainerName\":\"b\"}"},
    {"raw fields", &meta__v1__managed_fields_entry__descriptor,
     "fieldsV1: {\"f:metadata\": {\"b\": [1.50, null], \"a\": \"x\"}}",
     "{\"fieldsV1\":{\"f:metadata\":{\"b\":[1.50,null],\"a\":\"x\"}}}"},
    {"raw extension", &runtime__raw_extension__descriptor, "[1, {a: no}]", "[1,{\"a\":false}]"},
    {"anchor and alias", CONTAINER, "command: &c [a, b]\nargs: *c",
     "{\"args\":[\"a\",\"b\"],\"command\":[\"a\",\"b\"]}"},
    {"merge key", SPEC, "containers:\n- &a {name: a, image: i}\n- {<<: *a, name: b}\n",
     "{\"containers\":[{\"image\":\"i\",\"name\":\"a\"},{\"image\":\"i\",\"name\":\"b\"}]}"},
    {"merge list: the first wins", SPEC, "containers:\n- &a {name: a}\n- &b {name: b, image: i}\n- {<<: [*a, *b]}\n",
     "{\"containers\":[{\"name\":\"a\"},{\"image\":\"i\",\"name\":\"b\"},{\"image\":\"i\",\"name\":\"a\"}]}"},
    {"enum and proto3", &etcdserverpb__compare__descriptor, "{result: GREATER, target: 1, key: YQ==}",
     "{\"key\":\"YQ==\",\"result\":\"GREATER\",\"target\":\"CREATE\"}"},
    {"oneof", &etcdserverpb__compare__descriptor, "mod_revision: 7", "{\"mod_revision\":7}"},
};

static void test_values(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_test_message("%s", values[i].name);
        g_autoptr(GError) error = NULL;
        ProtobufCMessage *message = api_decode(values[i].type, values[i].text, strlen(values[i].text), "f", &error);
        g_assert_no_error(error);
        g_autofree char *json = api_encode(message, API_FORMAT_JSON);
        g_assert_cmpstr(json, ==, values[i].json);
        api_message_free(message);
    }
}

/* A text is refused with this message. */
static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *text;
    const char *message;
} faults[] = {
    {CONTAINER, "name: a\nimge: b\n", "f:2:1: imge: unknown field (did you mean \"image\"?)"},
    {CONTAINER, "  {\"name\": \"a\",\n   \"imge\": 1}", "f:2:4: imge: unknown field (did you mean \"image\"?)"},
    {CONTAINER, "Image: b\n", "f:1:1: Image: unknown field (did you mean \"image\"?)"},
    {CONTAINER, "zzz: b\n", "f:1:1: zzz: unknown field"},
    {VOLUME, "volumeSource: {}\n", "f:1:1: volumeSource: unknown field"},
    {VOLUME, "emtyDir: {}\n", "f:1:1: emtyDir: unknown field (did you mean \"emptyDir\"?)"},
    {SPEC, "containers:\n- name: a\n  ports:\n  - contianerPort: 1\n",
     "f:4:5: containers[0].ports[0].contianerPort: unknown field (did you mean \"containerPort\"?)"},
    {CONTAINER, "name: a\nname: b\n", "f:2:1: name: given twice (first in line 1)"},
    {CONTAINER, "{\"name\": \"a\", \"name\": \"a\"}", "f:1:15: name: given twice (first in line 1)"},
    {META, "labels:\n  a/b: x\n  a/b: y\n", "f:3:3: labels[a/b]: given twice (first in line 2)"},
    {&meta__v1__managed_fields_entry__descriptor, "fieldsV1: {a: [{b: 1, b: 2}]}",
     "f:1:23: fieldsV1.a[0].b: given twice (first in line 1)"},
    {CONTAINER, "name: 8080", "f:1:7: name: expected a string, found the number 8080; in quotes it is one: \"8080\""},
    {CONTAINER, "name: 0644", "f:1:7: name: expected a string, found the number 420; in quotes it is one: \"0644\""},
    {CONTAINER, "name: yes", "f:1:7: name: expected a string, found true; in quotes it is one: \"yes\""},
    {CONTAINER, "name: [a]", "f:1:7: name: expected a string, found a list"},
    {CONTAINER, "args: a", "f:1:7: args: expected a list, found the string \"a\""},
    {CONTAINER, "args: [a, null]", "f:1:11: args[1]: expected a string, found null"},
    {CONTAINER, "resources: 1", "f:1:12: resources: expected a mapping, found the number 1"},
    {CONTAINER, "stdin: 'true'",
     "f:1:8: stdin: expected true or false, found the string \"true\"; leave out the quotes"},
    {CONTAINER, "stdin: maybe", "f:1:8: stdin: expected true or false, found the string \"maybe\""},
    {SERVICE_PORT, "port: '80'", "f:1:7: port: expected a whole number, found the string \"80\"; leave out the quotes"},
    {SERVICE_PORT, "port: 80.5", "f:1:7: port: expected a whole number, found the number 80.5"},
    {SERVICE_PORT, "port: 3000000000", "f:1:7: port: 3000000000 is out of range"},
    {SERVICE_PORT, "port: .inf", "f:1:7: .inf is no number that JSON can hold"},
    {SERVICE_PORT, "targetPort: 1.5",
     "f:1:13: targetPort: expected a whole number of 32 bits or a string, found the number 1.5"},
    {RESOURCES, "limits:\n  memory: 12Q\n",
     "f:2:11: limits.memory: expected a quantity such as 500m, 2 or 1.5Gi, found the string \"12Q\""},
    {RESOURCES, "limits: {cpu: }", "f:1:15: limits.cpu: expected a quantity such as 500m, 2 or 1.5Gi, found null"},
    {META, "creationTimestamp: yesterday",
     "f:1:20: creationTimestamp: expected a time such as 2026-01-31T12:00:00Z, found the string \"yesterday\""},
    {SECRET, "data: {a: '###'}", "f:1:11: data.a: expected bytes as a base64 string: this is no base64 text"},
    {SECRET, "data: {a: abc}", "f:1:11: data.a: expected bytes as a base64 string: this is no base64 text"},
    {SECRET, "data: {a: 1234}",
     "f:1:11: data.a: expected bytes as a base64 string, found the number 1234; in quotes it is one: \"1234\""},
    {POD, "kind: Service", "f:1:7: kind: expected \"Pod\", found the string \"Service\""},
    {POD, "apiVersion: 1", "f:1:13: apiVersion: expected \"v1\", found the number 1"},
    {CONTAINER, "- a", "f:1:1: expected a mapping, found a list"},
    {CONTAINER, "", "f: expected one value, found 0"},
    {CONTAINER, "{}\n---\n{}\n", "f: expected one value, found 2"},
    {CONTAINER, "name:\n\timage: b\n",
     "f:2:1: found character that cannot start any token (a tab; YAML is indented by spaces) while scanning for the next "
     "token"},
    {CONTAINER, "name: *x", "f:1:7: no anchor &x before this"},
    {CONTAINER, "args: &a [*a]", "f:1:11: the anchor &a contains itself"},
    {CONTAINER, "<<: 1", "f:1:1: << needs a mapping or a list of mappings"},
    {CONTAINER, "name: !!binary YQ==", "f:1:7: the tag tag:yaml.org,2002:binary is not supported"},
    {CONTAINER, "stdin: !!bool 3", "f:1:8: \"3\" does not fit its tag tag:yaml.org,2002:bool"},
    {CONTAINER, "? [a]\n: b", "f:1:3: a mapping key must be a string"},
    {CONTAINER, "~: b", "f:1:1: a mapping key is missing or null"},
    {CONTAINER, "name: \"\\0\"", "f:1:7: a NUL character, which no string of an object may hold"},
    {CONTAINER, "name: a\nimage: \xFF", "f:2:8: byte 0xff: the text is not UTF-8"},
    {CONTAINER, "name: a\nimage: \x01", "f:2:8: control characters are not allowed"},
    {CONTAINER, "{\"name\": \"a\",}\n,", "f:1:14: expected a name in double quotes"},
    {CONTAINER, "{\"name\": \"a\"", "f:1:13: the text ends in the middle of a JSON value"},
    {CONTAINER, "{\"name\": \"\\ud83d\"}", "f:1:17: a \\u escape that is no character"},
    {CONTAINER, "{\"name\": \"\\u0000\"}", "f:1:17: a \\u escape that is no character"},
    {CONTAINER, "{\"name\": \"\\x\"}", "f:1:12: an escape that JSON does not know"},
    {CONTAINER, "{\"name\": 1.}\n\"", "f:1:12: a number needs a digit after its point"},
    {CONTAINER, "{\"na\xC3\xA4me\": tru}\n\"", "f:1:11: no JSON value begins like this"},
    {&etcdserverpb__compare__descriptor, "{version: 1, lease: 2}",
     "f:1:14: lease: excludes version, which is given as well"},
    {&etcdserverpb__compare__descriptor, "{result: BIGGER}",
     "f:1:10: result: expected the name of a value, found the string \"BIGGER\""},
};

static void test_faults(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_test_message("%s", faults[i].text);
        g_autoptr(GError) error = NULL;
        g_assert_null(api_decode(faults[i].type, faults[i].text, strlen(faults[i].text), "f", &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        g_assert_cmpstr(error->message, ==, faults[i].message);
    }
}

static void test_several_faults(void)
{
    static const char text[] = "a1: 1\na2: 1\na3: 1\na4: 1\na5: 1\na6: 1\na7: 1\na8: 1\na9: 1\nb1: 1\nb2: 1\nb3: 1\n";
    g_autoptr(GError) error = NULL;
    g_assert_null(api_decode(SPEC, text, strlen(text), "f", &error));
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 11);
    g_assert_cmpstr(lines[0], ==, "f:1:1: a1: unknown field");
    g_assert_cmpstr(lines[9], ==, "f:10:1: b1: unknown field");
    g_assert_cmpstr(lines[10], ==, "f: and 2 more");
    const GPtrArray *causes = cleat_error_causes(error);
    g_assert_cmpuint(causes->len, ==, 10);
    g_assert_cmpstr(((CleatCause *)causes->pdata[1])->field, ==, "a2");
}

/* Texts of many documents: "kind/name@line ..." or the error. */
static const struct {
    const char *text;
    const char *result;
} streams[] = {
    {"", ""},
    {"# nothing\n---\n---\n", ""},
    {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: b\n",
     "Pod/a@1 Deployment/b@6"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}\n"
     "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"b\"}}",
     "Pod/a@1 Node/b@2"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}\n---\napiVersion: v1\nkind: Node\n", "Pod/@1 Node/@3"},
    {"apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n- {apiVersion: v1, kind: Pod}\n"
     "- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n",
     "Pod/@5 Service/s@6"},
    {"apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n- {kind: Pod, apiVersion: v1}\n", "Pod/a@4 Pod/@5"},
    {"apiVersion: v1\nkind: List\n", ""},
    {"kind: Pod", "f:1:1: apiVersion: missing; every object needs it"},
    {"apiVersion: v1\nkind: 3", "f:2:7: kind: expected a string"},
    {"{}", "f:1:1: apiVersion: missing; every object needs it\nf:1:1: kind: missing; every object needs it"},
    {"apiVersion: v1\nkind: Pood\n", "f:2:1: no kind \"Pood\" in apiVersion \"v1\" (did you mean \"Pod\"?)"},
    {"apiVersion: example.com/v1\nkind: Gizmo\n", "f:2:1: no kind \"Gizmo\" in apiVersion \"example.com/v1\""},
    {"apiVersion: extensions/v1beta1\nkind: Deployment\n",
     "f:2:1: kind Deployment is in apiVersion apps/v1, not in extensions/v1beta1"},
    {"- a\n", "f:1:1: expected an object (a mapping with apiVersion and kind), found a list"},
    {"apiVersion: v1\nkind: List\nitem: []\n", "f:3:1: item: unknown field (did you mean \"items\"?)"},
    {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec: {nodeNam: x}\n- {apiVersion: v1, kind: Pod, spc: 1}\n",
     "f:6:10: items[0].spec.nodeNam: unknown field (did you mean \"nodeName\"?)\n"
     "f:7:31: items[1].spc: unknown field (did you mean \"spec\"?)"},
};

static void test_streams(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(streams); i++) {
        g_test_message("%s", streams[i].text);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) manifests = api_decode_manifests(streams[i].text, strlen(streams[i].text), "f", &error);
        g_autoptr(GString) result = g_string_new(error ? error->message : "");
        for (guint j = 0; manifests && j < manifests->len; j++) {
            const ApiManifest *manifest = manifests->pdata[j];
            g_string_append_printf(result, "%s%s/%s@%d", j ? " " : "", manifest->resource->kind,
                                   api_object_name(manifest->object), manifest->line);
        }
        g_assert_cmpstr(result->str, ==, streams[i].result);
    }
}

/* Nesting and aliases that would take memory or stack without end. */
static void test_bombs(void)
{
    g_autoptr(GString) deep = g_string_new(NULL), laughs = g_string_new("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 0; i < 20000; i++)
        g_string_append(deep, "[");
    for (int i = 1; i < 12; i++) {
        g_string_append_printf(laughs, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            g_string_append_printf(laughs, "%s*a%d", j ? "," : "", i - 1);
        g_string_append(laughs, "]\n");
    }
    g_autofree char *deep_yaml = g_strconcat("a: ", deep->str, NULL);
    const struct {
        const char *text;
        const char *message;
    } bombs[] = {
        {deep->str, "f:1:101: nested too deeply"},
        {deep_yaml, "f:1:103: nested too deeply"},
        {laughs->str, "f:5:38: the aliases stand for more than 100000 values"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bombs); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(api_decode(SPEC, bombs[i].text, strlen(bombs[i].text), "f", &error));
        g_assert_cmpstr(error->message, ==, bombs[i].message);
    }
}

static const char pod_yaml[] = "apiVersion: v1\n"
                               "kind: Pod\n"
                               "metadata:\n"
                               "  annotations:\n"
                               "    empty: \"\"\n"
                               "    number: \"8080\"\n"
                               "    text: |\n"
                               "      first\n"
                               "        second\n"
                               "    word: \"yes\"\n"
                               "  creationTimestamp: \"2026-01-31T12:00:00Z\"\n"
                               "  name: web\n"
                               "spec:\n"
                               "  containers:\n"
                               "  - args:\n"
                               "    - -c\n"
                               "    - 'echo: \"$HOME\" # no comment'\n"
                               "    - '*.txt'\n"
                               "    image: busybox:1.36\n"
                               "    name: a\n"
                               "    ports:\n"
                               "    - containerPort: 80\n"
                               "    resources:\n"
                               "      limits:\n"
                               "        cpu: 500m\n"
                               "        memory: 1Gi\n"
                               "  volumes:\n"
                               "  - emptyDir: {}\n"
                               "    name: v\n";

static const char pod_json[] = "{\n"
                               "    \"apiVersion\": \"v1\",\n"
                               "    \"kind\": \"Pod\",\n"
                               "    \"spec\": {\n"
                               "        \"containers\": [\n"
                               "            {\n"
                               "                \"args\": [\n"
                               "                    \"a\\\"\\\\\\n\\u0001\"\n"
                               "                ],\n"
                               "                \"tty\": true\n"
                               "            }\n"
                               "        ],\n"
                               "        \"securityContext\": {}\n"
                               "    }\n"
                               "}\n";

/* What is printed is what kubectl prints: these texts come back as they are. */
static void test_layout(void)
{
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *pod = api_decode(POD, pod_yaml, strlen(pod_yaml), "f", &error);
    g_assert_no_error(error);
    g_autofree char *yaml = api_encode(pod, API_FORMAT_YAML);
    g_assert_cmpstr(yaml, ==, pod_yaml);
    api_message_free(pod);
    pod = api_decode(POD, pod_json, strlen(pod_json), "f", &error);
    g_assert_no_error(error);
    g_autofree char *json = api_encode(pod, API_FORMAT_JSON_PRETTY);
    g_assert_cmpstr(json, ==, pod_json);
    api_message_free(pod);
}

static void test_list(void)
{
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    API_AUTO(Core__V1__Node) node = API_NEW(Core__V1__Node, core__v1__node);
    const ProtobufCMessage *objects[] = {&pod->base, &node->base};
    g_autofree char *yaml = api_encode_list(objects, 2, API_FORMAT_YAML);
    g_assert_cmpstr(
        yaml, ==,
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n- apiVersion: v1\n  kind: Node\n"
        "metadata:\n  resourceVersion: \"\"\n");
    g_autofree char *none = api_encode_list(NULL, 0, API_FORMAT_JSON);
    g_assert_cmpstr(none, ==,
                    "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[],\"metadata\":{\"resourceVersion\":\"\"}}");
}

/* What nobody has checked is printed nevertheless. */
static void test_not_utf8(void)
{
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    api_label_set(api_meta(&pod->base), "k\xFF", "v\xC3");
    g_autofree char *json = api_encode(&pod->base, API_FORMAT_JSON);
    g_assert_cmpstr(
        json, ==,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"labels\":{\"k\xEF\xBF\xBD\":\"v\xEF\xBF\xBD\"}}}");
    g_autofree char *yaml = api_encode(&pod->base, API_FORMAT_YAML);
    g_assert_nonnull(strstr(yaml, "    k\xEF\xBF\xBD: v\xEF\xBF\xBD\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/codec/values", test_values);
    g_test_add_func("/codec/faults", test_faults);
    g_test_add_func("/codec/several-faults", test_several_faults);
    g_test_add_func("/codec/streams", test_streams);
    g_test_add_func("/codec/bombs", test_bombs);
    g_test_add_func("/codec/layout", test_layout);
    g_test_add_func("/codec/list", test_list);
    g_test_add_func("/codec/not-utf8", test_not_utf8);
    return g_test_run();
}
