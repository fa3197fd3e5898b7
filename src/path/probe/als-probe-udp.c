/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/probe/als-probe-udp.h"

#include <netinet/in.h>
#include <string.h>

#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "stun/als-stun-transaction.h"

/* As AlsNatDiscovery asks. */
#define RTO_US (500 * 1000)
#define N_SENDS 3
#define LAST_WAIT 2

#define IPV4_HEADERS_BYTES 28
#define IPV6_HEADERS_BYTES 48
#define STUN_OVERHEAD_BYTES (ALS_STUN_HEADER_BYTES + 4 + 8) /* padding's header, fingerprint */
/* Nobody's: to be ignored by who does not know it (RFC 8489, 5: from 0x8000 on), so that only the
 * request is large. PADDING of RFC 5780 would enlarge the answer, too. */
#define FILLER_ATTRIBUTE 0xffa5
#define MTU_SENDS 3
#define MTU_WAIT_US (400 * 1000)
#define MAX_DATAGRAM_BYTES 2048

/* What lines have: Ethernet, PPPoE, tunnels of all kinds, the least of IPv6 and of IPv4. Multiples of 4. */
static const uint32_t packet_sizes[] = {
  1500, 1492, 1480, 1472, 1460, 1452, 1440, 1420, 1400, 1380, 1360, 1320, 1280, 1200, 1024, 576,
};

typedef struct
{
  AlsProbeUdp *owner;
  GSocket *socket;
  GSource *source;
  AlsNatDiscovery *discovery;
} Asked;

typedef struct
{
  AlsStunTransaction timer;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  guint n_sent;
  int64_t sent_us;
  AlsStunAddress mapped; /* NONE: no answer */
} View;

typedef struct
{
  GSocket *socket;
  GSource *source;
  AlsStunAddress server;
  uint8_t transactions[G_N_ELEMENTS (packet_sizes)][ALS_STUN_TRANSACTION_BYTES];
  guint n_sent;
  guint best;           /* index; G_N_ELEMENTS: nothing answered */
  int64_t due_us;       /* INT64_MAX: over or not begun */
} MtuSearch;

struct _AlsProbeUdp
{
  AlsStunAddress servers[ALS_PROBE_MAX_SERVERS];
  guint n_servers;
  Asked asked[ALS_PROBE_MAX_SERVERS];
  GSocket *shared;
  GSource *shared_source;
  View views[ALS_PROBE_MAX_SERVERS];
  MtuSearch mtu;
  int64_t rtt_us;
  GSource *deadline;
  gboolean is_done;
  void (*done) (gpointer user_data);
  gpointer user_data;
};

AlsNatDependence
als_probe_judge_views (const AlsStunAddress *servers, const AlsStunAddress *mapped, guint n)
{
  gboolean has_two = FALSE, same_ip_differs = FALSE, same_ip_agrees = FALSE, differs = FALSE;

  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < i; j++)
      {
        gboolean equal = als_stun_address_equal (&mapped[i], &mapped[j]);

        if (als_stun_address_same_ip (&servers[i], &servers[j]))
          {
            if (servers[i].port == servers[j].port)
              continue;
            same_ip_differs |= !equal;
            same_ip_agrees |= equal;
          }
        else
          has_two = TRUE;
        differs |= !equal;
      }
  if (!differs)
    return has_two ? ALS_NAT_ENDPOINT_INDEPENDENT : ALS_NAT_UNKNOWN;
  /* Where no port told it, the harder one is supposed. */
  return same_ip_agrees && !same_ip_differs ? ALS_NAT_ADDRESS_DEPENDENT
                                            : ALS_NAT_ADDRESS_AND_PORT_DEPENDENT;
}

/* --- sockets ----------------------------------------------------------------------------- */

/* On the address that leads to SERVER, so that a NAT is told from none. (transfer full) (nullable) */
static GSocket *
open_socket (const AlsStunAddress *server, AlsStunAddress *local)
{
  AlsStunAddress source;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketAddress) address = NULL, bound = NULL;

  if (!als_network_get_source (server, &source))
    return NULL;
  source.port = 0;
  address = als_stun_address_to_gio (&source);
  socket = g_socket_new (server->family == ALS_STUN_FAMILY_IPV6 ? G_SOCKET_FAMILY_IPV6
                                                                : G_SOCKET_FAMILY_IPV4,
                         G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  if (!g_socket_bind (socket, address, FALSE, NULL))
    return NULL;
  bound = g_socket_get_local_address (socket, NULL);
  if (bound == NULL || !als_stun_address_from_gio (local, bound))
    return NULL;
  return g_steal_pointer (&socket);
}

static void
send_to (GSocket *socket, const AlsStunAddress *to, GBytes *bytes)
{
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (to);
  size_t len;
  const void *data = g_bytes_get_data (bytes, &len);

  /* What cannot be sent is not answered. */
  g_socket_send_to (socket, address, data, len, NULL, NULL);
}

