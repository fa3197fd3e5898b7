/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Three tables. A *flow* is one pair of transport endpoints as the internet sees them and
 * lives until it has been silent for its time. A *mapping* gives an inner endpoint its
 * public port and lives as long as it has flows; so does an *allowance*, which lets in
 * others than the one a flow was made with, where the filter is so loose. */

#define G_LOG_DOMAIN "netlab"
#include "config.h"

#include "netlab-nat.h"

#include <netinet/in.h>
#include <string.h>

#define MAX_PACKET_BYTES 2048
#define IP4_BYTES 20
#define IP6_BYTES 40
#define TCP_BYTES 20
#define UDP_BYTES 8
#define ICMP_BYTES 8
/* What an ICMP error quotes: RFC 792 asks for 8 bytes after the header, this is kinder. */
#define QUOTED_BYTES 128

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define FIRST_PORT 1024
#define N_PORTS (65536 - FIRST_PORT)
#define SWEEP_US (G_USEC_PER_SEC / 2)
/* A flow that was reset, or closed from both sides, waits for stragglers. */
#define CLOSED_US (10 * G_USEC_PER_SEC)

/* IPv4 stands in the last word, in host order, with the others as in ::ffff:0:0. */
typedef struct
{
  guint32 words[4];
} Address;

typedef struct
{
  Address local;
  Address remote;
  guint16 local_port;
  guint16 remote_port;
  guint32 protocol;
} Key;

typedef struct
{
  Key inner;          /* what it is found by from inside; its remote end is often empty */
  guint16 port;       /* outside */
  guint n_flows;
} Mapping;

typedef struct
{
  Key key;
  guint n_flows;
} Allowance;

typedef struct
{
  Key key;                 /* with the local end as seen from outside */
  Mapping *mapping;        /* (nullable) */
  Allowance *allowance;    /* (nullable) */
  int64_t expires_us;
  gboolean seen_in, seen_out;    /* TCP: more than a first SYN */
  gboolean fin_in, fin_out, is_reset;
  gboolean begun_inside;
} Flow;

typedef struct
{
  guint8 *bytes;
  size_t n_bytes;
  gboolean is_v6;
  guint8 protocol;
  guint8 *payload;         /* TCP, UDP or ICMP header */
  size_t n_payload;
  Address source, destination;
  guint16 source_port, destination_port;    /* an echo's id stands for the inner port */
  guint8 tcp_flags;
  gboolean is_icmp_error;
  gboolean dont_fragment;
} Packet;

struct _NetlabNat
{
  NetlabNatConfig config;
  NetlabNatStats stats;
  NetlabNatOut out;
  gpointer user_data;
  GRand *random;
  GHashTable *flows;        /* Key to Flow */
  GHashTable *allowances;   /* Key to Allowance */
  GHashTable *by_inner;     /* Key to Mapping */
  GHashTable *by_port;      /* protocol << 16 | port to Mapping */
  guint16 next_port[2];     /* sequential: TCP, the others */
  int64_t swept_us;
};

static const char *const drop_names[NETLAB_N_DROPS] = {
  "malformed", "fragment", "ttl", "blocked", "unsolicited",
  "simopen-refused", "no-hairpin", "not-ours", "table-full", "too-big",
};

const char *
netlab_drop_to_string (NetlabDrop drop)
{
  return drop_names[drop];
}

/* --- bytes ----------------------------------------------------------------- */

static guint16
get16 (const guint8 *at)
{
  return (guint16) (at[0] << 8 | at[1]);
}

static guint32
get32 (const guint8 *at)
{
  return (guint32) at[0] << 24 | (guint32) at[1] << 16 | (guint32) at[2] << 8 | at[3];
}

static void
put16 (guint8 *at, guint16 value)
{
  at[0] = value >> 8;
  at[1] = value & 0xff;
}

static void
put32 (guint8 *at, guint32 value)
{
  put16 (at, value >> 16);
  put16 (at + 2, value & 0xffff);
}

static guint32
sum (const guint8 *at, size_t n_bytes, guint32 start)
{
  guint64 total = start;

  for (; n_bytes > 1; at += 2, n_bytes -= 2)
    total += get16 (at);
  if (n_bytes > 0)
    total += (guint32) at[0] << 8;
  while (total >> 16)
    total = (total & 0xffff) + (total >> 16);
  return (guint32) total;
}

static guint16
checksum (const guint8 *at, size_t n_bytes, guint32 start)
{
  return (guint16) ~sum (at, n_bytes, start);
}

