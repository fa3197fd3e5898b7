/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the kernel knows of this network namespace: links, addresses and
 * default routes, read by rtnetlink. Asking never waits for anybody but the
 * kernel. */

#pragma once

#include "stun/als-stun-address.h"

G_BEGIN_DECLS

typedef struct
{
  guint index;
  gboolean is_running;    /* up, and with a carrier */
} AlsNetlinkLink;

typedef struct
{
  guint index;            /* of its link */
  AlsStunAddress address; /* port 0 */
  AlsStunAddress network; /* with PREFIX: who is on the link; a point-to-point peer */
  uint8_t prefix;         /* bits */
  gboolean is_temporary;  /* RFC 8981 */
  gboolean is_deprecated;
  gboolean is_tentative;  /* not ours yet, or never: duplicate address detection */
} AlsNetlinkAddress;

/* A default route through a router. */
typedef struct
{
  guint index;
  AlsStunAddress router;  /* port 0 */
  uint32_t metric;        /* the smallest is used */
} AlsNetlinkRoute;

typedef struct
{
  GArray *links;     /* (element-type AlsNetlinkLink) */
  GArray *addresses; /* (element-type AlsNetlinkAddress) */
  GArray *routes;    /* (element-type AlsNetlinkRoute) */
} AlsNetlinkTables;

typedef enum
{
  ALS_NETLINK_DONE = 1 << 0,        /* the end of a dump, or an error instead of one */
  ALS_NETLINK_INTERRUPTED = 1 << 1, /* the dump is of no one moment */
  ALS_NETLINK_CHANGE = 1 << 2,      /* a link, an address or a route came, went or changed */
} AlsNetlinkSeen;

AlsNetlinkTables *als_netlink_tables_new  (void);
void              als_netlink_tables_free (AlsNetlinkTables *self);
/* What it has of links, addresses and routes; empty if the kernel does not say. (transfer full) */
AlsNetlinkTables *als_netlink_read        (void);
/* Messages as they came from the kernel; what is malformed is left out. Returns a set of AlsNetlinkSeen. */
guint             als_netlink_parse       (AlsNetlinkTables *self, const uint8_t *data, size_t len);
/* A socket that is told of changes, non-blocking. -1 with errno. */
int               als_netlink_subscribe   (void);
/* One datagram's worth from the kernel itself; 0: nothing (more), -1: some were lost. */
ssize_t           als_netlink_receive     (int fd, uint8_t *buffer, size_t len);

gboolean          als_netlink_is_running  (const AlsNetlinkTables *self, guint index);
/* The first BITS of two addresses of one family agree. */
gboolean          als_netlink_same_prefix (const AlsStunAddress *a, const AlsStunAddress *b, guint bits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsNetlinkTables, als_netlink_tables_free)

G_END_DECLS
