/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Runs the parts of a probe side by side and puts together what they found:
 * names are looked up first, then UDP and TCP are asked; the router, the proxy
 * and the routes meanwhile. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-network-probe.h"

#include <netinet/in.h>
#include <string.h>

#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "path/probe/als-probe-tcp.h"
#include "path/probe/als-probe-udp.h"

#define LIMIT_US (8 * G_USEC_PER_SEC)
/* Names that are not known by then are left out: UDP needs 7.5 s at the worst. */
#define LOOKUP_LIMIT_US (G_USEC_PER_SEC / 2 * 3)
#define MAX_LOOKUPS 8
/* Roots of the name system: only routes to them are asked for, nothing is sent. */
#define SOMEWHERE_IPV4 "198.41.0.4"
#define SOMEWHERE_IPV6 "2001:503:ba3e::2:30"

typedef struct
{
  gatomicrefcount refs;        /* one thread; look-ups that are under way hold one each */
  GTask *task;                 /* (nullable): NULL once returned */
  GCancellable *stop;          /* of what is under way */
  AlsNetworkReport report;
  gboolean loopback;
  GSource *wake;               /* looks what is finished */
  GSource *limit;
  GSource *cancelled;
  int64_t lookups_until_us;    /* 0: begun with what is there */

  AlsStunAddress ipv4[ALS_PROBE_MAX_SERVERS], ipv6[ALS_PROBE_MAX_SERVERS];
  guint n_ipv4, n_ipv6;
  guint n_lookups;             /* under way */
  AlsProbeUdp *udp;
  AlsProbeTcp *tcp;
  AlsProbeUdp *udp6;           /* beside those of IPv4; else NULL */
  AlsProbeTcp *tcp6;

  gboolean proxy_pending;
  AlsPortMapper *mapper;       /* (nullable) */
  GSocket *mapped_socket;      /* its port is asked for */
  uint16_t mapped_port;
} Probe;

typedef struct
{
  Probe *probe;
  uint16_t port;
} Lookup;

