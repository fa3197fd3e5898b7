/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/portmap/als-port-mapper.h"

#include <stdlib.h>
#include <string.h>
#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "path/portmap/als-pcp-router.h"
#include "path/portmap/als-upnp-client.h"

/* An hour of a dead program's mapping hurts nobody; renewed at half of it. */
#define LEASE_S (2 * 60 * 60)
/* UPnP does not tell when a router forgot its mappings: asked again every ten minutes. */
#define UPNP_LEASE_S (20 * 60)
/* A router that has not answered by then has nothing to say: two requests of PCP, five of NAT-PMP. */
#define PATIENCE_US (4 * G_USEC_PER_SEC)
/* The time that removal may take after close. */
#define LEAVE_LIMIT_US ((int64_t) 1900 * 1000)
#define MAX_MAPPINGS 16

#define ALL_PROTOCOLS (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP | ALS_PORT_MAP_UPNP)

typedef enum
{
  UPNP_ASKING,
  UPNP_MAPPED,
  UPNP_REFUSED,
} UpnpState;

/* One port and what the three protocols make of it. */
typedef struct
{
  gboolean is_tcp;
  uint16_t port;
  int64_t asked_us;
  AlsPcpClient *pcp;         /* borrowed from the IPv4 router; NULL: not asked */
  AlsPcpClient *nat_pmp;     /* likewise */
  AlsPcpClient *pinhole;     /* borrowed from the IPv6 router: opens its firewall */
  UpnpState upnp;
  AlsStunAddress upnp_external;
  guint serving;             /* AlsPortMapProtocol; 0: none */
  AlsStunAddress external;   /* as told; NONE: unmapped */
} Mapping;

/* Whom we ask, and who we are to them; port 0, NONE where there is nobody. */
typedef struct
{
  AlsNetworkRouter ipv4, ipv6;
  AlsStunAddress source_ipv4, source_ipv6;
} Surroundings;

struct _AlsPortMapper
{
  GObject parent_instance;

  guint wanted;              /* set of AlsPortMapProtocol */
  uint32_t lease_s;
  GPtrArray *mappings;       /* (element-type Mapping) (owned) */
  gboolean has_network;      /* routers were looked for */
  Surroundings around;
  AlsPcpRouter *ipv4;        /* NULL: none */
  AlsPcpRouter *ipv6;        /* NULL: none */
  AlsUpnpClient *upnp;       /* NULL: none, or it ended */
  GSource *update;           /* looks at what changed, outside of everybody's calls */
  guint gave;                /* set of AlsPortMapProtocol */
  gboolean is_settled;
  gboolean is_closed;
};

G_DEFINE_FINAL_TYPE (AlsPortMapper, als_port_mapper, G_TYPE_OBJECT)

