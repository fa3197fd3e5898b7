/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Each family has two sockets: one on the group's port, which all programs of
 * a machine share, and one of its own to speak from and to be answered at. */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"

#define MAX_INTERFACES 32
/* Datagrams read at one wake-up; the rest at the next. */
#define MAX_READS 64

typedef struct
{
  AlsLanMulticast *owner;
  int fd;
  GSource *source;
} Listener;

typedef struct
{
  Listener group, own;
} Family;

typedef struct
{
  guint index;
  gboolean has[2];
} Interface;

struct _AlsLanMulticast
{
  gboolean loopback;
  AlsLanMulticastFunc func;
  gpointer user_data;
  Family families[2];        /* IPv4, IPv6 */
  Interface interfaces[MAX_INTERFACES];
  guint n_interfaces;
  gboolean *is_gone;         /* while func is called: set when we are freed */
};

static const char *const groups_ipv4[] = { ALS_LAN_GROUP_IPV4, NULL };
static const char *const groups_ipv6[] = { ALS_LAN_GROUP_LINK, ALS_LAN_GROUP_SITE, NULL };

gboolean
als_lan_endpoint_from_native (AlsLanEndpoint *self, gconstpointer address)
{
  const struct sockaddr *any = address;

  memset (self, 0, sizeof *self);
  if (any->sa_family == AF_INET)
    {
      const struct sockaddr_in *in = address;

      self->port = ntohs (in->sin_port);
      memcpy (self->ip, &in->sin_addr, 4);
      return TRUE;
    }
  if (any->sa_family == AF_INET6)
    {
      const struct sockaddr_in6 *in6 = address;

      self->is_v6 = TRUE;
      self->port = ntohs (in6->sin6_port);
      memcpy (self->ip, &in6->sin6_addr, 16);
      if (IN6_IS_ADDR_LINKLOCAL (&in6->sin6_addr))
        self->scope = in6->sin6_scope_id;
      return TRUE;
    }
  return FALSE;
}

guint
als_lan_endpoint_to_native (const AlsLanEndpoint *self, gpointer out)
{
  if (self->is_v6)
    {
      struct sockaddr_in6 *in6 = out;

      *in6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons (self->port),
                                     .sin6_scope_id = self->scope };
      memcpy (&in6->sin6_addr, self->ip, 16);
      return sizeof *in6;
    }
  else
    {
      struct sockaddr_in *in = out;

      *in = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons (self->port) };
      memcpy (&in->sin_addr, self->ip, 4);
      return sizeof *in;
    }
}

char *
als_lan_endpoint_to_string (const AlsLanEndpoint *self)
{
  char text[INET6_ADDRSTRLEN] = "";

  inet_ntop (self->is_v6 ? AF_INET6 : AF_INET, self->ip, text, sizeof text);
  return g_strdup_printf (self->is_v6 ? "[%s]:%u" : "%s:%u", text, self->port);
}

static const char *const *
get_groups (gboolean is_v6)
{
  return is_v6 ? groups_ipv6 : groups_ipv4;
}

static guint
make_group_address (gboolean is_v6, const char *group, guint interface,
                    struct sockaddr_storage *out)
{
  AlsLanEndpoint endpoint = { .is_v6 = is_v6, .port = ALS_LAN_PORT,
                              .scope = is_v6 ? interface : 0 };

  inet_pton (is_v6 ? AF_INET6 : AF_INET, group, endpoint.ip);
  return als_lan_endpoint_to_native (&endpoint, out);
}

static void
add_interface (AlsLanMulticast *self, const struct ifaddrs *entry)
{
  gboolean is_v6 = entry->ifa_addr->sa_family == AF_INET6;
  guint index = if_nametoindex (entry->ifa_name);
  guint i;

  for (i = 0; i < self->n_interfaces && self->interfaces[i].index != index; i++)
    ;
  if (index == 0 || i == MAX_INTERFACES)
    return;
  if (i == self->n_interfaces)
    self->interfaces[self->n_interfaces++] = (Interface) { .index = index };
  self->interfaces[i].has[is_v6 ? 1 : 0] = TRUE;
}