static void
probe_unref (Probe *self)
{
  if (g_atomic_ref_count_dec (&self->refs))
    {
      g_object_unref (self->stop);
      g_free (self);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

/* What the route would take; less may get through, but nobody answered to that. */
static uint32_t
get_route_mtu (const AlsStunAddress *server)
{
  gboolean is_ipv6 = server->family == ALS_STUN_FAMILY_IPV6;
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (server);
  g_autoptr (GSocket) socket = g_socket_new (is_ipv6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4,
                                             G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  int mtu = 0;

  if (socket == NULL || !g_socket_connect (socket, address, NULL, NULL)
      || !g_socket_get_option (socket, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                               is_ipv6 ? IPV6_MTU : IP_MTU, &mtu, NULL))
    return 0;
  return mtu > 0 ? (uint32_t) mtu : 0;
}

static gboolean prefers_ipv4 (Probe *self);

static void
collect (Probe *self)
{
  AlsNetworkReport *report = &self->report;

  if (self->udp != NULL)
    {
      AlsProbeUdpResult udp;

      als_probe_udp_get_result (self->udp, &udp);
      report->udp_known = udp.is_known;
      report->udp = udp.nat;
      report->mtu = udp.mtu;
      report->server_rtt_us = udp.rtt_us;
    }
  if (self->tcp != NULL)
    {
      AlsProbeTcpResult tcp;

      als_probe_tcp_get_result (self->tcp, &tcp);
      report->tcp_known = tcp.is_known;
      report->tcp_is_translated = tcp.is_translated;
      report->tcp_mapping = tcp.mapping;
      report->tcp_port_step = tcp.port_step;
      if (report->server_rtt_us == 0)
        report->server_rtt_us = tcp.rtt_us;
    }
  if (self->udp6 != NULL)
    {
      AlsProbeUdpResult udp;
      AlsProbeTcpResult tcp;

      als_probe_udp_get_result (self->udp6, &udp);
      report->udp6_known = udp.is_known;
      report->udp6 = udp.nat;
      als_probe_tcp_get_result (self->tcp6, &tcp);
      report->tcp6_known = tcp.is_known;
      report->tcp6_is_translated = tcp.is_translated;
    }
  if (report->mtu == 0 && self->n_ipv4 + self->n_ipv6 > 0)
    report->mtu = get_route_mtu (prefers_ipv4 (self) ? &self->ipv4[0] : &self->ipv6[0]);
  if (self->mapper != NULL)
    {
      report->mapping_asked = TRUE;
      report->mappings = als_port_mapper_get_protocols (self->mapper);
      report->mapping_problem = als_port_mapper_get_problem (self->mapper);
      if (report->mapping_problem == ALS_PORT_MAP_PROBLEM_REFUSED)
        report->mapping_refusal = als_port_mapper_get_refusal (self->mapper);
    }
}

static void
stop_mapper (Probe *self)
{
  if (self->mapper == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->mapper, self);
  if (self->mapped_port != 0)
    als_port_mapper_remove (self->mapper, FALSE, self->mapped_port);
  g_clear_object (&self->mapper);
  if (self->mapped_socket != NULL)
    g_socket_close (self->mapped_socket, NULL);
  g_clear_object (&self->mapped_socket);
}

static void
finish (Probe *self)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->task);

  if (task == NULL)
    return;
  collect (self);
  g_cancellable_cancel (self->stop);
  als_source_clear (&self->wake);
  als_source_clear (&self->limit);
  als_source_clear (&self->cancelled);
  g_clear_pointer (&self->udp, als_probe_udp_free);
  g_clear_pointer (&self->tcp, als_probe_tcp_free);
  g_clear_pointer (&self->udp6, als_probe_udp_free);
  g_clear_pointer (&self->tcp6, als_probe_tcp_free);
  stop_mapper (self);
  if (!g_task_return_error_if_cancelled (task))
    g_task_return_pointer (task, als_network_report_copy (&self->report),
                           (GDestroyNotify) als_network_report_free);
  probe_unref (self);
}

static gboolean
finish_cb (gpointer user_data)
{
  finish (user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  finish (user_data);
  return G_SOURCE_REMOVE;
}

/* --- going on ---------------------------------------------------------------------------------- */

static void
part_done_cb (gpointer user_data)
{
  Probe *self = user_data;

  als_deadline_source_set (self->wake, 0);
}

/* NATs are a matter of IPv4; where there is none, IPv6's firewall is what there is to know. */
static gboolean
prefers_ipv4 (Probe *self)
{
  return self->n_ipv4 > 0 && (self->n_ipv6 == 0 || als_network_get_source (&self->ipv4[0], NULL));
}

static void
begin_asking (Probe *self)
{
  const AlsStunAddress *servers = prefers_ipv4 (self) ? self->ipv4 : self->ipv6;
  guint n = prefers_ipv4 (self) ? self->n_ipv4 : self->n_ipv6;

  self->lookups_until_us = 0;
  if (n == 0)
    return;
  self->udp = als_probe_udp_new (servers, n, part_done_cb, self);
  self->tcp = als_probe_tcp_new (servers, n, part_done_cb, self);
  if (prefers_ipv4 (self) && self->n_ipv6 > 0 && als_network_get_source (&self->ipv6[0], NULL))
    {
      self->udp6 = als_probe_udp_new (self->ipv6, self->n_ipv6, part_done_cb, self);
      self->tcp6 = als_probe_tcp_new (self->ipv6, self->n_ipv6, part_done_cb, self);
    }
}

static gboolean
wake_cb (gpointer user_data)
{
  Probe *self = user_data;

  if (self->lookups_until_us != 0)
    {
      if (self->n_lookups > 0 && g_get_monotonic_time () < self->lookups_until_us)
        {
          als_deadline_source_set (self->wake, self->lookups_until_us);
          return G_SOURCE_CONTINUE;
        }
      begin_asking (self);
    }
  if ((self->udp == NULL || als_probe_udp_is_done (self->udp))
      && (self->tcp == NULL || als_probe_tcp_is_done (self->tcp)) && !self->proxy_pending
      && (self->udp6 == NULL || (als_probe_udp_is_done (self->udp6) && als_probe_tcp_is_done (self->tcp6)))
      && (self->mapper == NULL || als_port_mapper_is_settled (self->mapper)))
    {
      finish (self);
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

/* --- servers ------------------------------------------------------------------------------------ */

static void
add_server (Probe *self, const AlsStunAddress *address)
{
  AlsStunAddress *list = address->family == ALS_STUN_FAMILY_IPV6 ? self->ipv6 : self->ipv4;
  guint *n = address->family == ALS_STUN_FAMILY_IPV6 ? &self->n_ipv6 : &self->n_ipv4;
  g_autoptr (GSocketAddress) gio = als_stun_address_to_gio (address);

  if (*n == ALS_PROBE_MAX_SERVERS || !als_stun_address_is_usable (address)
      || (self->loopback && !g_inet_address_get_is_loopback (
                              g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (gio)))))
    return;
  for (guint i = 0; i < *n; i++)
    if (als_stun_address_equal (&list[i], address))
      return;
  list[(*n)++] = *address;
}

static void
lookup_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Lookup *lookup = user_data;
  Probe *self = lookup->probe;
  GList *addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, NULL);

  if (self->task != NULL)
    {
      self->n_lookups--;
      for (GList *l = addresses; l != NULL && self->lookups_until_us != 0; l = l->next)
        {
          g_autoptr (GSocketAddress) gio = g_inet_socket_address_new (l->data, lookup->port);
          AlsStunAddress address;

          if (als_stun_address_from_gio (&address, gio))
            add_server (self, &address);
        }
      als_deadline_source_set (self->wake, 0);
    }
  g_resolver_free_addresses (addresses);
  probe_unref (self);
  g_free (lookup);
}

static void
begin_lookups (Probe *self, GPtrArray *servers)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();

  self->lookups_until_us = g_get_monotonic_time () + LOOKUP_LIMIT_US;
  for (guint i = 0; servers != NULL && i < servers->len; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (servers, i);
      AlsStunAddress address;
      Lookup *lookup;

      if (server->kind == ALS_PATH_SERVER_TURNS)
        continue;
      if (als_stun_address_parse (&address, server->host, server->port))
        {
          add_server (self, &address);
          continue;
        }
      if (self->n_lookups == MAX_LOOKUPS)
        continue;
      lookup = g_new0 (Lookup, 1);
      lookup->probe = self;
      lookup->port = server->port;
      g_atomic_ref_count_inc (&self->refs);
      self->n_lookups++;
      g_resolver_lookup_by_name_async (resolver, server->host, self->stop, lookup_cb, lookup);
    }
}

