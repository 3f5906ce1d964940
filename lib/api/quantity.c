#include "lib/api/quantity.h"

#include <string.h>

#include "lib/api/object.h"
#include "lib/base/error.h"

#define NANO_PER_UNIT ((__int128)1000000000)
#define NANO_MAX ((__int128)G_MAXINT64 * NANO_PER_UNIT)

/* 10^exponent, or 2^exponent for the binary ones. */
static const struct {
    const char *text;
    ApiQuantityFormat format;
    int exponent;
} suffixes[] = {
    {"", API_QUANTITY_DECIMAL_SI, 0},   {"n", API_QUANTITY_DECIMAL_SI, -9}, {"u", API_QUANTITY_DECIMAL_SI, -6},
    {"m", API_QUANTITY_DECIMAL_SI, -3}, {"k", API_QUANTITY_DECIMAL_SI, 3},  {"M", API_QUANTITY_DECIMAL_SI, 6},
    {"G", API_QUANTITY_DECIMAL_SI, 9},  {"T", API_QUANTITY_DECIMAL_SI, 12}, {"P", API_QUANTITY_DECIMAL_SI, 15},
    {"E", API_QUANTITY_DECIMAL_SI, 18}, {"Ki", API_QUANTITY_BINARY_SI, 10}, {"Mi", API_QUANTITY_BINARY_SI, 20},
    {"Gi", API_QUANTITY_BINARY_SI, 30}, {"Ti", API_QUANTITY_BINARY_SI, 40}, {"Pi", API_QUANTITY_BINARY_SI, 50},
    {"Ei", API_QUANTITY_BINARY_SI, 60},
};

static const char *suffix_text(ApiQuantityFormat format, int exponent)
{
    for (guint i = 1; i < G_N_ELEMENTS(suffixes); i++) {
        if (suffixes[i].format == format && suffixes[i].exponent == exponent)
            return suffixes[i].text;
    }
    return "";
}

static gboolean parse_suffix(const char *text, ApiQuantityFormat *ret_format, gint64 *ret_exponent)
{
    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        if (g_str_equal(text, suffixes[i].text)) {
            *ret_format = suffixes[i].format;
            *ret_exponent = suffixes[i].exponent;
            return TRUE;
        }
    }
    *ret_format = API_QUANTITY_DECIMAL_EXPONENT;
    return (text[0] == 'e' || text[0] == 'E') &&
           g_ascii_string_to_signed(text + 1, 10, G_MININT32, G_MAXINT32, ret_exponent, NULL);
}

/* The digits of a number as one run, with the place of the point in it. */
typedef struct {
    GString *digits;
    gint64 point;
} Number;

/* The whole part, with zeros added where the point lies behind the last digit. FALSE beyond int64. */
static gboolean number_whole(const Number *number, __int128 *ret_value)
{
    __int128 value = 0;
    for (gint64 i = 0; i < number->point; i++) {
        int digit = i < (gint64)number->digits->len ? number->digits->str[i] - '0' : 0;
        if (i >= (gint64)number->digits->len && value == 0)
            break; /* zero, however large the exponent */
        value = value * 10 + digit;
        if (value > G_MAXINT64)
            return FALSE;
    }
    *ret_value = value;
    return TRUE;
}

/* The part behind the point times <unit>, rounded up. Exact for any number of digits: it goes from the last digit to
 * the first, and floor((n + y) / 10) = floor((n + floor(y)) / 10) for a whole n, so that only "was anything cut off" is
 * to be remembered. unit < 2^96. */
static __int128 number_fraction(const Number *number, __int128 unit)
{
    __int128 value = 0;
    gboolean cut = FALSE;
    gint64 first = MAX(number->point, 0);
    for (gint64 i = (gint64)number->digits->len; i-- > first;) {
        value += (number->digits->str[i] - '0') * unit;
        cut |= value % 10 != 0;
        value /= 10;
    }
    for (gint64 zeros = -number->point; zeros > 0 && value > 0; zeros--) {
        cut |= value % 10 != 0;
        value /= 10;
    }
    return value + (cut ? 1 : 0);
}

/* Sign, digits and point. Returns what follows, or NULL when there is no digit. */
static const char *parse_number(const char *text, gboolean *ret_negative, Number *number)
{
    *ret_negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    for (; g_ascii_isdigit(*text); text++)
        g_string_append_c(number->digits, *text);
    number->point = (gint64)number->digits->len;
    if (*text == '.') {
        for (text++; g_ascii_isdigit(*text); text++)
            g_string_append_c(number->digits, *text);
    }
    return number->digits->len > 0 ? text : NULL;
}