/* RFC 1624, 3: the checksum at AT after a 16 bit word changed. */
static void
adjust16 (guint8 *at, guint16 old, guint16 new)
{
  guint32 total = (guint16) ~get16 (at) + (guint32) (guint16) ~old + new;

  total = (total & 0xffff) + (total >> 16);
  total = (total & 0xffff) + (total >> 16);
  put16 (at, (guint16) ~total);
}

static void
adjust32 (guint8 *at, guint32 old, guint32 new)
{
  adjust16 (at, old >> 16, new >> 16);
  adjust16 (at, old & 0xffff, new & 0xffff);
}

static Address
v4 (guint32 address)
{
  return (Address) { { 0, 0, 0xffff, address } };
}

static Address
get_v6 (const guint8 *at)
{
  return (Address) { { get32 (at), get32 (at + 4), get32 (at + 8), get32 (at + 12) } };
}

static gboolean
same_address (const Address *a, const Address *b)
{
  return memcmp (a, b, sizeof *a) == 0;
}

/* --- tables ---------------------------------------------------------------- */

static guint
key_hash (gconstpointer key)
{
  const guint32 *words = key;
  guint32 hash = 2166136261u;

  for (guint i = 0; i < sizeof (Key) / sizeof (guint32); i++)
    {
      hash = (hash ^ words[i]) * 0x9e3779b1u;
      hash ^= hash >> 15;
    }
  return hash;
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (Key)) == 0;
}

static gpointer
port_key (guint8 protocol, guint16 port)
{
  return GUINT_TO_POINTER ((guint) protocol << 16 | port);
}

static Key
make_key (guint8 protocol, const Address *local, guint16 local_port, const Address *remote, guint16 remote_port)
{
  Key key = { .protocol = protocol, .local = *local, .local_port = local_port, .remote_port = remote_port };

  if (remote != NULL)
    key.remote = *remote;
  return key;
}

/* The flow itself is freed by its table. */
static void
forget_flow (NetlabNat *self, Flow *flow)
{
  if (flow->allowance != NULL && --flow->allowance->n_flows == 0)
    g_hash_table_remove (self->allowances, &flow->allowance->key);
  if (flow->mapping != NULL && --flow->mapping->n_flows == 0)
    {
      g_hash_table_remove (self->by_port, port_key (flow->mapping->inner.protocol, flow->mapping->port));
      g_hash_table_remove (self->by_inner, &flow->mapping->inner);
    }
}

static void
remove_flow (NetlabNat *self, Flow *flow)
{
  forget_flow (self, flow);
  g_hash_table_remove (self->flows, &flow->key);
}

static void
sweep (NetlabNat *self, int64_t now_us)
{
  GHashTableIter iter;
  gpointer value;

  if (now_us - self->swept_us < SWEEP_US)
    return;
  self->swept_us = now_us;
  g_hash_table_iter_init (&iter, self->flows);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Flow *) value)->expires_us <= now_us)
      {
        forget_flow (self, value);
        g_hash_table_iter_remove (&iter);
      }
}

static Flow *
find_flow (NetlabNat *self, const Key *key, int64_t now_us)
{
  Flow *flow = g_hash_table_lookup (self->flows, key);

  if (flow != NULL && flow->expires_us <= now_us)
    {
      remove_flow (self, flow);
      flow = NULL;
    }
  return flow;
}

/* What lets others in beside the remote end of KEY. FALSE: nobody. */
static gboolean
allowance_key (NetlabNat *self, const Key *key, Key *allowed)
{
  *allowed = *key;
  allowed->remote_port = 0;
  if (self->config.filtering == NETLAB_ENDPOINT_INDEPENDENT)
    memset (&allowed->remote, 0, sizeof allowed->remote);
  return self->config.filtering == NETLAB_ENDPOINT_INDEPENDENT
         || self->config.filtering == NETLAB_ADDRESS_DEPENDENT;
}

static Flow *
make_flow (NetlabNat *self, const Key *key, Mapping *mapping)
{
  Key allowed;
  Flow *flow;

  if (g_hash_table_size (self->flows) >= self->config.max_flows)
    return NULL;
  flow = g_new0 (Flow, 1);
  flow->key = *key;
  flow->mapping = mapping;
  if (mapping != NULL)
    mapping->n_flows++;
  if (allowance_key (self, key, &allowed))
    {
      flow->allowance = g_hash_table_lookup (self->allowances, &allowed);
      if (flow->allowance == NULL)
        {
          flow->allowance = g_new0 (Allowance, 1);
          flow->allowance->key = allowed;
          g_hash_table_add (self->allowances, flow->allowance);
        }
      flow->allowance->n_flows++;
    }
  g_hash_table_add (self->flows, flow);
  return flow;
}

