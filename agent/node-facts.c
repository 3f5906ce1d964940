#include "agent/node-facts.h"

#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

gint64 node_facts_parse_memory(const char *meminfo)
{
    const char *line = strstr(meminfo, "MemTotal:");
    return line ? g_ascii_strtoll(line + strlen("MemTotal:"), NULL, 10) * 1024 : 0;
}

char *node_facts_parse_os_release(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (!g_str_has_prefix(lines[i], "PRETTY_NAME="))
            continue;
        char *value = g_strdup(lines[i] + strlen("PRETTY_NAME="));
        gsize size = strlen(value);
        if (size >= 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0]) {
            value[size - 1] = '\0';
            memmove(value, value + 1, size - 1);
        }
        return value;
    }
    return g_strdup("Linux");
}

const char *node_facts_architecture(const char *machine)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"armv6l", "arm"}, {"i686", "386"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(machine, names[i][0]))
            return names[i][1];
    }
    return machine;
}

static char *read_text(const char *path)
{
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    return g_strstrip(text);
}

NodeFacts *node_facts_read(const char *root_dir)
{
    static struct utsname names; /* static: architecture points into it */
    NodeFacts *facts = g_new0(NodeFacts, 1);
    g_autofree char *meminfo = read_text("/proc/meminfo");
    g_autofree char *os_release = read_text("/etc/os-release");
    struct statvfs fs;
    uname(&names);
    facts->cpus = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    facts->memory = node_facts_parse_memory(meminfo);
    if (statvfs(root_dir, &fs) == 0)
        facts->storage = (gint64)fs.f_blocks * (gint64)fs.f_frsize;
    facts->hostname = g_strdup(names.nodename);
    facts->machine_id = read_text("/etc/machine-id");
    facts->system_uuid = read_text("/sys/class/dmi/id/product_uuid");
    if (!facts->system_uuid[0]) {
        g_free(facts->system_uuid);
        facts->system_uuid = g_strdup(facts->machine_id);
    }
    facts->boot_id = read_text("/proc/sys/kernel/random/boot_id");
    facts->kernel = g_strdup(names.release);
    facts->os_image = node_facts_parse_os_release(os_release);
    facts->architecture = node_facts_architecture(names.machine);
    return facts;
}

void node_facts_free(NodeFacts *facts)
{
    if (!facts)
        return;
    g_free(facts->hostname);
    g_free(facts->machine_id);
    g_free(facts->system_uuid);
    g_free(facts->boot_id);
    g_free(facts->kernel);
    g_free(facts->os_image);
    g_free(facts);
}
