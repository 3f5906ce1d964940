/* cleat-harness [SERVERS] COMMAND [ARGUMENT...]: runs a command beside a real etcd and real servers, and ends with its status.
 * The command finds in its environment:
 *   CLEAT_CONFIG   a kubeconfig of the administrator
 *   HARNESS_DIR    the folder with ca.crt, admin.crt, admin.key, node-n1.config, scheduler.config, ...
 *   HARNESS_SERVER the first server's address, unix:/path
 *   HARNESS_ETCD   etcd's address */
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/integration/harness.h"

int main(int argc, char **argv)
{
    static const char *const identities[] = {"scheduler", "controllers", "proxy", "nobody", "node:n1", "node:n2"};
    HarnessOptions options = {0};
    int first = 1;
    if (argc > 1 && g_ascii_isdigit(argv[1][0]))
        options.servers = (guint)atoi(argv[first++]);
    if (first >= argc) {
        g_printerr("usage: cleat-harness [SERVERS] COMMAND [ARGUMENT...]\n");
        return 2;
    }
    rpc_init(1);
    Harness *harness = harness_new(&options);
    for (guint i = 0; i < G_N_ELEMENTS(identities); i++)
        harness_config(harness, identities[i]);
    g_setenv("CLEAT_CONFIG", harness_config(harness, "admin"), TRUE);
    g_setenv("HARNESS_DIR", harness_dir(harness), TRUE);
    g_setenv("HARNESS_SERVER", harness_server_address(harness, 0), TRUE);
    g_setenv("HARNESS_ETCD", harness_etcd_address(harness), TRUE);
    g_autoptr(GError) error = NULL;
    int status = 0;
    GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN;
    if (!g_spawn_sync(NULL, argv + first, NULL, flags, NULL, NULL, NULL, NULL, &status, &error))
        g_printerr("cleat-harness: %s\n", error->message);
    harness_free(harness);
    rpc_shutdown();
    return error ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
