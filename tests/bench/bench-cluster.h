/* What the benchmarks of the server share: connections from a kubeconfig, pods of ordinary size, raw etcd. */
#pragma once

#include "bench.h"
#include "cleat/v1/core.pb-c.h"
#include "client/client.h"
#include "foreign/etcd/rpc.pb-c.h"

/* Clients with a connection each. */
typedef struct {
    Client **clients;
    RpcChannel **channels; /* theirs */
    guint n;
} BenchConnections;

static inline BenchConnections bench_connect(const char *config_file, guint n)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ClientConfig) config = client_config_load(config_file, NULL, &error);
    if (!config)
        bench_fail("configuration", error);
    BenchConnections all = {g_new0(Client *, n), g_new0(RpcChannel *, n), n};
    for (guint i = 0; i < n; i++) {
        all.clients[i] = client_new(config, "bench", NULL, &error);
        if (!all.clients[i])
            bench_fail("connection", error);
        all.channels[i] = client_channel(all.clients[i]);
    }
    return all;
}

static inline void bench_disconnect(BenchConnections *all)
{
    for (guint i = 0; i < all->n; i++)
        client_free(all->clients[i]);
    g_free(all->clients);
    g_free(all->channels);
}

static inline RpcChannel **bench_etcd_connect(const char *address, guint n)
{
    const char *addresses[] = {address, NULL};
    RpcChannelOptions options = {.addresses = addresses};
    RpcChannel **channels = g_new0(RpcChannel *, n);
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < n; i++) {
        channels[i] = rpc_channel_new(&options, &error);
        if (!channels[i])
            bench_fail("etcd", error);
    }
    return channels;
}

static inline void bench_etcd_disconnect(RpcChannel **channels, guint n)
{
    for (guint i = 0; i < n; i++)
        rpc_channel_unref(channels[i]);
    g_free(channels);
}

/* A call that must succeed. New bytes. */
static inline GBytes *bench_call_sync(RpcChannel *channel, const char *method, const ProtobufCMessage *request)
{
    g_autoptr(GBytes) bytes = api_message_pack(request);
    g_autoptr(GError) error = NULL;
    GBytes *reply = rpc_unary_sync(channel, method, bytes, NULL, &error);
    if (!reply)
        bench_fail(method, error);
    return reply;
}

/* --- pods -------------------------------------------------------------------------------------------------------------*/

#define BENCH_NAMESPACE "bench"

static inline void bench_make_namespace(Client *client)
{
    API_AUTO(Core__V1__Namespace) object = API_NEW(Core__V1__Namespace, core__v1__namespace);
    API_META(object)->name = g_strdup(BENCH_NAMESPACE);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) created = client_create_sync(client, &object->base, &error);
    if (!created && !cleat_error_is(error, CLEAT_ERROR_ALREADY_EXISTS))
        bench_fail("namespace", error);
}

/* The pod that a Deployment of a web service would make: labels, an owner, ports, environment, probes' worth of text. Nobody
 * schedules it: it has a scheduler's name that no scheduler has. */
static inline Core__V1__Pod *bench_pod_new(void)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    meta->namespace_ = g_strdup(BENCH_NAMESPACE);
    api_label_set(meta, "app.kubernetes.io/name", "web");
    api_label_set(meta, "app.kubernetes.io/component", "frontend");
    api_label_set(meta, "pod-template-hash", "7d4b9c6f5b");
    api_annotation_set(meta, "example.com/description",
                       "a pod of ordinary size, as a Deployment makes them by the dozen");
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    pod->spec->schedulername = g_strdup("nobody");
    pod->spec->restartpolicy = g_strdup("Always");
    Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
    container->name = g_strdup("web");
    container->image = g_strdup("registry.example.com/team/web-frontend:1.42.0");
    container->imagepullpolicy = g_strdup("IfNotPresent");
    static const char *const args[] = {"--listen=0.0.0.0:8080", "--log-format=json",
                                       "--upstream=http://backend:8080/api"};
    for (guint i = 0; i < G_N_ELEMENTS(args); i++)
        api_append(container->args, container->n_args, g_strdup(args[i]));
    for (guint i = 0; i < 5; i++) {
        Core__V1__EnvVar *variable = API_NEW(Core__V1__EnvVar, core__v1__env_var);
        variable->name = g_strdup_printf("FEATURE_FLAG_%u", i);
        variable->value = g_strdup("some-value-of-ordinary-length");
        api_append(container->env, container->n_env, variable);
    }
    Core__V1__ContainerPort *port = API_NEW(Core__V1__ContainerPort, core__v1__container_port);
    port->name = g_strdup("http");
    api_set_scalar(port, containerport, 8080);
    api_append(container->ports, container->n_ports, port);
    api_append(pod->spec->containers, pod->spec->n_containers, container);
    return pod;
}

/* Requests that create such pods: packed once, with a name of fixed length that each request writes over. */
#define BENCH_NAME_FORMAT "web-frontend-%03u-%08" G_GUINT64_FORMAT

typedef struct {
    GBytes *template;
    gsize name_at;
    guint round;
} BenchPods;