/* --- what this machine knows --------------------------------------------------------------------- */

static gboolean
has_route (const char *somewhere, AlsStunAddress *source)
{
  AlsStunAddress address;

  return als_stun_address_parse (&address, somewhere, 53) && als_network_get_source (&address, source);
}

static void
look_at_routes (Probe *self)
{
  AlsStunAddress source;

  self->report.has_ipv4 = has_route (self->loopback ? "127.0.0.1" : SOMEWHERE_IPV4, &source);
  /* Global unicast (RFC 4291, 2.4): a unique local address with a default route leads nowhere. */
  self->report.has_ipv6 = has_route (self->loopback ? "::1" : SOMEWHERE_IPV6, &source)
                          && (self->loopback || (source.ip[0] & 0xe0) == 0x20);
}

static void
proxies_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Probe *self = user_data;
  g_auto (GStrv) proxies = g_proxy_resolver_lookup_finish (G_PROXY_RESOLVER (source), result, NULL);

  if (self->task != NULL)
    {
      self->proxy_pending = FALSE;
      self->report.uses_proxy = proxies != NULL && proxies[0] != NULL
                                && !g_str_has_prefix (proxies[0], "direct:");
      als_deadline_source_set (self->wake, 0);
    }
  probe_unref (self);
}

static void
ask_for_proxies (Probe *self, GPtrArray *servers)
{
  GProxyResolver *resolver = g_proxy_resolver_get_default ();
  const AlsPathServer *server;
  g_autofree char *uri = NULL;

  if (self->loopback || servers == NULL || servers->len == 0 || !g_proxy_resolver_is_supported (resolver))
    return;
  server = g_ptr_array_index (servers, 0);
  uri = g_uri_join (G_URI_FLAGS_NONE, "https", NULL, server->host, server->port, "/", NULL, NULL);
  self->proxy_pending = TRUE;
  g_atomic_ref_count_inc (&self->refs);
  g_proxy_resolver_lookup_async (resolver, uri, self->stop, proxies_cb, self);
}

/* --- the router ---------------------------------------------------------------------------------- */

/* A port of our own is asked for and given back, not one of those whose filtering is measured. */
static void
begin_mapping (Probe *self, AlsPortMapper *mapper)
{
  g_autoptr (GInetAddress) any = g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (any, 0), bound = NULL;

  if (mapper == NULL || self->loopback)
    return;
  self->mapped_socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                      G_SOCKET_PROTOCOL_UDP, NULL);
  if (self->mapped_socket == NULL || !g_socket_bind (self->mapped_socket, address, FALSE, NULL)
      || (bound = g_socket_get_local_address (self->mapped_socket, NULL)) == NULL)
    {
      g_clear_object (&self->mapped_socket);
      return;
    }
  self->mapper = g_object_ref (mapper);
  self->mapped_port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  als_port_mapper_add (mapper, FALSE, self->mapped_port);
  g_signal_connect_swapped (mapper, "settled", G_CALLBACK (part_done_cb), self);
}

/* --- public ----------------------------------------------------------------------------------------- */

void
als_network_probe_async (GPtrArray *servers, AlsPortMapper *mapper, gboolean loopback,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GMainContext *context = g_main_context_get_thread_default ();
  Probe *self = g_new0 (Probe, 1);

  g_atomic_ref_count_init (&self->refs);
  self->task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (self->task, als_network_probe_async);
  self->stop = g_cancellable_new ();
  self->loopback = loopback;
  self->wake = als_deadline_source_new (context, "als-probe", wake_cb, self);
  self->limit = als_deadline_source_new (context, "als-probe-limit", finish_cb, self);
  als_deadline_source_set (self->limit, g_get_monotonic_time () + LIMIT_US);
  if (cancellable != NULL)
    {
      self->cancelled = g_cancellable_source_new (cancellable);
      g_source_set_static_name (self->cancelled, "als-probe-cancelled");
      g_source_set_callback (self->cancelled, G_SOURCE_FUNC (cancelled_cb), self, NULL);
      g_source_attach (self->cancelled, context);
    }
  look_at_routes (self);
  begin_lookups (self, servers);
  ask_for_proxies (self, servers);
  begin_mapping (self, mapper);
  als_deadline_source_set (self->wake, 0);
}

AlsNetworkReport *
als_network_probe_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
