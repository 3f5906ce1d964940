#include "client/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/leader.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"

static char *config_file, *log_level_text;
static gboolean no_election, show_version;

static const GOptionEntry common_entries[] = {
    {"config", 0, 0, G_OPTION_ARG_FILENAME, &config_file, "How to reach the cluster (kubeconfig format)", "FILE"},
    {"log-level", 0, 0, G_OPTION_ARG_STRING, &log_level_text, "error, warning, info or debug [info]", "LEVEL"},
    {"version", 0, 0, G_OPTION_ARG_NONE, &show_version, "Print the version", NULL},
    {0},
};

static const GOptionEntry election_entries[] = {
    {"no-leader-election", 0, 0, G_OPTION_ARG_NONE, &no_election, "Be active at once: no other instance may run", NULL},
    {0},
};

typedef struct {
    const ClientProgram *program;
    gpointer component;
    int status;
} Running;

static void on_started(gpointer data)
{
    Running *running = data;
    log_info("leading");
    running->program->lead(running->component);
}

static void on_stopped(gpointer data)
{
    Running *running = data;
    log_error("no longer the leader: could not renew the lease in time; exiting so that a fresh process takes over");
    running->status = EXIT_FAILURE;
    loop_quit();
}

/* The component's life between start and stop. */
static void program_loop(Running *running, Client *client)
{
    const ClientProgram *program = running->program;
    ClientLeader *leader = NULL;
    if (program->elects && no_election) {
        program->lead(running->component);
    } else if (program->elects) {
        ClientLeaderOptions options = {
            .name = program->name, .started = on_started, .stopped = on_stopped, .data = running};
        leader = client_leader_new(client, &options);
    }
    int signal_number = loop_run();
    if (signal_number)
        log_info("%s: stopping", strsignal(signal_number));
    client_leader_free(leader);
    program->stop(running->component);
}

static int program_run(const ClientProgram *program, GError **error)
{
    g_autoptr(ClientConfig) config = client_config_load(config_file, NULL, error);
    if (!config)
        return EXIT_FAILURE;
    rpc_init(1);
    Running running = {.program = program, .status = EXIT_FAILURE};
    Client *client = client_new(config, program->name, NULL, error);
    if (client && (running.component = program->start(client, error))) {
        running.status = EXIT_SUCCESS;
        program_loop(&running, client);
    }
    client_free(client);
    rpc_shutdown();
    return running.status;
}

int client_program_main(const ClientProgram *program, int argc, char **argv)
{
    g_autoptr(GOptionContext) options = g_option_context_new(program->summary);
    g_option_context_add_main_entries(options, common_entries, NULL);
    if (program->elects)
        g_option_context_add_main_entries(options, election_entries, NULL);
    if (program->entries)
        g_option_context_add_main_entries(options, program->entries, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(options, &argc, &argv, &error)) {
        fprintf(stderr, "%s: %s\n", program->name, error->message);
        return EXIT_FAILURE;
    }
    if (argc > 1) {
        fprintf(stderr, "%s: unexpected argument \"%s\"; see --help\n", program->name, argv[1]);
        return EXIT_FAILURE;
    }
    if (show_version) {
        printf("%s %s\n", program->name, CLEAT_VERSION);
        return EXIT_SUCCESS;
    }
    LogLevel level = LOG_LEVEL_INFO;
    if (log_level_text && !log_level_parse(log_level_text, &level)) {
        fprintf(stderr, "%s: --log-level: \"%s\" is none of error, warning, info, debug\n", program->name, log_level_text);
        return EXIT_FAILURE;
    }
    log_setup(g_str_has_prefix(program->name, "cleat-") ? program->name + strlen("cleat-") : program->name, level);
    int status;
    if (program->instead && program->instead(&status))
        return status;
    status = program_run(program, &error);
    if (error)
        log_error("%s", error->message);
    return status;
}