/* 0 if there is none left. */
static guint16
choose_port (NetlabNat *self, guint8 protocol, guint16 inner_port)
{
  guint16 *next = &self->next_port[protocol != IPPROTO_TCP];
  guint port = inner_port;
  guint step = 1;

  if (self->config.ports == NETLAB_PORTS_SEQUENTIAL)
    {
      port = *next;
      step = MAX (1, self->config.step);
    }
  else if (self->config.ports == NETLAB_PORTS_RANDOM)
    port = FIRST_PORT + g_rand_int_range (self->random, 0, N_PORTS);
  for (guint i = 0; i < N_PORTS; i++)
    {
      if (port < FIRST_PORT || port > 65535)
        port = FIRST_PORT + port % N_PORTS;
      if (!g_hash_table_contains (self->by_port, port_key (protocol, port)))
        {
          if (self->config.ports == NETLAB_PORTS_SEQUENTIAL)
            *next = (guint16) (FIRST_PORT + (port + step - FIRST_PORT) % N_PORTS);
          return (guint16) port;
        }
      /* A random port that is taken gives way to another random one, as long as that helps. */
      port = self->config.ports == NETLAB_PORTS_RANDOM && i < 64
               ? FIRST_PORT + (guint) g_rand_int_range (self->random, 0, N_PORTS) : port + step;
      if (i == N_PORTS / 2)
        step = 1;
    }
  return 0;
}

static Mapping *
map_out (NetlabNat *self, const Packet *packet)
{
  NetlabDependence dependence = self->config.mapping;
  Key key = make_key (packet->protocol, &packet->source, packet->source_port,
                      dependence == NETLAB_ENDPOINT_INDEPENDENT ? NULL : &packet->destination,
                      dependence == NETLAB_ADDRESS_AND_PORT_DEPENDENT ? packet->destination_port : 0);
  Mapping *mapping = g_hash_table_lookup (self->by_inner, &key);
  guint16 port;

  if (mapping != NULL)
    return mapping;
  if (g_hash_table_size (self->flows) >= self->config.max_flows
      || (port = choose_port (self, packet->protocol, packet->source_port)) == 0)
    return NULL;
  mapping = g_new0 (Mapping, 1);
  mapping->inner = key;
  mapping->port = port;
  g_hash_table_add (self->by_inner, mapping);
  g_hash_table_insert (self->by_port, port_key (packet->protocol, port), mapping);
  return mapping;
}

/* Notes what PACKET does to its flow. FALSE: it ends here. */
static gboolean
touch_flow (NetlabNat *self, Flow *flow, const Packet *packet, gboolean is_inbound, int64_t now_us)
{
  const NetlabNatConfig *config = &self->config;
  int64_t timeout_us;

  if (packet->protocol == IPPROTO_UDP)
    timeout_us = (int64_t) config->udp_timeout_s * G_USEC_PER_SEC;
  else if (packet->protocol != IPPROTO_TCP)
    timeout_us = (int64_t) config->icmp_timeout_s * G_USEC_PER_SEC;
  else
    {
      guint8 flags = packet->tcp_flags;

      if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        {
          /* Somebody begins anew. */
          if (flow->is_reset || (flow->fin_in && flow->fin_out))
            flow->seen_in = flow->seen_out = FALSE;
          flow->fin_in = flow->fin_out = flow->is_reset = FALSE;
        }
      else if (is_inbound)
        flow->seen_in = TRUE;
      else
        flow->seen_out = TRUE;
      if (flags & TCP_FIN)
        *(is_inbound ? &flow->fin_in : &flow->fin_out) = TRUE;
      if (flags & TCP_RST)
        flow->is_reset = TRUE;
      if (flow->is_reset || (flow->fin_in && flow->fin_out))
        timeout_us = CLOSED_US;
      else if (flow->seen_in && flow->seen_out)
        timeout_us = (int64_t) config->tcp_timeout_s * G_USEC_PER_SEC;
      else
        timeout_us = (int64_t) config->tcp_transitory_s * G_USEC_PER_SEC;
    }
  flow->expires_us = now_us + timeout_us;
  return !(flow->is_reset && config->reset_kills);
}

