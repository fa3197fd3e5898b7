/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-link.h"

void
als_link_set_events (AlsLink *self, const AlsLinkEvents *events, gpointer user_data)
{
  self->events = events;
  self->events_data = user_data;
}

void
als_link_receive (AlsLink *self, const uint8_t *data, size_t len, int64_t now_us)
{
  self->klass->receive (self, data, len, now_us);
}

void
als_link_poll (AlsLink *self, int64_t now_us)
{
  if (self->klass->poll != NULL)
    self->klass->poll (self, now_us);
}

int64_t
als_link_get_deadline (AlsLink *self)
{
  return self->klass->get_deadline != NULL ? self->klass->get_deadline (self) : INT64_MAX;
}

size_t
als_link_get_room (AlsLink *self, AlsLane lane)
{
  return self->klass->get_room (self, lane);
}

gboolean
als_link_send_frame (AlsLink *self, AlsLane lane, const uint8_t *data, size_t len)
{
  g_return_val_if_fail (len > 0 && len <= ALS_FRAME_MAX, FALSE);
  return self->klass->send_frame (self, lane, data, len);
}

gboolean
als_link_send_datagram (AlsLink *self, const uint8_t *data, size_t len)
{
  g_return_val_if_fail (len > 0 && len <= ALS_DATAGRAM_MAX, FALSE);
  return self->klass->send_datagram (self, data, len);
}

void
als_link_widened (AlsLink *self)
{
  if (self->klass->widened != NULL)
    self->klass->widened (self);
}

void
als_link_get_stats (AlsLink *self, AlsLinkStats *stats)
{
  self->klass->get_stats (self, stats);
}

void
als_link_close (AlsLink *self)
{
  self->klass->close (self);
}

void
als_link_free (AlsLink *self)
{
  self->klass->free (self);
}
