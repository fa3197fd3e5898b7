/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-network-watch.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base/als-deadline-source.h"
#include "path/als-netlink.h"
#include "path/als-sleep-detector.h"

/* A burst is told this long after its last change, or after its first if it does not end. */
#define SETTLE_US (200 * 1000)
#define SETTLE_MAX_US (2 * G_USEC_PER_SEC)

/* Of the real-time clock: the year 2242. */
#define NEVER_S (INT64_C (1) << 33)

#define MAX_ADDRESSES 32
#define MAX_ROUTERS 8
#define BUFFER_BYTES (32 * 1024)
/* Datagrams read at one wake-up; the rest at the next. */
#define MAX_READS 64

struct _AlsNetworkWatch
{
  GObject parent_instance;

  int netlink;              /* -1: the kernel refuses */
  int clock;                /* timerfd that ends with each jump of the clock; -1: none */
  GSource *netlink_source;
  GSource *clock_source;
  GSource *settle;
  int64_t burst_us;         /* when the present one began; 0: none */
  gboolean is_shaken;       /* something happened that counts even if all looks as before */
  AlsNetlinkTables *known;  /* as of the last time it was told */
  AlsSleepDetector sleep;
};

G_DEFINE_FINAL_TYPE (AlsNetworkWatch, als_network_watch, G_TYPE_OBJECT)

enum
{
  CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* --- addresses and routers -------------------------------------------------- */

static gboolean
is_link_local_ipv6 (const AlsStunAddress *address)
{
  return address->family == ALS_STUN_FAMILY_IPV6 && address->ip[0] == 0xfe
         && (address->ip[1] & 0xc0) == 0x80;
}

static gboolean
is_loopback (const AlsStunAddress *address)
{
  static const uint8_t one[16] = { [15] = 1 };

  if (address->family == ALS_STUN_FAMILY_IPV6)
    return memcmp (address->ip, one, sizeof one) == 0;
  return address->ip[0] == 127;
}

static gboolean
is_usable (const AlsNetlinkTables *tables, const AlsNetlinkAddress *entry)
{
  AlsStunAddress with_port = entry->address;

  with_port.port = 1;
  return !entry->is_tentative && !is_loopback (&entry->address)
         && !is_link_local_ipv6 (&entry->address) && als_stun_address_is_usable (&with_port)
         && als_netlink_is_running (tables, entry->index);
}

static guint
get_rank (const AlsNetlinkAddress *entry)
{
  return entry->is_deprecated ? 2 : entry->is_temporary ? 1 : 0;
}

static gboolean
contains (GArray *addresses, const AlsStunAddress *address)
{
  for (guint i = 0; i < addresses->len; i++)
    if (als_stun_address_same_ip (&g_array_index (addresses, AlsStunAddress, i), address))
      return TRUE;
  return FALSE;
}

static GArray *
collect_addresses (const AlsNetlinkTables *tables)
{
  GArray *addresses = g_array_new (FALSE, TRUE, sizeof (AlsStunAddress));

  for (guint rank = 0; rank <= 2; rank++)
    for (guint i = 0; i < tables->addresses->len && addresses->len < MAX_ADDRESSES; i++)
      {
        const AlsNetlinkAddress *entry = &g_array_index (tables->addresses, AlsNetlinkAddress, i);

        if (get_rank (entry) == rank && is_usable (tables, entry)
            && !contains (addresses, &entry->address))
          g_array_append_val (addresses, entry->address);
      }
  return addresses;
}

GArray *
als_network_list_addresses (void)
{
  g_autoptr (AlsNetlinkTables) tables = als_netlink_read ();

  return collect_addresses (tables);
}

gboolean
als_network_is_local (const AlsStunAddress *address)
{
  g_autoptr (AlsNetlinkTables) tables = als_netlink_read ();

  for (guint i = 0; i < tables->addresses->len; i++)
    {
      const AlsNetlinkAddress *entry = &g_array_index (tables->addresses, AlsNetlinkAddress, i);

      if (als_stun_address_same_ip (&entry->address, address))
        return TRUE;
      if (entry->prefix > 0 && als_netlink_is_running (tables, entry->index)
          && als_netlink_same_prefix (&entry->network, address, entry->prefix))
        return TRUE;
    }
  return FALSE;
}

static int
compare_routes (gconstpointer a, gconstpointer b)
{
  const AlsNetlinkRoute *left = a, *right = b;

  return left->metric < right->metric ? -1 : left->metric > right->metric;
}

GArray *
als_network_list_routers (void)
{
  g_autoptr (AlsNetlinkTables) tables = als_netlink_read ();
  GArray *routers = g_array_new (FALSE, TRUE, sizeof (AlsNetworkRouter));

  g_array_sort (tables->routes, compare_routes);
  for (guint i = 0; i < tables->routes->len && routers->len < MAX_ROUTERS; i++)
    {
      const AlsNetlinkRoute *route = &g_array_index (tables->routes, AlsNetlinkRoute, i);
      AlsNetworkRouter router = { route->router, route->index };
      gboolean is_known = FALSE;

      for (guint j = 0; j < routers->len; j++)
        {
          const AlsNetworkRouter *other = &g_array_index (routers, AlsNetworkRouter, j);

          is_known |= other->interface == router.interface
                      && als_stun_address_same_ip (&other->address, &router.address);
        }
      if (!is_known && als_netlink_is_running (tables, route->index))
        g_array_append_val (routers, router);
    }
  return routers;
}

gboolean
als_network_get_source (const AlsStunAddress *destination, AlsStunAddress *source)
{
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (destination);
  g_autoptr (GSocketAddress) local = NULL;
  g_autoptr (GSocket) socket = NULL;
  AlsStunAddress found = { 0 };

  if (source != NULL)
    *source = found;
  if (address == NULL)
    return FALSE;
  socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_DATAGRAM,
                         G_SOCKET_PROTOCOL_UDP, NULL);
  /* A connected datagram socket has asked for its route. */
  if (socket == NULL || !g_socket_connect (socket, address, NULL, NULL))
    return FALSE;
  local = g_socket_get_local_address (socket, NULL);
  if (local == NULL || !als_stun_address_from_gio (&found, local))
    return FALSE;
  found.port = 0;
  if (source != NULL)
    *source = found;
  return TRUE;
}

