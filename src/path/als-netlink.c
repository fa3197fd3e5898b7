/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/als-bytes.h"

/* The kernel fills at most 32 KiB at a time. */
#define BUFFER_BYTES (32 * 1024)
/* Of each table; a machine with more has others to look after it. */
#define MAX_ENTRIES 1024
/* Datagrams in one dump: a router's whole table is not read for its default routes. */
#define MAX_DATAGRAMS 256
/* A dump during which something changed is asked for again. */
#define MAX_DUMPS 3
/* The kernel answers at once or not at all. */
#define ANSWER_TIMEOUT_S 1

AlsNetlinkTables *
als_netlink_tables_new (void)
{
  AlsNetlinkTables *self = g_new0 (AlsNetlinkTables, 1);

  self->links = g_array_new (FALSE, TRUE, sizeof (AlsNetlinkLink));
  self->addresses = g_array_new (FALSE, TRUE, sizeof (AlsNetlinkAddress));
  self->routes = g_array_new (FALSE, TRUE, sizeof (AlsNetlinkRoute));
  return self;
}

void
als_netlink_tables_free (AlsNetlinkTables *self)
{
  g_array_unref (self->links);
  g_array_unref (self->addresses);
  g_array_unref (self->routes);
  g_free (self);
}

gboolean
als_netlink_is_running (const AlsNetlinkTables *self, guint index)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      const AlsNetlinkLink *link = &g_array_index (self->links, AlsNetlinkLink, i);

      if (link->index == index)
        return link->is_running;
    }
  return FALSE;
}

gboolean
als_netlink_same_prefix (const AlsStunAddress *a, const AlsStunAddress *b, guint bits)
{
  guint bytes = bits / 8, rest = bits % 8;

  if (a->family != b->family || a->family == ALS_STUN_FAMILY_NONE
      || bits > 8 * als_stun_address_get_ip_bytes (a))
    return FALSE;
  return memcmp (a->ip, b->ip, bytes) == 0
         && (rest == 0 || ((a->ip[bytes] ^ b->ip[bytes]) >> (8 - rest)) == 0);
}

/* --- bytes ------------------------------------------------------------------ */

/* Netlink is in the machine's own order, so that its structures are copied as they are. */
static gboolean
take (AlsReader *reader, gpointer out, size_t len)
{
  als_reader_copy (reader, out, len);
  return !reader->failed;
}

/* Skips to the next multiple of four; there may be nothing behind the last. */
static void
align (AlsReader *reader, size_t len)
{
  als_reader_bytes (reader, MIN (NLMSG_ALIGN (len) - len, als_reader_left (reader)));
}

/* FALSE at the end, or at the first attribute that cannot be. */
static gboolean
next_attribute (AlsReader *reader, uint16_t *type, AlsReader *value)
{
  struct rtattr header;
  const uint8_t *data;

  if (als_reader_left (reader) < sizeof header || !take (reader, &header, sizeof header)
      || header.rta_len < sizeof header)
    return FALSE;
  data = als_reader_bytes (reader, header.rta_len - sizeof header);
  if (data == NULL)
    return FALSE;
  *type = header.rta_type & NLA_TYPE_MASK;
  als_reader_init (value, data, header.rta_len - sizeof header);
  align (reader, header.rta_len);
  return TRUE;
}

static gboolean
take_address (AlsReader *value, uint8_t family, AlsStunAddress *address)
{
  *address = (AlsStunAddress){ .family = family == AF_INET ? ALS_STUN_FAMILY_IPV4
                                                           : ALS_STUN_FAMILY_IPV6 };
  als_reader_copy (value, address->ip, als_stun_address_get_ip_bytes (address));
  if (!als_reader_done (value))
    *address = (AlsStunAddress){ 0 };
  return address->family != ALS_STUN_FAMILY_NONE;
}

static uint32_t
take_u32 (AlsReader *value)
{
  uint32_t number = 0;

  return take (value, &number, sizeof number) ? number : 0;
}

static void
parse_link (AlsNetlinkTables *self, AlsReader *reader)
{
  struct ifinfomsg info;
  AlsNetlinkLink link = { 0 };

  if (!take (reader, &info, sizeof info) || self->links->len == MAX_ENTRIES)
    return;
  link.index = (guint) info.ifi_index;
  link.is_running = (info.ifi_flags & IFF_UP) != 0 && (info.ifi_flags & IFF_RUNNING) != 0;
  g_array_append_val (self->links, link);
}

