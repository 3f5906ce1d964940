#include "netproxy/cni.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>

#include "lib/base/error.h"

static char *cni_configuration(const CniOptions *options)
{
    g_autofree char *subnet = nft_network_to_string(&options->pods);
    json_t *root =
        json_pack("{s:s, s:s, s:[{s:s, s:s, s:b, s:b, s:b, s:i, s:{s:s, s:[[{s:s}]], s:[{s:s}], s:s}}]}", /* */
                  "cniVersion", "1.0.0", "name", "cleat", "plugins",                                      /* */
                  "type", "bridge", "bridge", "cni0", "isGateway", TRUE, "ipMasq", FALSE, "hairpinMode", TRUE, "mtu",
                  (int)options->mtu, "ipam",                                  /* */
                  "type", "host-local", "ranges", "subnet", subnet, "routes", /* */
                  "dst", "0.0.0.0/0", "dataDir", options->data_dir);
    g_assert(root);
    char *malloced = json_dumps(root, JSON_INDENT(2));
    char *text = g_strdup_printf("%s\n", malloced);
    free(malloced);
    json_decref(root);
    return text;
}

gboolean cni_write(const CniOptions *options, gboolean *ret_changed, GError **error)
{
    g_autofree char *path = g_build_filename(options->conf_dir, CNI_FILE_NAME, NULL);
    g_autofree char *text = cni_configuration(options), *now = NULL;
    g_autoptr(GError) failure = NULL;
    gboolean changed = !g_file_get_contents(path, &now, NULL, NULL) || !g_str_equal(now, text);
    if (changed && g_mkdir_with_parents(options->conf_dir, 0755) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make the folder %s for the CNI configuration: %s",
                    options->conf_dir, g_strerror(errno));
        return FALSE;
    }
    if (changed && !g_file_set_contents_full(
                       path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, &failure)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "write the CNI configuration: %s", failure->message);
        return FALSE;
    }
    if (ret_changed)
        *ret_changed = changed;
    return TRUE;
}

gboolean cni_remove(const char *conf_dir, GError **error)
{
    g_autofree char *path = g_build_filename(conf_dir, CNI_FILE_NAME, NULL);
    if (g_unlink(path) < 0 && errno != ENOENT) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "remove %s: %s", path, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}
