/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/portmap/als-pcp-router.h"

#include <gio/gnetworking.h>
#include <string.h>
#include <sys/random.h>
#include "base/als-deadline-source.h"

/* Datagrams read at one wake-up. */
#define MAX_READS 32
/* However often a router says that it forgot everything, it is believed no more often. */
#define MIN_LOST_US (5 * G_USEC_PER_SEC)

struct _AlsPcpRouter
{
  AlsNetworkRouter router;
  AlsStunAddress source;
  GSocket *socket;             /* connected: the kernel lets nobody else's datagrams in */
  GSocket *announcements;      /* (nullable): multicasts of routers that lost their state */
  GSource *socket_source;
  GSource *announcements_source;
  GSource *deadline;
  GPtrArray *clients;          /* (element-type AlsPcpClient) (owned) */
  AlsPcpEpoch epochs[2];       /* PCP, NAT-PMP: their clocks need not be one */
  int64_t lost_us;             /* when it was last believed to have forgotten; 0: never */
  gboolean is_deaf;
  AlsPcpRouterFunc changed;
  gpointer user_data;
};

static AlsPcpEpoch *
get_epoch (AlsPcpRouter *self, AlsPcpVersion version)
{
  return &self->epochs[version == ALS_PCP_PCP ? 0 : 1];
}

static void
update_deadline (AlsPcpRouter *self)
{
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < self->clients->len; i++)
    deadline_us = MIN (deadline_us,
                       als_pcp_client_get_deadline (g_ptr_array_index (self->clients, i)));
  if (self->deadline != NULL)
    als_deadline_source_set (self->deadline, deadline_us);
}

static void
send_bytes (AlsPcpRouter *self, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  size_t len;
  const char *data = g_bytes_get_data (bytes, &len);

  if (g_socket_send (self->socket, data, len, NULL, &error) >= 0)
    return;
  /* The answer to an earlier one, told by ICMP. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    self->is_deaf = TRUE;
  g_debug ("to the router: %s", error->message);
}

/* Sends what is due and forgets what is given back. */
static void
poll_clients (AlsPcpRouter *self)
{
  int64_t now_us = g_get_monotonic_time ();

  for (guint i = 0; i < self->clients->len;)
    {
      AlsPcpClient *client = g_ptr_array_index (self->clients, i);
      GBytes *bytes;

      while ((bytes = als_pcp_client_poll (client, now_us)) != NULL)
        {
          send_bytes (self, bytes);
          g_bytes_unref (bytes);
        }
      if (client->is_leaving && client->state == ALS_PCP_OVER)
        g_ptr_array_remove_index_fast (self->clients, i);
      else
        i++;
    }
  update_deadline (self);
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsPcpRouter *self = user_data;

  poll_clients (self);
  self->changed (self->user_data);
  return G_SOURCE_CONTINUE;
}

static void
note_epoch (AlsPcpRouter *self, const AlsPcpResponse *response, const AlsPcpClient *answered)
{
  int64_t now_us = g_get_monotonic_time ();

  if (als_pcp_epoch_check (get_epoch (self, response->version), response->epoch_s, now_us)
      || (self->lost_us != 0 && now_us - self->lost_us < MIN_LOST_US))
    return;
  g_debug ("the router forgot its mappings");
  self->lost_us = now_us;
  for (guint i = 0; i < self->clients->len; i++)
    {
      AlsPcpClient *client = g_ptr_array_index (self->clients, i);

      if (client != answered && client->config.version == response->version)
        als_pcp_client_state_lost (client, now_us);
    }
}

/* Whether anybody waited for it. */
static gboolean
handle_response (AlsPcpRouter *self, const uint8_t *data, size_t len)
{
  AlsPcpClient *answered = NULL;
  AlsPcpResponse response;

  if (!als_pcp_decode (&response, data, len))
    {
      g_debug ("%zu bytes from the router are no answer", len);
      return FALSE;
    }
  self->is_deaf = FALSE;
  for (guint i = 0; i < self->clients->len; i++)
    {
      AlsPcpClient *client = g_ptr_array_index (self->clients, i);

      if (als_pcp_client_receive (client, &response, g_get_monotonic_time ()))
        answered = client;
    }
  if (answered == NULL)
    return FALSE;
  if (response.result != ALS_PCP_SUCCESS)
    g_debug ("the router: %s", als_pcp_result_to_string (response.result));
  if (response.result != ALS_PCP_UNSUPP_VERSION)
    note_epoch (self, &response, response.has_map ? answered : NULL);
  return TRUE;
}

static void
read_socket (AlsPcpRouter *self)
{
  uint8_t buffer[ALS_PCP_MAX_BYTES + 1];

  for (guint i = 0; i < MAX_READS; i++)
    {
      g_autoptr (GError) error = NULL;
      gssize n = g_socket_receive (self->socket, (char *) buffer, sizeof buffer, NULL, &error);

      if (n < 0)
        {
          if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
            self->is_deaf = TRUE;
          break;
        }
      handle_response (self, buffer, (size_t) n);
    }
}

static gboolean
socket_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  AlsPcpRouter *self = user_data;

  read_socket (self);
  poll_clients (self);
  self->changed (self->user_data);
  return G_SOURCE_CONTINUE;
}

