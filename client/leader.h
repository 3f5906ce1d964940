/* Leader election by a Lease object. Belongs to the client's GMainContext. */
#pragma once

#include "client/client.h"

typedef struct ClientLeader ClientLeader;

typedef struct {
    const char *namespace_; /* NULL: kube-system */
    const char *name;       /* of the Lease */
    const char *identity;   /* who we are, unique; NULL: host name and a random suffix */
    guint lease_s;          /* how long a leader that is silent keeps others out; 0: 15 */
    guint renew_s;          /* a leader that cannot renew for so long steps down; 0: 10; less than lease_s */
    guint retry_s;          /* between tries; 0: 2 */
    void (*started)(gpointer data); /* we lead */
    void (*stopped)(gpointer data); /* we lead no more; programs exit then */
    gpointer data;
} ClientLeaderOptions;

ClientLeader *client_leader_new(Client *client, const ClientLeaderOptions *options);
gboolean client_leader_is_leading(const ClientLeader *leader);
/* Gives the lease back (waits up to 2 s for that), so that another instance can take over at once. No callback runs. */
void client_leader_free(ClientLeader *leader);
