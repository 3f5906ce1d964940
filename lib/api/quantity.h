/* Kubernetes quantities: decimal numbers with suffixes n u m "" k M G T P E, Ki..Ei, or an exponent. Exact, never a
 * float: a value is a count of 10^-9 in 128 bits (Kubernetes rounds finer values up to it). */
#pragma once

#include <glib.h>

#include "cleat/meta/v1/meta.pb-c.h"

typedef enum { API_QUANTITY_DECIMAL_SI, API_QUANTITY_BINARY_SI, API_QUANTITY_DECIMAL_EXPONENT } ApiQuantityFormat;

typedef struct {
    __int128 nano;
    ApiQuantityFormat format; /* how it was written, so that it prints alike */
} ApiQuantity;

/* BAD_REQUEST for what is no quantity or beyond +-(2^63-1); *ret is unchanged then. */
gboolean api_quantity_parse(const char *text, ApiQuantity *ret, GError **error);
/* NULL or unset reads as 0. FALSE only when the text is none (validation keeps such objects out); *ret is 0 then. */
gboolean api_quantity_get(const Meta__V1__Quantity *quantity, ApiQuantity *ret);
/* The canonical text: "1500m", "1536Mi". New string. */
char *api_quantity_format(ApiQuantity quantity);
Meta__V1__Quantity *api_quantity_new(ApiQuantity quantity);

ApiQuantity api_quantity_add(ApiQuantity a, ApiQuantity b);
ApiQuantity api_quantity_sub(ApiQuantity a, ApiQuantity b);
int api_quantity_cmp(ApiQuantity a, ApiQuantity b);
/* In units and in thousandths, rounded up (negative ones down: away from zero), saturating at the ends of int64. */
gint64 api_quantity_value(ApiQuantity quantity);
gint64 api_quantity_milli(ApiQuantity quantity);
ApiQuantity api_quantity_from_value(gint64 value, ApiQuantityFormat format);
ApiQuantity api_quantity_from_milli(gint64 milli, ApiQuantityFormat format);
