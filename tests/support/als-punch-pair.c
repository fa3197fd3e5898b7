/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-punch-pair.h"

#include <string.h>
#include "als-wait.h"
#include "base/als-context-thread.h"

static const char word[] = "is it you?";
static const char reply[] = "yes, me it is";

static void
say (AlsCarrier *carrier, const char *text)
{
  AlsPacket packet = { (const uint8_t *) text, strlen (text) };

  als_carrier_send (carrier, &packet, 1);
}

/* In the carrier's thread. Simultaneous open: both say the word, which is proof, too. */
static void
received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsPunchEnd *self = user_data;
  gboolean is_word = len >= strlen (word) && memcmp (data, word, strlen (word)) == 0;
  gboolean is_reply = len >= strlen (reply) && memcmp (data, reply, strlen (reply)) == 0;

  if (!is_word && !is_reply)
    {
      g_autoptr (AlsCarrier) keep = g_object_ref (carrier);

      als_carrier_close (keep);
      return;
    }
  if (is_word && !als_carrier_is_initiated (carrier))
    say (carrier, reply);
  if (g_atomic_int_get (&self->n_proved) == 0)
    self->proved_us = g_get_monotonic_time ();
  g_atomic_int_inc (&self->n_proved);
  g_main_context_wakeup (NULL);
}

static const AlsCarrierEvents events = { received_cb, NULL, NULL };

typedef struct
{
  AlsCarrier *carrier;
  AlsPunchEnd *end;
  int *done;
} Job;

/* GLib orders what is posted to another thread, but a sanitizer does not see it. */
static GMutex handover;

static Job *
take_job (gpointer user_data)
{
  g_mutex_lock (&handover);
  g_mutex_unlock (&handover);
  return user_data;
}

static gboolean
listen_cb (gpointer user_data)
{
  g_autofree Job *job = take_job (user_data);

  als_carrier_set_events (job->carrier, &events, job->end);
  if (als_carrier_is_initiated (job->carrier)
      || als_carrier_get_carrier_type (job->carrier) == ALS_CARRIER_DATAGRAMS)
    say (job->carrier, word);
  g_object_unref (job->carrier);
  return G_SOURCE_REMOVE;
}

static gboolean
close_cb (gpointer user_data)
{
  g_autofree Job *job = take_job (user_data);

  als_carrier_close (job->carrier);
  g_object_unref (job->carrier);
  g_atomic_int_set (job->done, 1);
  g_main_context_wakeup (NULL);
  return G_SOURCE_REMOVE;
}

static void
post (AlsCarrier *carrier, GSourceFunc func, AlsPunchEnd *end, int *done)
{
  Job *job = g_new0 (Job, 1);

  job->carrier = g_object_ref (carrier);
  job->end = end;
  job->done = done;
  g_mutex_lock (&handover);
  g_mutex_unlock (&handover);
  als_context_invoke (als_carrier_get_context (carrier), func, job, NULL);
}

static void
connected_cb (AlsPath *path, AlsCarrier *carrier, AlsPunchEnd *self)
{
  g_ptr_array_add (self->carriers, g_object_ref (carrier));
  post (carrier, listen_cb, self, NULL);
}

static void
failed_cb (AlsPath *path, GError *error, AlsPunchEnd *self)
{
  g_assert_null (self->error);
  self->error = g_error_copy (error);
}

typedef struct
{
  AlsPath *path;
  GBytes *message;
} Delivery;

static gboolean
deliver_cb (gpointer user_data)
{
  g_autofree Delivery *delivery = user_data;
  size_t len;
  const uint8_t *data = g_bytes_get_data (delivery->message, &len);

  als_path_remote_message (delivery->path, data, len);
  g_object_unref (delivery->path);
  g_bytes_unref (delivery->message);
  return G_SOURCE_REMOVE;
}

static void
local_message_cb (AlsPath *path, GBytes *message, AlsPunchEnd *self)
{
  Delivery *delivery;

  self->n_messages++;
  g_ptr_array_add (self->told, g_bytes_ref (message));
  if (self->mute || self->peer->path == NULL)
    return;
  delivery = g_new0 (Delivery, 1);
  delivery->path = g_object_ref (self->peer->path);
  delivery->message = g_bytes_ref (message);
  g_timeout_add_full (G_PRIORITY_DEFAULT, self->delay_ms, deliver_cb, delivery, NULL);
}

void
als_punch_end_open (AlsPunchEnd *self, AlsPunchEnd *peer, const AlsPunchPathConfig *config)
{
  self->peer = peer;
  self->carriers = g_ptr_array_new_with_free_func (g_object_unref);
  self->told = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->opened_us = g_get_monotonic_time ();
  self->path = als_punch_path_new (config);
  g_signal_connect (self->path, "local-message", G_CALLBACK (local_message_cb), self);
  g_signal_connect (self->path, "connected", G_CALLBACK (connected_cb), self);
  g_signal_connect (self->path, "failed", G_CALLBACK (failed_cb), self);
}

void
als_punch_end_clear (AlsPunchEnd *self)
{
  als_path_close (self->path);
  for (guint i = 0; i < self->carriers->len; i++)
    {
      int done = 0;

      post (g_ptr_array_index (self->carriers, i), close_cb, self, &done);
      als_wait_until (g_atomic_int_get (&done) != 0);
    }
  g_ptr_array_unref (self->carriers);
  g_ptr_array_unref (self->told);
  g_clear_object (&self->path);
  g_clear_error (&self->error);
}

gboolean
als_punch_end_is_proved (AlsPunchEnd *self)
{
  return g_atomic_int_get (&self->n_proved) > 0;
}

void
als_punch_pair_wait (AlsPunchEnd *a, AlsPunchEnd *b)
{
  als_wait_until ((als_punch_end_is_proved (a) && als_punch_end_is_proved (b))
                  || (a->error != NULL && b->error != NULL));
  als_path_settle (a->path);
  als_path_settle (b->path);
}
