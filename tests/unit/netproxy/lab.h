/* Network namespaces for tests with real traffic. The test program itself moves into a new namespace, which plays the node;
 * clients and pods are further anonymous namespaces that exist as long as their file descriptors. Nothing here has a way off
 * the machine, and nothing is left behind. Single-threaded; needs root. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAB_TIMEOUT_MS 20000

typedef struct {
    int node; /* the namespace of the test itself */
} Lab;

static inline int lab_current(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static inline void lab_enter(int ns)
{
    g_assert_cmpint(setns(ns, CLONE_NEWNET), ==, 0);
}

/* Runs a command of iproute2, nft or the like in a namespace; it must succeed. */
static inline void lab_run(int ns, const char *format, ...) G_GNUC_PRINTF(2, 3);
static inline void lab_run(int ns, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    int back = lab_current();
    lab_enter(ns);
    int status = system(command);
    lab_enter(back);
    close(back);
    if (status != 0)
        g_error("failed: %s", command);
}

/* What a command prints. New string. */
static inline char *lab_output(const char *command)
{
    char *output = NULL;
    int status = 0;
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return output;
}

/* A new namespace with its loopback up; the caller stays where it is. Close the descriptor to end it. */
static inline int lab_namespace(void)
{
    int back = lab_current();
    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    int ns = lab_current();
    lab_run(ns, "ip link set lo up");
    lab_enter(back);
    close(back);
    return ns;
}

/* Moves the test into a new namespace: the node. */
static inline void lab_init(Lab *lab)
{
    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    lab->node = lab_current();
    lab_run(lab->node, "ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward");
}

static inline void lab_done(Lab *lab)
{
    close(lab->node);
}

/* Joins two namespaces by a veth pair with these names. */
static inline void lab_join(int ns, const char *name, int peer_ns, const char *peer)
{
    lab_run(ns, "ip link add %s type veth peer name %s netns /proc/%d/fd/%d && ip link set %s up", name, peer, getpid(),
            peer_ns, name);
    lab_run(peer_ns, "ip link set %s up", peer);
}

/* A pod on the node's bridge cni0 (made by lab_bridge()): its namespace, address and default route. */
static inline int lab_pod(const Lab *lab, const char *address, const char *gateway)
{
    static guint number;
    g_autofree char *name = g_strdup_printf("pod%u", number++);
    int ns = lab_namespace();
    lab_join(lab->node, name, ns, "eth0");
    lab_run(lab->node, "ip link set %s master cni0 && ip link set %s type bridge_slave hairpin on", name, name);
    lab_run(ns, "ip addr add %s/24 dev eth0 && ip route add default via %s", address, gateway);
    return ns;
}

static inline void lab_bridge(const Lab *lab, const char *gateway)
{
    lab_run(lab->node, "ip link add cni0 type bridge && ip addr add %s/24 dev cni0 && ip link set cni0 up", gateway);
}

/* --- sockets ----------------------------------------------------------------------------------------------------------*/

static inline struct sockaddr_in lab_address(const char *address, guint port)
{
    struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((guint16)port)};
    g_assert_cmpint(inet_pton(AF_INET, address, &result.sin_addr), ==, 1);
    return result;
}

static inline int lab_socket(int ns, int type)
{
    int back = lab_current(), on = 1;
    lab_enter(ns);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    lab_enter(back);
    close(back);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), ==, 0);
    return fd;
}

/* A socket of the namespace bound to a port of all its addresses; a listening one for SOCK_STREAM. */
static inline int lab_listen(int ns, int type, guint port)
{
    int fd = lab_socket(ns, type);
    struct sockaddr_in address = lab_address("0.0.0.0", port);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    if (type == SOCK_STREAM)
        g_assert_cmpint(listen(fd, 16), ==, 0);
    return fd;
}

static inline gboolean lab_readable(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

/* Connects within timeout_ms. Returns the socket, or -errno (-ETIMEDOUT when there was no answer). */
static inline int lab_connect(int ns, const char *address, guint port, int timeout_ms)
{
    int fd = lab_socket(ns, SOCK_STREAM | SOCK_NONBLOCK), failed = 0;
    socklen_t size = sizeof failed;
    struct sockaddr_in to = lab_address(address, port);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        failed = errno;
    } else {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        if (poll(&wait, 1, timeout_ms) != 1)
            failed = ETIMEDOUT;
        else
            g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size), ==, 0);
    }
    if (failed) {
        close(fd);
        return -failed;
    }
    g_assert_cmpint(fcntl(fd, F_SETFL, 0), ==, 0);
    return fd;
}

/* Accepts a connection that is there or comes within the time limit; the client's address as a new string. */
static inline int lab_accept(int listener, char **ret_client)
{
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    g_assert_true(lab_readable(listener, LAB_TIMEOUT_MS));
    int fd = accept4(listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    if (ret_client) {
        char text[INET_ADDRSTRLEN];
        *ret_client = g_strdup(inet_ntop(AF_INET, &from.sin_addr, text, sizeof text));
    }
    return fd;
}

/* A word goes from one end of a connection to the other. */
static inline void lab_talk(int from, int to, const char *word)
{
    char buffer[64] = "";
    g_assert_cmpint(send(from, word, strlen(word), MSG_NOSIGNAL), ==, (gssize)strlen(word));
    g_assert_true(lab_readable(to, LAB_TIMEOUT_MS));
    g_assert_cmpint(recv(to, buffer, sizeof buffer - 1, 0), ==, (gssize)strlen(word));
    g_assert_cmpstr(buffer, ==, word);
}