/* One datagram; FALSE if there is none. Errors that earlier datagrams brought are passed over. */
static gboolean
receive (GSocket *socket, uint8_t *data, gssize *len, AlsStunAddress *from)
{
  for (guint i = 0; i < 64; i++)
    {
      g_autoptr (GSocketAddress) address = NULL;
      g_autoptr (GError) error = NULL;

      *len = g_socket_receive_from (socket, &address, (char *) data, MAX_DATAGRAM_BYTES, NULL, &error);
      if (*len >= 0 && address != NULL && als_stun_address_from_gio (from, address))
        return TRUE;
      if (error != NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        return FALSE;
    }
  return FALSE;
}

static GSource *
watch_socket (GSocket *socket, const char *name, GSourceFunc callback, gpointer user_data)
{
  GSource *source = g_socket_create_source (socket, G_IO_IN, NULL);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, user_data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

/* --- the largest packet -------------------------------------------------------------------- */

static uint32_t
get_headers_bytes (const AlsStunAddress *server)
{
  return server->family == ALS_STUN_FAMILY_IPV6 ? IPV6_HEADERS_BYTES : IPV4_HEADERS_BYTES;
}

static void
send_sizes (AlsProbeUdp *self)
{
  MtuSearch *mtu = &self->mtu;
  static const uint8_t zeros[ALS_STUN_MAX_MESSAGE_BYTES];

  /* The largest first: what is smaller than an answered one is of no interest. */
  for (guint i = 0; i < mtu->best && i < G_N_ELEMENTS (packet_sizes); i++)
    {
      g_auto (AlsStunBuilder) builder = { 0 };
      g_autoptr (GBytes) bytes = NULL;

      als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING,
                             mtu->n_sent > 0 ? mtu->transactions[i] : NULL);
      memcpy (mtu->transactions[i], builder.transaction, ALS_STUN_TRANSACTION_BYTES);
      als_stun_builder_add_bytes (&builder, (AlsStunAttributeType) FILLER_ATTRIBUTE, zeros,
                                  packet_sizes[i] - get_headers_bytes (&mtu->server)
                                    - STUN_OVERHEAD_BYTES);
      als_stun_builder_add_fingerprint (&builder);
      bytes = als_stun_builder_finish (&builder);
      g_assert (bytes != NULL);
      send_to (mtu->socket, &mtu->server, bytes);
    }
  mtu->n_sent++;
}

static void wake (AlsProbeUdp *self);

static gboolean
mtu_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  AlsProbeUdp *self = user_data;
  MtuSearch *mtu = &self->mtu;
  uint8_t data[MAX_DATAGRAM_BYTES];
  AlsStunAddress from;
  gssize len;

  while (receive (socket, data, &len, &from))
    {
      g_autoptr (AlsStunMessage) message = als_stun_message_decode (data, (size_t) len, NULL);

      if (message == NULL || !als_stun_address_equal (&from, &mtu->server))
        continue;
      /* An error is an answer, too: the packet arrived. */
      for (guint i = 0; i < mtu->best && i < G_N_ELEMENTS (packet_sizes); i++)
        if (memcmp (mtu->transactions[i], message->transaction, ALS_STUN_TRANSACTION_BYTES) == 0)
          mtu->best = i;
      if (mtu->best == 0)
        mtu->due_us = INT64_MAX;
    }
  wake (self);
  return G_SOURCE_CONTINUE;
}

static void
start_mtu (AlsProbeUdp *self, const AlsStunAddress *server)
{
  MtuSearch *mtu = &self->mtu;
  AlsStunAddress local;
  gboolean done;

  if (mtu->socket != NULL)
    return;
  mtu->server = *server;
  mtu->socket = open_socket (server, &local);
  if (mtu->socket == NULL)
    return;
  /* Don't fragment, whatever the kernel believes to know of the way. */
  if (server->family == ALS_STUN_FAMILY_IPV6)
    done = g_socket_set_option (mtu->socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, NULL)
           && g_socket_set_option (mtu->socket, IPPROTO_IPV6, IPV6_DONTFRAG, 1, NULL);
  else
    done = g_socket_set_option (mtu->socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, NULL);
  if (!done)
    return;
  mtu->source = watch_socket (mtu->socket, "als-probe-mtu", G_SOURCE_FUNC (mtu_readable_cb), self);
  mtu->due_us = g_get_monotonic_time ();
}

static void
poll_mtu (AlsProbeUdp *self, int64_t now_us)
{
  MtuSearch *mtu = &self->mtu;

  if (now_us < mtu->due_us)
    return;
  if (mtu->n_sent == MTU_SENDS)
    {
      mtu->due_us = INT64_MAX;
      return;
    }
  send_sizes (self);
  mtu->due_us = now_us + MTU_WAIT_US;
}

