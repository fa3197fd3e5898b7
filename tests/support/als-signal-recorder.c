/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-signal-recorder.h"

#include "als-wait.h"

static void
state_cb (AlsSignalClient *client, AlsSignalRecorder *self)
{
  self->n_signals++;
}

static void
registered_cb (AlsSignalClient *client, guint number, AlsSignalRecorder *self)
{
  self->n_signals++;
  self->n_registered++;
  self->number = number;
}

static void
waiting_cb (AlsSignalClient *client, guint seconds, AlsSignalRecorder *self)
{
  self->n_signals++;
  self->n_waiting++;
}

static void
paired_cb (AlsSignalClient *client, AlsSignalRecorder *self)
{
  self->n_signals++;
  self->n_paired++;
}

static void
message_cb (AlsSignalClient *client, GBytes *payload, AlsSignalRecorder *self)
{
  self->n_signals++;
  self->n_messages++;
  g_clear_pointer (&self->payload, g_bytes_unref);
  self->payload = g_bytes_ref (payload);
}

static void
unpaired_cb (AlsSignalClient *client, guint reason, AlsSignalRecorder *self)
{
  self->n_signals++;
  self->n_unpaired++;
  self->reason = reason;
}

static void
failed_cb (AlsSignalClient *client, GError *error, AlsSignalRecorder *self)
{
  g_assert_true (error->domain == ALS_SIGNAL_CLIENT_ERROR);
  self->n_signals++;
  self->n_failed++;
  self->error = error->code;
}

void
als_signal_recorder_init (AlsSignalRecorder *self, const char *const *uris)
{
  *self = (AlsSignalRecorder){ .client = als_signal_client_new (uris), .error = -1, .reason = 99 };
  g_signal_connect (self->client, "state-changed", G_CALLBACK (state_cb), self);
  g_signal_connect (self->client, "registered", G_CALLBACK (registered_cb), self);
  g_signal_connect (self->client, "waiting", G_CALLBACK (waiting_cb), self);
  g_signal_connect (self->client, "paired", G_CALLBACK (paired_cb), self);
  g_signal_connect (self->client, "message", G_CALLBACK (message_cb), self);
  g_signal_connect (self->client, "unpaired", G_CALLBACK (unpaired_cb), self);
  g_signal_connect (self->client, "failed", G_CALLBACK (failed_cb), self);
}

void
als_signal_recorder_clear (AlsSignalRecorder *self)
{
  AlsSignalClient *client = self->client;
  guint n_signals;

  g_object_add_weak_pointer (G_OBJECT (client), (gpointer *) &client);
  als_signal_client_stop (self->client);
  als_signal_client_stop (self->client);
  g_assert_cmpint (als_signal_client_get_state (self->client), ==, ALS_SIGNAL_DISCONNECTED);
  n_signals = self->n_signals;
  g_clear_object (&self->client);
  als_wait_until (client == NULL);
  g_assert_cmpuint (self->n_signals, ==, n_signals);
  g_clear_pointer (&self->payload, g_bytes_unref);
}

gboolean
als_signal_recorder_is_connected (AlsSignalRecorder *self)
{
  return als_signal_client_get_state (self->client) == ALS_SIGNAL_CONNECTED;
}