/* --- packets --------------------------------------------------------------- */

/* Finds what stands where; the quoted packet of an ICMP error may be cut off after 8 bytes. */
static gboolean
parse (Packet *packet, guint8 *bytes, size_t n_bytes, gboolean is_quoted, NetlabDrop *why)
{
  size_t header;

  memset (packet, 0, sizeof *packet);
  *why = NETLAB_MALFORMED;
  packet->bytes = bytes;
  if (n_bytes < IP4_BYTES || n_bytes > MAX_PACKET_BYTES)
    return FALSE;
  if (bytes[0] >> 4 == 4)
    {
      header = (bytes[0] & 0xf) * 4;
      packet->n_bytes = is_quoted ? n_bytes : get16 (bytes + 2);
      if (header < IP4_BYTES || packet->n_bytes < header || packet->n_bytes > n_bytes)
        return FALSE;
      if (get16 (bytes + 6) & 0x3fff)
        {
          *why = NETLAB_FRAGMENT;
          return FALSE;
        }
      packet->dont_fragment = (bytes[6] & 0x40) != 0;
      packet->protocol = bytes[9];
      packet->source = v4 (get32 (bytes + 12));
      packet->destination = v4 (get32 (bytes + 16));
      if (packet->protocol == IPPROTO_ICMPV6)
        return FALSE;
    }
  else
    {
      header = IP6_BYTES;
      if (bytes[0] >> 4 != 6 || n_bytes < header)
        return FALSE;
      packet->n_bytes = is_quoted ? n_bytes : header + get16 (bytes + 4);
      if (packet->n_bytes > n_bytes)
        return FALSE;
      packet->is_v6 = packet->dont_fragment = TRUE;
      packet->protocol = bytes[6];
      packet->source = get_v6 (bytes + 8);
      packet->destination = get_v6 (bytes + 24);
      if (packet->protocol == IPPROTO_FRAGMENT)
        *why = NETLAB_FRAGMENT;
      if (packet->protocol == IPPROTO_ICMP)
        return FALSE;
    }
  packet->payload = bytes + header;
  packet->n_payload = packet->n_bytes - header;
  if (packet->n_payload < 8)
    return FALSE;
  switch (packet->protocol)
    {
    case IPPROTO_TCP:
      if (!is_quoted)
        {
          if (packet->n_payload < TCP_BYTES)
            return FALSE;
          packet->tcp_flags = packet->payload[13];
        }
      G_GNUC_FALLTHROUGH;
    case IPPROTO_UDP:
      packet->source_port = get16 (packet->payload);
      packet->destination_port = get16 (packet->payload + 2);
      break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      {
        guint8 type = packet->payload[0];

        if (type == (packet->is_v6 ? 128 : 8))
          packet->source_port = get16 (packet->payload + 4);
        else if (type == (packet->is_v6 ? 129 : 0))
          packet->destination_port = get16 (packet->payload + 4);
        else if (!is_quoted && (packet->is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12))
          packet->is_icmp_error = TRUE;
        else
          return FALSE;
      }
      break;
    default:
      return FALSE;
    }
  return TRUE;
}

static void
out (NetlabNat *self, NetlabSide to, const Packet *packet)
{
  self->stats.n_passed[to]++;
  self->out (self->user_data, to, packet->bytes, packet->n_bytes);
}

static void
drop (NetlabNat *self, NetlabDrop why)
{
  self->stats.n_dropped[why]++;
}

/* Gives one end of an IPv4 packet another address and port. */
static void
rewrite (Packet *packet, gboolean is_source, const Address *address, guint16 port)
{
  guint8 *at = packet->bytes + (is_source ? 12 : 16);
  guint32 old = get32 (at);
  guint32 new = address->words[3];
  guint8 *port_at = packet->payload + (is_source ? 0 : 2);
  guint8 *sum_at;
  gboolean sums_addresses = TRUE;

  put32 (at, new);
  adjust32 (packet->bytes + 10, old, new);
  if (packet->protocol == IPPROTO_TCP)
    sum_at = packet->payload + 16;
  else if (packet->protocol == IPPROTO_UDP)
    sum_at = packet->payload + 6;
  else
    {
      sum_at = packet->payload + 2;
      port_at = packet->payload + 4;
      sums_addresses = FALSE;
    }
  if (packet->protocol != IPPROTO_UDP || get16 (sum_at) != 0)
    {
      if (sums_addresses)
        adjust32 (sum_at, old, new);
      adjust16 (sum_at, get16 (port_at), port);
      if (packet->protocol == IPPROTO_UDP && get16 (sum_at) == 0)
        put16 (sum_at, 0xffff);
    }
  put16 (port_at, port);
  if (is_source)
    {
      packet->source = *address;
      packet->source_port = port;
    }
  else
    {
      packet->destination = *address;
      packet->destination_port = port;
    }
}