static void
list_interfaces (AlsLanMulticast *self)
{
  struct ifaddrs *entries = NULL;

  self->n_interfaces = 0;
  if (getifaddrs (&entries) != 0)
    return;
  for (struct ifaddrs *entry = entries; entry != NULL; entry = entry->ifa_next)
    {
      gboolean is_loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;

      if (entry->ifa_addr == NULL || (entry->ifa_flags & IFF_UP) == 0
          || (entry->ifa_addr->sa_family != AF_INET && entry->ifa_addr->sa_family != AF_INET6)
          || (self->loopback && !is_loopback)
          || (!is_loopback && (entry->ifa_flags & IFF_MULTICAST) == 0))
        continue;
      add_interface (self, entry);
    }
  freeifaddrs (entries);
}

/* The kernel forgets what we joined when an interface loses its address: so each time anew. */
static void
join_groups (AlsLanMulticast *self)
{
  for (guint i = 0; i < self->n_interfaces; i++)
    for (guint f = 0; f < 2; f++)
      for (guint g = 0; self->interfaces[i].has[f] && get_groups (f == 1)[g] != NULL; g++)
        {
          struct group_req request = { .gr_interface = self->interfaces[i].index };

          make_group_address (f == 1, get_groups (f == 1)[g], 0, &request.gr_group);
          if (self->families[f].group.fd >= 0
              && setsockopt (self->families[f].group.fd, f == 1 ? IPPROTO_IPV6 : IPPROTO_IP,
                             MCAST_JOIN_GROUP, &request, sizeof request) != 0
              && errno != EADDRINUSE)
            g_debug ("interface %u does not join %s: %s", self->interfaces[i].index,
                     get_groups (f == 1)[g], g_strerror (errno));
        }
}

static void
set_option (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) != 0)
    g_debug ("socket option %d/%d: %s", level, option, g_strerror (errno));
}

/* Where the packet came in. */
static guint
get_interface (struct msghdr *message)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (message); c != NULL; c = CMSG_NXTHDR (message, c))
    {
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
        return (guint) ((struct in_pktinfo *) CMSG_DATA (c))->ipi_ifindex;
      if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
        return ((struct in6_pktinfo *) CMSG_DATA (c))->ipi6_ifindex;
    }
  return 0;
}

static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsLanMulticast *self = ((Listener *) user_data)->owner;
  gboolean is_gone = FALSE;

  self->is_gone = &is_gone;
  for (guint i = 0; i < MAX_READS; i++)
    {
      uint8_t data[ALS_LAN_MESSAGE_BYTES + 1];
      char control[128];
      struct sockaddr_storage address;
      struct iovec part = { data, sizeof data };
      struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address,
                                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                                .msg_controllen = sizeof control };
      ssize_t len = recvmsg (fd, &message, MSG_DONTWAIT);
      AlsLanEndpoint from;

      /* An error that is told here belongs to a datagram of ours; nobody waits for it. */
      if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        break;
      if (len < 0 || !als_lan_endpoint_from_native (&from, &address))
        continue;
      self->func (data, (size_t) len, &from, get_interface (&message), self->user_data);
      if (is_gone)
        return G_SOURCE_REMOVE;
    }
  self->is_gone = NULL;
  return G_SOURCE_CONTINUE;
}

static void
listen_to (AlsLanMulticast *self, Listener *listener, int fd)
{
  listener->owner = self;
  listener->fd = fd;
  listener->source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_static_name (listener->source, "als-lan-multicast");
  g_source_set_callback (listener->source, G_SOURCE_FUNC (readable_cb), listener, NULL);
  g_source_attach (listener->source, g_main_context_get_thread_default ());
}

