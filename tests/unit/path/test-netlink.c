/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages of rtnetlink as the kernel sends them, and as it never would; and
 * what two clocks tell of sleep. */

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include "path/als-netlink.h"
#include "path/als-sleep-detector.h"

typedef struct
{
  uint8_t bytes[512];
  size_t len;
} Message;

static void
begin (Message *message, uint16_t type, const void *body, size_t len)
{
  struct nlmsghdr header = { .nlmsg_type = type, .nlmsg_len = (uint32_t) NLMSG_LENGTH (len) };

  memset (message, 0, sizeof *message);
  memcpy (message->bytes, &header, sizeof header);
  memcpy (message->bytes + sizeof header, body, len);
  message->len = sizeof header + NLMSG_ALIGN (len);
}

static void
add_attribute (Message *message, uint16_t type, const void *value, size_t len)
{
  struct rtattr attribute = { .rta_type = type, .rta_len = (uint16_t) (sizeof attribute + len) };
  struct nlmsghdr header;

  memcpy (message->bytes + message->len, &attribute, sizeof attribute);
  memcpy (message->bytes + message->len + sizeof attribute, value, len);
  message->len += sizeof attribute + RTA_ALIGN (len);
  memcpy (&header, message->bytes, sizeof header);
  header.nlmsg_len = (uint32_t) message->len;
  memcpy (message->bytes, &header, sizeof header);
}

static void
begin_address (Message *message, uint8_t family, uint8_t prefix, uint8_t flags)
{
  struct ifaddrmsg info = { .ifa_family = family, .ifa_prefixlen = prefix, .ifa_flags = flags,
                            .ifa_index = 7 };

  begin (message, RTM_NEWADDR, &info, sizeof info);
}

static void
test_address_and_its_network (void)
{
  static const uint8_t local[4] = { 10, 8, 0, 2 }, peer[4] = { 10, 8, 0, 1 };
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
  const AlsNetlinkAddress *entry;
  Message message;

  begin_address (&message, AF_INET, 32, IFA_F_SECONDARY);
  add_attribute (&message, IFA_ADDRESS, peer, sizeof peer);
  add_attribute (&message, IFA_LABEL, "tun0", 5);
  add_attribute (&message, IFA_LOCAL, local, sizeof local);
  g_assert_cmpuint (als_netlink_parse (tables, message.bytes, message.len), ==, ALS_NETLINK_CHANGE);
  g_assert_cmpuint (tables->addresses->len, ==, 1);
  entry = &g_array_index (tables->addresses, AlsNetlinkAddress, 0);
  g_assert_cmpmem (entry->address.ip, 4, local, 4);
  g_assert_cmpmem (entry->network.ip, 4, peer, 4);
  g_assert_cmpuint (entry->prefix, ==, 32);
  g_assert_cmpuint (entry->index, ==, 7);
  /* The bit that means temporary for IPv6 means another thing here. */
  g_assert_false (entry->is_temporary);
}