/* One hop less. FALSE: that was the last one. */
static gboolean
hop (Packet *packet)
{
  guint8 *ttl = packet->bytes + (packet->is_v6 ? 7 : 8);

  if (*ttl <= 1)
    return FALSE;
  if (!packet->is_v6)
    adjust16 (packet->bytes + 10, get16 (ttl), get16 (ttl) - 0x100);
  --*ttl;
  return TRUE;
}

static guint32
pseudo_sum (const Packet *packet, size_t n_payload, guint8 protocol)
{
  return sum (packet->bytes + (packet->is_v6 ? 8 : 12), packet->is_v6 ? 32 : 8, (guint32) n_payload + protocol);
}

/* Header of an answer to PACKET; SOURCE replaces whom it was for (IPv4). */
static void
begin_answer (Packet *answer, guint8 *bytes, const Packet *packet, guint8 protocol, size_t n_payload, guint32 source)
{
  size_t header = packet->is_v6 ? IP6_BYTES : IP4_BYTES;

  memset (bytes, 0, header + n_payload);
  memset (answer, 0, sizeof *answer);
  answer->bytes = bytes;
  answer->n_bytes = header + n_payload;
  answer->is_v6 = packet->is_v6;
  answer->payload = bytes + header;
  answer->n_payload = n_payload;
  if (packet->is_v6)
    {
      bytes[0] = 0x60;
      put16 (bytes + 4, (guint16) n_payload);
      bytes[6] = protocol;
      bytes[7] = 64;
      memcpy (bytes + 8, packet->bytes + 24, 16);
      memcpy (bytes + 24, packet->bytes + 8, 16);
    }
  else
    {
      bytes[0] = 0x45;
      put16 (bytes + 2, (guint16) answer->n_bytes);
      bytes[8] = 64;
      bytes[9] = protocol;
      put32 (bytes + 12, source != 0 ? source : packet->destination.words[3]);
      memcpy (bytes + 16, packet->bytes + 12, 4);
      put16 (bytes + 10, checksum (bytes, IP4_BYTES, 0));
    }
}

static void
answer_reset (NetlabNat *self, const Packet *packet, NetlabSide to)
{
  guint8 bytes[IP6_BYTES + TCP_BYTES];
  guint8 *tcp;
  Packet answer;
  guint32 after = get32 (packet->payload + 4) + ((packet->tcp_flags & TCP_SYN) ? 1 : 0);

  if (packet->tcp_flags & TCP_RST)
    return;
  begin_answer (&answer, bytes, packet, IPPROTO_TCP, TCP_BYTES, 0);
  tcp = answer.payload;
  put16 (tcp, packet->destination_port);
  put16 (tcp + 2, packet->source_port);
  put32 (tcp + 8, after);
  tcp[12] = TCP_BYTES / 4 << 4;
  tcp[13] = TCP_RST | TCP_ACK;
  put16 (tcp + 16, checksum (tcp, TCP_BYTES, pseudo_sum (&answer, TCP_BYTES, IPPROTO_TCP)));
  self->stats.n_resets_sent++;
  self->out (self->user_data, to, answer.bytes, answer.n_bytes);
}

/* MTU 0: it may not pass; otherwise it is too big for that. */
static void
answer_icmp (NetlabNat *self, const Packet *packet, NetlabSide to, size_t mtu)
{
  guint8 bytes[IP6_BYTES + ICMP_BYTES + QUOTED_BYTES];
  size_t n_quoted = MIN (packet->n_bytes, QUOTED_BYTES);
  guint8 protocol = packet->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  guint8 *icmp;
  Packet answer;

  if (packet->is_icmp_error)
    return;
  begin_answer (&answer, bytes, packet, protocol, ICMP_BYTES + n_quoted, self->config.wan_address);
  icmp = answer.payload;
  if (packet->is_v6)
    {
      /* RFC 4443, 3.1 and 3.2 */
      icmp[0] = mtu != 0 ? 2 : 1;
      icmp[1] = mtu != 0 ? 0 : 1;
      put32 (icmp + 4, (guint32) mtu);
    }
  else
    {
      /* RFC 792, RFC 1191 and RFC 1812, 5.2.7.1 */
      icmp[0] = 3;
      icmp[1] = mtu != 0 ? 4 : 13;
      put16 (icmp + 6, (guint16) mtu);
    }
  memcpy (icmp + ICMP_BYTES, packet->bytes, n_quoted);
  put16 (icmp + 2, checksum (icmp, ICMP_BYTES + n_quoted,
                             packet->is_v6 ? pseudo_sum (&answer, ICMP_BYTES + n_quoted, protocol) : 0));
  self->stats.n_icmp_sent++;
  self->out (self->user_data, to, answer.bytes, answer.n_bytes);
}

