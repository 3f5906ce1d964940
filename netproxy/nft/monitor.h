/* Notices when somebody else changes the proxy's table, or may have done so. Own changes are filtered out in the kernel, so a
 * large one of ours neither wakes nor overflows the monitor. Main loop only. */
#pragma once

#include <glib.h>

typedef struct NftMonitor NftMonitor;

/* who: "nft (pid 312)", or what else is known of the author. Borrowed. May be called several times for one transaction. */
typedef void (*NftMonitorFunc)(const char *who, gpointer user_data);

/* own_port: the author whose changes are no news (nft_socket_port()). */
NftMonitor *nft_monitor_new(guint32 own_port, NftMonitorFunc func, gpointer user_data, GError **error);
void nft_monitor_free(NftMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NftMonitor, nft_monitor_free)
