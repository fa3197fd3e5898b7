/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-ice-pair.h"

#include <string.h>
#include "base/als-context-thread.h"
#include "path/ice/als-ice-agent.h"

/* Each packet is filled with its own length. */
static uint8_t
fill_of (size_t len)
{
  return (uint8_t) (len * 31 + 7);
}

static void
received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsIceEnd *self = user_data;

  for (size_t i = 0; i < len; i++)
    if (data[i] != fill_of (len))
      {
        g_atomic_int_inc (&self->n_bad);
        break;
      }
  g_atomic_int_inc (&self->n_received);
  g_main_context_wakeup (NULL);
}

static void
closed_cb (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  AlsIceEnd *self = user_data;

  g_atomic_int_inc (&self->closed);
  g_main_context_wakeup (NULL);
}

static const AlsCarrierEvents events = { received_cb, NULL, closed_cb };

typedef struct
{
  AlsIceEnd *end;
  AlsCarrier *carrier;
} Listener;

static gboolean
listen_cb (gpointer user_data)
{
  Listener *listener = user_data;

  als_carrier_set_events (listener->carrier, &events, listener->end);
  g_object_unref (listener->carrier);
  g_atomic_int_set (&listener->end->listening, TRUE);
  g_main_context_wakeup (NULL);
  return G_SOURCE_REMOVE;
}

static void
local_message_cb (AlsPath *path, GBytes *message, AlsIceEnd *self)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (message, &len);

  self->n_messages++;
  if (memmem (data, len, "candidate:mapped ", strlen ("candidate:mapped ")) != NULL)
    self->n_mapped++;
  if (!self->mute && self->peer->path != NULL)
    als_path_remote_message (self->peer->path, data, len);
}

static void
connected_cb (AlsPath *path, AlsCarrier *carrier, AlsIceEnd *self)
{
  Listener *listener = g_new0 (Listener, 1);

  g_assert_null (self->carrier);
  self->carrier = g_object_ref (carrier);
  *listener = (Listener){ self, g_object_ref (carrier) };
  als_context_invoke (als_carrier_get_context (carrier), listen_cb, listener, g_free);
}

static void
failed_cb (AlsPath *path, GError *error, AlsIceEnd *self)
{
  g_assert_null (self->error);
  self->error = g_error_copy (error);
}

void
als_ice_end_open (AlsIceEnd *self, AlsIceEnd *peer, const AlsIcePathConfig *config)
{
  self->peer = peer;
  self->path = als_ice_path_new (config);
  g_signal_connect (self->path, "local-message", G_CALLBACK (local_message_cb), self);
  g_signal_connect (self->path, "connected", G_CALLBACK (connected_cb), self);
  g_signal_connect (self->path, "failed", G_CALLBACK (failed_cb), self);
}

static gboolean
close_cb (gpointer user_data)
{
  als_carrier_close (user_data);
  g_object_unref (user_data);
  return G_SOURCE_REMOVE;
}

void
als_ice_end_clear (AlsIceEnd *self)
{
  if (self->path != NULL)
    als_path_close (self->path);
  g_clear_object (&self->path);
  if (self->carrier != NULL)
    als_context_invoke (als_carrier_get_context (self->carrier), close_cb, self->carrier, NULL);
  self->carrier = NULL;
  g_clear_error (&self->error);
}

typedef struct
{
  AlsCarrier *carrier;
  guint n;
  size_t len_min, len_max;
} Burst;

static gboolean
burst_cb (gpointer user_data)
{
  Burst *burst = user_data;
  g_autofree AlsPacket *packets = g_new0 (AlsPacket, burst->n);

  for (guint i = 0; i < burst->n; i++)
    {
      size_t span = burst->len_max - burst->len_min + 1;

      packets[i].len = burst->len_min + (i * 7919u) % span;
      packets[i].data = g_malloc (packets[i].len);
      memset ((void *) packets[i].data, fill_of (packets[i].len), packets[i].len);
    }
  als_carrier_send (burst->carrier, packets, burst->n);
  for (guint i = 0; i < burst->n; i++)
    g_free ((void *) packets[i].data);
  g_object_unref (burst->carrier);
  return G_SOURCE_REMOVE;
}

void
als_ice_end_send (AlsIceEnd *self, guint n, size_t len_min, size_t len_max)
{
  Burst *burst = g_new0 (Burst, 1);

  *burst = (Burst){ g_object_ref (self->carrier), n, len_min, len_max };
  als_context_invoke (als_carrier_get_context (self->carrier), burst_cb, burst, g_free);
}

static gboolean
give_up_cb (gpointer user_data)
{
  g_error ("waited too long for: %s", (const char *) user_data);
  return G_SOURCE_REMOVE;
}

void
als_ice_wait (AlsIceCondition condition, gpointer user_data, guint seconds, const char *what)
{
  guint source = g_timeout_add_seconds (seconds, give_up_cb, (gpointer) what);

  while (!condition (user_data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
}

gboolean
als_ice_is_connected (gpointer end)
{
  return g_atomic_int_get (&((AlsIceEnd *) end)->listening);
}

gboolean
als_ice_has_failed (gpointer end)
{
  return ((AlsIceEnd *) end)->error != NULL;
}

static gboolean
poll_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

gboolean
als_ice_no_threads (gpointer unused)
{
  /* Nobody wakes us when a detached thread ends: look again soon. */
  static guint poll;

  if (poll == 0)
    poll = g_timeout_add (5, poll_cb, NULL);
  if (als_ice_agent_count () != 0)
    return FALSE;
  g_source_remove (poll);
  poll = 0;
  return TRUE;
}

typedef struct
{
  AlsIceEnd *end;
  int target;
} Arrival;

static gboolean
has_arrived (gpointer user_data)
{
  Arrival *arrival = user_data;

  return g_atomic_int_get (&arrival->end->n_received) >= arrival->target;
}

void
als_ice_end_exchange (AlsIceEnd *self, guint n, guint batch, size_t len_min, size_t len_max)
{
  Arrival arrival = { self->peer, g_atomic_int_get (&self->peer->n_received) };

  for (guint sent = 0; sent < n; sent += batch)
    {
      arrival.target += (int) batch;
      als_ice_end_send (self, batch, len_min, len_max);
      als_ice_wait (has_arrived, &arrival, 10, "datagrams");
    }
  g_assert_cmpint (g_atomic_int_get (&self->peer->n_bad), ==, 0);
}
