/* The rules for names, as Kubernetes words them. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/api/validate.h"

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253

static gboolean is_lower_alnum(char c)
{
    return g_ascii_islower(c) || g_ascii_isdigit(c);
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? in <n> characters. */
static gboolean is_dns_label(const char *value, gsize n)
{
    if (n == 0 || !is_lower_alnum(value[0]) || !is_lower_alnum(value[n - 1]))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        if (!is_lower_alnum(value[i]) && value[i] != '-')
            return FALSE;
    }
    return TRUE;
}

const char *api_name_dns_label(const char *value)
{
    if (strlen(value) > LABEL_MAX)
        return "must be no more than 63 characters";
    if (!is_dns_label(value, strlen(value)))
        return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
               "end with an alphanumeric character (e.g. 'my-name', or '123-abc')";
    return NULL;
}

const char *api_name_dns1035_label(const char *value)
{
    if (strlen(value) > LABEL_MAX)
        return "must be no more than 63 characters";
    if (!is_dns_label(value, strlen(value)) || g_ascii_isdigit(value[0]))
        return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
               "character, and end with an alphanumeric character (e.g. 'my-name', or 'abc-123')";
    return NULL;
}

static gboolean is_dns_subdomain(const char *value, gsize n)
{
    gsize start = 0;
    for (gsize i = 0; i <= n; i++) {
        if (i < n && value[i] != '.')
            continue;
        if (!is_dns_label(value + start, i - start))
            return FALSE;
        start = i + 1;
    }
    return TRUE;
}

const char *api_name_dns_subdomain(const char *value)
{
    if (strlen(value) > SUBDOMAIN_MAX)
        return "must be no more than 253 characters";
    if (!is_dns_subdomain(value, strlen(value)))
        return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'example.com')";
    return NULL;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static gboolean is_label_word(const char *value, gsize n)
{
    if (n == 0 || !g_ascii_isalnum(value[0]) || !g_ascii_isalnum(value[n - 1]))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        if (!g_ascii_isalnum(value[i]) && !strchr("-_.", value[i]))
            return FALSE;
    }
    return TRUE;
}

const char *api_name_qualified(const char *value)
{
    const char *slash = strchr(value, '/');
    const char *name = slash ? slash + 1 : value;
    if (slash && slash == value)
        return "prefix part must be non-empty";
    if (slash && (slash - value > SUBDOMAIN_MAX || !is_dns_subdomain(value, (gsize)(slash - value))))
        return "prefix part must be a lowercase RFC 1123 subdomain of no more than 253 characters (e.g. 'example.com')";
    if (name[0] == '\0')
        return "name part must be non-empty";
    if (strlen(name) > LABEL_MAX)
        return "name part must be no more than 63 characters";
    if (!is_label_word(name, strlen(name)))
        return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
               "alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')";
    return NULL;
}

const char *api_name_label_value(const char *value)
{
    if (strlen(value) > LABEL_MAX)
        return "must be no more than 63 characters";
    if (value[0] && !is_label_word(value, strlen(value)))
        return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345')";
    return NULL;
}

const char *api_name_config_key(const char *value)
{
    gsize n = strlen(value);
    if (n > SUBDOMAIN_MAX)
        return "must be no more than 253 characters";
    if (n == 0 || strspn(value, "-._ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != n)
        return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', or "
               "'KEY_NAME', or 'key-name')";
    if (g_str_equal(value, "."))
        return "must not be '.'";
    if (g_str_has_prefix(value, ".."))
        return "must not start with '..'";
    return NULL;
}

const char *api_name_env(const char *value)
{
    if (value[0] == '\0')
        return "must not be empty";
    for (const char *p = value; *p; p++) {
        if (!g_ascii_isprint(*p) || *p == '=')
            return "a valid environment variable name must consist only of printable ASCII characters other than '='";
    }
    return NULL;
}

const char *api_name_ip(const char *value)
{
    guint8 address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, value, address) != 1 && inet_pton(AF_INET6, value, address) != 1)
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    return NULL;
}