static void
test_flags_of_ipv6 (void)
{
  static const uint8_t ip[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
  static const struct
  {
    uint32_t flags;
    gboolean temporary, deprecated, tentative;
  } rows[] = {
    { IFA_F_TEMPORARY, TRUE, FALSE, FALSE },
    { IFA_F_DEPRECATED, FALSE, TRUE, FALSE },
    { IFA_F_TENTATIVE, FALSE, FALSE, TRUE },
    { IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, FALSE, FALSE, FALSE },
    { IFA_F_DADFAILED | IFA_F_PERMANENT, FALSE, FALSE, TRUE },
    { IFA_F_MANAGETEMPADDR, FALSE, FALSE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
      const AlsNetlinkAddress *entry;
      Message message;

      begin_address (&message, AF_INET6, 64, 0);
      add_attribute (&message, IFA_ADDRESS, ip, sizeof ip);
      add_attribute (&message, IFA_FLAGS, &rows[i].flags, sizeof rows[i].flags);
      als_netlink_parse (tables, message.bytes, message.len);
      g_assert_cmpuint (tables->addresses->len, ==, 1);
      entry = &g_array_index (tables->addresses, AlsNetlinkAddress, 0);
      g_assert_cmpint (entry->is_temporary, ==, rows[i].temporary);
      g_assert_cmpint (entry->is_deprecated, ==, rows[i].deprecated);
      g_assert_cmpint (entry->is_tentative, ==, rows[i].tentative);
    }
}

static void
begin_route (Message *message, uint8_t prefix, uint8_t table, uint8_t type)
{
  struct rtmsg info = { .rtm_family = AF_INET, .rtm_dst_len = prefix, .rtm_table = table,
                        .rtm_type = type };
  static const uint8_t router[4] = { 192, 168, 1, 1 };
  const uint32_t metric = 600, index = 3;

  begin (message, RTM_NEWROUTE, &info, sizeof info);
  add_attribute (message, RTA_GATEWAY, router, sizeof router);
  add_attribute (message, RTA_OIF, &index, sizeof index);
  add_attribute (message, RTA_PRIORITY, &metric, sizeof metric);
}

static void
test_only_default_routes_count (void)
{
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
  const AlsNetlinkRoute *route;
  Message message;

  begin_route (&message, 24, RT_TABLE_MAIN, RTN_UNICAST);
  als_netlink_parse (tables, message.bytes, message.len);
  begin_route (&message, 0, RT_TABLE_LOCAL, RTN_UNICAST);
  als_netlink_parse (tables, message.bytes, message.len);
  begin_route (&message, 0, RT_TABLE_MAIN, RTN_BLACKHOLE);
  als_netlink_parse (tables, message.bytes, message.len);
  g_assert_cmpuint (tables->routes->len, ==, 0);
  begin_route (&message, 0, RT_TABLE_MAIN, RTN_UNICAST);
  als_netlink_parse (tables, message.bytes, message.len);
  g_assert_cmpuint (tables->routes->len, ==, 1);
  route = &g_array_index (tables->routes, AlsNetlinkRoute, 0);
  g_assert_cmpuint (route->index, ==, 3);
  g_assert_cmpuint (route->metric, ==, 600);
  g_assert_cmpuint (route->router.ip[3], ==, 1);
}

static void
test_first_of_several_next_hops (void)
{
  struct rtmsg info = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
  struct
  {
    struct rtnexthop hop;
    struct rtattr attribute;
    uint8_t router[4];
  } hops[2] = {
    { { .rtnh_len = 16, .rtnh_ifindex = 4 }, { 8, RTA_GATEWAY }, { 10, 0, 0, 1 } },
    { { .rtnh_len = 16, .rtnh_ifindex = 5 }, { 8, RTA_GATEWAY }, { 10, 0, 1, 1 } },
  };
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
  const AlsNetlinkRoute *route;
  Message message;

  begin (&message, RTM_NEWROUTE, &info, sizeof info);
  add_attribute (&message, RTA_MULTIPATH, hops, sizeof hops);
  als_netlink_parse (tables, message.bytes, message.len);
  g_assert_cmpuint (tables->routes->len, ==, 1);
  route = &g_array_index (tables->routes, AlsNetlinkRoute, 0);
  g_assert_cmpuint (route->index, ==, 4);
  g_assert_cmpuint (route->router.ip[2], ==, 0);
}

static void
test_cut_and_false_lengths (void)
{
  static const uint8_t ip[4] = { 10, 0, 0, 1 };
  Message message;

  begin_address (&message, AF_INET, 24, 0);
  add_attribute (&message, IFA_LOCAL, ip, sizeof ip);
  for (size_t len = 0; len < message.len; len++)
    {
      g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();

      als_netlink_parse (tables, message.bytes, len);
      g_assert_cmpuint (tables->addresses->len, ==, 0);
    }
  for (size_t at = 0; at < message.len; at++)
    for (guint value = 0; value < 256; value += 5)
      {
        g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
        Message altered = message;

        altered.bytes[at] = (uint8_t) value;
        als_netlink_parse (tables, altered.bytes, altered.len);
        g_assert_cmpuint (tables->addresses->len, <=, 1);
      }
}

static void
test_prefix_longer_than_an_address (void)
{
  static const uint8_t ip[4] = { 10, 0, 0, 1 };
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
  Message message;

  begin_address (&message, AF_INET, 33, 0);
  add_attribute (&message, IFA_LOCAL, ip, sizeof ip);
  als_netlink_parse (tables, message.bytes, message.len);
  g_assert_cmpuint (tables->addresses->len, ==, 0);
}

static void
test_link_without_carrier_is_not_running (void)
{
  struct ifinfomsg info = { .ifi_index = 2, .ifi_flags = IFF_UP };
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();
  Message message;

  begin (&message, RTM_NEWLINK, &info, sizeof info);
  als_netlink_parse (tables, message.bytes, message.len);
  info = (struct ifinfomsg){ .ifi_index = 3, .ifi_flags = IFF_UP | IFF_RUNNING };
  begin (&message, RTM_NEWLINK, &info, sizeof info);
  als_netlink_parse (tables, message.bytes, message.len);
  g_assert_false (als_netlink_is_running (tables, 2));
  g_assert_true (als_netlink_is_running (tables, 3));
  g_assert_false (als_netlink_is_running (tables, 4));
}

static void
test_prefixes (void)
{
  AlsStunAddress a, b;

  als_stun_address_parse (&a, "10.9.7.1", 0);
  als_stun_address_parse (&b, "10.9.6.1", 0);
  g_assert_true (als_netlink_same_prefix (&a, &b, 0));
  g_assert_true (als_netlink_same_prefix (&a, &b, 16));
  g_assert_true (als_netlink_same_prefix (&a, &b, 23));
  g_assert_false (als_netlink_same_prefix (&a, &b, 24));
  g_assert_false (als_netlink_same_prefix (&a, &b, 33));
  g_assert_true (als_netlink_same_prefix (&a, &a, 32));
  als_stun_address_parse (&b, "::1", 0);
  g_assert_false (als_netlink_same_prefix (&a, &b, 0));
}

static void
test_sleep_is_seen_once (void)
{
  AlsSleepDetector sleep;

  als_sleep_detector_init (&sleep, 5000000, 4000000);
  g_assert_false (als_sleep_detector_check (&sleep, 65000000, 64000000));
  /* Read one after the other: a hundred microseconds more. */
  g_assert_false (als_sleep_detector_check (&sleep, 65000100, 64000000));
  g_assert_true (als_sleep_detector_check (&sleep, 95000000, 66000000));
  g_assert_false (als_sleep_detector_check (&sleep, 96000000, 67000000));
}

static void
test_many_naps_are_sleep (void)
{
  AlsSleepDetector sleep;
  guint n_seen = 0;

  als_sleep_detector_init (&sleep, 0, 0);
  for (int64_t i = 1; i <= 8; i++)
    n_seen += als_sleep_detector_check (&sleep, i * 1300000, i * 1000000) ? 1 : 0;
  g_assert_cmpuint (n_seen, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/netlink/address-and-its-network", test_address_and_its_network);
  g_test_add_func ("/path/netlink/flags-of-ipv6", test_flags_of_ipv6);
  g_test_add_func ("/path/netlink/only-default-routes-count", test_only_default_routes_count);
  g_test_add_func ("/path/netlink/first-of-several-next-hops", test_first_of_several_next_hops);
  g_test_add_func ("/path/netlink/cut-and-false-lengths", test_cut_and_false_lengths);
  g_test_add_func ("/path/netlink/prefix-longer-than-an-address",
                   test_prefix_longer_than_an_address);
  g_test_add_func ("/path/netlink/link-without-carrier-is-not-running",
                   test_link_without_carrier_is_not_running);
  g_test_add_func ("/path/netlink/prefixes", test_prefixes);
  g_test_add_func ("/path/sleep-detector/sleep-is-seen-once", test_sleep_is_seen_once);
  g_test_add_func ("/path/sleep-detector/many-naps-are-sleep", test_many_naps_are_sleep);
  return g_test_run ();
}
