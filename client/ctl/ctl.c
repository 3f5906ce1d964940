#include "client/ctl/ctl.h"

#include <locale.h>
#include <string.h>

#include "client/ctl/verbs.h"
#include "lib/base/error.h"
#include "lib/rpc/rpc.h"

static const CtlVerb verbs[] = {
    {"get", "(TYPE[,TYPE...] [NAME...] | TYPE/NAME... | -f FILE)", "Show objects", verb_get},
    {"describe", "(TYPE [NAME...] | TYPE/NAME...)", "Show objects in detail, with their events", verb_describe},
    {"apply", "-f FILE", "Create objects, or change them to what a file says", verb_apply},
    {"create", "(-f FILE | KIND NAME ...)", "Create objects", verb_create},
    {"delete", "(TYPE NAME... | TYPE/NAME... | -f FILE | TYPE -l SELECTOR | TYPE --all)", "Delete objects",
     verb_delete},
    {"logs", "(POD | TYPE/NAME)", "Print the log of a container", verb_logs},
    {"scale", "(TYPE NAME | TYPE/NAME) --replicas=N", "Set the number of replicas", verb_scale},
    {"rollout", "(status | restart) (TYPE NAME | TYPE/NAME)", "Follow or restart a rollout", verb_rollout},
    {"wait", "(TYPE NAME... | TYPE/NAME... | TYPE -l SELECTOR | TYPE --all) --for=CONDITION",
     "Wait until objects are in a state", verb_wait},
    {"label", "(TYPE NAME... | TYPE/NAME...) KEY=VALUE... KEY-...", "Set or remove labels", verb_label},
    {"annotate", "(TYPE NAME... | TYPE/NAME...) KEY=VALUE... KEY-...", "Set or remove annotations", verb_annotate},
    {"convert", "-f FILE [-o yaml|json|protobuf]", "Check and convert files, without a server", verb_convert},
    {"api-resources", "", "List the kinds of objects", verb_api_resources},
    {"config", "(view | current-context | get-contexts | use-context NAME)", "Show or change how to reach clusters",
     verb_config},
    {"version", "", "Print the version", verb_version},
};

const CtlVerb *ctl_verbs(guint *ret_n)
{
    *ret_n = G_N_ELEMENTS(verbs);
    return verbs;
}

static void print_help(void)
{
    printf("ctl controls a Cleat cluster.\n\nUsage: ctl [FLAG...] VERB [ARGUMENT...]\n\nVerbs:\n");
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        printf("  %-14s %s\n", verbs[i].name, verbs[i].summary);
    printf("\nctl VERB --help tells more. Flags for all verbs:\n"
           "  --config FILE      kubeconfig file (default: $CLEAT_CONFIG, else ~/.config/cleat/config)\n"
           "  --context NAME     which of its contexts\n"
           "  --server ADDRESS   https://HOST:PORT or unix:///PATH; several are joined by commas\n"
           "  -n, --namespace N  default: that of the context, else \"default\"\n");
}

static void global_entries(Ctl *ctl, GOptionEntry *entries)
{
    const GOptionEntry made[] = {
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &ctl->config_file, "Configuration file (kubeconfig format)", "FILE"},
        {"kubeconfig", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &ctl->config_file, NULL, NULL},
        {"context", 0, 0, G_OPTION_ARG_STRING, &ctl->context, "Context of the configuration", "NAME"},
        {"server", 's', 0, G_OPTION_ARG_STRING, &ctl->server, "https://HOST:PORT or unix:///PATH, or several",
         "ADDRESS"},
        {"namespace", 'n', 0, G_OPTION_ARG_STRING, &ctl->namespace_flag, "Namespace", "NAME"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    memcpy(entries, made, sizeof made);
}
#define GLOBAL_ENTRIES 6

/* GOption knows no "--wait=false": such arguments are taken out here and their values set. */
static gboolean take_booleans(const GOptionEntry *entries, GStrvBuilder *out, const char *argument, GError **error)
{
    const char *equals = g_str_has_prefix(argument, "--") ? strchr(argument, '=') : NULL;
    for (const GOptionEntry *entry = entries; equals && entry && entry->long_name; entry++) {
        if (entry->arg != G_OPTION_ARG_NONE || strlen(entry->long_name) != (gsize)(equals - argument - 2) ||
            strncmp(entry->long_name, argument + 2, strlen(entry->long_name)) != 0)
            continue;
        gboolean yes = g_str_equal(equals + 1, "true"), no = g_str_equal(equals + 1, "false");
        if (!yes && !no) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "--%s: expected true or false, not \"%s\"",
                        entry->long_name, equals + 1);
            return FALSE;
        }
        *(gboolean *)entry->arg_data = yes;
        return TRUE;
    }
    g_strv_builder_add(out, argument);
    return TRUE;
}