static void
parse_address (AlsNetlinkTables *self, AlsReader *reader)
{
  AlsStunAddress local = { 0 }, network = { 0 };
  AlsNetlinkAddress entry = { 0 };
  struct ifaddrmsg info;
  AlsReader value;
  uint32_t flags;
  uint16_t type;

  if (!take (reader, &info, sizeof info) || self->addresses->len == MAX_ENTRIES
      || (info.ifa_family != AF_INET && info.ifa_family != AF_INET6))
    return;
  flags = info.ifa_flags;
  align (reader, sizeof info);
  while (next_attribute (reader, &type, &value))
    {
      if (type == IFA_LOCAL)
        take_address (&value, info.ifa_family, &local);
      else if (type == IFA_ADDRESS)
        take_address (&value, info.ifa_family, &network);
      else if (type == IFA_FLAGS)
        flags = take_u32 (&value);
    }
  /* IPv6 tells its own address as IFA_ADDRESS, unless the link is point-to-point. */
  entry.address = local.family != ALS_STUN_FAMILY_NONE ? local : network;
  entry.network = network.family != ALS_STUN_FAMILY_NONE ? network : local;
  if (entry.address.family == ALS_STUN_FAMILY_NONE
      || info.ifa_prefixlen > 8 * als_stun_address_get_ip_bytes (&entry.address))
    return;
  entry.index = info.ifa_index;
  entry.prefix = info.ifa_prefixlen;
  /* For IPv4 the same bit means a second address of a subnet. */
  entry.is_temporary = info.ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0;
  entry.is_deprecated = (flags & IFA_F_DEPRECATED) != 0;
  entry.is_tentative = (flags & IFA_F_DADFAILED) != 0
                       || ((flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0);
  g_array_append_val (self->addresses, entry);
}

/* Of several next hops the first. */
static void
parse_next_hops (AlsReader *reader, uint8_t family, AlsNetlinkRoute *entry)
{
  struct rtnexthop hop;
  AlsReader value;
  uint16_t type;

  if (!take (reader, &hop, sizeof hop))
    return;
  entry->index = (guint) hop.rtnh_ifindex;
  while (next_attribute (reader, &type, &value))
    if (type == RTA_GATEWAY)
      {
        take_address (&value, family, &entry->router);
        return;
      }
}

static void
parse_route (AlsNetlinkTables *self, AlsReader *reader)
{
  AlsNetlinkRoute entry = { 0 };
  struct rtmsg info;
  AlsReader value;
  uint16_t type;

  if (!take (reader, &info, sizeof info) || self->routes->len == MAX_ENTRIES
      || (info.rtm_family != AF_INET && info.rtm_family != AF_INET6) || info.rtm_dst_len != 0
      || info.rtm_type != RTN_UNICAST || info.rtm_table != RT_TABLE_MAIN)
    return;
  align (reader, sizeof info);
  while (next_attribute (reader, &type, &value))
    {
      if (type == RTA_GATEWAY)
        take_address (&value, info.rtm_family, &entry.router);
      else if (type == RTA_OIF)
        entry.index = take_u32 (&value);
      else if (type == RTA_PRIORITY)
        entry.metric = take_u32 (&value);
      else if (type == RTA_MULTIPATH)
        parse_next_hops (&value, info.rtm_family, &entry);
    }
  if (entry.router.family != ALS_STUN_FAMILY_NONE)
    g_array_append_val (self->routes, entry);
}

guint
als_netlink_parse (AlsNetlinkTables *self, const uint8_t *data, size_t len)
{
  struct nlmsghdr header;
  AlsReader reader, body;
  guint seen = 0;

  als_reader_init (&reader, data, len);
  while (als_reader_left (&reader) >= sizeof header && take (&reader, &header, sizeof header)
         && header.nlmsg_len >= sizeof header)
    {
      size_t body_len = header.nlmsg_len - sizeof header;
      const uint8_t *bytes = als_reader_bytes (&reader, body_len);

      if (bytes == NULL)
        break;
      als_reader_init (&body, bytes, body_len);
      align (&reader, body_len);
      if (header.nlmsg_flags & NLM_F_DUMP_INTR)
        seen |= ALS_NETLINK_INTERRUPTED;
      switch (header.nlmsg_type)
        {
        case NLMSG_DONE:
        case NLMSG_ERROR:
          seen |= ALS_NETLINK_DONE;
          break;
        case RTM_NEWLINK:
          seen |= ALS_NETLINK_CHANGE;
          parse_link (self, &body);
          break;
        case RTM_NEWADDR:
          seen |= ALS_NETLINK_CHANGE;
          parse_address (self, &body);
          break;
        case RTM_NEWROUTE:
          seen |= ALS_NETLINK_CHANGE;
          parse_route (self, &body);
          break;
        case RTM_DELLINK:
        case RTM_DELADDR:
        case RTM_DELROUTE:
          seen |= ALS_NETLINK_CHANGE;
          break;
        default:
          break;
        }
    }
  return seen;
}

/* --- sockets ---------------------------------------------------------------- */

static int
open_socket (uint32_t groups, int flags)
{
  struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

  if (fd >= 0 && bind (fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      int code = errno;

      close (fd);
      errno = code;
      fd = -1;
    }
  return fd;
}

int
als_netlink_subscribe (void)
{
  return open_socket (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE
                        | RTMGRP_IPV6_ROUTE,
                      SOCK_NONBLOCK);
}

ssize_t
als_netlink_receive (int fd, uint8_t *buffer, size_t len)
{
  for (;;)
    {
      struct sockaddr_nl from = { 0 };
      socklen_t from_len = sizeof from;
      ssize_t n = recvfrom (fd, buffer, len, 0, (struct sockaddr *) &from, &from_len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return errno == ENOBUFS ? -1 : 0;
      /* Any process of this user may send here; only the kernel is asked. */
      if (from_len == sizeof from && from.nl_pid == 0)
        return n;
    }
}

/* Asks for one table; returns what was seen of it. */
static guint
dump (AlsNetlinkTables *self, int fd, uint16_t type)
{
  struct
  {
    struct nlmsghdr header;
    union
    {
      struct ifinfomsg link;
      struct ifaddrmsg address;
      struct rtmsg route;
    } body;
  } request = { 0 };
  g_autofree uint8_t *buffer = g_malloc (BUFFER_BYTES);
  guint seen = 0;

  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_len = NLMSG_LENGTH (type == RTM_GETLINK   ? sizeof request.body.link
                                           : type == RTM_GETADDR ? sizeof request.body.address
                                                                 : sizeof request.body.route);
  if (type == RTM_GETROUTE)
    request.body.route.rtm_table = RT_TABLE_MAIN;
  if (send (fd, &request, request.header.nlmsg_len, 0) < 0)
    return ALS_NETLINK_DONE;
  for (guint i = 0; i < MAX_DATAGRAMS && !(seen & ALS_NETLINK_DONE); i++)
    {
      ssize_t n = als_netlink_receive (fd, buffer, BUFFER_BYTES);

      if (n <= 0)
        break;
      seen |= als_netlink_parse (self, buffer, (size_t) n);
    }
  return seen;
}

AlsNetlinkTables *
als_netlink_read (void)
{
  static const uint16_t types[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE };
  const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
  AlsNetlinkTables *self = als_netlink_tables_new ();

  for (guint i = 0; i < MAX_DUMPS; i++)
    {
      const int on = 1;
      guint seen = 0;
      int fd = open_socket (0, 0);

      if (fd < 0)
        {
          g_message ("rtnetlink: %s", g_strerror (errno));
          return self;
        }
      setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
      /* Lets the kernel leave out other routing tables; older ones ignore it. */
      setsockopt (fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
      for (guint j = 0; j < G_N_ELEMENTS (types); j++)
        seen |= dump (self, fd, types[j]);
      close (fd);
      if (!(seen & ALS_NETLINK_INTERRUPTED) || i + 1 == MAX_DUMPS)
        break;
      g_array_set_size (self->links, 0);
      g_array_set_size (self->addresses, 0);
      g_array_set_size (self->routes, 0);
    }
  return self;
}
