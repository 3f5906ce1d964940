/*
 * The demo server: answers every HTTP request and every UDP datagram with one line
 *     HOSTNAME GREETING COUNT
 * where COUNT is the number of answers this process has given, so that a reader sees which pod answered and whether it
 * is still the same process. Port DEMO_LISTEN (default 8080) for both TCP and UDP. HTTP connections are kept alive until
 * the client closes, so one connection can watch a service through a change. GET /crash ends the process with status 3.
 *
 * One thread, one poll() over a fixed number of clients; the clients' sockets do not block.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1000, REQUEST_MAX = 4096, ANSWER_MAX = 1024, CRASH_STATUS = 3 };

/* One connection: what came of a request that is not complete yet. */
typedef struct {
    size_t used;
    char request[REQUEST_MAX];
} Client;

/* polled[0] is the UDP socket, polled[1] the TCP listener, polled[2 + i] belongs to clients[i]. */
static struct pollfd polled[2 + CLIENTS_MAX];
static Client *clients[CLIENTS_MAX];
static int n_clients;
static unsigned long answers;

static void on_end(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static size_t answer_line(char *line, size_t size)
{
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    const char *greeting = getenv("GREETING");
    int length = snprintf(line, size, "%s %s %lu\n", host, greeting ? greeting : "-", ++answers);
    return (size_t)length < size ? (size_t)length : size - 1;
}

static int open_socket(int type, unsigned short port)
{
    int fd = socket(AF_INET, type, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) || (type == SOCK_STREAM && listen(fd, 128))) {
        fprintf(stderr, "cannot listen on port %u: %s\n", port, strerror(errno));
        exit(EXIT_FAILURE);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void answer_datagrams(int fd)
{
    char buffer[ANSWER_MAX];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    while (recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length) >= 0) {
        size_t n = answer_line(buffer, sizeof(buffer));
        sendto(fd, buffer, n, 0, (struct sockaddr *)&from, length);
        length = sizeof(from);
    }
}

static void accept_clients(int listener)
{
    int fd;
    while (n_clients < CLIENTS_MAX && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        clients[n_clients] = calloc(1, sizeof(Client));
        if (!clients[n_clients]) {
            close(fd);
            return;
        }
        polled[2 + n_clients++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

static void drop_client(int i)
{
    close(polled[2 + i].fd);
    free(clients[i]);
    n_clients--;
    clients[i] = clients[n_clients];
    polled[2 + i] = polled[2 + n_clients];
}

/* An answer is far smaller than a socket's buffer, so a short write means that the client does not read: drop it. */
static bool answer_request(int fd, const char *request)
{
    if (strncmp(request, "GET /crash", 10) == 0)
        exit(CRASH_STATUS);
    char line[ANSWER_MAX], answer[ANSWER_MAX + 256];
    size_t n = answer_line(line, sizeof(line));
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s", n, line);
    return send(fd, answer, (size_t)length, MSG_NOSIGNAL) == length;
}

/* Reads what there is and answers every complete request in it (without a body). False when the client is to be dropped. */
static bool serve_client(int fd, Client *client)
{
    ssize_t n = recv(fd, client->request + client->used, REQUEST_MAX - 1 - client->used, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    client->used += (size_t)n;
    client->request[client->used] = '\0';
    char *end;
    while ((end = strstr(client->request, "\r\n\r\n"))) {
        if (!answer_request(fd, client->request))
            return false;
        end += 4;
        client->used -= (size_t)(end - client->request);
        memmove(client->request, end, client->used + 1);
    }
    return client->used < REQUEST_MAX - 1;
}

int main(void)
{
    struct sigaction end = {.sa_handler = on_end}; /* process 1 of a container has no default action for signals */
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    const char *text = getenv("DEMO_LISTEN"); /* not DEMO_PORT: that is what a service "demo" puts in every pod's environment */
    int port_number = text ? atoi(text) : 8080;
    if (port_number < 1 || port_number > 65535) {
        fprintf(stderr, "DEMO_LISTEN: \"%s\" is no port\n", text);
        return 2;
    }
    unsigned short port = (unsigned short)port_number;
    polled[0] = (struct pollfd){.fd = open_socket(SOCK_DGRAM, port), .events = POLLIN};
    polled[1] = (struct pollfd){.fd = open_socket(SOCK_STREAM, port), .events = POLLIN};
    printf("listening on port %u\n", port);
    fflush(stdout);
    for (;;) {
        polled[1].events = n_clients < CLIENTS_MAX ? POLLIN : 0;
        if (poll(polled, (nfds_t)(2 + n_clients), -1) < 0)
            continue;
        for (int i = n_clients - 1; i >= 0; i--) {
            if (polled[2 + i].revents && !serve_client(polled[2 + i].fd, clients[i]))
                drop_client(i);
        }
        if (polled[0].revents)
            answer_datagrams(polled[0].fd);
        if (polled[1].revents)
            accept_clients(polled[1].fd);
    }
}