/* RFC 6887, 14.1 and RFC 6886, 3.2.1: only the epoch counts, and only the router's own. */
static gboolean
announcement_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  AlsPcpRouter *self = user_data;

  for (guint i = 0; i < MAX_READS; i++)
    {
      g_autoptr (GSocketAddress) address = NULL;
      uint8_t buffer[ALS_PCP_MAX_BYTES + 1];
      AlsPcpResponse response;
      AlsStunAddress from;
      gssize n = g_socket_receive_from (socket, &address, (char *) buffer, sizeof buffer, NULL,
                                        NULL);

      if (n < 0)
        break;
      if (als_stun_address_from_gio (&from, address)
          && als_stun_address_same_ip (&from, &self->router.address)
          && from.port == ALS_PCP_PORT && als_pcp_decode (&response, buffer, (size_t) n)
          && response.opcode == ALS_PCP_ANNOUNCE && response.result == ALS_PCP_SUCCESS)
        note_epoch (self, &response, NULL);
    }
  poll_clients (self);
  return G_SOURCE_CONTINUE;
}

static GSource *
watch_socket (GSocket *socket, GSocketSourceFunc func, const char *name, AlsPcpRouter *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  GSource *source = g_socket_create_source (socket, G_IO_IN, NULL);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, context);
  return source;
}

/* (transfer full) (nullable) */
static GSocketAddress *
make_address (const AlsStunAddress *address, uint16_t port, guint scope)
{
  g_autoptr (GInetAddress) inet
    = g_inet_address_new_from_bytes (address->ip, address->family == ALS_STUN_FAMILY_IPV6
                                                    ? G_SOCKET_FAMILY_IPV6
                                                    : G_SOCKET_FAMILY_IPV4);

  /* A link-local address means nothing without its link. */
  return g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", inet, "port", (guint) port, "scope-id",
                       g_inet_address_get_is_link_local (inet) ? scope : 0, NULL);
}

static GSocket *
open_socket (AlsPcpRouter *self, GError **error)
{
  g_autoptr (GSocketAddress) local = make_address (&self->source, 0, self->router.interface);
  g_autoptr (GSocketAddress) remote = make_address (&self->router.address, ALS_PCP_PORT,
                                                    self->router.interface);
  g_autoptr (GSocket) socket = g_socket_new (g_socket_address_get_family (remote),
                                             G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, error);

  if (socket == NULL || !g_socket_bind (socket, local, FALSE, error)
      || !g_socket_connect (socket, remote, NULL, error))
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  return g_steal_pointer (&socket);
}

/* Nice to have: without it a forgetful router is noticed at the next renewal. */
static GSocket *
open_announcements (AlsPcpRouter *self)
{
  gboolean is_ipv6 = self->router.address.family == ALS_STUN_FAMILY_IPV6;
  g_autoptr (GInetAddress) group = g_inet_address_new_from_string (is_ipv6 ? "ff02::1"
                                                                           : "224.0.0.1");
  g_autoptr (GSocketAddress) local
    = g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", group, "port", ALS_PCP_ANNOUNCE_PORT,
                    "scope-id", is_ipv6 ? self->router.interface : 0, NULL);
  g_autoptr (GSocket) socket = g_socket_new (g_socket_address_get_family (local),
                                             G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  char name[IF_NAMESIZE];

  if (socket == NULL || if_indextoname (self->router.interface, name) == NULL
      || !g_socket_bind (socket, local, TRUE, NULL)
      || !g_socket_join_multicast_group (socket, group, FALSE, name, NULL))
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  return g_steal_pointer (&socket);
}

