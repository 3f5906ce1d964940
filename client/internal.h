/* What the files of client/ share and nobody else uses. */
#pragma once

#include "client/client.h"

/* client_list() without decoding: the reply is the list's bytes. cancellable may be NULL. */
void client_list_raw(Client *client, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                     GCancellable *cancellable, RpcUnaryDone done, gpointer data);
