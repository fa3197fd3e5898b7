/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-relay-carrier.h"

#include "protocol/als-signal-message.h"

struct _AlsRelayCarrier
{
  AlsCarrier parent_instance;

  AlsRelayFunc func;   /* NULL once ended or closed */
  gpointer user_data;
};

G_DEFINE_FINAL_TYPE (AlsRelayCarrier, als_relay_carrier, ALS_TYPE_CARRIER)

static guint
als_relay_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsRelayCarrier *self = ALS_RELAY_CARRIER (carrier);

  for (guint i = 0; i < n && self->func != NULL; i++)
    {
      if (packets[i].len == 0 || packets[i].len > ALS_SIGNAL_MAX_RELAY)
        {
          g_warning ("a relayed message of %zu bytes is refused", packets[i].len);
          return i;
        }
      if (!self->func (packets[i].data, packets[i].len, self->user_data))
        return i;
    }
  return n;
}

static void
als_relay_carrier_close (AlsCarrier *carrier)
{
  ALS_RELAY_CARRIER (carrier)->func = NULL;
}

static void
als_relay_carrier_class_init (AlsRelayCarrierClass *klass)
{
  ALS_CARRIER_CLASS (klass)->send = als_relay_carrier_send;
  ALS_CARRIER_CLASS (klass)->close = als_relay_carrier_close;
}

static void
als_relay_carrier_init (AlsRelayCarrier *self)
{
}

AlsRelayCarrier *
als_relay_carrier_new (GMainContext *context, const char *remote, gboolean lan, uint32_t rate,
                       uint32_t backlog_bytes, AlsRelayFunc func, gpointer user_data)
{
  AlsRelayCarrier *self = g_object_new (ALS_TYPE_RELAY_CARRIER, NULL);

  als_carrier_setup (ALS_CARRIER (self), ALS_CARRIER_MESSAGES, ALS_PATH_SIGNAL_RELAY, context,
                     remote, lan);
  als_carrier_set_limits (ALS_CARRIER (self), rate, backlog_bytes);
  self->func = func;
  self->user_data = user_data;
  return self;
}

void
als_relay_carrier_end (AlsRelayCarrier *self, const GError *error)
{
  if (self->func == NULL)
    return;
  self->func = NULL;
  als_carrier_broke (ALS_CARRIER (self), error);
}
