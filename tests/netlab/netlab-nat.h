/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a home's router does to packets: address translation of any kind (RFC 4787, RFC
 * 5382), a stateful firewall with or without it, and rules about what may leave. A machine
 * without sockets: packets and the time go in, packets come out through a callback.
 *
 * IPv6 is never translated; the firewall holds for it as it does for IPv4. Fragments are
 * dropped and counted. */

#pragma once

#include <glib.h>

typedef enum
{
  NETLAB_ENDPOINT_INDEPENDENT,
  NETLAB_ADDRESS_DEPENDENT,
  NETLAB_ADDRESS_AND_PORT_DEPENDENT,
  NETLAB_NOTHING,   /* as a filter: lets everything in */
} NetlabDependence;

typedef enum
{
  NETLAB_PORTS_PRESERVED,
  NETLAB_PORTS_SEQUENTIAL,
  NETLAB_PORTS_RANDOM,
} NetlabPorts;

/* What happens to a packet that may not pass. */
typedef enum
{
  NETLAB_DROP,
  NETLAB_RESET,   /* TCP: a reset; the rest: dropped */
  NETLAB_ICMP,    /* administratively prohibited */
} NetlabRefusal;

#define NETLAB_MAX_TCP_PORTS 8

typedef struct
{
  gboolean translates;
  guint32 wan_address;          /* IPv4, host order */
  NetlabDependence mapping;
  NetlabDependence filtering;
  NetlabPorts ports;
  int step;                     /* of sequential ports */
  gboolean hairpin;
  gboolean simopen;             /* an inbound SYN may enter a connection begun from inside */
  NetlabRefusal unsolicited;    /* of an inbound TCP SYN */
  gboolean reset_kills;         /* a reset that passes ends the flow at once */
  NetlabRefusal blocked;        /* of what may not leave */
  gboolean udp;                 /* may pass, in either direction */
  guint16 tcp_ports[NETLAB_MAX_TCP_PORTS];   /* only to these; all if the first is 0 */
  guint32 only_address;         /* IPv4; all if 0; and then only this TCP port */
  guint16 only_port;
  guint udp_timeout_s, tcp_timeout_s, tcp_transitory_s, icmp_timeout_s;
  guint max_flows;
  size_t mtu[2];                /* largest packet, up and down; 0: no limit */
  gboolean mtu_icmp;            /* says so, or is a black hole */
} NetlabNatConfig;

typedef enum
{
  NETLAB_TO_LAN,
  NETLAB_TO_WAN,
} NetlabSide;

typedef enum
{
  NETLAB_MALFORMED,       /* or a protocol that is not TCP, UDP or ICMP */
  NETLAB_FRAGMENT,
  NETLAB_TTL,
  NETLAB_BLOCKED,         /* a rule about what may leave */
  NETLAB_UNSOLICITED,
  NETLAB_SIMOPEN_REFUSED,
  NETLAB_NO_HAIRPIN,
  NETLAB_NOT_OURS,        /* inbound for an address that is not (or no longer) this router's */
  NETLAB_TABLE_FULL,
  NETLAB_TOO_BIG,
  NETLAB_N_DROPS,
} NetlabDrop;

typedef struct
{
  guint64 n_passed[2];    /* by NetlabSide */
  guint64 n_dropped[NETLAB_N_DROPS];
  guint64 n_resets_sent;
  guint64 n_icmp_sent;
} NetlabNatStats;

typedef struct _NetlabNat NetlabNat;

typedef void (*NetlabNatOut) (gpointer user_data, NetlabSide to, const guint8 *packet, size_t n_bytes);

const char            *netlab_drop_to_string (NetlabDrop drop);
NetlabNat             *netlab_nat_new        (guint32 seed, NetlabNatOut out, gpointer user_data);
void                   netlab_nat_free       (NetlabNat *self);
NetlabNatConfig       *netlab_nat_get_config (NetlabNat *self);   /* may be changed at any time */
const NetlabNatStats  *netlab_nat_get_stats  (NetlabNat *self);
guint                  netlab_nat_n_mappings (NetlabNat *self);
guint                  netlab_nat_n_flows    (NetlabNat *self);
/* Forgets everything, as a router does that has just started. */
void                   netlab_nat_flush      (NetlabNat *self);
/* PACKET (an IP packet) is changed in place. */
void                   netlab_nat_from_lan   (NetlabNat *self, guint8 *packet, size_t n_bytes, int64_t now_us);
void                   netlab_nat_from_wan   (NetlabNat *self, guint8 *packet, size_t n_bytes, int64_t now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (NetlabNat, netlab_nat_free)