char **ctl_parse(Ctl *ctl, const GOptionEntry *entries, int argc, char **argv, GError **error)
{
    g_autoptr(GStrvBuilder) kept = g_strv_builder_new();
    for (int i = 0; i < argc; i++) {
        if (!take_booleans(entries, kept, argv[i], error))
            return NULL;
    }
    GOptionEntry globals[GLOBAL_ENTRIES];
    global_entries(ctl, globals);
    g_autofree char *usage = g_strdup_printf("%s", ctl->verb->usage);
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_autofree char *program = g_strdup_printf("ctl %s", ctl->verb->name);
    g_option_context_set_summary(context, ctl->verb->summary);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, globals, NULL);
    char **args = g_strv_builder_end(kept);
    g_free(args[0]);
    args[0] = g_steal_pointer(&program);
    g_set_prgname(args[0]);
    if (!g_option_context_parse_strv(context, &args, error)) {
        g_strfreev(args);
        return NULL;
    }
    g_free(args[0]);
    memmove(args, args + 1, g_strv_length(args + 1) * sizeof *args + sizeof *args);
    return args;
}

void ctl_set_usage_error(Ctl *ctl, GError **error)
{
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "usage: ctl %s %s (see ctl %s --help)", ctl->verb->name,
                ctl->verb->usage, ctl->verb->name);
}

static const CtlVerb *find_verb(const char *name, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (g_str_equal(verbs[i].name, name))
            return &verbs[i];
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "unknown command \"%s\" for \"ctl\"; ctl --help lists them", name);
    return NULL;
}

/* Flags before the verb; *argc and *argv then begin with the verb. FALSE: done already (--version, --help) or an error. */
static gboolean take_global_flags(Ctl *ctl, int *argc, char ***argv, GError **error)
{
    gboolean version = FALSE, help = FALSE;
    GOptionEntry globals[GLOBAL_ENTRIES];
    global_entries(ctl, globals);
    const GOptionEntry more[] = {{"version", 0, 0, G_OPTION_ARG_NONE, &version, NULL, NULL},
                                 {"help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL},
                                 {NULL, 0, 0, 0, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, globals, NULL);
    g_option_context_add_main_entries(context, more, NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (version) {
        printf("ctl %s\n", CLEAT_VERSION);
        return FALSE;
    }
    if (help || *argc < 2 || g_str_equal((*argv)[1], "help")) {
        print_help();
        return FALSE;
    }
    (*argv)++;
    (*argc)--;
    return TRUE;
}

static gboolean run(Ctl *ctl, int argc, char **argv, GError **error)
{
    for (int i = 1; i < argc && !ctl->command; i++) {
        if (!g_str_equal(argv[i], "--"))
            continue;
        ctl->command = argv + i + 1;
        argv[i] = NULL;
        argc = i;
    }
    if (!take_global_flags(ctl, &argc, &argv, error))
        return *error == NULL;
    ctl->verb = find_verb(argv[0], error);
    return ctl->verb && ctl->verb->run(ctl, argc, argv, error);
}

int ctl_main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    Ctl ctl = {0};
    g_autoptr(GError) error = NULL;
    if (!run(&ctl, argc, argv, &error)) {
        ctl.failed = TRUE;
        if (error)
            ctl_report(&ctl, error);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "error: standard output: %s\n", g_strerror(errno));
        ctl.failed = TRUE;
    }
    client_free(ctl.client);
    if (ctl.client)
        rpc_shutdown();
    client_config_free(ctl.config);
    g_free(ctl.config_file);
    g_free(ctl.context);
    g_free(ctl.server);
    g_free(ctl.namespace_flag);
    return ctl.failed ? 1 : 0;
}