enum
{
  MAPPED,
  UNMAPPED,
  SETTLED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* --- leaving ---------------------------------------------------------------- */

/* What still has something to give back, in a thread of its own. */
typedef struct
{
  AlsPcpRouter *routers[2];
  AlsUpnpClient *upnp;
} Leaver;

static GMutex leavers_lock;
static GCond leavers_gone;
static guint n_leavers; /* guarded by leavers_lock */

static gpointer
leave_thread (gpointer data)
{
  Leaver *self = data;
  int64_t end_us = g_get_monotonic_time () + LEAVE_LIMIT_US;

  for (guint i = 0; i < G_N_ELEMENTS (self->routers); i++)
    if (self->routers[i] != NULL)
      {
        als_pcp_router_leave (self->routers[i], end_us - g_get_monotonic_time ());
        als_pcp_router_free (self->routers[i]);
      }
  if (self->upnp != NULL)
    {
      als_upnp_client_leave (self->upnp, end_us - g_get_monotonic_time ());
      als_upnp_client_free (self->upnp);
    }
  g_free (self);
  g_mutex_lock (&leavers_lock);
  n_leavers--;
  g_cond_broadcast (&leavers_gone);
  g_mutex_unlock (&leavers_lock);
  return NULL;
}

static AlsPcpRouter *
detach_router (AlsPcpRouter *router)
{
  if (router == NULL || als_pcp_router_detach (router))
    return router;
  als_pcp_router_free (router);
  return NULL;
}

/* Gives everything back in the background, and has nothing any more. */
static void
leave_network (AlsPortMapper *self)
{
  static gsize is_registered;
  Leaver *leaver = g_new0 (Leaver, 1);

  /* Nobody who ends the process has to think of it. */
  if (g_once_init_enter (&is_registered))
    g_once_init_leave (&is_registered, 1 + (gsize) (atexit (als_port_mapper_flush) != 0));

  leaver->upnp = g_steal_pointer (&self->upnp);
  if (leaver->upnp != NULL)
    als_upnp_client_detach (leaver->upnp);
  leaver->routers[0] = detach_router (g_steal_pointer (&self->ipv4));
  leaver->routers[1] = detach_router (g_steal_pointer (&self->ipv6));
  self->has_network = FALSE;
  if (leaver->upnp == NULL && leaver->routers[0] == NULL && leaver->routers[1] == NULL)
    {
      g_free (leaver);
      return;
    }
  g_mutex_lock (&leavers_lock);
  n_leavers++;
  g_mutex_unlock (&leavers_lock);
  g_thread_unref (g_thread_new ("als-portmap", leave_thread, leaver));
}

void
als_port_mapper_flush (void)
{
  int64_t end_us = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;

  g_mutex_lock (&leavers_lock);
  while (n_leavers > 0 && g_cond_wait_until (&leavers_gone, &leavers_lock, end_us))
    ;
  g_mutex_unlock (&leavers_lock);
}

/* --- what came of it -------------------------------------------------------- */

/* RFC 1918, 6598, 6890: nobody out there can reach it. */
static gboolean
is_private (const AlsStunAddress *address)
{
  static const struct
  {
    uint8_t ip[4];
    uint8_t bits;
  } ranges[] = {
    { { 0 }, 8 },           { { 10 }, 8 },         { { 100, 64 }, 10 }, { { 127 }, 8 },
    { { 169, 254 }, 16 },   { { 172, 16 }, 12 },   { { 192, 0, 0 }, 24 }, { { 192, 168 }, 16 },
    { { 240 }, 4 },
  };

  if (address->family != ALS_STUN_FAMILY_IPV4)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    {
      AlsStunAddress range = { .family = ALS_STUN_FAMILY_IPV4 };

      memcpy (range.ip, ranges[i].ip, 4);
      for (guint bit = 0; bit < ranges[i].bits; bit++)
        {
          guint mask = 0x80u >> (bit % 8);

          if ((range.ip[bit / 8] ^ address->ip[bit / 8]) & mask)
            break;
          if (bit + 1 == ranges[i].bits)
            return TRUE;
        }
    }
  return FALSE;
}

/* What PROTOCOL has for it now; NULL: nothing. */
static const AlsStunAddress *
get_external (const Mapping *mapping, guint protocol)
{
  const AlsPcpClient *client = protocol == ALS_PORT_MAP_PCP ? mapping->pcp : mapping->nat_pmp;

  if (protocol == ALS_PORT_MAP_UPNP)
    return mapping->upnp == UPNP_MAPPED ? &mapping->upnp_external : NULL;
  return client != NULL && client->state == ALS_PCP_MAPPED ? &client->external : NULL;
}

/* The one that serves goes on while it can; then the first of the others. */
static guint
choose (const Mapping *mapping)
{
  static const guint protocols[] = { ALS_PORT_MAP_PCP, ALS_PORT_MAP_NAT_PMP, ALS_PORT_MAP_UPNP };
  const AlsStunAddress *external = mapping->serving != 0
                                     ? get_external (mapping, mapping->serving) : NULL;

  if (external != NULL && !is_private (external))
    return mapping->serving;
  for (guint i = 0; i < G_N_ELEMENTS (protocols); i++)
    {
      external = get_external (mapping, protocols[i]);
      if (external != NULL && !is_private (external))
        return protocols[i];
    }
  return 0;
}

static void
note_protocols (AlsPortMapper *self, const Mapping *mapping)
{
  for (guint protocol = ALS_PORT_MAP_PCP; protocol <= ALS_PORT_MAP_UPNP; protocol <<= 1)
    if (get_external (mapping, protocol) != NULL)
      self->gave |= protocol;
  if (mapping->pinhole != NULL && mapping->pinhole->state == ALS_PCP_MAPPED)
    self->gave |= ALS_PORT_MAP_PCP;
}

static gboolean
client_is_settled (AlsPortMapper *self, const Mapping *mapping, const AlsPcpClient *client,
                   AlsPcpRouter *router, int64_t now_us)
{
  return client == NULL || client->state != ALS_PCP_ASKING
         || als_pcp_router_is_deaf (router) || now_us - mapping->asked_us >= PATIENCE_US;
}

static gboolean
mapping_is_settled (AlsPortMapper *self, const Mapping *mapping, int64_t now_us)
{
  return client_is_settled (self, mapping, mapping->pcp, self->ipv4, now_us)
         && client_is_settled (self, mapping, mapping->nat_pmp, self->ipv4, now_us)
         && client_is_settled (self, mapping, mapping->pinhole, self->ipv6, now_us)
         && (self->upnp == NULL || mapping->upnp != UPNP_ASKING
             || now_us - mapping->asked_us >= PATIENCE_US);
}

/* One thing that changed is told, because anything may be done in a signal. FALSE: nothing did. */
static gboolean
tell_one (AlsPortMapper *self)
{
  for (guint i = 0; i < self->mappings->len; i++)
    {
      Mapping *mapping = g_ptr_array_index (self->mappings, i);
      guint protocol = choose (mapping);
      AlsStunAddress external = { 0 };

      note_protocols (self, mapping);
      if (protocol != 0)
        external = *get_external (mapping, protocol);
      mapping->serving = protocol;
      if (external.family == mapping->external.family
          && (protocol == 0 || als_stun_address_equal (&external, &mapping->external)))
        continue;
      mapping->external = external;
      if (protocol != 0)
        {
          g_debug ("port %u/%s is mapped", mapping->port, mapping->is_tcp ? "tcp" : "udp");
          g_signal_emit (self, signals[MAPPED], 0, mapping->is_tcp, (guint) mapping->port, &external);
        }
      else
        g_signal_emit (self, signals[UNMAPPED], 0, mapping->is_tcp, (guint) mapping->port);
      return TRUE;
    }
  return FALSE;
}

static void
check_settled (AlsPortMapper *self)
{
  int64_t now_us = g_get_monotonic_time (), deadline_us = INT64_MAX;

  if (self->is_settled || self->mappings->len == 0)
    return;
  for (guint i = 0; i < self->mappings->len; i++)
    {
      const Mapping *mapping = g_ptr_array_index (self->mappings, i);

      if (!mapping_is_settled (self, mapping, now_us))
        deadline_us = MIN (deadline_us, mapping->asked_us + PATIENCE_US);
    }
  als_deadline_source_set (self->update, deadline_us);
  if (deadline_us != INT64_MAX)
    return;
  self->is_settled = TRUE;
  g_signal_emit (self, signals[SETTLED], 0);
}

static gboolean
update_cb (gpointer user_data)
{
  g_autoptr (AlsPortMapper) self = g_object_ref (user_data);

  while (!self->is_closed && tell_one (self))
    ;
  if (!self->is_closed)
    check_settled (self);
  return G_SOURCE_CONTINUE;
}

static void
update_soon (gpointer user_data)
{
  als_deadline_source_set (((AlsPortMapper *) user_data)->update, 0);
}

/* --- asking ----------------------------------------------------------------- */

static Mapping *
find (AlsPortMapper *self, gboolean is_tcp, uint16_t port)
{
  for (guint i = 0; i < self->mappings->len; i++)
    {
      Mapping *mapping = g_ptr_array_index (self->mappings, i);

      if (!mapping->is_tcp == !is_tcp && mapping->port == port)
        return mapping;
    }
  return NULL;
}

static void
upnp_mapped_cb (gboolean is_tcp, uint16_t port, const AlsStunAddress *external, gpointer user_data)
{
  AlsPortMapper *self = user_data;
  Mapping *mapping = find (self, is_tcp, port);

  if (mapping == NULL)
    return;
  mapping->upnp = external != NULL ? UPNP_MAPPED : UPNP_REFUSED;
  if (external != NULL)
    mapping->upnp_external = *external;
  update_soon (self);
}

static void
upnp_ended_cb (gpointer user_data)
{
  AlsPortMapper *self = user_data;

  for (guint i = 0; i < self->mappings->len; i++)
    ((Mapping *) g_ptr_array_index (self->mappings, i))->upnp = UPNP_ASKING;
  update_soon (self);
}

static const AlsUpnpEvents upnp_events = { upnp_mapped_cb, upnp_ended_cb };

static const AlsNetworkRouter *
find_router (GArray *routers, AlsStunFamily family)
{
  for (guint i = 0; i < routers->len; i++)
    {
      const AlsNetworkRouter *router = &g_array_index (routers, AlsNetworkRouter, i);

      if (router->address.family == family)
        return router;
    }
  return NULL;
}

/* Where packets to the internet leave from. */
static gboolean
find_ipv6_source (AlsStunAddress *source)
{
  AlsStunAddress internet;

  return als_stun_address_parse (&internet, "2000::1", 9)
         && als_network_get_source (&internet, source);
}

static void
look_around (AlsPortMapper *self)
{
  g_autoptr (GArray) routers = als_network_list_routers ();
  const AlsNetworkRouter *ipv4 = find_router (routers, ALS_STUN_FAMILY_IPV4);
  const AlsNetworkRouter *ipv6 = find_router (routers, ALS_STUN_FAMILY_IPV6);
  AlsStunAddress with_port;

  self->around = (Surroundings){ 0 };
  if (ipv4 != NULL)
    {
      with_port = ipv4->address;
      with_port.port = ALS_PCP_PORT;
      if (als_network_get_source (&with_port, &self->around.source_ipv4))
        self->around.ipv4 = *ipv4;
    }
  if (ipv6 != NULL && find_ipv6_source (&self->around.source_ipv6))
    self->around.ipv6 = *ipv6;
}

static void
start_upnp (AlsPortMapper *self)
{
  if (self->around.ipv4.interface != 0 && (self->wanted & ALS_PORT_MAP_UPNP))
    self->upnp = als_upnp_client_new (&self->around.ipv4.address, &upnp_events, self);
}

static void
join_network (AlsPortMapper *self)
{
  self->has_network = TRUE;
  if (self->around.ipv4.interface != 0 && (self->wanted & (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP)))
    self->ipv4 = als_pcp_router_new (&self->around.ipv4, &self->around.source_ipv4, update_soon, self);
  if (self->around.ipv6.interface != 0 && (self->wanted & ALS_PORT_MAP_PCP))
    self->ipv6 = als_pcp_router_new (&self->around.ipv6, &self->around.source_ipv6, update_soon, self);
  start_upnp (self);
}

static void
ask_upnp (AlsPortMapper *self, Mapping *mapping)
{
  mapping->asked_us = g_get_monotonic_time ();
  mapping->upnp = UPNP_ASKING;
  if (self->upnp != NULL)
    als_upnp_client_add (self->upnp, mapping->is_tcp, mapping->port,
                         MIN (self->lease_s, UPNP_LEASE_S));
  self->is_settled = FALSE;
  update_soon (self);
}

static void
ask (AlsPortMapper *self, Mapping *mapping)
{
  mapping->pcp = mapping->nat_pmp = mapping->pinhole = NULL;
  if (self->ipv4 != NULL && (self->wanted & ALS_PORT_MAP_PCP))
    mapping->pcp = als_pcp_router_add (self->ipv4, ALS_PCP_PCP, mapping->is_tcp, mapping->port,
                                       self->lease_s);
  if (self->ipv4 != NULL && (self->wanted & ALS_PORT_MAP_NAT_PMP))
    mapping->nat_pmp = als_pcp_router_add (self->ipv4, ALS_PCP_NAT_PMP, mapping->is_tcp,
                                           mapping->port, self->lease_s);
  if (self->ipv6 != NULL)
    mapping->pinhole = als_pcp_router_add (self->ipv6, ALS_PCP_PCP, mapping->is_tcp, mapping->port,
                                           self->lease_s);
  ask_upnp (self, mapping);
}

static gboolean
same_router (const AlsNetworkRouter *a, const AlsNetworkRouter *b)
{
  return a->interface == b->interface
         && (a->interface == 0 || als_stun_address_same_ip (&a->address, &b->address));
}

static gboolean
same_source (const AlsStunAddress *a, const AlsStunAddress *b)
{
  return a->family == b->family
         && (a->family == ALS_STUN_FAMILY_NONE || als_stun_address_same_ip (a, b));
}

static gboolean
same_surroundings (const Surroundings *a, const Surroundings *b)
{
  return same_router (&a->ipv4, &b->ipv4) && same_router (&a->ipv6, &b->ipv6)
         && same_source (&a->source_ipv4, &b->source_ipv4)
         && same_source (&a->source_ipv6, &b->source_ipv6);
}

/* --- object ----------------------------------------------------------------- */

static void
als_port_mapper_dispose (GObject *object)
{
  als_port_mapper_close (ALS_PORT_MAPPER (object));
  G_OBJECT_CLASS (als_port_mapper_parent_class)->dispose (object);
}

static void
als_port_mapper_finalize (GObject *object)
{
  g_ptr_array_unref (ALS_PORT_MAPPER (object)->mappings);
  G_OBJECT_CLASS (als_port_mapper_parent_class)->finalize (object);
}

static void
als_port_mapper_class_init (AlsPortMapperClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = als_port_mapper_dispose;
  G_OBJECT_CLASS (klass)->finalize = als_port_mapper_finalize;
  signals[MAPPED] = g_signal_new ("mapped", ALS_TYPE_PORT_MAPPER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 3, G_TYPE_BOOLEAN, G_TYPE_UINT,
                                  G_TYPE_POINTER);
  signals[UNMAPPED] = g_signal_new ("unmapped", ALS_TYPE_PORT_MAPPER, G_SIGNAL_RUN_LAST, 0, NULL,
                                    NULL, NULL, G_TYPE_NONE, 2, G_TYPE_BOOLEAN, G_TYPE_UINT);
  signals[SETTLED] = g_signal_new ("settled", ALS_TYPE_PORT_MAPPER, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 0);
}

static void
als_port_mapper_init (AlsPortMapper *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->mappings = g_ptr_array_new_with_free_func (g_free);
  self->update = als_deadline_source_new (context, "als-port-mapper", update_cb, self);
}

AlsPortMapper *
als_port_mapper_new (void)
{
  return als_port_mapper_new_full (ALL_PROTOCOLS, LEASE_S);
}

AlsPortMapper *
als_port_mapper_new_full (guint protocols, uint32_t lease_s)
{
  AlsPortMapper *self = g_object_new (ALS_TYPE_PORT_MAPPER, NULL);

  self->wanted = protocols;
  self->lease_s = lease_s;
  return self;
}

void
als_port_mapper_add (AlsPortMapper *self, gboolean is_tcp, uint16_t port)
{
  Mapping *mapping;

  if (self->is_closed || port == 0 || find (self, is_tcp, port) != NULL
      || self->mappings->len == MAX_MAPPINGS)
    return;
  if (!self->has_network)
    {
      look_around (self);
      join_network (self);
    }
  mapping = g_new0 (Mapping, 1);
  mapping->is_tcp = !!is_tcp;
  mapping->port = port;
  g_ptr_array_add (self->mappings, mapping);
  ask (self, mapping);
}

void
als_port_mapper_remove (AlsPortMapper *self, gboolean is_tcp, uint16_t port)
{
  Mapping *mapping = find (self, is_tcp, port);

  if (mapping == NULL || self->is_closed)
    return;
  if (mapping->pcp != NULL)
    als_pcp_router_remove (self->ipv4, mapping->pcp);
  if (mapping->nat_pmp != NULL)
    als_pcp_router_remove (self->ipv4, mapping->nat_pmp);
  if (mapping->pinhole != NULL)
    als_pcp_router_remove (self->ipv6, mapping->pinhole);
  if (self->upnp != NULL)
    als_upnp_client_remove (self->upnp, mapping->is_tcp, mapping->port);
  g_ptr_array_remove_fast (self->mappings, mapping);
}

gboolean
als_port_mapper_lookup (AlsPortMapper *self, gboolean is_tcp, uint16_t port, AlsStunAddress *external)
{
  const Mapping *mapping = find (self, is_tcp, port);

  if (self->is_closed || mapping == NULL || mapping->external.family == ALS_STUN_FAMILY_NONE)
    return FALSE;
  *external = mapping->external;
  return TRUE;
}

guint
als_port_mapper_get_protocols (AlsPortMapper *self)
{
  return self->gave;
}

gboolean
als_port_mapper_is_settled (AlsPortMapper *self)
{
  return self->is_settled;
}

static gboolean
is_refused (const AlsPcpClient *client)
{
  return client != NULL && client->result != ALS_PCP_SUCCESS
         && client->result != ALS_PCP_UNSUPP_VERSION;
}

AlsPortMapProblem
als_port_mapper_get_problem (AlsPortMapper *self)
{
  gboolean refused = FALSE;

  if (!self->has_network)
    return ALS_PORT_MAP_PROBLEM_NONE;
  for (guint i = 0; i < self->mappings->len; i++)
    if (choose (g_ptr_array_index (self->mappings, i)) != 0)
      return ALS_PORT_MAP_PROBLEM_NONE;
  for (guint i = 0; i < self->mappings->len; i++)
    {
      const Mapping *mapping = g_ptr_array_index (self->mappings, i);

      for (guint protocol = ALS_PORT_MAP_PCP; protocol <= ALS_PORT_MAP_UPNP; protocol <<= 1)
        if (get_external (mapping, protocol) != NULL)
          return ALS_PORT_MAP_PROBLEM_PRIVATE;
      refused |= is_refused (mapping->pcp) || is_refused (mapping->nat_pmp)
                 || mapping->upnp == UPNP_REFUSED;
    }
  if (self->around.ipv4.interface == 0)
    return ALS_PORT_MAP_PROBLEM_NO_ROUTER;
  if (refused)
    return ALS_PORT_MAP_PROBLEM_REFUSED;
  return self->is_settled ? ALS_PORT_MAP_PROBLEM_SILENCE : ALS_PORT_MAP_PROBLEM_NONE;
}

guint
als_port_mapper_get_refusal (AlsPortMapper *self)
{
  for (guint i = 0; i < self->mappings->len; i++)
    {
      const Mapping *mapping = g_ptr_array_index (self->mappings, i);

      if (is_refused (mapping->pcp))
        return mapping->pcp->result;
      if (is_refused (mapping->nat_pmp))
        return mapping->nat_pmp->result;
    }
  return 0;
}

const char *
als_port_map_problem_to_string (AlsPortMapProblem problem)
{
  static const char *const names[] = { "none", "no-router", "silence", "refused", "private" };

  return (guint) problem < G_N_ELEMENTS (names) ? names[problem] : "unknown";
}

/* The router looks the same, so removing what it has would cross what is asked for now. */
static void
ask_again (AlsPortMapper *self)
{
  if (self->ipv4 != NULL)
    als_pcp_router_again (self->ipv4);
  if (self->ipv6 != NULL)
    als_pcp_router_again (self->ipv6);
  g_clear_pointer (&self->upnp, als_upnp_client_abandon);
  start_upnp (self);
  for (guint i = 0; i < self->mappings->len; i++)
    ask_upnp (self, g_ptr_array_index (self->mappings, i));
}

void
als_port_mapper_network_changed (AlsPortMapper *self)
{
  Surroundings before = self->around;

  if (self->is_closed || !self->has_network)
    return;
  self->gave = 0;
  look_around (self);
  if (same_surroundings (&before, &self->around))
    ask_again (self);
  else
    {
      leave_network (self);
      join_network (self);
      for (guint i = 0; i < self->mappings->len; i++)
        ask (self, g_ptr_array_index (self->mappings, i));
    }
}

void
als_port_mapper_close (AlsPortMapper *self)
{
  if (self->is_closed)
    return;
  self->is_closed = TRUE;
  als_source_clear (&self->update);
  leave_network (self);
  g_ptr_array_set_size (self->mappings, 0);
}
