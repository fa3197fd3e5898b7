/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-fake-turn-pool.h"

struct _AlsTurnPool
{
  GObject parent_instance;

  uint16_t local_port;
  GArray *endpoints;
  gboolean is_settled, uses_proxy;
};

G_DEFINE_FINAL_TYPE (AlsTurnPool, als_turn_pool, G_TYPE_OBJECT)

static guint changed_signal;

static void
als_turn_pool_finalize (GObject *object)
{
  g_array_unref (ALS_TURN_POOL (object)->endpoints);
  G_OBJECT_CLASS (als_turn_pool_parent_class)->finalize (object);
}

static void
als_turn_pool_class_init (AlsTurnPoolClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_turn_pool_finalize;
  changed_signal = g_signal_new ("changed", ALS_TYPE_TURN_POOL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void
als_turn_pool_init (AlsTurnPool *self)
{
  self->endpoints = g_array_new (FALSE, TRUE, sizeof (AlsTcpEndpoint));
}

AlsTurnPool *
als_fake_turn_pool_new (uint16_t local_port)
{
  AlsTurnPool *self = g_object_new (ALS_TYPE_TURN_POOL, NULL);

  self->local_port = local_port;
  return self;
}

void
als_fake_turn_pool_learn (AlsTurnPool *self, const AlsStunAddress *mapped)
{
  AlsTcpEndpoint endpoint = { .mapped = *mapped };

  g_array_append_val (self->endpoints, endpoint);
  g_signal_emit (self, changed_signal, 0);
}

void
als_fake_turn_pool_settle (AlsTurnPool *self, gboolean uses_proxy)
{
  self->is_settled = TRUE;
  self->uses_proxy = uses_proxy;
  g_signal_emit (self, changed_signal, 0);
}

gboolean
als_turn_pool_is_settled (AlsTurnPool *self)
{
  return self->is_settled;
}

uint16_t
als_turn_pool_get_local_port (AlsTurnPool *self)
{
  return self->local_port;
}

GArray *
als_turn_pool_get_endpoints (AlsTurnPool *self)
{
  return self->endpoints;
}

gboolean
als_turn_pool_uses_proxy (AlsTurnPool *self)
{
  return self->uses_proxy;
}

struct _AlsPortMapper
{
  GObject parent_instance;

  guint ports[2];  /* UDP, TCP */
  AlsStunAddress external;
};

G_DEFINE_FINAL_TYPE (AlsPortMapper, als_port_mapper, G_TYPE_OBJECT)

static guint mapped_signal;

static void
als_port_mapper_class_init (AlsPortMapperClass *klass)
{
  mapped_signal = g_signal_new ("mapped", ALS_TYPE_PORT_MAPPER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 3, G_TYPE_BOOLEAN, G_TYPE_UINT, G_TYPE_POINTER);
  g_signal_new ("settled", ALS_TYPE_PORT_MAPPER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
}

static void
als_port_mapper_init (AlsPortMapper *self)
{
}

AlsPortMapper *
als_fake_port_mapper_new (void)
{
  return g_object_new (ALS_TYPE_PORT_MAPPER, NULL);
}

void
als_fake_port_mapper_map (AlsPortMapper *self, const AlsStunAddress *external)
{
  self->external = *external;
  for (int is_tcp = 0; is_tcp < 2; is_tcp++)
    if (self->ports[is_tcp] != 0)
      g_signal_emit (self, mapped_signal, 0, is_tcp, self->ports[is_tcp], &self->external);
}

void
als_port_mapper_add (AlsPortMapper *self, gboolean is_tcp, uint16_t port)
{
  self->ports[is_tcp ? 1 : 0] = port;
}

void
als_port_mapper_remove (AlsPortMapper *self, gboolean is_tcp, uint16_t port)
{
  g_assert_cmpuint (self->ports[is_tcp ? 1 : 0], ==, port);
  self->ports[is_tcp ? 1 : 0] = 0;
}

gboolean
als_port_mapper_lookup (AlsPortMapper *self, gboolean is_tcp, uint16_t port, AlsStunAddress *external)
{
  *external = self->external;
  return self->external.family != ALS_STUN_FAMILY_NONE && port == self->ports[is_tcp ? 1 : 0];
}

gboolean
als_port_mapper_is_settled (AlsPortMapper *self)
{
  return TRUE;
}