/* --- changes ---------------------------------------------------------------- */

static gboolean
has_usable_address_on (const AlsNetlinkTables *tables, guint index)
{
  for (guint i = 0; i < tables->addresses->len; i++)
    {
      const AlsNetlinkAddress *entry = &g_array_index (tables->addresses, AlsNetlinkAddress, i);

      if (entry->index == index && is_usable (tables, entry))
        return TRUE;
    }
  return FALSE;
}

static gboolean
same_addresses (const AlsNetlinkTables *a, const AlsNetlinkTables *b)
{
  g_autoptr (GArray) left = collect_addresses (a);
  g_autoptr (GArray) right = collect_addresses (b);

  if (left->len != right->len)
    return FALSE;
  for (guint i = 0; i < left->len; i++)
    if (!contains (right, &g_array_index (left, AlsStunAddress, i)))
      return FALSE;
  return TRUE;
}

static gboolean
has_route (const AlsNetlinkTables *tables, const AlsNetlinkRoute *route)
{
  for (guint i = 0; i < tables->routes->len; i++)
    {
      const AlsNetlinkRoute *other = &g_array_index (tables->routes, AlsNetlinkRoute, i);

      if (other->index == route->index && other->metric == route->metric
          && als_stun_address_same_ip (&other->router, &route->router))
        return TRUE;
    }
  return FALSE;
}

static gboolean
same_routes (const AlsNetlinkTables *a, const AlsNetlinkTables *b)
{
  if (a->routes->len != b->routes->len)
    return FALSE;
  for (guint i = 0; i < a->routes->len; i++)
    if (!has_route (b, &g_array_index (a->routes, AlsNetlinkRoute, i)))
      return FALSE;
  return TRUE;
}

static gboolean
settle_cb (gpointer user_data)
{
  AlsNetworkWatch *self = user_data;
  g_autoptr (AlsNetlinkTables) now = als_netlink_read ();
  gboolean is_changed = self->is_shaken || !same_addresses (self->known, now)
                        || !same_routes (self->known, now);

  self->burst_us = 0;
  self->is_shaken = FALSE;
  als_netlink_tables_free (self->known);
  self->known = g_steal_pointer (&now);
  /* Routers advertise the same addresses again and again, and Wi-Fi links tell their strength. */
  if (is_changed)
    {
      g_debug ("the network changed: %u addresses, %u routes", self->known->addresses->len,
               self->known->routes->len);
      g_signal_emit (self, signals[CHANGED], 0);
    }
  return G_SOURCE_CONTINUE;
}

static void
note_change (AlsNetworkWatch *self)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->burst_us == 0)
    self->burst_us = now_us;
  als_deadline_source_set (self->settle,
                           MIN (now_us + SETTLE_US, self->burst_us + SETTLE_MAX_US));
}

