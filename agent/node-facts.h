/* What the machine is: capacity and identity, read from /proc, /sys and the file system. */
#pragma once

#include <glib.h>

typedef struct {
    gint64 cpus;
    gint64 memory;  /* bytes */
    gint64 storage; /* bytes of the file system that holds the agent's folder */
    char *hostname;
    char *machine_id;
    char *system_uuid;
    char *boot_id;
    char *kernel;
    char *os_image;
    const char *architecture; /* "amd64"; static */
} NodeFacts;

/* What cannot be read is 0 or "". */
NodeFacts *node_facts_read(const char *root_dir);
void node_facts_free(NodeFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeFacts, node_facts_free)

/* Parsers, pure. */
gint64 node_facts_parse_memory(const char *meminfo);      /* MemTotal in bytes; 0 if it is not there */
char *node_facts_parse_os_release(const char *text);      /* PRETTY_NAME without quotes; new string */
const char *node_facts_architecture(const char *machine); /* "x86_64" to "amd64"; static or machine itself */
