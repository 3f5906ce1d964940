/* cleat-scheduler: flags; the rest is in scheduler.c. */
#include "client/program.h"
#include "scheduler/scheduler.h"

static char *scheduler_name;

static const GOptionEntry entries[] = {
    {"name", 0, 0, G_OPTION_ARG_STRING, &scheduler_name, "Which spec.schedulerName to serve [default-scheduler]", "NAME"},
    {0},
};

static gpointer start(Client *client, GError **error)
{
    (void)error;
    return scheduler_new(client, scheduler_name ? scheduler_name : "default-scheduler");
}

static void lead(gpointer scheduler)
{
    scheduler_activate(scheduler);
}

static void stop(gpointer scheduler)
{
    scheduler_free(scheduler);
}

int main(int argc, char **argv)
{
    static const ClientProgram program = {
        .name = "cleat-scheduler",
        .summary = "- places pods on nodes",
        .entries = entries,
        .elects = TRUE,
        .start = start,
        .lead = lead,
        .stop = stop,
    };
    return client_program_main(&program, argc, argv);
}