/* GROUP: on the port of all; else on one of our own. -1 and errno if it cannot be had. */
static int
open_socket (AlsLanMulticast *self, gboolean is_v6, gboolean group)
{
  int fd = socket (is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  AlsLanEndpoint local = { .is_v6 = is_v6, .port = group ? ALS_LAN_PORT : 0 };
  struct sockaddr_storage address;
  guint len;

  if (fd < 0)
    return -1;
  if (group)
    set_option (fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (is_v6)
    {
      set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
      set_option (fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
      set_option (fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ALS_LAN_HOPS);
      set_option (fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
#ifdef IPV6_MULTICAST_ALL
      set_option (fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
    }
  else
    {
      set_option (fd, IPPROTO_IP, IP_PKTINFO, 1);
      set_option (fd, IPPROTO_IP, IP_MULTICAST_TTL, ALS_LAN_HOPS);
      set_option (fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
      set_option (fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
      /* Only what is sent to the group. */
      if (self->loopback && !group)
        memcpy (local.ip, ((const uint8_t[]) { 127, 0, 0, 1 }), 4);
      if (group)
        inet_pton (AF_INET, ALS_LAN_GROUP_IPV4, local.ip);
    }
  len = als_lan_endpoint_to_native (&local, &address);
  if (bind (fd, (struct sockaddr *) &address, len) != 0)
    {
      int reason = errno;

      close (fd);
      errno = reason;
      return -1;
    }
  return fd;
}

static gboolean
open_family (AlsLanMulticast *self, gboolean is_v6)
{
  Family *family = &self->families[is_v6 ? 1 : 0];
  int group = open_socket (self, is_v6, TRUE);
  int own = group >= 0 ? open_socket (self, is_v6, FALSE) : -1;

  if (own < 0)
    {
      int reason = errno;

      if (group >= 0)
        close (group);
      errno = reason;
      return FALSE;
    }
  listen_to (self, &family->group, group);
  listen_to (self, &family->own, own);
  return TRUE;
}

AlsLanMulticast *
als_lan_multicast_new (gboolean loopback, AlsLanMulticastFunc func, gpointer user_data,
                       GError **error)
{
  g_autoptr (AlsLanMulticast) self = g_new0 (AlsLanMulticast, 1);
  gboolean has_v4, has_v6;
  int reason;

  self->loopback = loopback;
  self->func = func;
  self->user_data = user_data;
  for (guint f = 0; f < 2; f++)
    self->families[f].group.fd = self->families[f].own.fd = -1;
  has_v4 = open_family (self, FALSE);
  reason = errno;
  has_v6 = open_family (self, TRUE);
  if (!has_v4 && !has_v6)
    {
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (reason),
                   "no multicast socket: %s", g_strerror (reason));
      return NULL;
    }
  return g_steal_pointer (&self);
}

static void
listener_clear (Listener *self)
{
  als_source_clear (&self->source);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

void
als_lan_multicast_free (AlsLanMulticast *self)
{
  if (self->is_gone != NULL)
    *self->is_gone = TRUE;
  for (guint f = 0; f < 2; f++)
    {
      listener_clear (&self->families[f].group);
      listener_clear (&self->families[f].own);
    }
  g_free (self);
}

static void
say_on (AlsLanMulticast *self, gboolean is_v6, guint interface, const uint8_t *data, size_t len)
{
  int fd = self->families[is_v6 ? 1 : 0].own.fd;

  if (fd < 0 || interface == 0)
    return;
  if (is_v6)
    {
      set_option (fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int) interface);
    }
  else
    {
      struct ip_mreqn request = { .imr_ifindex = (int) interface };

      if (setsockopt (fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0)
        return;
    }
  for (guint g = 0; get_groups (is_v6)[g] != NULL; g++)
    {
      struct sockaddr_storage address;
      guint address_len = make_group_address (is_v6, get_groups (is_v6)[g], interface, &address);

      /* Interfaces that lead nowhere are many; it is said again. */
      if (sendto (fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *) &address,
                  address_len) < 0)
        g_debug ("nothing leaves by interface %u: %s", interface, g_strerror (errno));
    }
}

void
als_lan_multicast_refresh (AlsLanMulticast *self)
{
  list_interfaces (self);
  join_groups (self);
}

void
als_lan_multicast_say (AlsLanMulticast *self, gboolean is_v6, const uint8_t *data, size_t len)
{
  for (guint i = 0; i < self->n_interfaces; i++)
    if (self->interfaces[i].has[is_v6 ? 1 : 0])
      say_on (self, is_v6, self->interfaces[i].index, data, len);
}

void
als_lan_multicast_answer (AlsLanMulticast *self, const AlsLanEndpoint *to, guint interface,
                          const uint8_t *data, size_t len)
{
  int fd = self->families[to->is_v6 ? 1 : 0].own.fd;
  struct sockaddr_storage address;
  guint address_len = als_lan_endpoint_to_native (to, &address);

  if (fd >= 0
      && sendto (fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *) &address,
                 address_len) < 0)
    g_debug ("an answer does not leave: %s", g_strerror (errno));
  say_on (self, to->is_v6, interface, data, len);
}