/* A link that lost its carrier may come back on another network with the same addresses. */
static void
note_links (AlsNetworkWatch *self, const AlsNetlinkTables *seen)
{
  for (guint i = 0; i < seen->links->len; i++)
    {
      const AlsNetlinkLink *link = &g_array_index (seen->links, AlsNetlinkLink, i);

      if (!link->is_running && has_usable_address_on (self->known, link->index))
        self->is_shaken = TRUE;
    }
}

static gboolean
netlink_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsNetworkWatch *self = user_data;
  g_autoptr (AlsNetlinkTables) seen = als_netlink_tables_new ();
  g_autofree uint8_t *buffer = g_malloc (BUFFER_BYTES);
  gboolean is_change = FALSE;

  for (guint i = 0; i < MAX_READS; i++)
    {
      ssize_t n = als_netlink_receive (fd, buffer, BUFFER_BYTES);

      if (n == 0)
        break;
      if (n < 0 || (als_netlink_parse (seen, buffer, (size_t) n) & ALS_NETLINK_CHANGE))
        is_change = TRUE;
    }
  note_links (self, seen);
  if (is_change)
    note_change (self);
  return G_SOURCE_CONTINUE;
}

/* --- sleep ------------------------------------------------------------------ */

static int64_t
get_clock_us (clockid_t clock)
{
  struct timespec time;

  if (clock_gettime (clock, &time) < 0)
    return 0;
  return (int64_t) time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* A timer that never fires, but is cancelled when the clock jumps: the kernel does so at each
 * resumption. It costs nothing in between. */
static gboolean
arm_clock (AlsNetworkWatch *self)
{
  struct itimerspec never = { .it_value = { .tv_sec = NEVER_S } };

  return timerfd_settime (self->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL)
         == 0;
}

static gboolean
clock_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsNetworkWatch *self = user_data;
  uint64_t unused;

  /* Ends with ECANCELED: what it waited for. */
  if (read (fd, &unused, sizeof unused) < 0 && errno == EAGAIN)
    return G_SOURCE_CONTINUE;
  if (als_sleep_detector_check (&self->sleep, get_clock_us (CLOCK_BOOTTIME),
                                get_clock_us (CLOCK_MONOTONIC)))
    {
      g_debug ("slept");
      self->is_shaken = TRUE;
      note_change (self);
    }
  if (arm_clock (self))
    return G_SOURCE_CONTINUE;
  als_source_clear (&self->clock_source);
  return G_SOURCE_REMOVE;
}

/* --- object ----------------------------------------------------------------- */

static GSource *
watch_fd (int fd, GUnixFDSourceFunc func, const char *name, AlsNetworkWatch *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  GSource *source = g_unix_fd_source_new (fd, G_IO_IN);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, context);
  return source;
}

static void
als_network_watch_finalize (GObject *object)
{
  AlsNetworkWatch *self = ALS_NETWORK_WATCH (object);

  als_source_clear (&self->netlink_source);
  als_source_clear (&self->clock_source);
  als_source_clear (&self->settle);
  if (self->netlink >= 0)
    close (self->netlink);
  if (self->clock >= 0)
    close (self->clock);
  als_netlink_tables_free (self->known);
  G_OBJECT_CLASS (als_network_watch_parent_class)->finalize (object);
}

static void
als_network_watch_class_init (AlsNetworkWatchClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_network_watch_finalize;
  signals[CHANGED] = g_signal_new ("changed", ALS_TYPE_NETWORK_WATCH, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 0);
}

static void
als_network_watch_init (AlsNetworkWatch *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->settle = als_deadline_source_new (context, "als-network-settle", settle_cb, self);
  self->netlink = als_netlink_subscribe ();
  if (self->netlink >= 0)
    self->netlink_source = watch_fd (self->netlink, netlink_cb, "als-network-netlink", self);
  else
    g_message ("changes of the network are not told: %s", g_strerror (errno));
  als_sleep_detector_init (&self->sleep, get_clock_us (CLOCK_BOOTTIME),
                           get_clock_us (CLOCK_MONOTONIC));
  self->clock = timerfd_create (CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (self->clock >= 0 && arm_clock (self))
    self->clock_source = watch_fd (self->clock, clock_cb, "als-network-clock", self);
  /* After the subscription: what changes in between is told. */
  self->known = als_netlink_read ();
}

AlsNetworkWatch *
als_network_watch_new (void)
{
  return g_object_new (ALS_TYPE_NETWORK_WATCH, NULL);
}
