/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-udp.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"
#include "path/punch/als-punch-asker.h"
#include "path/punch/als-punch-endpoints.h"
#include "path/punch/als-punch-search.h"
#include "path/punch/als-udp-carrier.h"

/* Of one turn of the loop. */
#define MAX_EVENTS 64
#define READS_AT_ONCE 16
/* Probes and answers of STUN servers are all there is. */
#define MAX_DATAGRAM_BYTES 2048

struct _AlsPunchUdp
{
  AlsPath *path;
  AlsPunchPathConfig config; /* its objects are the path's */
  AlsPunchSearch *search;
  AlsPunchAsker *asker;
  gboolean is_running;       /* from start until connected, settled or failed */
  gboolean has_no_socket;    /* none could be made: to be told */
  GSource *deadline;
  int epoll_fd;              /* -1: none */
  GSource *readable;
  int fds[ALS_PUNCH_N_SOCKETS]; /* -1: none */
  uint16_t port;             /* of the first IPv4 socket, or the first IPv6 one */
};

/* --- sockets ------------------------------------------------------------------ */

static socklen_t
to_native (const AlsStunAddress *address, struct sockaddr_storage *native)
{
  memset (native, 0, sizeof *native);
  if (address->family == ALS_STUN_FAMILY_IPV6)
    {
      struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) native;

      in6->sin6_family = AF_INET6;
      in6->sin6_port = g_htons (address->port);
      memcpy (&in6->sin6_addr, address->ip, sizeof in6->sin6_addr);
      return sizeof *in6;
    }
  {
    struct sockaddr_in *in = (struct sockaddr_in *) native;

    in->sin_family = AF_INET;
    in->sin_port = g_htons (address->port);
    memcpy (&in->sin_addr, address->ip, sizeof in->sin_addr);
    return sizeof *in;
  }
}

static void
from_native (const struct sockaddr_storage *native, AlsStunAddress *address)
{
  memset (address, 0, sizeof *address);
  if (native->ss_family == AF_INET6)
    {
      const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) native;

      address->family = ALS_STUN_FAMILY_IPV6;
      address->port = g_ntohs (in6->sin6_port);
      memcpy (address->ip, &in6->sin6_addr, sizeof in6->sin6_addr);
    }
  else if (native->ss_family == AF_INET)
    {
      const struct sockaddr_in *in = (const struct sockaddr_in *) native;

      address->family = ALS_STUN_FAMILY_IPV4;
      address->port = g_ntohs (in->sin_port);
      memcpy (address->ip, &in->sin_addr, sizeof in->sin_addr);
    }
}

static gboolean
bind_to (AlsPunchUdp *self, int fd, gboolean is_ipv6, uint16_t port)
{
  AlsStunAddress any = { is_ipv6 ? ALS_STUN_FAMILY_IPV6 : ALS_STUN_FAMILY_IPV4, port, { 0 } };
  struct sockaddr_storage native;

  if (self->config.loopback)
    als_stun_address_parse (&any, is_ipv6 ? "::1" : "127.0.0.1", port);
  return bind (fd, (struct sockaddr *) &native, to_native (&any, &native)) == 0;
}

