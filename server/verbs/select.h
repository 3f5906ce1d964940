/* What List and Watch requests have in common. */
#pragma once

#include "cleat/v1/requests.pb-c.h"
#include "server/verbs/request.h"

/* A decoded ListRequest: sets the request's target, parses the selectors, authorises. *ret_message and *ret_selection are
 * the caller's. BAD_REQUEST, FORBIDDEN. */
gboolean select_parse(Request *request, GBytes *body, Cleat__V1__ListRequest **ret_message,
                      StoreSelection *ret_selection, GError **error);