gboolean api_quantity_parse(const char *text, ApiQuantity *ret, GError **error)
{
    g_autoptr(GString) digits = g_string_new(NULL);
    Number number = {digits, 0};
    gboolean negative;
    gint64 exponent;
    ApiQuantityFormat format;
    const char *suffix = parse_number(text, &negative, &number);
    if (!suffix || !parse_suffix(suffix, &format, &exponent)) {
        g_autofree char *safe = g_strescape(text, NULL);
        g_set_error(
            error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
            "\"%s\" is no quantity: a number with one of the suffixes n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an "
            "exponent (\"500m\", \"1.5Gi\", \"1e3\") is",
            safe);
        return FALSE;
    }
    __int128 unit = NANO_PER_UNIT, whole, nano = 0;
    if (format == API_QUANTITY_BINARY_SI)
        unit <<= exponent;
    else
        number.point += exponent;
    gboolean fits = number_whole(&number, &whole) && !__builtin_mul_overflow(whole, unit, &nano);
    if (fits)
        nano += number_fraction(&number, unit);
    if (!fits || nano > NANO_MAX) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "quantity \"%s\" is beyond the limit of 2^63-1", text);
        return FALSE;
    }
    if (format == API_QUANTITY_BINARY_SI && nano < NANO_PER_UNIT)
        format = API_QUANTITY_DECIMAL_SI; /* less than 1 has no binary form */
    *ret = (ApiQuantity){negative ? -nano : nano, format};
    return TRUE;
}

gboolean api_quantity_get(const Meta__V1__Quantity *quantity, ApiQuantity *ret)
{
    *ret = (ApiQuantity){0, API_QUANTITY_DECIMAL_SI};
    if (!quantity || api_str(quantity->string)[0] == '\0')
        return TRUE;
    return api_quantity_parse(quantity->string, ret, NULL);
}

static char *format_number(__int128 value, const char *suffix)
{
    char digits[48];
    char *p = digits + sizeof digits;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    *--p = '\0';
    do {
        *--p = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    return g_strconcat(value < 0 ? "-" : "", p, suffix, NULL);
}

/* The largest power of 1000 that leaves a whole number (of those that have a suffix). */
static char *format_decimal(ApiQuantity quantity)
{
    __int128 value = quantity.nano;
    int exponent = -9;
    while (value % 1000 == 0 && exponent < 18) {
        value /= 1000;
        exponent += 3;
    }
    char suffix[16] = "";
    if (quantity.format != API_QUANTITY_DECIMAL_EXPONENT)
        g_strlcpy(suffix, suffix_text(API_QUANTITY_DECIMAL_SI, exponent), sizeof suffix);
    else if (exponent != 0)
        g_snprintf(suffix, sizeof suffix, "e%d", exponent);
    return format_number(value, suffix);
}

char *api_quantity_format(ApiQuantity quantity)
{
    if (quantity.nano == 0)
        return g_strdup("0");
    __int128 units = quantity.nano / NANO_PER_UNIT;
    /* Small and broken numbers have no exact binary form and are written in the decimal one. */
    if (quantity.format != API_QUANTITY_BINARY_SI || quantity.nano % NANO_PER_UNIT != 0 ||
        (units > -1024 && units < 1024))
        return format_decimal(quantity);
    int exponent = 0;
    while (units % 1024 == 0 && exponent < 60) {
        units /= 1024;
        exponent += 10;
    }
    return format_number(units, suffix_text(API_QUANTITY_BINARY_SI, exponent));
}

Meta__V1__Quantity *api_quantity_new(ApiQuantity quantity)
{
    Meta__V1__Quantity *message = API_NEW(Meta__V1__Quantity, meta__v1__quantity);
    message->string = api_quantity_format(quantity);
    return message;
}

ApiQuantity api_quantity_add(ApiQuantity a, ApiQuantity b)
{
    return (ApiQuantity){a.nano + b.nano, a.nano == 0 ? b.format : a.format};
}

ApiQuantity api_quantity_sub(ApiQuantity a, ApiQuantity b)
{
    return (ApiQuantity){a.nano - b.nano, a.nano == 0 ? b.format : a.format};
}

int api_quantity_cmp(ApiQuantity a, ApiQuantity b)
{
    return (a.nano > b.nano) - (a.nano < b.nano);
}

/* Divided, rounded away from zero (as Kubernetes does), and kept inside int64. */
static gint64 scaled(ApiQuantity quantity, gint64 nano_per)
{
    __int128 value = quantity.nano / nano_per, rest = quantity.nano % nano_per;
    value += (rest > 0) - (rest < 0);
    return (gint64)CLAMP(value, G_MININT64, G_MAXINT64);
}

gint64 api_quantity_value(ApiQuantity quantity)
{
    return scaled(quantity, 1000000000);
}

gint64 api_quantity_milli(ApiQuantity quantity)
{
    return scaled(quantity, 1000000);
}

ApiQuantity api_quantity_from_value(gint64 value, ApiQuantityFormat format)
{
    return (ApiQuantity){value * NANO_PER_UNIT, format};
}

ApiQuantity api_quantity_from_milli(gint64 milli, ApiQuantityFormat format)
{
    return (ApiQuantity){milli * (NANO_PER_UNIT / 1000), format};
}