AlsPcpRouter *
als_pcp_router_new (const AlsNetworkRouter *router, const AlsStunAddress *source,
                    AlsPcpRouterFunc changed, gpointer user_data)
{
  g_autoptr (AlsPcpRouter) self = g_new0 (AlsPcpRouter, 1);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  g_autoptr (GError) error = NULL;

  self->router = *router;
  self->source = *source;
  self->changed = changed;
  self->user_data = user_data;
  self->clients = g_ptr_array_new_with_free_func (g_free);
  self->socket = open_socket (self, &error);
  if (self->socket == NULL)
    {
      g_debug ("no socket to the router: %s", error->message);
      return NULL;
    }
  self->socket_source = watch_socket (self->socket, socket_cb, "als-pcp-socket", self);
  self->announcements = open_announcements (self);
  if (self->announcements != NULL)
    self->announcements_source = watch_socket (self->announcements, announcement_cb,
                                               "als-pcp-announcements", self);
  self->deadline = als_deadline_source_new (context, "als-pcp-deadline", deadline_cb, self);
  return g_steal_pointer (&self);
}

AlsPcpClient *
als_pcp_router_add (AlsPcpRouter *self, AlsPcpVersion version, gboolean is_tcp, uint16_t port,
                    uint32_t lifetime_s)
{
  AlsPcpClient *client = g_new0 (AlsPcpClient, 1);
  AlsPcpClientConfig config = {
    .version = version,
    .is_tcp = is_tcp,
    .internal_port = port,
    .lifetime_s = lifetime_s,
    .client = self->source,
  };

  /* Whoever knows it can remove the mapping (RFC 6887, 11.2). */
  if (getrandom (config.nonce, sizeof config.nonce, 0) != sizeof config.nonce)
    g_error ("no random numbers");
  als_pcp_client_init (client, &config, g_get_monotonic_time ());
  g_ptr_array_add (self->clients, client);
  update_deadline (self);
  return client;
}

void
als_pcp_router_remove (AlsPcpRouter *self, AlsPcpClient *client)
{
  als_pcp_client_leave (client, g_get_monotonic_time ());
  poll_clients (self);
}

void
als_pcp_router_again (AlsPcpRouter *self)
{
  int64_t now_us = g_get_monotonic_time ();

  for (guint i = 0; i < self->clients->len; i++)
    {
      AlsPcpClient *client = g_ptr_array_index (self->clients, i);

      if (client->state == ALS_PCP_OVER && !client->is_leaving)
        {
          AlsPcpClientConfig config = client->config;

          als_pcp_client_init (client, &config, now_us);
        }
      else
        als_pcp_client_state_lost (client, now_us);
    }
  self->is_deaf = FALSE;
  update_deadline (self);
}

gboolean
als_pcp_router_is_deaf (AlsPcpRouter *self)
{
  return self->is_deaf;
}

gboolean
als_pcp_router_detach (AlsPcpRouter *self)
{
  int64_t now_us = g_get_monotonic_time ();

  als_source_clear (&self->socket_source);
  als_source_clear (&self->announcements_source);
  als_source_clear (&self->deadline);
  g_clear_object (&self->announcements);
  for (guint i = 0; i < self->clients->len; i++)
    als_pcp_client_leave (g_ptr_array_index (self->clients, i), now_us);
  poll_clients (self);
  return self->clients->len > 0;
}

void
als_pcp_router_leave (AlsPcpRouter *self, int64_t limit_us)
{
  int64_t end_us = g_get_monotonic_time () + limit_us;

  while (self->clients->len > 0)
    {
      int64_t now_us = g_get_monotonic_time ();
      int64_t next_us = end_us;

      for (guint i = 0; i < self->clients->len; i++)
        next_us = MIN (next_us,
                       als_pcp_client_get_deadline (g_ptr_array_index (self->clients, i)));
      if (now_us >= end_us)
        break;
      g_socket_condition_timed_wait (self->socket, G_IO_IN, MAX (next_us - now_us, 1000), NULL,
                                     NULL);
      read_socket (self);
      poll_clients (self);
    }
}

void
als_pcp_router_free (AlsPcpRouter *self)
{
  als_source_clear (&self->socket_source);
  als_source_clear (&self->announcements_source);
  als_source_clear (&self->deadline);
  g_clear_object (&self->socket);
  g_clear_object (&self->announcements);
  g_ptr_array_unref (self->clients);
  g_free (self);
}