/* Tells the sender, which stands on the side TO, or not. */
static void
refuse (NetlabNat *self, const Packet *packet, NetlabRefusal refusal, NetlabSide to, NetlabDrop why)
{
  drop (self, why);
  if (refusal == NETLAB_RESET && packet->protocol == IPPROTO_TCP)
    answer_reset (self, packet, to);
  else if (refusal == NETLAB_ICMP)
    answer_icmp (self, packet, to, 0);
}

static gboolean
is_too_big (NetlabNat *self, const Packet *packet, NetlabSide from)
{
  size_t mtu = self->config.mtu[from == NETLAB_TO_WAN];

  if (mtu == 0 || packet->n_bytes <= mtu)
    return FALSE;
  drop (self, NETLAB_TOO_BIG);
  if (self->config.mtu_icmp && packet->dont_fragment)
    answer_icmp (self, packet, from, mtu);
  return TRUE;
}

/* An ICMP error about one of our flows; the packet it quotes goes the other way. */
static void
pass_error (NetlabNat *self, Packet *packet, gboolean is_inbound, int64_t now_us)
{
  gboolean translates = self->config.translates && !packet->is_v6;
  NetlabDrop why;
  Packet quoted;
  Flow *flow;
  Key key;

  if (!parse (&quoted, packet->payload + ICMP_BYTES, packet->n_payload - ICMP_BYTES, TRUE, &why)
      || quoted.is_v6 != packet->is_v6)
    {
      drop (self, NETLAB_MALFORMED);
      return;
    }
  if (is_inbound)
    key = make_key (quoted.protocol, &quoted.source, quoted.source_port,
                    &quoted.destination, quoted.destination_port);
  else if (translates)
    {
      /* What the host here was sent: by its inner name, whatever the mapping depends on. */
      NetlabDependence dependence = self->config.mapping;
      Key inner = make_key (quoted.protocol, &quoted.destination, quoted.destination_port,
                            dependence == NETLAB_ENDPOINT_INDEPENDENT ? NULL : &quoted.source,
                            dependence == NETLAB_ADDRESS_AND_PORT_DEPENDENT ? quoted.source_port : 0);
      Mapping *mapping = g_hash_table_lookup (self->by_inner, &inner);
      Address wan = v4 (self->config.wan_address);

      key = make_key (quoted.protocol, &wan, mapping != NULL ? mapping->port : 0, &quoted.source, quoted.source_port);
    }
  else
    key = make_key (quoted.protocol, &quoted.destination, quoted.destination_port,
                    &quoted.source, quoted.source_port);
  flow = find_flow (self, &key, now_us);
  if (flow == NULL && (translates || self->config.filtering != NETLAB_NOTHING))
    {
      drop (self, NETLAB_UNSOLICITED);
      return;
    }
  if (translates)
    {
      Address inside = flow->mapping->inner.local;
      Address wan = v4 (self->config.wan_address);
      guint8 *ends = packet->bytes + (is_inbound ? 16 : 12);

      if (is_inbound)
        rewrite (&quoted, TRUE, &inside, flow->mapping->inner.local_port);
      else
        rewrite (&quoted, FALSE, &wan, flow->mapping->port);
      adjust32 (packet->bytes + 10, get32 (ends), is_inbound ? inside.words[3] : wan.words[3]);
      put32 (ends, is_inbound ? inside.words[3] : wan.words[3]);
      put16 (packet->payload + 2, 0);
      put16 (packet->payload + 2, checksum (packet->payload, packet->n_payload, 0));
    }
  out (self, is_inbound ? NETLAB_TO_LAN : NETLAB_TO_WAN, packet);
}

