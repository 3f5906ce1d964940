/* A real etcd and real servers for a test, in a folder of their own, on loopback and unix sockets. Everything that goes wrong
 * ends the test program, showing the end of the log of what failed. All processes are children that die with the test.
 *
 * rpc_init() must have been called. Main thread only. */
#pragma once

#include "lib/rpc/client.h"

typedef struct Harness Harness;

typedef struct {
    guint servers;                  /* 0: one */
    const char *const *server_args; /* more arguments for cleat-server, NULL-terminated; may be NULL */
    const char *const *etcd_args;   /* more arguments for etcd; may be NULL */
} HarnessOptions;

/* Starts etcd and the servers and waits until they are ready. options may be NULL. */
Harness *harness_new(const HarnessOptions *options);
/* Kills everything and removes the folder. */
void harness_free(Harness *harness);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Harness, harness_free)

/* Borrowed strings, valid as long as the harness. */
const char *harness_dir(const Harness *harness);
const char *harness_etcd_address(const Harness *harness);            /* "127.0.0.1:PORT" */
const char *harness_server_address(const Harness *harness, guint i); /* "unix:/path" */
/* The path of a kubeconfig for all servers. identity: "admin", "scheduler", "controllers", "proxy", "nobody", or a node's name as
 * "node:NAME". Certificates and file are made on first use. */
const char *harness_config(Harness *harness, const char *identity);
/* DIR/<name>.crt and .key of an identity's certificate, as paths without the ending. */
const char *harness_certificate(Harness *harness, const char *identity);
/* Credentials of an identity; NULL: none, but trusting the server. New. */
RpcClientCredentials *harness_credentials(Harness *harness, const char *identity);
/* What a node's agent at 127.0.0.1 serves with: a certificate for that address, and clients must show theirs. New. */
RpcServerCredentials *harness_agent_credentials(Harness *harness);
/* A channel to one server as an identity. New. */
RpcChannel *harness_channel(Harness *harness, guint server, const char *identity);
/* A channel to etcd. New. */
RpcChannel *harness_etcd_channel(Harness *harness);

/* Stops with a signal and waits for the end; starts again and waits until it is ready. */
void harness_server_stop(Harness *harness, guint i, int signal);
void harness_server_start(Harness *harness, guint i);
void harness_server_await_ready(Harness *harness, guint i);
GPid harness_server_pid(const Harness *harness, guint i);
void harness_etcd_stop(Harness *harness, int signal);
void harness_etcd_start(Harness *harness);
/* Forgets all history of etcd before a revision. */
void harness_etcd_compact(Harness *harness, gint64 revision);
