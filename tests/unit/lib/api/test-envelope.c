#include "lib/api/envelope.h"

#include <string.h>

#include "lib/base/error.h"

/* A ConfigMap as Kubernetes stores it: contentEncoding and contentType are there, and empty. */
static const guint8 stored[] = {'k', '8', 's', 0,   0x0a, 15,   0x0a, 2,    'v', '1',  0x12, 9,   'C',  'o', 'n',  'f',
                                'i', 'g', 'M', 'a', 'p',  0x12, 5,    0x0a, 3,   0x0a, 1,    'a', 0x1a, 0,   0x22, 0};
static const guint8 object[] = {0x0a, 3, 0x0a, 1, 'a'};

static void test_wrap(void)
{
    g_autoptr(GBytes) bytes = api_envelope_wrap(API_CONFIG_MAP, object, sizeof object);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), stored, sizeof stored);
}

static void test_every_kind(void)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        for (gsize size = 0; size < 300; size += 100) { /* lengths of one and of two bytes, and none */
            g_autofree guint8 *data = g_malloc0(size + 1);
            g_autoptr(GBytes) bytes = api_envelope_wrap(&rows[i], data, size);
            const ApiResource *resource = NULL;
            const guint8 *inner;
            gsize inner_size;
            GError *error = NULL;
            g_assert_true(api_envelope_open(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &resource, &inner,
                                            &inner_size, &error));
            g_assert_no_error(error);
            g_assert_true(resource == &rows[i]);
            g_assert_cmpmem(inner, inner_size, data, size);
        }
    }
}

static void assert_refused(const guint8 *data, gsize size, const char *part)
{
    const ApiResource *resource = NULL;
    const guint8 *inner = NULL;
    gsize inner_size = 0;
    GError *error = NULL;
    g_autofree guint8 *exact = g_memdup2(data, size);
    g_assert_false(api_envelope_open(exact, size, &resource, &inner, &inner_size, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    if (!strstr(error->message, part))
        g_error("unexpected: %s", error->message);
    g_assert_true(!resource && !inner && inner_size == 0);
    g_clear_error(&error);
}

static void test_refused(void)
{
    assert_refused((const guint8 *)"", 0, "does not start with");
    assert_refused((const guint8 *)"{\"kind\": \"Pod\"}", 15, "does not start with");
    assert_refused(stored, 3, "does not start with");
    assert_refused(stored, 4, "unknown kind: \"\" of \"\"");
    for (gsize size = 5; size < 28; size++) { /* cut off anywhere in what matters */
        if (size != 21)                       /* a whole type without an object is an empty object */
            assert_refused(stored, size, "malformed");
    }
    g_autofree guint8 *other = g_memdup2(stored, sizeof stored);
    other[12] = 'K';
    assert_refused(other, sizeof stored, "unknown kind: \"KonfigMap\" of \"v1\"");
    other[12] = 'C';
    other[9] = '2';
    assert_refused(other, sizeof stored, "unknown kind: \"ConfigMap\" of \"v2\"");
    static const guint8 encoded[] = {'k', '8', 's', 0, 0x1a, 4, 'g', 'z', 'i', 'p'};
    assert_refused(encoded, sizeof encoded, "not plain protobuf");
    static const guint8 wrong_type[] = {'k', '8', 's', 0, 0x08, 1};
    assert_refused(wrong_type, sizeof wrong_type, "malformed");
}

/* What does not matter to us may come in any order. */
static void test_order(void)
{
    static const guint8 turned[] = {'k', '8',  's', 0,   0x12, 2,   0xaa, 0xbb, 0x78, 1,  0x0a,
                                    9,   0x12, 3,   'P', 'o',  'd', 0x0a, 2,    'v',  '1'};
    const ApiResource *resource;
    const guint8 *inner;
    gsize size;
    GError *error = NULL;
    g_assert_true(api_envelope_open(turned, sizeof turned, &resource, &inner, &size, &error));
    g_assert_no_error(error);
    g_assert_true(resource == API_POD);
    g_assert_cmpmem(inner, size, turned + 6, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/envelope/wrap", test_wrap);
    g_test_add_func("/envelope/every-kind", test_every_kind);
    g_test_add_func("/envelope/refused", test_refused);
    g_test_add_func("/envelope/order", test_order);
    return g_test_run();
}