static gboolean
open_socket (AlsPunchUdp *self, guint index, uint16_t port)
{
  gboolean is_ipv6 = index == ALS_PUNCH_SOCKET_IPV6;
  struct epoll_event event = { .events = EPOLLIN, .data.u32 = index };
  int yes = 1, fd;

  fd = socket (is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return FALSE;
  if (is_ipv6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  /* The same port for both families where it is free: easier to map and to read. */
  if ((!bind_to (self, fd, is_ipv6, port) && !bind_to (self, fd, is_ipv6, 0))
      || epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
    {
      close (fd);
      return FALSE;
    }
  self->fds[index] = fd;
  return TRUE;
}

static uint16_t
get_port (AlsPunchUdp *self, guint index)
{
  struct sockaddr_storage native;
  socklen_t len = sizeof native;
  AlsStunAddress address = { 0 };

  if (self->fds[index] >= 0 && getsockname (self->fds[index], (struct sockaddr *) &native, &len) == 0)
    from_native (&native, &address);
  return address.port;
}

/* What cannot leave is a lost packet. */
static gboolean
send_to (AlsPunchUdp *self, guint index, const AlsStunAddress *address, const void *data, size_t len)
{
  struct sockaddr_storage native;
  socklen_t native_len = to_native (address, &native);

  if (self->fds[index] < 0 && (index < ALS_PUNCH_FIRST_OF_MANY || !open_socket (self, index, 0)))
    return FALSE;
  return sendto (self->fds[index], data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
                 (struct sockaddr *) &native, native_len)
         == (ssize_t) len;
}

static void
close_sockets (AlsPunchUdp *self)
{
  als_source_clear (&self->readable);
  for (guint i = 0; i < ALS_PUNCH_N_SOCKETS; i++)
    if (self->fds[i] >= 0)
      {
        close (self->fds[i]);
        self->fds[i] = -1;
      }
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  self->epoll_fd = -1;
}

/* --- what we know of ourselves -------------------------------------------------- */

static void
wake (AlsPunchUdp *self)
{
  if (self->is_running || self->has_no_socket)
    als_deadline_source_set (self->deadline, 0);
}

static void
tell_local (AlsPunchUdp *self)
{
  g_autoptr (GArray) endpoints = g_array_new (FALSE, FALSE, sizeof (AlsPunchEndpoint));
  AlsPortMapper *mapper = self->config.mapper;
  const AlsStunAddress *mapped;
  AlsStunAddress external;

  if (!self->is_running)
    return;
  for (guint i = 0; (mapped = als_punch_asker_get_mapped (self->asker, i)) != NULL; i++)
    als_punch_endpoints_add (endpoints, ALS_PUNCH_PUBLIC, mapped);
  if (mapper != NULL && als_port_mapper_lookup (mapper, FALSE, self->port, &external))
    als_punch_endpoints_add (endpoints, ALS_PUNCH_MAPPING, &external);
  als_punch_endpoints_add_hosts (endpoints, self->config.loopback,
                                 get_port (self, ALS_PUNCH_SOCKET_IPV4),
                                 get_port (self, ALS_PUNCH_SOCKET_IPV6));
  als_punch_search_set_local (self->search, (AlsPunchEndpoint *) endpoints->data, endpoints->len,
                              als_punch_asker_is_settled (self->asker), g_get_monotonic_time ());
  wake (self);
}

static void
mapped_cb (AlsPortMapper *mapper, gboolean is_tcp, guint port, gpointer external, AlsPunchUdp *self)
{
  if (!is_tcp)
    tell_local (self);
}

static void
asker_changed_cb (gpointer user_data)
{
  tell_local (user_data);
}

static gboolean
asker_send_cb (const AlsStunAddress *to, const void *data, size_t len, gpointer user_data)
{
  return send_to (user_data,
                  to->family == ALS_STUN_FAMILY_IPV6 ? ALS_PUNCH_SOCKET_IPV6 : ALS_PUNCH_SOCKET_IPV4,
                  to, data, len);
}

static const AlsPunchAskerEvents asker_events = { asker_send_cb, asker_changed_cb };

/* --- what comes ------------------------------------------------------------------ */

static void
receive_from (AlsPunchUdp *self, guint index)
{
  uint8_t data[MAX_DATAGRAM_BYTES];

  for (guint i = 0; i < READS_AT_ONCE && self->fds[index] >= 0; i++)
    {
      struct sockaddr_storage native = { 0 };
      socklen_t native_len = sizeof native;
      ssize_t len = recvfrom (self->fds[index], data, sizeof data, MSG_DONTWAIT,
                              (struct sockaddr *) &native, &native_len);
      AlsStunAddress from;

      if (len < 0)
        return;
      from_native (&native, &from);
      if (!als_punch_asker_receive (self->asker, &from, data, (size_t) len))
        als_punch_search_packet (self->search, index, &from, data, (size_t) len,
                                 g_get_monotonic_time ());
    }
}

static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsPunchUdp *self = user_data;
  struct epoll_event events[MAX_EVENTS];
  int n = epoll_wait (fd, events, MAX_EVENTS, 0);

  for (int i = 0; i < n; i++)
    receive_from (self, events[i].data.u32);
  wake (self);
  return G_SOURCE_CONTINUE;
}

/* --- what the search says ---------------------------------------------------------- */

static void
stop (AlsPunchUdp *self)
{
  self->is_running = FALSE;
  if (self->config.mapper != NULL)
    g_signal_handlers_disconnect_by_data (self->config.mapper, self);
  als_deadline_source_set (self->deadline, INT64_MAX);
  g_clear_pointer (&self->asker, als_punch_asker_free);
  close_sockets (self);
}

static gboolean
is_lan (AlsPunchUdp *self, GSocket *socket, const AlsStunAddress *remote)
{
  g_autoptr (GSocketAddress) native = g_socket_get_local_address (socket, NULL);
  AlsStunAddress local;

  return native != NULL && als_stun_address_from_gio (&local, native)
         && als_punch_search_is_lan (self->search, &local, remote);
}

static void
connected (AlsPunchUdp *self, guint index, const AlsStunAddress *remote)
{
  uint8_t key[ALS_PUNCH_KEY_BYTES], accept[ALS_PUNCH_PROBE_BYTES];
  struct sockaddr_storage native;
  socklen_t native_len = to_native (remote, &native);
  g_autofree char *text = als_stun_address_to_string (remote);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (AlsCarrier) carrier = NULL;
  int fd = self->fds[index];

  g_debug ("punch: found %s", text);
  epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  if (connect (fd, (struct sockaddr *) &native, native_len) == 0)
    socket = g_socket_new_from_fd (fd, &error);
  if (socket != NULL)
    self->fds[index] = -1;
  stop (self);
  if (socket == NULL)
    {
      als_path_fail (self->path, ALS_PATH_PROBLEM_INTERNAL, "the socket could not be connected");
      return;
    }
  als_punch_search_get_parting (self->search, key, accept);
  carrier = als_udp_carrier_new (socket, text, is_lan (self, socket, remote), key, accept);
  explicit_bzero (key, sizeof key);
  als_path_connected (self->path, carrier);
}

/* May end in the path being closed, and us with it. */
static gboolean
deadline_cb (gpointer user_data)
{
  AlsPunchUdp *self = user_data;
  g_autoptr (AlsPath) keep = g_object_ref (self->path);
  AlsPunchSearchAction action;

  if (self->has_no_socket)
    {
      als_path_fail (self->path, ALS_PATH_PROBLEM_INTERNAL, "no socket could be made");
      return G_SOURCE_CONTINUE;
    }
  if (self->is_running)
    als_punch_asker_poll (self->asker, g_get_monotonic_time ());
  while (!als_path_is_over (keep) && self->is_running
         && als_punch_search_take_action (self->search, g_get_monotonic_time (), &action))
    {
      g_autoptr (GBytes) message = action.message;

      switch (action.type)
        {
        case ALS_PUNCH_SEARCH_SEND:
          als_path_send (self->path, message);
          break;
        case ALS_PUNCH_SEARCH_PROBE:
          send_to (self, action.socket, &action.address, action.packet, sizeof action.packet);
          break;
        case ALS_PUNCH_SEARCH_CONNECTED:
          connected (self, action.socket, &action.address);
          return G_SOURCE_CONTINUE;
        case ALS_PUNCH_SEARCH_FAIL:
          stop (self);
          als_path_fail (self->path, action.problem, als_path_problem_to_string (action.problem));
          return G_SOURCE_CONTINUE;
        }
    }
  if (!als_path_is_over (keep) && self->is_running)
    als_deadline_source_set (self->deadline,
                             MIN (als_punch_search_get_deadline (self->search),
                                  als_punch_asker_get_deadline (self->asker)));
  return G_SOURCE_CONTINUE;
}

/* --- public -------------------------------------------------------------------------- */

AlsPunchUdp *
als_punch_udp_new (AlsPath *path, const AlsPunchPathConfig *config)
{
  AlsPunchUdp *self = g_new0 (AlsPunchUdp, 1);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  AlsPunchSearchConfig search_config = {
    .is_inviter = config->is_inviter,
    .loopback = config->loopback,
    .mark_us = config->mark_us,
    .seed = g_random_int (),
  };

  self->path = path;
  self->config = *config;
  self->epoll_fd = -1;
  for (guint i = 0; i < ALS_PUNCH_N_SOCKETS; i++)
    self->fds[i] = -1;
  /* The kernel has been able to for as long as it has been up. */
  if (config->udp_secret != NULL)
    memcpy (search_config.secret, config->udp_secret, sizeof search_config.secret);
  else if (getrandom (search_config.secret, sizeof search_config.secret, 0)
           != (ssize_t) sizeof search_config.secret)
    g_error ("no random bytes: %s", g_strerror (errno));
  self->search = als_punch_search_new (&search_config, g_get_monotonic_time ());
  explicit_bzero (&search_config, sizeof search_config);
  self->deadline = als_deadline_source_new (context, "als-punch-udp", deadline_cb, self);
  return self;
}

void
als_punch_udp_start (AlsPunchUdp *self)
{
  AlsPunchPathConfig *config = &self->config;
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  gboolean has_ipv4, has_ipv6;

  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  has_ipv4 = open_socket (self, ALS_PUNCH_SOCKET_IPV4, config->udp_port);
  self->port = get_port (self, ALS_PUNCH_SOCKET_IPV4);
  has_ipv6 = open_socket (self, ALS_PUNCH_SOCKET_IPV6, self->port);
  if (!has_ipv4 && !has_ipv6)
    {
      self->has_no_socket = TRUE;
      wake (self);
      return;
    }
  if (!has_ipv4)
    self->port = get_port (self, ALS_PUNCH_SOCKET_IPV6);
  self->readable = g_unix_fd_source_new (self->epoll_fd, G_IO_IN);
  g_source_set_static_name (self->readable, "als-punch-sockets");
  g_source_set_callback (self->readable, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->readable, context);
  self->is_running = TRUE;
  self->asker = als_punch_asker_new (config->servers, config->loopback, &asker_events, self);
  if (config->mapper != NULL && has_ipv4)
    {
      g_signal_connect (config->mapper, "mapped", G_CALLBACK (mapped_cb), self);
      als_port_mapper_add (config->mapper, FALSE, self->port);
    }
  als_punch_asker_start (self->asker);
  tell_local (self);
}

void
als_punch_udp_receive (AlsPunchUdp *self, const uint8_t *data, size_t len)
{
  if (!self->is_running)
    return;
  als_punch_search_receive (self->search, data, len, g_get_monotonic_time ());
  wake (self);
}

void
als_punch_udp_settle (AlsPunchUdp *self)
{
  if (self->is_running)
    stop (self);
}

void
als_punch_udp_get_report (AlsPunchUdp *self, AlsPathReport *report)
{
  als_punch_search_get_report (self->search, report);
}

void
als_punch_udp_free (AlsPunchUdp *self)
{
  als_punch_udp_settle (self);
  close_sockets (self);
  als_source_clear (&self->deadline);
  als_punch_search_free (self->search);
  g_free (self);
}
