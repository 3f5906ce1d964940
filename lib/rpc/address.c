#include "lib/rpc/address.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/un.h>

#include "lib/base/error.h"

#define UNIX_SCHEME "unix:"

static gboolean refuse(const char *address, GError **error)
{
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "address \"%s\" is none of HOST:PORT, [IPV6]:PORT and unix:/PATH (at most %zu characters)", address,
                sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    return FALSE;
}

const char *rpc_address_unix_path(const char *address)
{
    if (!g_str_has_prefix(address, UNIX_SCHEME))
        return NULL;
    const char *path = address + strlen(UNIX_SCHEME);
    return g_str_has_prefix(path, "//") ? path + 2 : path;
}

gboolean rpc_address_split(const char *address, char **ret_host, guint16 *ret_port, GError **error)
{
    const char *colon = strrchr(address, ':');
    guint64 port;
    if (!colon || colon == address || !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &port, NULL))
        return refuse(address, error);
    gboolean bracketed = address[0] == '[' && colon[-1] == ']';
    g_autofree char *host =
        bracketed ? g_strndup(address + 1, colon - address - 2) : g_strndup(address, colon - address);
    gboolean ok = bracketed ? strchr(host, ':') != NULL && g_hostname_is_ip_address(host)
                            : host[strspn(host, G_CSET_A_2_Z G_CSET_a_2_z "0123456789"
                                                                          ".-_")] == '\0';
    if (!ok)
        return refuse(address, error);
    *ret_host = g_steal_pointer(&host);
    *ret_port = (guint16)port;
    return TRUE;
}

char *rpc_address_to_target(const char *address, GError **error)
{
    const char *path = rpc_address_unix_path(address);
    if (path) {
        if (path[0] != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
            refuse(address, error);
            return NULL;
        }
        return g_strconcat("unix:", path, NULL);
    }
    g_autofree char *host = NULL;
    guint16 port;
    if (!rpc_address_split(address, &host, &port, error))
        return NULL;
    if (strchr(host, ':'))
        return g_strdup_printf("ipv6:%%5B%s%%5D:%u", host, port);
    return g_strdup_printf("%s:%s:%u", g_hostname_is_ip_address(host) ? "ipv4" : "dns", host, port);
}