/* --- endpoints ----------------------------------------------------------------------------- */

static void
send_view (AlsProbeUdp *self, guint i, int64_t now_us)
{
  View *view = &self->views[i];
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING,
                         view->n_sent > 0 ? view->transaction : NULL);
  memcpy (view->transaction, builder.transaction, sizeof view->transaction);
  als_stun_builder_add_fingerprint (&builder);
  bytes = als_stun_builder_finish (&builder);
  view->n_sent++;
  view->sent_us = now_us;
  send_to (self->shared, &self->servers[i], bytes);
}

static gboolean
shared_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  AlsProbeUdp *self = user_data;
  uint8_t data[MAX_DATAGRAM_BYTES];
  AlsStunAddress from;
  gssize len;

  while (receive (socket, data, &len, &from))
    {
      g_autoptr (AlsStunMessage) message = als_stun_message_decode (data, (size_t) len, NULL);
      int64_t now_us = g_get_monotonic_time ();

      if (message == NULL || message->method != ALS_STUN_BINDING || message->kind != ALS_STUN_SUCCESS)
        continue;
      for (guint i = 0; i < self->n_servers; i++)
        {
          View *view = &self->views[i];

          if (view->n_sent == 0 || view->mapped.family != ALS_STUN_FAMILY_NONE
              || !als_stun_address_equal (&from, &self->servers[i])
              || memcmp (view->transaction, message->transaction, sizeof view->transaction) != 0)
            continue;
          view->timer.due_us = INT64_MAX;
          if (!als_stun_message_get_mapped (message, &view->mapped))
            memset (&view->mapped, 0, sizeof view->mapped);
          /* Of a repeated request nobody knows which one was answered. */
          if (view->n_sent == 1 && (self->rtt_us == 0 || now_us - view->sent_us < self->rtt_us))
            self->rtt_us = MAX (now_us - view->sent_us, 1);
          start_mtu (self, &self->servers[i]);
        }
    }
  wake (self);
  return G_SOURCE_CONTINUE;
}

static void
poll_views (AlsProbeUdp *self, int64_t now_us)
{
  for (guint i = 0; self->shared != NULL && i < self->n_servers; i++)
    while (als_stun_transaction_poll (&self->views[i].timer, now_us) == ALS_STUN_STEP_SEND)
      send_view (self, i, now_us);
}

/* --- behaviour ------------------------------------------------------------------------------ */

static void
poll_asked (Asked *asked, int64_t now_us)
{
  AlsNatProbe probe;

  als_nat_discovery_poll (asked->discovery, now_us);
  while (als_nat_discovery_take_probe (asked->discovery, &probe))
    {
      send_to (asked->socket, &probe.to, probe.bytes);
      g_bytes_unref (probe.bytes);
    }
}

static gboolean
asked_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Asked *asked = user_data;
  uint8_t data[MAX_DATAGRAM_BYTES];
  AlsStunAddress from;
  gssize len;

  while (receive (socket, data, &len, &from))
    als_nat_discovery_receive (asked->discovery, &from, data, (size_t) len, g_get_monotonic_time ());
  wake (asked->owner);
  return G_SOURCE_CONTINUE;
}

