/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/als-carrier.h"

/* Packets kept until someone listens: a peer's hello may be quicker than we are. */
#define MAX_EARLY 16

typedef struct
{
  AlsCarrierType type;
  AlsPathKind kind;
  GMainContext *context;
  char *remote;
  gboolean lan;
  uint64_t rate_limit;
  uint64_t backlog_limit;
  const AlsCarrierEvents *events; /* NULL until set, and after close */
  gpointer user_data;
  GPtrArray *early;               /* (element-type GBytes) */
  gboolean initiated;
  gboolean closed;
} AlsCarrierPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (AlsCarrier, als_carrier, G_TYPE_OBJECT)

#define PRIV(self) ((AlsCarrierPrivate *) als_carrier_get_instance_private (self))

static void
als_carrier_finalize (GObject *object)
{
  AlsCarrierPrivate *priv = PRIV (ALS_CARRIER (object));

  g_clear_pointer (&priv->context, g_main_context_unref);
  g_clear_pointer (&priv->remote, g_free);
  g_clear_pointer (&priv->early, g_ptr_array_unref);
  G_OBJECT_CLASS (als_carrier_parent_class)->finalize (object);
}

static void
als_carrier_class_init (AlsCarrierClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_carrier_finalize;
}

static void
als_carrier_init (AlsCarrier *self)
{
  PRIV (self)->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

void
als_carrier_setup (AlsCarrier *self, AlsCarrierType type, AlsPathKind kind, GMainContext *context,
                   const char *remote, gboolean lan)
{
  AlsCarrierPrivate *priv = PRIV (self);

  g_return_if_fail (priv->context == NULL);
  priv->type = type;
  priv->kind = kind;
  priv->context = g_main_context_ref (context);
  priv->remote = g_strdup (remote);
  priv->lan = lan;
}

void
als_carrier_set_events (AlsCarrier *self, const AlsCarrierEvents *events, gpointer user_data)
{
  AlsCarrierPrivate *priv = PRIV (self);
  g_autoptr (GPtrArray) early = NULL;
  g_autoptr (AlsCarrier) keep = g_object_ref (self);

  if (priv->closed)
    return;
  priv->events = events;
  priv->user_data = user_data;
  als_carrier_set_reading (self, TRUE);
  early = g_steal_pointer (&priv->early);
  for (guint i = 0; early != NULL && i < early->len; i++)
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (g_ptr_array_index (early, i), &len);

      als_carrier_received (self, data, len);
    }
}

guint
als_carrier_send (AlsCarrier *self, const AlsPacket *packets, guint n)
{
  if (PRIV (self)->closed)
    return n;
  return ALS_CARRIER_GET_CLASS (self)->send (self, packets, n);
}

void
als_carrier_close (AlsCarrier *self)
{
  AlsCarrierPrivate *priv = PRIV (self);

  if (priv->closed)
    return;
  priv->closed = TRUE;
  priv->events = NULL;
  ALS_CARRIER_GET_CLASS (self)->close (self);
}

void
als_carrier_set_reading (AlsCarrier *self, gboolean reading)
{
  AlsCarrierClass *klass = ALS_CARRIER_GET_CLASS (self);

  if (!PRIV (self)->closed && klass->set_reading != NULL)
    klass->set_reading (self, reading);
}

void
als_carrier_get_loss (AlsCarrier *self, uint64_t *sent_packets, uint64_t *lost_packets)
{
  AlsCarrierClass *klass = ALS_CARRIER_GET_CLASS (self);

  if (!PRIV (self)->closed && klass->get_loss != NULL)
    klass->get_loss (self, sent_packets, lost_packets);
}

AlsCarrierType
als_carrier_get_carrier_type (AlsCarrier *self)
{
  return PRIV (self)->type;
}

AlsPathKind
als_carrier_get_kind (AlsCarrier *self)
{
  return PRIV (self)->kind;
}

GMainContext *
als_carrier_get_context (AlsCarrier *self)
{
  return PRIV (self)->context;
}

const char *
als_carrier_get_remote (AlsCarrier *self)
{
  return PRIV (self)->remote;
}

gboolean
als_carrier_is_lan (AlsCarrier *self)
{
  return PRIV (self)->lan;
}

void
als_carrier_set_limits (AlsCarrier *self, uint64_t rate, uint64_t backlog_bytes)
{
  PRIV (self)->rate_limit = rate;
  PRIV (self)->backlog_limit = backlog_bytes;
}

uint64_t
als_carrier_get_rate_limit (AlsCarrier *self)
{
  return PRIV (self)->rate_limit;
}

uint64_t
als_carrier_get_backlog_limit (AlsCarrier *self)
{
  return PRIV (self)->backlog_limit;
}

void
als_carrier_set_initiated (AlsCarrier *self, gboolean initiated)
{
  PRIV (self)->initiated = initiated;
}

gboolean
als_carrier_is_initiated (AlsCarrier *self)
{
  return PRIV (self)->initiated;
}

void
als_carrier_received (AlsCarrier *self, const uint8_t *data, size_t len)
{
  AlsCarrierPrivate *priv = PRIV (self);

  if (priv->events != NULL)
    priv->events->received (self, data, len, priv->user_data);
  else if (priv->early != NULL && priv->early->len < MAX_EARLY)
    g_ptr_array_add (priv->early, g_bytes_new (data, len));
}

void
als_carrier_writable (AlsCarrier *self)
{
  AlsCarrierPrivate *priv = PRIV (self);

  if (priv->events != NULL && priv->events->writable != NULL)
    priv->events->writable (self, priv->user_data);
}

void
als_carrier_widened (AlsCarrier *self)
{
  AlsCarrierPrivate *priv = PRIV (self);

  if (priv->events != NULL && priv->events->widened != NULL)
    priv->events->widened (self, priv->user_data);
}

void
als_carrier_broke (AlsCarrier *self, const GError *error)
{
  AlsCarrierPrivate *priv = PRIV (self);

  if (priv->events != NULL && priv->events->closed != NULL)
    priv->events->closed (self, error, priv->user_data);
}
