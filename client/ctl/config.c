/* Shows and changes the kubeconfig file, as a tree: other tools share it, so keys that mean nothing to us are kept. */
#include <string.h>

#include "client/ctl/table.h"
#include "client/ctl/verbs.h"
#include "lib/api/codec-node.h"
#include "lib/base/error.h"

typedef struct {
    char *path;
    CodecArena *arena;
    CodecNode *root; /* a map */
} File;

static void file_done(File *file)
{
    g_free(file->path);
    codec_arena_free(file->arena);
}

static gboolean file_read(Ctl *ctl, File *file, GError **error)
{
    *file = (File){.path = ctl->config_file ? g_strdup(ctl->config_file) : client_config_default_path(),
                   .arena = codec_arena_new()};
    g_autofree char *text = NULL;
    gsize size;
    if (!g_file_get_contents(file->path, &text, &size, error))
        return FALSE;
    g_autoptr(GPtrArray) documents = codec_read(file->arena, text, size, file->path, error);
    if (!documents)
        return FALSE;
    if (documents->len != 1 || ((CodecNode *)documents->pdata[0])->kind != CODEC_MAP) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: no kubeconfig file", file->path);
        return FALSE;
    }
    file->root = documents->pdata[0];
    return TRUE;
}

/* The text of a member, or "". */
static const char *member_text(const CodecNode *map, const char *key)
{
    const CodecMember *member = map && map->kind == CODEC_MAP ? codec_node_get(map, key) : NULL;
    return member && member->value->kind == CODEC_STRING ? member->value->text : "";
}

static const CodecNode *member_node(const CodecNode *map, const char *key)
{
    const CodecMember *member = map && map->kind == CODEC_MAP ? codec_node_get(map, key) : NULL;
    return member ? member->value : NULL;
}

/* Keys and certificates are not for a screen that others may see. */
static void redact(CodecNode *node)
{
    static const char *const secrets[] = {
        "client-key-data", "client-certificate-data", "certificate-authority-data", "token", "password", NULL};
    for (guint i = 0; i < node->n; i++) {
        CodecNode *child = node->kind == CODEC_MAP ? node->members[i].value : node->items[i];
        if (node->kind == CODEC_MAP && child->kind == CODEC_STRING && g_strv_contains(secrets, node->members[i].key))
            child->text = g_str_has_suffix(node->members[i].key, "-data") ? "DATA+OMITTED" : "REDACTED";
        redact(child);
    }
}

static gboolean view(File *file, char **args, GError **error)
{
    (void)args;
    (void)error;
    redact(file->root);
    g_autoptr(GString) text = g_string_new(NULL);
    codec_write_yaml(text, file->root);
    fputs(text->str, stdout);
    return TRUE;
}

static gboolean current_context(File *file, char **args, GError **error)
{
    (void)args;
    const char *current = member_text(file->root, "current-context");
    if (!*current) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "current-context is not set in %s", file->path);
        return FALSE;
    }
    printf("%s\n", current);
    return TRUE;
}

static gboolean get_contexts(File *file, char **args, GError **error)
{
    (void)args;
    (void)error;
    const char *current = member_text(file->root, "current-context");
    const CodecNode *contexts = member_node(file->root, "contexts");
    g_autoptr(CtlTable) table = ctl_table_new();
    const char *titles[] = {"CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE", NULL};
    ctl_table_add(table, g_strdupv((char **)titles));
    for (guint i = 0; contexts && contexts->kind == CODEC_LIST && i < contexts->n; i++) {
        const char *name = member_text(contexts->items[i], "name");
        const CodecNode *context = member_node(contexts->items[i], "context");
        const char *cells[] = {g_str_equal(name, current) ? "*" : "", name,
                               member_text(context, "cluster"),       member_text(context, "user"),
                               member_text(context, "namespace"),     NULL};
        ctl_table_add(table, g_strdupv((char **)cells));
    }
    g_autofree char *text = ctl_table_flush(table);
    fputs(text, stdout);
    return TRUE;
}

static gboolean has_context(const File *file, const char *name)
{
    const CodecNode *contexts = member_node(file->root, "contexts");
    for (guint i = 0; contexts && contexts->kind == CODEC_LIST && i < contexts->n; i++) {
        if (g_str_equal(member_text(contexts->items[i], "name"), name))
            return TRUE;
    }
    return FALSE;
}

/* Writes the file anew (its comments are lost), through a temporary file and readable by its owner only. */
static gboolean use_context(File *file, char **args, GError **error)
{
    if (!has_context(file, args[0])) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "no context exists with the name: \"%s\"", args[0]);
        return FALSE;
    }
    CodecNode *name = codec_node_new(file->arena, CODEC_STRING, args[0]);
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    for (guint i = 0; i < file->root->n; i++) {
        if (!g_str_equal(file->root->members[i].key, "current-context"))
            g_array_append_val(members, file->root->members[i]);
    }
    CodecMember current = {.key = "current-context", .value = name};
    g_array_append_val(members, current);
    CodecNode *root = codec_node_new(file->arena, CODEC_MAP, NULL);
    codec_node_set_members(file->arena, root, members);
    g_autoptr(GString) text = g_string_new(NULL);
    codec_write_yaml(text, root);
    if (!g_file_set_contents_full(file->path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  error))
        return FALSE;
    printf("Switched to context \"%s\".\n", args[0]);
    return TRUE;
}

static const struct {
    const char *name;
    guint n_args;
    gboolean (*run)(File *file, char **args, GError **error);
} actions[] = {
    {"view", 0, view},
    {"current-context", 0, current_context},
    {"get-contexts", 0, get_contexts},
    {"use-context", 1, use_context},
};

VERB(config)
{
    g_auto(GStrv) args = ctl_parse(ctl, NULL, argc, argv, error);
    if (!args)
        return FALSE;
    for (gsize i = 0; *args && i < G_N_ELEMENTS(actions); i++) {
        if (!g_str_equal(args[0], actions[i].name) || g_strv_length(args) != 1 + actions[i].n_args)
            continue;
        File file;
        gboolean good = file_read(ctl, &file, error) && actions[i].run(&file, args + 1, error);
        file_done(&file);
        return good;
    }
    ctl_set_usage_error(ctl, error);
    return FALSE;
}
