#include "client/leader.h"

#include "cleat/coordination/v1/coordination.pb-c.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

/* The holder renews the Lease; others take it over once they have not seen it change for lease_s. Times are compared on the
 * own monotonic clock only: the clocks of two machines need not agree. */
struct ClientLeader {
    Client *client;
    ClientLeaderOptions options; /* strings owned, numbers filled in */
    gboolean leading;
    Coordination__V1__Lease *seen; /* the Lease as it was last; NULL: never seen */
    gint64 seen_at;                /* monotonic us of the last change seen */
    gint64 renewed_at;             /* monotonic us when our last successful write began */
    gint64 writing_since;
    gboolean busy;  /* a call is under way */
    gboolean freed; /* by client_leader_free() while busy: the callback frees the rest */
    GSource *timer; /* ticks every retry_s */
};

static void leader_try(ClientLeader *leader);

static void leader_destroy(ClientLeader *leader)
{
    API_FREE(leader->seen);
    g_free((char *)leader->options.namespace_);
    g_free((char *)leader->options.name);
    g_free((char *)leader->options.identity);
    g_free(leader);
}

static gboolean leader_tick(gpointer data)
{
    ClientLeader *leader = data;
    if (leader->leading && g_get_monotonic_time() - leader->renewed_at > leader->options.renew_s * G_USEC_PER_SEC) {
        leader->leading = FALSE;
        if (leader->options.stopped)
            leader->options.stopped(leader->options.data);
    }
    if (!leader->busy)
        leader_try(leader);
    return G_SOURCE_CONTINUE;
}

/* Notes what the Lease looks like. */
static void leader_see(ClientLeader *leader, const ProtobufCMessage *lease)
{
    if (!leader->seen || api_object_revision(lease) != api_object_revision(&leader->seen->base))
        leader->seen_at = g_get_monotonic_time();
    api_set(leader->seen, (Coordination__V1__Lease *)api_message_clone(lease));
}

static const char *leader_holder(const ClientLeader *leader)
{
    return leader->seen && leader->seen->spec ? api_str(leader->seen->spec->holderidentity) : "";
}

/* TRUE if this callback came after client_leader_free(). */
static gboolean leader_is_gone(ClientLeader *leader)
{
    leader->busy = FALSE;
    if (!leader->freed)
        return FALSE;
    leader_destroy(leader);
    return TRUE;
}

static void leader_written(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    ClientLeader *leader = data;
    if (leader_is_gone(leader))
        return;
    if (error) {
        if (cleat_error_is(error, CLEAT_ERROR_CONFLICT) || cleat_error_is(error, CLEAT_ERROR_ALREADY_EXISTS) ||
            cleat_error_is(error, CLEAT_ERROR_NOT_FOUND))
            api_set(leader->seen, NULL); /* somebody else wrote: look again at the next tick */
        return;
    }
    leader_see(leader, object);
    leader->renewed_at = leader->writing_since;
    if (!leader->leading) {
        leader->leading = TRUE;
        if (leader->options.started)
            leader->options.started(leader->options.data);
    }
}

/* Takes or renews the Lease on top of what was seen. */
static void leader_write(ClientLeader *leader)
{
    API_AUTO(Coordination__V1__Lease) lease = NULL;
    gint64 now = time_now_ns();
    if (leader->seen)
        lease = API_CLONE(leader->seen);
    else
        lease = API_NEW(Coordination__V1__Lease, coordination__v1__lease);
    Meta__V1__ObjectMeta *meta = API_META(lease);
    api_set_string(&meta->name, leader->options.name);
    api_set_string(&meta->namespace_, leader->options.namespace_);
    if (!lease->spec)
        lease->spec = API_NEW(Coordination__V1__LeaseSpec, coordination__v1__lease_spec);
    if (!api_str_equal(lease->spec->holderidentity, leader->options.identity)) {
        api_set_scalar(lease->spec, leasetransitions, leader->seen ? lease->spec->leasetransitions + 1 : 0);
        api_set(lease->spec->acquiretime, api_micro_time_new(now));
        api_set_string(&lease->spec->holderidentity, leader->options.identity);
    }
    api_set_scalar(lease->spec, leasedurationseconds, (gint32)leader->options.lease_s);
    api_set(lease->spec->renewtime, api_micro_time_new(now));
    leader->busy = TRUE;
    leader->writing_since = g_get_monotonic_time();
    if (leader->seen)
        client_update(leader->client, &lease->base, leader_written, leader);
    else
        client_create(leader->client, &lease->base, leader_written, leader);
}

static void leader_looked(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    ClientLeader *leader = data;
    if (leader_is_gone(leader))
        return;
    if (error) {
        if (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
            api_set(leader->seen, NULL);
            leader_write(leader);
        }
        return;
    }
    leader_see(leader, object);
    gint64 silent = g_get_monotonic_time() - leader->seen_at;
    gint64 lease_us = (gint64)(leader->seen->spec && leader->seen->spec->has_leasedurationseconds
                                   ? (guint)leader->seen->spec->leasedurationseconds
                                   : leader->options.lease_s) * G_USEC_PER_SEC;
    const char *holder = leader_holder(leader);
    if (*holder == '\0' || g_str_equal(holder, leader->options.identity) || silent > lease_us)
        leader_write(leader);
}

static void leader_try(ClientLeader *leader)
{
    if (leader->leading && leader->seen) {
        leader_write(leader); /* a stale revision answers Conflict, and we look */
        return;
    }
    leader->busy = TRUE;
    client_get(leader->client, API_LEASE, leader->options.namespace_, leader->options.name, leader_looked, leader);
}

ClientLeader *client_leader_new(Client *client, const ClientLeaderOptions *options)
{
    ClientLeader *leader = g_new0(ClientLeader, 1);
    leader->client = client;
    leader->options = *options;
    ClientLeaderOptions *own = &leader->options;
    own->namespace_ = g_strdup(options->namespace_ ? options->namespace_ : "kube-system");
    own->name = g_strdup(options->name);
    if (options->identity) {
        own->identity = g_strdup(options->identity);
    } else {
        g_autofree char *random = g_uuid_string_random();
        own->identity = g_strdup_printf("%s_%s", g_get_host_name(), random);
    }
    own->lease_s = options->lease_s ? options->lease_s : 15;
    own->renew_s = options->renew_s ? options->renew_s : 10;
    own->retry_s = options->retry_s ? options->retry_s : 2;
    g_assert(own->renew_s < own->lease_s);
    leader->timer = g_timeout_source_new(own->retry_s * 1000);
    g_source_set_callback(leader->timer, leader_tick, leader, NULL);
    g_source_attach(leader->timer, client_context(client));
    g_source_set_ready_time(leader->timer, 0); /* the first tick at once */
    return leader;
}

gboolean client_leader_is_leading(const ClientLeader *leader)
{
    return leader->leading;
}

/* Written by hand rather than through leader_written(): this is the end, and it must not wait for long. */
static void leader_release(ClientLeader *leader)
{
    API_AUTO(Coordination__V1__Lease) lease = API_CLONE(leader->seen);
    api_set_string(&lease->spec->holderidentity, "");
    api_set_scalar(lease->spec, leasedurationseconds, 1);
    API_FREE(client_update_sync(leader->client, &lease->base, NULL));
}

void client_leader_free(ClientLeader *leader)
{
    if (!leader)
        return;
    g_source_destroy(leader->timer);
    g_source_unref(leader->timer);
    if (leader->leading && !leader->busy && leader->seen)
        leader_release(leader);
    leader->freed = TRUE;
    if (!leader->busy)
        leader_destroy(leader);
}
