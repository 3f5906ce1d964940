#include "lib/api/quantity.h"

#include <string.h>

#include "lib/api/object.h"
#include "lib/base/error.h"

static ApiQuantity parse(const char *text)
{
    ApiQuantity quantity;
    GError *error = NULL;
    g_assert_true(api_quantity_parse(text, &quantity, &error));
    g_assert_no_error(error);
    return quantity;
}

static const struct {
    const char *text, *canonical;
} forms[] = {
    {"0", "0"},
    {"-0", "0"},
    {"0Ki", "0"},
    {"0e99", "0"},
    {"0.000", "0"},
    {"1", "1"},
    {"+5", "5"},
    {"-5", "-5"},
    {"007", "7"},
    {"5.", "5"},
    {".5", "500m"},
    {"100m", "100m"},
    {"1000m", "1"},
    {"1500m", "1500m"},
    {"0.1", "100m"},
    {"0.0001", "100u"},
    {"1.5", "1500m"},
    {"-1.5", "-1500m"},
    {"100n", "100n"},
    {"1000n", "1u"},
    {"1000u", "1m"},
    {"999", "999"},
    {"1000", "1k"},
    {"1100", "1100"},
    {"1k", "1k"},
    {"1000k", "1M"},
    {"1500k", "1500k"},
    {"1.5G", "1500M"},
    {"2T", "2T"},
    {"2P", "2P"},
    {"9E", "9E"},
    {"1Ki", "1Ki"},
    {"1024Ki", "1Mi"},
    {"1536Ki", "1536Ki"},
    {"1.5Ki", "1536"},
    {"1.5Gi", "1536Mi"},
    {"0.5Gi", "512Mi"},
    {"1Ti", "1Ti"},
    {"7Ei", "7Ei"},
    {"0.5Ki", "512"},
    {"0.1Ki", "102400m"},
    {"0.0001Ki", "102400u"},
    {"-1Ki", "-1Ki"},
    {"1e3", "1e3"},
    {"1E3", "1e3"},
    {"1e+3", "1e3"},
    {"1e-3", "1e-3"},
    {"12e5", "1200e3"},
    {"1.5e3", "1500"},
    {"5e0", "5"},
    {"1e-9", "1e-9"},
    {"1E", "1E"},
    {"1Ei", "1Ei"},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775807", "-9223372036854775807"},
    {"9007199254740993", "9007199254740993"}, /* a double would lose the last digit */
    {"123456789.123456789", "123456789123456789n"},
    /* Finer than 10^-9 goes up, away from zero: asking for little is not asking for nothing. */
    {"0.0000000001", "1n"},
    {"-0.0000000001", "-1n"},
    {"1e-400", "1e-9"},
    {"1.0000000001n", "2n"},
    {"0.9999999999", "1"},
    {"0.00000000010000000000000000000000000000000000001", "1n"},
    {"0.0000000000001Ei", "115292150460685n"},
};

static void test_forms(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        ApiQuantity quantity = parse(forms[i].text);
        g_autofree char *text = api_quantity_format(quantity);
        g_assert_cmpstr(text, ==, forms[i].canonical);
        /* what is written reads back as the same value, and is written alike again */
        ApiQuantity again = parse(text);
        g_assert_cmpint(api_quantity_cmp(quantity, again), ==, 0);
        g_autofree char *text_again = api_quantity_format(again);
        g_assert_cmpstr(text_again, ==, text);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {"",    " ",     " 1",  "1 ",   ".",    "-",    "+",       "--1",  "1.1.1",
                                        "1,5", "a",     "1x",  "1ki",  "1K",   "1mi",  "1KI",     "1iK",  "1e",
                                        "1e+", "1e1.5", "e3",  "Ki",   "1Kii", "1 Ki", "0x10",    "1e 3", "1m5",
                                        "1em", "NaN",   "inf", "1e3k", "1Ki1", "1\n",  "\xc2\xb9"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        ApiQuantity quantity = {42, API_QUANTITY_BINARY_SI};
        GError *error = NULL;
        if (api_quantity_parse(texts[i], &quantity, &error))
            g_error("\"%s\" was taken for a quantity", texts[i]);
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        g_assert_true(quantity.nano == 42 && quantity.format == API_QUANTITY_BINARY_SI);
        g_clear_error(&error);
    }
}