static inline char *bench_pod_name(const BenchPods *pods, guint64 i)
{
    return g_strdup_printf(BENCH_NAME_FORMAT, pods->round, i);
}

static inline BenchPods bench_pods(void)
{
    BenchPods pods = {0};
    API_AUTO(Core__V1__Pod) pod = bench_pod_new();
    pod->metadata->name = bench_pod_name(&pods, 0);
    Cleat__V1__CreatePodRequest request = CLEAT__V1__CREATE_POD_REQUEST__INIT;
    request.namespace_ = (char *)BENCH_NAMESPACE;
    request.object = pod;
    pods.template = api_message_pack(&request.base);
    gsize size;
    const guint8 *data = g_bytes_get_data(pods.template, &size);
    const guint8 *name = memmem(data, size, pod->metadata->name, strlen(pod->metadata->name));
    pods.name_at = (gsize)(name - data);
    return pods;
}

static inline void bench_pods_done(BenchPods *pods)
{
    g_bytes_unref(pods->template);
}

/* BenchRequest: creates pod i. data: BenchPods. */
static inline GBytes *bench_create_request(guint64 i, gpointer data)
{
    const BenchPods *pods = data;
    g_autofree char *name = bench_pod_name(pods, i);
    gsize size = g_bytes_get_size(pods->template);
    guint8 *bytes = g_memdup2(g_bytes_get_data(pods->template, NULL), size);
    memcpy(bytes + pods->name_at, name, strlen(name));
    return g_bytes_new_take(bytes, size);
}

/* BenchRequest: gets pod i. */
static inline GBytes *bench_get_request(guint64 i, gpointer data)
{
    g_autofree char *name = bench_pod_name(data, i);
    Cleat__V1__GetRequest request = CLEAT__V1__GET_REQUEST__INIT;
    request.namespace_ = (char *)BENCH_NAMESPACE;
    request.name = name;
    return api_message_pack(&request.base);
}

/* --- raw etcd ---------------------------------------------------------------------------------------------------------*/

typedef struct {
    const BenchPods *pods;
    char *prefix;  /* of the keys */
    GBytes *value; /* what the server stores for such a pod */
} BenchRaw;

/* BenchRequest: what the server sends to create a pod: one transaction, put if absent. */
static inline GBytes *bench_raw_request(guint64 i, gpointer data)
{
    const BenchRaw *raw = data;
    g_autofree char *name = bench_pod_name(raw->pods, i);
    g_autofree char *key = g_strconcat(raw->prefix, name, NULL);
    ProtobufCBinaryData key_bytes = {strlen(key), (guint8 *)key};
    Etcdserverpb__Compare compare = ETCDSERVERPB__COMPARE__INIT, *compares[] = {&compare};
    compare.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__MOD;
    compare.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION;
    compare.key = key_bytes;
    Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
    put.key = key_bytes;
    put.value.data = (guint8 *)g_bytes_get_data(raw->value, &put.value.len);
    Etcdserverpb__RequestOp op = ETCDSERVERPB__REQUEST_OP__INIT, *ops[] = {&op};
    op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    op.request_put = &put;
    Etcdserverpb__TxnRequest request = ETCDSERVERPB__TXN_REQUEST__INIT;
    request.n_compare = request.n_success = 1;
    request.compare = compares;
    request.success = ops;
    return api_message_pack(&request.base);
}

/* BenchRequest: reads the key of pod i. */
static inline GBytes *bench_raw_get_request(guint64 i, gpointer data)
{
    const BenchRaw *raw = data;
    g_autofree char *name = bench_pod_name(raw->pods, i);
    g_autofree char *key = g_strconcat(raw->prefix, name, NULL);
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = (ProtobufCBinaryData){strlen(key), (guint8 *)key};
    return api_message_pack(&request.base);
}

/* The value of a key; fails if it is not there. */
static inline GBytes *bench_etcd_value(RpcChannel *channel, const char *key)
{
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = (ProtobufCBinaryData){strlen(key), (guint8 *)key};
    g_autoptr(GBytes) bytes = bench_call_sync(channel, "/etcdserverpb.KV/Range", &request.base);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    Etcdserverpb__RangeResponse *reply = etcdserverpb__range_response__unpack(NULL, size, data);
    if (!reply || reply->n_kvs != 1) {
        errno = ENOENT;
        bench_fail(key, NULL);
    }
    GBytes *value = g_bytes_new(reply->kvs[0]->value.data, reply->kvs[0]->value.len);
    etcdserverpb__range_response__free_unpacked(reply, NULL);
    return value;
}

/* Removes all keys below a prefix that ends with '/'. */
static inline void bench_etcd_clear(RpcChannel *channel, const char *prefix)
{
    g_autofree char *end = g_strdup(prefix);
    end[strlen(end) - 1]++;
    Etcdserverpb__DeleteRangeRequest request = ETCDSERVERPB__DELETE_RANGE_REQUEST__INIT;
    request.key = (ProtobufCBinaryData){strlen(prefix), (guint8 *)prefix};
    request.range_end = (ProtobufCBinaryData){strlen(end), (guint8 *)end};
    g_bytes_unref(bench_call_sync(channel, "/etcdserverpb.KV/DeleteRange", &request.base));
}
