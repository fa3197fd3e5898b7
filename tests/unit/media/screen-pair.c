/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "screen-pair.h"

#include <string.h>

static gboolean
wake_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

GSource *
pair_ticks_new (void)
{
  GSource *ticks = g_timeout_source_new (2);

  g_source_set_callback (ticks, wake_cb, NULL, NULL);
  g_source_attach (ticks, NULL);
  return ticks;
}

void
pair_update (Pair *self)
{
  AlsScreenFrame *frame;

  if (self->receiver != NULL && (frame = als_screen_receiver_take_frame (self->receiver)) != NULL)
    {
      g_clear_pointer (&self->frame, als_screen_frame_unref);
      self->frame = frame;
    }
  als_screen_sender_get_stats (self->sender, &self->stats);
}

void
pair_let_pass (Pair *self, guint ms)
{
  int64_t end_us = g_get_monotonic_time () + ms * 1000;

  pair_wait (self, g_get_monotonic_time () >= end_us);
}

void
pair_init (Pair *self, AlsScreenSource *source, const char *encoder)
{
  g_autoptr (GError) error = NULL;

  memset (self, 0, sizeof *self);
  if (encoder != NULL)
    g_setenv ("ALONGSIDE_ENCODER", encoder, TRUE);
  else
    g_unsetenv ("ALONGSIDE_ENCODER");
  self->net = fake_net_new ();
  self->sender
      = als_screen_sender_new_with_source (fake_net_get_session (self->net), source, 60, &error);
  g_assert_no_error (error);
  self->receiver = als_screen_receiver_new (fake_net_get_incoming (self->net));
  self->net->receiver = self->receiver;
}

void
pair_clear (Pair *self)
{
  g_clear_object (&self->sender);
  self->net->receiver = NULL;
  g_clear_object (&self->receiver);
  g_clear_pointer (&self->frame, als_screen_frame_unref);
  g_clear_pointer (&self->net, fake_net_free);
}

static gboolean
is_near (uint32_t one, uint32_t other)
{
  for (guint shift = 0; shift < 24; shift += 8)
    if (ABS ((int) (one >> shift & 0xff) - (int) (other >> shift & 0xff)) > 24)
      return FALSE;
  return TRUE;
}

gboolean
pair_sees (Pair *self, guint x, guint y, uint32_t colour)
{
  const uint8_t *pixels;
  uint32_t seen;

  if (self->frame == NULL)
    return FALSE;
  pixels = g_bytes_get_data (self->frame->pixels, NULL);
  memcpy (&seen, pixels + self->frame->height * y / 1000 * self->frame->stride
                     + self->frame->width * x / 1000 * 4, 4);
  return is_near (seen, colour);
}