static gboolean
may_leave (const NetlabNatConfig *config, const Packet *packet)
{
  gboolean is_tcp = packet->protocol == IPPROTO_TCP;

  if (config->only_address != 0)
    {
      Address only = v4 (config->only_address);

      return is_tcp && same_address (&packet->destination, &only) && packet->destination_port == config->only_port;
    }
  if (packet->protocol == IPPROTO_UDP)
    return config->udp;
  if (config->tcp_ports[0] == 0)
    return TRUE;
  if (is_tcp)
    for (guint i = 0; i < NETLAB_MAX_TCP_PORTS; i++)
      if (config->tcp_ports[i] == packet->destination_port && config->tcp_ports[i] != 0)
        return TRUE;
  return FALSE;
}

static void
come_in (NetlabNat *self, Packet *packet, int64_t now_us)
{
  const NetlabNatConfig *config = &self->config;
  gboolean translates = config->translates && !packet->is_v6;
  gboolean is_syn = packet->protocol == IPPROTO_TCP && (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
  Mapping *mapping = NULL;
  gboolean passes;
  Flow *flow;
  Key allowed;
  Key key = make_key (packet->protocol, &packet->destination, packet->destination_port,
                      &packet->source, packet->source_port);

  if (packet->protocol == IPPROTO_UDP && !config->udp)
    {
      drop (self, NETLAB_BLOCKED);
      return;
    }
  if (translates)
    {
      Address wan = v4 (config->wan_address);

      if (!same_address (&packet->destination, &wan))
        {
          drop (self, NETLAB_NOT_OURS);
          return;
        }
    }
  else if (config->filtering == NETLAB_NOTHING)
    {
      out (self, NETLAB_TO_LAN, packet);
      return;
    }
  flow = find_flow (self, &key, now_us);
  if (translates)
    mapping = g_hash_table_lookup (self->by_port, port_key (packet->protocol, packet->destination_port));
  passes = flow != NULL;
  if (!passes && (!translates || mapping != NULL) && (packet->protocol != IPPROTO_TCP || is_syn))
    passes = config->filtering == NETLAB_NOTHING
             || (allowance_key (self, &key, &allowed) && g_hash_table_contains (self->allowances, &allowed));
  if (!passes)
    {
      refuse (self, packet, is_syn ? config->unsolicited : NETLAB_DROP, NETLAB_TO_WAN, NETLAB_UNSOLICITED);
      return;
    }
  if (flow != NULL && flow->begun_inside && is_syn && !config->simopen)
    {
      refuse (self, packet, config->unsolicited, NETLAB_TO_WAN, NETLAB_SIMOPEN_REFUSED);
      return;
    }
  if (flow == NULL && (flow = make_flow (self, &key, mapping)) == NULL)
    {
      drop (self, NETLAB_TABLE_FULL);
      return;
    }
  if (translates)
    rewrite (packet, FALSE, &flow->mapping->inner.local, flow->mapping->inner.local_port);
  if (!touch_flow (self, flow, packet, TRUE, now_us))
    remove_flow (self, flow);
  out (self, NETLAB_TO_LAN, packet);
}

/* Nothing but what may be routed at all. */
static gboolean
is_routable (const Packet *packet)
{
  guint32 first = packet->destination.words[0];

  if (packet->is_v6)
    return first >> 24 != 0xff && first >> 22 != 0xfe80 >> 6;
  return packet->destination.words[3] >> 28 < 0xe;
}

static gboolean
begin (NetlabNat *self, Packet *packet, guint8 *bytes, size_t n_bytes, int64_t now_us)
{
  NetlabDrop why;

  sweep (self, now_us);
  if (!parse (packet, bytes, n_bytes, FALSE, &why))
    drop (self, why);
  else if (!is_routable (packet))
    drop (self, NETLAB_NOT_OURS);
  else if (!hop (packet))
    drop (self, NETLAB_TTL);
  else
    return TRUE;
  return FALSE;
}

void
netlab_nat_from_wan (NetlabNat *self, guint8 *bytes, size_t n_bytes, int64_t now_us)
{
  Packet packet;

  if (!begin (self, &packet, bytes, n_bytes, now_us) || is_too_big (self, &packet, NETLAB_TO_WAN))
    return;
  if (packet.is_icmp_error)
    pass_error (self, &packet, TRUE, now_us);
  else
    come_in (self, &packet, now_us);
}

void
netlab_nat_from_lan (NetlabNat *self, guint8 *bytes, size_t n_bytes, int64_t now_us)
{
  const NetlabNatConfig *config = &self->config;
  gboolean translates, returns;
  Mapping *mapping = NULL;
  Packet packet;
  Flow *flow;
  Address wan = v4 (config->wan_address);
  Key key;

  if (!begin (self, &packet, bytes, n_bytes, now_us) || is_too_big (self, &packet, NETLAB_TO_LAN))
    return;
  translates = config->translates && !packet.is_v6;
  if (packet.is_icmp_error)
    {
      pass_error (self, &packet, FALSE, now_us);
      return;
    }
  if (!may_leave (config, &packet))
    {
      refuse (self, &packet, config->blocked, NETLAB_TO_LAN, NETLAB_BLOCKED);
      return;
    }
  returns = translates && same_address (&packet.destination, &wan);
  if (returns && !config->hairpin)
    {
      drop (self, NETLAB_NO_HAIRPIN);
      return;
    }
  if (!translates && config->filtering == NETLAB_NOTHING)
    {
      out (self, NETLAB_TO_WAN, &packet);
      return;
    }
  if (translates && (mapping = map_out (self, &packet)) == NULL)
    {
      drop (self, NETLAB_TABLE_FULL);
      return;
    }
  key = make_key (packet.protocol, translates ? &wan : &packet.source,
                  translates ? mapping->port : packet.source_port, &packet.destination, packet.destination_port);
  flow = find_flow (self, &key, now_us);
  if (flow == NULL)
    {
      /* A flow that has just expired may have taken its mapping along. */
      if (translates && (mapping = map_out (self, &packet)) != NULL)
        key.local_port = mapping->port;
      if ((translates && mapping == NULL) || (flow = make_flow (self, &key, mapping)) == NULL)
        {
          drop (self, NETLAB_TABLE_FULL);
          return;
        }
      flow->begun_inside = TRUE;
    }
  if (translates)
    rewrite (&packet, TRUE, &wan, flow->mapping->port);
  if (!touch_flow (self, flow, &packet, FALSE, now_us))
    remove_flow (self, flow);
  if (returns)
    come_in (self, &packet, now_us);
  else
    out (self, NETLAB_TO_WAN, &packet);
}

/* --- lifecycle ------------------------------------------------------------- */

NetlabNat *
netlab_nat_new (guint32 seed, NetlabNatOut callback, gpointer user_data)
{
  NetlabNat *self = g_new0 (NetlabNat, 1);

  self->config = (NetlabNatConfig) {
    .mapping = NETLAB_ENDPOINT_INDEPENDENT,
    .filtering = NETLAB_ADDRESS_AND_PORT_DEPENDENT,
    .step = 1,
    .hairpin = TRUE,
    .simopen = TRUE,
    .udp = TRUE,
    /* RFC 4787, 4.3; RFC 5382, 5; RFC 5508, 3.2 */
    .udp_timeout_s = 120,
    .tcp_timeout_s = 7440,
    .tcp_transitory_s = 240,
    .icmp_timeout_s = 60,
    .max_flows = 60000,
    .mtu_icmp = TRUE,
  };
  self->out = callback;
  self->user_data = user_data;
  self->random = g_rand_new_with_seed (seed);
  self->flows = g_hash_table_new_full (key_hash, key_equal, g_free, NULL);
  self->allowances = g_hash_table_new_full (key_hash, key_equal, g_free, NULL);
  self->by_inner = g_hash_table_new_full (key_hash, key_equal, g_free, NULL);
  self->by_port = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (self->next_port); i++)
    self->next_port[i] = (guint16) g_rand_int_range (self->random, 20000, 50000);
  return self;
}

void
netlab_nat_free (NetlabNat *self)
{
  g_hash_table_unref (self->flows);
  g_hash_table_unref (self->allowances);
  g_hash_table_unref (self->by_port);
  g_hash_table_unref (self->by_inner);
  g_rand_free (self->random);
  g_free (self);
}

void
netlab_nat_flush (NetlabNat *self)
{
  g_hash_table_remove_all (self->flows);
  g_hash_table_remove_all (self->allowances);
  g_hash_table_remove_all (self->by_port);
  g_hash_table_remove_all (self->by_inner);
}

NetlabNatConfig *
netlab_nat_get_config (NetlabNat *self)
{
  return &self->config;
}

const NetlabNatStats *
netlab_nat_get_stats (NetlabNat *self)
{
  return &self->stats;
}

guint
netlab_nat_n_mappings (NetlabNat *self)
{
  return g_hash_table_size (self->by_inner);
}

guint
netlab_nat_n_flows (NetlabNat *self)
{
  return g_hash_table_size (self->flows);
}
