#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/dns.h"
#include "agent/log-service.h"
#include "agent/node.h"
#include "agent/pods.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"

#define RUNTIME_POLL_MS 5000
#define DRAIN_MS 100

struct Agent {
    const AgentConfig *config;
    int lock;
    char *instance;
    NodeFacts *facts;
    Runtime__V1__DNSConfig *dns;
    CgroupTree *cgroups;
    ClientConfig *client_config;
    Client *client;
    ClientEvents *events;
    Cri *cri;
    Images *images;
    Objects *objects;
    PodEnv env;
    Pods *pods;
    Node *node;
    Runtime *runtime;
    LogService *logs;
    gboolean refused;
};

/* --- who we are -------------------------------------------------------------------------------------------------------*/

/* One agent per folder: two would fight over its pods. */
static gboolean take_lock(Agent *agent, GError **error)
{
    g_autofree char *path = g_build_filename(agent->config->root_dir, "lock", NULL);
    if (g_mkdir_with_parents(agent->config->root_dir, 0750) < 0 ||
        (agent->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "open %s: %s", path, g_strerror(errno));
        return FALSE;
    }
    if (flock(agent->lock, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                "another agent works in %s: stop it, or give this one another --root-dir", agent->config->root_dir);
    return FALSE;
}

/* The id under which this machine holds its node's name; made once, kept in the agent's folder. */
static gboolean read_instance(Agent *agent, GError **error)
{
    g_autofree char *path = g_build_filename(agent->config->root_dir, "instance-id", NULL);
    g_autofree char *text = NULL;
    if (g_file_get_contents(path, &text, NULL, NULL) && g_uuid_string_is_valid(g_strstrip(text))) {
        agent->instance = g_strdup_printf("%s_%s", agent->config->node_name, text);
        return TRUE;
    }
    g_autofree char *uuid = g_uuid_string_random();
    agent->instance = g_strdup_printf("%s_%s", agent->config->node_name, uuid);
    return g_file_set_contents(path, uuid, -1, error);
}

static gboolean read_machine(Agent *agent, GError **error)
{
    g_autofree char *resolv_conf = NULL;
    g_autofree char *pods = g_build_filename(agent->config->root_dir, "pods", NULL);
    if (g_mkdir_with_parents(pods, 0750) < 0 || g_mkdir_with_parents(agent->config->log_dir, 0755) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make %s and %s: %s", pods, agent->config->log_dir,
                    g_strerror(errno));
        return FALSE;
    }
    agent->facts = node_facts_read(agent->config->root_dir);
    g_file_get_contents(agent->config->resolv_conf, &resolv_conf, NULL, NULL);
    agent->dns = dns_parse_resolv_conf(resolv_conf ? resolv_conf : "");
    agent->cgroups = cgroup_tree_new(agent->config->cgroup_mount, agent->config->cgroup_root, error);
    return agent->cgroups && cgroup_setup(agent->cgroups, error);
}

/* --- what the parts tell ----------------------------------------------------------------------------------------------*/

static void on_runtime_changed(const char *id, gboolean exited, gpointer data)
{
    Agent *agent = data;
    pods_runtime_changed(agent->pods, id, exited);
}

static void on_runtime_resync(gpointer data)
{
    Agent *agent = data;
    pods_resync(agent->pods);
}

static void on_runtime_state(gpointer data)
{
    Agent *agent = data;
    RuntimeReadiness readiness = runtime_readiness(agent->runtime);
    if (readiness.runtime && readiness.network)
        log_info("runtime %s %s is ready", runtime_name(agent->runtime), runtime_version(agent->runtime));
    else
        log_warning("%s", readiness.message);
    node_set_runtime(agent->node, agent->runtime);
    pods_wake_all(agent->pods);
}

static void on_registered(gpointer data)
{
    Agent *agent = data;
    log_info("node %s is registered", agent->config->node_name);
    pods_follow(agent->pods);
}

static void on_refused(const char *why, gpointer data)
{
    Agent *agent = data;
    log_error("%s", why);
    agent->refused = TRUE;
    loop_quit();
}

static void on_poked(gpointer data)
{
    Agent *agent = data;
    if (agent->logs)
        log_service_poke(agent->logs);
}

/* --- life -------------------------------------------------------------------------------------------------------------*/

static gboolean connect_api(Agent *agent, GError **error)
{
    agent->client_config = client_config_load(agent->config->config_file, NULL, error);
    if (!agent->client_config)
        return FALSE;
    agent->client = client_new(agent->client_config, "cleat-agent", NULL, error);
    if (!agent->client)
        return FALSE;
    agent->events = client_events_new(agent->client, "cleat-agent", agent->config->node_name);
    return TRUE;
}

static void start_parts(Agent *agent)
{
    static const RuntimeHandlers handlers = {on_runtime_changed, on_runtime_resync, on_runtime_state};
    agent->images = images_new(agent->cri);
    agent->objects = objects_new(agent->client);
    agent->env = (PodEnv){
        .config = agent->config,
        .facts = agent->facts,
        .client = agent->client,
        .events = agent->events,
        .cri = agent->cri,
        .images = agent->images,
        .objects = agent->objects,
        .cgroups = agent->cgroups,
        .node_dns = agent->dns,
    };
    agent->pods = pods_new(&agent->env, on_poked, agent);
    NodeOptions options = {
        .client = agent->client,
        .config = agent->config,
        .facts = agent->facts,
        .instance = agent->instance,
        .registered = on_registered,
        .refused = on_refused,
        .data = agent,
    };
    agent->node = node_new(&options);
    agent->runtime = runtime_new(agent->cri, client_context(agent->client), RUNTIME_POLL_MS, &handlers, agent);
    agent->env.runtime = agent->runtime;
}

static gboolean serve_logs(Agent *agent, GError **error)
{
    if (!agent->config->listen)
        return TRUE;
    agent->logs = log_service_new(agent->config, agent->pods, client_context(agent->client), error);
    return agent->logs != NULL;
}

Agent *agent_new(const AgentConfig *config, GError **error)
{
    Agent *agent = g_new0(Agent, 1);
    agent->config = config;
    agent->lock = -1;
    if (take_lock(agent, error) && read_instance(agent, error) && read_machine(agent, error) &&
        connect_api(agent, error) &&
        (agent->cri = cri_new(config->runtime_endpoint, client_context(agent->client), error))) {
        start_parts(agent);
        if (serve_logs(agent, error))
            return agent;
    }
    agent_free(agent);
    return NULL;
}

static gboolean set_true(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Lets calls that were cancelled tell their end, which frees what they hold. */
static void drain_loop(void)
{
    gboolean over = FALSE;
    g_timeout_add(DRAIN_MS, set_true, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}

void agent_free(Agent *agent)
{
    if (!agent)
        return;
    log_service_free(agent->logs);
    runtime_free(agent->runtime);
    node_free(agent->node);
    pods_free(agent->pods);
    images_free(agent->images);
    objects_free(agent->objects);
    cri_free(agent->cri);
    if (agent->events)
        client_events_free(agent->events);
    client_free(agent->client);
    drain_loop();
    client_config_free(agent->client_config);
    cgroup_tree_free(agent->cgroups);
    API_FREE(agent->dns);
    node_facts_free(agent->facts);
    g_free(agent->instance);
    if (agent->lock >= 0)
        close(agent->lock);
    g_free(agent);
}

gboolean agent_was_refused(const Agent *agent)
{
    return agent->refused;
}
