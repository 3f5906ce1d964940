#include <string.h>

#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "server/verbs/select.h"

/* A list is the concatenation of what the caches hold: one slice per object, in the form in which it is stored. A limit cuts it
 * into pages, all of the same revision: the token of the next page carries that revision and the last key, and the
 * server that gets it undoes, on a copy of its index, what has happened since. */

#define TOKEN_VERSION "1"

typedef struct {
    Request *request;
    Cleat__V1__ListRequest *message;
    StoreSelection selection;
    gint64 exact; /* the revision to list at; 0: the present */
    char *after;  /* the last key of the page before; NULL: the first page */
} ListOp;

static void list_free(ListOp *op)
{
    API_FREE(op->message);
    store_selection_clear(&op->selection);
    g_free(op->after);
    g_free(op);
}

static void list_fail(ListOp *op, const GError *error)
{
    request_fail(op->request, error);
    list_free(op);
}

/* --- tokens ---*/

static char *token_new(gint64 revision, const char *key)
{
    g_autofree char *text = g_strdup_printf(TOKEN_VERSION "\n%" G_GINT64_FORMAT "\n%s", revision, key);
    return g_base64_encode((const guchar *)text, strlen(text));
}

static gboolean token_parse(const char *token, gint64 *ret_revision, char **ret_key)
{
    gsize size;
    g_autofree guchar *bytes = g_base64_decode(token, &size);
    g_autofree char *text = g_strndup((const char *)bytes, size);
    g_auto(GStrv) parts = g_strsplit(text, "\n", 3);
    if (g_strv_length(parts) != 3 || !g_str_equal(parts[0], TOKEN_VERSION) ||
        !g_ascii_string_to_signed(parts[1], 10, 1, G_MAXINT64, ret_revision, NULL))
        return FALSE;
    *ret_key = g_strdup(parts[2]);
    return TRUE;
}

/* --- the answer ---*/

/* How many more there are after a page. Only told where no selector would make it a guess. */
static gint64 count_rest(const ListOp *op, StoreTreeIter *iter)
{
    gint64 n = 0;
    while (store_selection_iter_next(&op->selection, iter))
        n++;
    return n;
}

/* The list's metadata as the first bytes of the answer. */
static grpc_slice meta_slice(const ListOp *op, gint64 revision, const StoreEntry *last, StoreTreeIter *rest)
{
    Meta__V1__ListMeta meta = META__V1__LIST_META__INIT;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, revision);
    g_autofree char *token = last ? token_new(revision, last->key) : NULL;
    meta.resourceversion = text;
    meta.continue_ = token;
    if (last && !op->selection.labels && !op->selection.fields)
        api_set_scalar(&meta, remainingitemcount, count_rest(op, rest));
    gsize size = meta__v1__list_meta__get_packed_size(&meta);
    guint8 prefix[16];
    gsize n = api_wire_put_tag(prefix, 1, 2);
    n += api_wire_put_varint(prefix + n, size);
    grpc_slice slice = grpc_slice_malloc(n + size);
    memcpy(GRPC_SLICE_START_PTR(slice), prefix, n);
    meta__v1__list_meta__pack(&meta, GRPC_SLICE_START_PTR(slice) + n);
    return slice;
}

/* Sends the page that begins behind op->after. The slices are borrowed from the tree's entries: the call takes its own. */
static void list_send(ListOp *op, const StoreTree *tree, gint64 revision)
{
    gint64 limit = op->message->options ? op->message->options->limit : 0;
    g_autoptr(GArray) slices =
        g_array_sized_new(FALSE, FALSE, sizeof(grpc_slice), limit > 0 ? (guint)MIN(limit, 1024) : 1024);
    grpc_slice meta = grpc_empty_slice();
    StoreTreeIter iter;
    StoreEntry *entry, *last = NULL;
    store_selection_iter_init(&op->selection, &iter, tree, op->after);
    g_array_append_val(slices, meta);
    while ((limit <= 0 || slices->len - 1 < limit) && (entry = store_selection_iter_next(&op->selection, &iter))) {
        g_array_append_val(slices, entry->block);
        last = entry;
    }
    StoreTreeIter ahead = iter;
    gboolean more = limit > 0 && slices->len - 1 == limit && store_selection_iter_next(&op->selection, &ahead);
    meta = meta_slice(op, revision, more ? last : NULL, &iter);
    g_array_index(slices, grpc_slice, 0) = meta;
    rpc_server_call_reply_slices(op->request->call, (grpc_slice *)slices->data, slices->len);
    grpc_slice_unref(meta);
    request_free(op->request);
    list_free(op);
}

static void list_ready(const GError *failure, gpointer data)
{
    ListOp *op = data;
    if (failure) {
        list_fail(op, failure);
        return;
    }
    StoreCache *cache = store_cache(op->request->context->store, op->request->resource);
    gint64 revision = op->exact;
    g_auto(StoreTree) tree = {0};
    if (op->exact == 0) {
        tree = store_cache_snapshot(cache, &revision);
    } else if (!store_cache_snapshot_at(cache, op->exact, &tree)) {
        g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_EXPIRED,
                                              "%s cannot be listed as of revision %" G_GINT64_FORMAT
                                              " any more; start the list again without a continue token",
                                              op->request->resource->plural, op->exact);
        list_fail(op, error);
        return;
    }
    list_send(op, &tree, revision);
}

/* Which state is asked for: sets op->exact and op->after. */
static gboolean list_parse_position(ListOp *op, GError **error)
{
    const Meta__V1__ListOptions *options = op->message->options;
    const char *version = options ? api_str(options->resourceversion) : "";
    const char *match = options ? api_str(options->resourceversionmatch) : "";
    if (options && api_str(options->continue_)[0]) {
        if (!token_parse(options->continue_, &op->exact, &op->after)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "the continue token is not one that a server gave");
            return FALSE;
        }
        if (version[0] && !g_str_equal(version, "0")) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "resourceVersion must be empty where a continue token is given");
            return FALSE;
        }
        return TRUE;
    }
    if (g_str_equal(match, "Exact")) {
        if (!g_ascii_string_to_signed(version, 10, 1, G_MAXINT64, &op->exact, NULL)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "resourceVersionMatch Exact needs a resourceVersion above 0");
            return FALSE;
        }
    } else if (match[0] && !g_str_equal(match, "NotOlderThan")) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "resourceVersionMatch \"%s\" is neither Exact nor NotOlderThan", match);
        return FALSE;
    }
    return TRUE;
}

void verb_list(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    ListOp *op = g_new0(ListOp, 1);
    op->request = request;
    if (!select_parse(request, body, &op->message, &op->selection, &error) || !list_parse_position(op, &error))
        list_fail(op, error);
    else if (op->exact > 0)
        store_wait(request->context->store, op->exact, list_ready, op);
    else
        request_await(request, op->message->options ? op->message->options->resourceversion : NULL, list_ready, op);
}