static void
start_asking (AlsProbeUdp *self, guint i, int64_t now_us)
{
  Asked *asked = &self->asked[i];
  AlsStunAddress local;

  asked->owner = self;
  asked->socket = open_socket (&self->servers[i], &local);
  if (asked->socket == NULL)
    return;
  asked->discovery = als_nat_discovery_new (&local, &self->servers[i], now_us);
  asked->source = watch_socket (asked->socket, "als-probe-nat", G_SOURCE_FUNC (asked_readable_cb), asked);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int64_t
get_deadline (AlsProbeUdp *self)
{
  int64_t deadline_us = self->mtu.due_us;

  for (guint i = 0; i < self->n_servers; i++)
    {
      if (self->asked[i].discovery != NULL && als_nat_discovery_get_result (self->asked[i].discovery) == NULL)
        deadline_us = MIN (deadline_us, als_nat_discovery_get_deadline (self->asked[i].discovery));
      if (self->shared != NULL)
        deadline_us = MIN (deadline_us, als_stun_transaction_get_deadline (&self->views[i].timer));
    }
  return deadline_us;
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsProbeUdp *self = user_data;
  int64_t now_us = g_get_monotonic_time (), deadline_us;

  if (self->is_done)
    return G_SOURCE_CONTINUE;
  for (guint i = 0; i < self->n_servers; i++)
    if (self->asked[i].discovery != NULL)
      poll_asked (&self->asked[i], now_us);
  poll_views (self, now_us);
  poll_mtu (self, now_us);
  deadline_us = get_deadline (self);
  if (deadline_us != INT64_MAX)
    {
      als_deadline_source_set (self->deadline, deadline_us);
      return G_SOURCE_CONTINUE;
    }
  self->is_done = TRUE;
  self->done (self->user_data);
  return G_SOURCE_CONTINUE;
}

/* From a socket's callback: what came may have made something due. */
static void
wake (AlsProbeUdp *self)
{
  als_deadline_source_set (self->deadline, 0);
}

AlsProbeUdp *
als_probe_udp_new (const AlsStunAddress *servers, guint n_servers, void (*done) (gpointer user_data),
                   gpointer user_data)
{
  AlsProbeUdp *self = g_new0 (AlsProbeUdp, 1);
  int64_t now_us = g_get_monotonic_time ();
  AlsStunAddress local;

  self->done = done;
  self->user_data = user_data;
  self->n_servers = MIN (n_servers, ALS_PROBE_MAX_SERVERS);
  memcpy (self->servers, servers, self->n_servers * sizeof *servers);
  self->mtu.best = G_N_ELEMENTS (packet_sizes);
  self->mtu.due_us = INT64_MAX;
  self->deadline = als_deadline_source_new (g_main_context_get_thread_default (), "als-probe-udp",
                                            deadline_cb, self);
  if (self->n_servers > 0)
    self->shared = open_socket (&self->servers[0], &local);
  if (self->shared != NULL)
    self->shared_source = watch_socket (self->shared, "als-probe-views", G_SOURCE_FUNC (shared_readable_cb), self);
  for (guint i = 0; i < self->n_servers; i++)
    {
      als_stun_transaction_init_custom (&self->views[i].timer, RTO_US, N_SENDS, LAST_WAIT, now_us);
      start_asking (self, i, now_us);
    }
  wake (self);
  return self;
}

static void
clear_socket (GSocket **socket, GSource **source)
{
  als_source_clear (source);
  if (*socket != NULL)
    g_socket_close (*socket, NULL);
  g_clear_object (socket);
}

void
als_probe_udp_free (AlsProbeUdp *self)
{
  als_source_clear (&self->deadline);
  clear_socket (&self->shared, &self->shared_source);
  clear_socket (&self->mtu.socket, &self->mtu.source);
  for (guint i = 0; i < ALS_PROBE_MAX_SERVERS; i++)
    {
      clear_socket (&self->asked[i].socket, &self->asked[i].source);
      g_clear_pointer (&self->asked[i].discovery, als_nat_discovery_free);
    }
  g_free (self);
}

gboolean
als_probe_udp_is_done (AlsProbeUdp *self)
{
  return self->is_done;
}

/* How much a behaviour tells. */
static guint
weigh (const AlsNatBehaviour *nat)
{
  if (nat->is_blocked)
    return 0;
  return 1 + 4 * (nat->endpoints[0].family != ALS_STUN_FAMILY_NONE)
         + 2 * (nat->mapping != ALS_NAT_UNKNOWN) + 2 * (nat->filtering != ALS_NAT_UNKNOWN);
}

/* Servers without a second address tell endpoints only; several of them together tell the mapping. */
static void
compare_views (AlsProbeUdp *self, AlsNatBehaviour *nat)
{
  AlsStunAddress servers[ALS_PROBE_MAX_SERVERS], mapped[ALS_PROBE_MAX_SERVERS];
  guint n = 0;

  for (guint i = 0; i < self->n_servers; i++)
    if (self->views[i].mapped.family != ALS_STUN_FAMILY_NONE)
      {
        servers[n] = self->servers[i];
        mapped[n++] = self->views[i].mapped;
      }
  if (nat->endpoints[0].family != ALS_STUN_FAMILY_NONE && nat->is_translated
      && nat->mapping == ALS_NAT_UNKNOWN)
    nat->mapping = als_probe_judge_views (servers, mapped, n);
}

void
als_probe_udp_get_result (AlsProbeUdp *self, AlsProbeUdpResult *result)
{
  guint best = 0;
  gboolean has_any = FALSE;

  memset (result, 0, sizeof *result);
  for (guint i = 0; i < self->n_servers; i++)
    {
      const AlsNatBehaviour *nat
          = self->asked[i].discovery != NULL ? als_nat_discovery_get_result (self->asked[i].discovery) : NULL;

      if (nat == NULL || (has_any && weigh (nat) <= best))
        continue;
      has_any = TRUE;
      best = weigh (nat);
      result->nat = *nat;
    }
  result->is_known = has_any;
  compare_views (self, &result->nat);
  result->rtt_us = self->rtt_us;
  if (self->mtu.best < G_N_ELEMENTS (packet_sizes))
    result->mtu = packet_sizes[self->mtu.best];
}