static void test_limits(void)
{
    static const char *const texts[] = {"9223372036854775808",
                                        "-9223372036854775808",
                                        "10E",
                                        "8Ei",
                                        "1e19",
                                        "1e2147483647",
                                        "100000000000000000000000000000000000000000000",
                                        "9223372036854775807.1",
                                        "9223372036854775.808k",
                                        "0.1e99"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        ApiQuantity quantity;
        GError *error = NULL;
        g_assert_false(api_quantity_parse(texts[i], &quantity, &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        g_assert_nonnull(strstr(error->message, "beyond"));
        g_clear_error(&error);
    }
    ApiQuantity quantity;
    g_assert_false(api_quantity_parse("1e99999999999", &quantity, NULL));
}

static void test_values(void)
{
    static const struct {
        const char *text;
        gint64 value, milli;
    } rows[] = {
        {"0", 0, 0},
        {"1", 1, 1000},
        {"1.5", 2, 1500},
        {"100m", 1, 100},
        {"1n", 1, 1},
        {"-100m", -1, -100},
        {"1Gi", 1 << 30, G_GINT64_CONSTANT(1073741824000)},
        {"7Ei", G_GINT64_CONSTANT(8070450532247928832), G_MAXINT64},
        {"-9E", G_GINT64_CONSTANT(-9000000000000000000), G_MININT64},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpint(api_quantity_value(parse(rows[i].text)), ==, rows[i].value);
        g_assert_cmpint(api_quantity_milli(parse(rows[i].text)), ==, rows[i].milli);
    }
    g_autofree char *bytes = api_quantity_format(api_quantity_from_value(1536 << 20, API_QUANTITY_BINARY_SI));
    g_assert_cmpstr(bytes, ==, "1536Mi");
    g_autofree char *cores = api_quantity_format(api_quantity_from_milli(2500, API_QUANTITY_DECIMAL_SI));
    g_assert_cmpstr(cores, ==, "2500m");
    g_autofree char *most = api_quantity_format(api_quantity_from_value(G_MAXINT64, API_QUANTITY_DECIMAL_SI));
    g_assert_cmpstr(most, ==, "9223372036854775807");
}

static void test_arithmetic(void)
{
    static const struct {
        const char *a, *b, *sum, *difference;
        int order;
    } rows[] = {
        {"1", "500m", "1500m", "500m", 1}, {"500m", "1", "1500m", "-500m", -1},
        {"1Gi", "1024Mi", "2Gi", "0", 0},  {"1Gi", "1G", "2073741824", "73741824", 1},
        {"0", "1Gi", "1Gi", "-1Gi", -1},                                /* zero has no form of its own */
        {"1", "1e3", "1001", "-999", -1},  {"9E", "9E", "18E", "0", 0}, /* sums may go beyond what may be written */
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        ApiQuantity a = parse(rows[i].a), b = parse(rows[i].b);
        g_autofree char *sum = api_quantity_format(api_quantity_add(a, b));
        g_autofree char *difference = api_quantity_format(api_quantity_sub(a, b));
        g_assert_cmpstr(sum, ==, rows[i].sum);
        g_assert_cmpstr(difference, ==, rows[i].difference);
        g_assert_cmpint(api_quantity_cmp(a, b), ==, rows[i].order);
    }
}

static void test_messages(void)
{
    ApiQuantity value = {1, API_QUANTITY_BINARY_SI};
    g_assert_true(api_quantity_get(NULL, &value));
    g_assert_true(value.nano == 0);
    API_AUTO(Meta__V1__Quantity) quantity = api_quantity_new(parse("0.5Gi"));
    g_assert_cmpstr(quantity->string, ==, "512Mi");
    g_assert_true(api_quantity_get(quantity, &value));
    g_assert_cmpint(api_quantity_value(value), ==, 512 << 20);
    api_set_string(&quantity->string, "");
    g_assert_true(api_quantity_get(quantity, &value));
    g_assert_true(value.nano == 0);
    api_set_string(&quantity->string, "many");
    value.nano = 7;
    g_assert_false(api_quantity_get(quantity, &value));
    g_assert_true(value.nano == 0);
}

/* Against plain 128-bit arithmetic, for decimal numbers of every shape. */
static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    static const char suffixes[] = "num\0kMGTP";
    static const int exponents[] = {-9, -6, -3, 0, 3, 6, 9, 12, 15};
    for (int i = 0; i < 20000; i++) {
        gint64 digits =
            (gint64)(((guint64)g_rand_int(rand) << 32 | g_rand_int(rand)) >> g_rand_int_range(rand, 32, 63));
        int which = g_rand_int_range(rand, 0, G_N_ELEMENTS(exponents));
        int places = g_rand_int_range(rand, 0, 6);
        __int128 nano = digits;
        for (int k = 0; k < exponents[which] + 9 - places; k++)
            nano *= 10;
        for (int k = 0; k < places - exponents[which] - 9; k++)
            nano = nano / 10 + (nano % 10 != 0);
        g_autofree char *number = g_strdup_printf("%0*" G_GINT64_FORMAT, places + 1, digits);
        gsize n = strlen(number);
        char suffix[2] = {suffixes[which], '\0'};
        g_autofree char *text =
            g_strdup_printf("%.*s.%s%s", (int)(n - (gsize)places), number, number + n - places, suffix);
        ApiQuantity quantity;
        gboolean fits = nano <= (__int128)G_MAXINT64 * 1000000000;
        g_assert_cmpint(api_quantity_parse(text, &quantity, NULL), ==, fits);
        if (fits && quantity.nano != nano)
            g_error("%s is read wrongly", text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quantity/forms", test_forms);
    g_test_add_func("/quantity/refused", test_refused);
    g_test_add_func("/quantity/limits", test_limits);
    g_test_add_func("/quantity/values", test_values);
    g_test_add_func("/quantity/arithmetic", test_arithmetic);
    g_test_add_func("/quantity/messages", test_messages);
    g_test_add_func("/quantity/random", test_random);
    return g_test_run();
}
