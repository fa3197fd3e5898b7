/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Who brings the two together: the rendezvous server, and the local network by
 * itself. Both offer the same; what comes of it is als-visit-pairing.c's. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include "base/als-deadline-source.h"

/* Between two meetings that are asked for: a server that parts the two again and again, or refuses,
 * is not asked at the speed of its answers. */
#define MEET_INTERVAL_US (2 * G_USEC_PER_SEC)

/* --- the server ----------------------------------------------------------------- */

static void
server_registered_cb (AlsSignalClient *client, guint number, AlsVisitCore *self)
{
  if (self->linger == NULL)
    als_core_registered (self, number);
}

static void
server_waiting_cb (AlsSignalClient *client, guint seconds, AlsVisitCore *self)
{
  if (self->linger == NULL)
    als_core_server_waits (self);
}

static void
server_paired_cb (AlsSignalClient *client, AlsVisitCore *self)
{
  self->is_paired[ALS_VIA_SERVER] = TRUE;
  if (self->linger == NULL)
    als_core_paired (self, ALS_VIA_SERVER);
}

static void
server_message_cb (AlsSignalClient *client, GBytes *payload, AlsVisitCore *self)
{
  if (self->linger == NULL)
    als_core_message (self, ALS_VIA_SERVER, payload);
}

static void
server_unpaired_cb (AlsSignalClient *client, guint reason, AlsVisitCore *self)
{
  self->is_paired[ALS_VIA_SERVER] = FALSE;
  if (self->linger == NULL)
    als_core_unpaired (self, ALS_VIA_SERVER, reason);
}

static void
server_failed_cb (AlsSignalClient *client, GError *error, AlsVisitCore *self)
{
  if (self->linger == NULL)
    als_core_server_failed (self, error);
}

void
als_core_start_server (AlsVisitCore *self, const char *const *uris)
{
  self->client = als_signal_client_new (uris);
  g_signal_connect (self->client, "registered", G_CALLBACK (server_registered_cb), self);
  g_signal_connect (self->client, "waiting", G_CALLBACK (server_waiting_cb), self);
  g_signal_connect (self->client, "paired", G_CALLBACK (server_paired_cb), self);
  g_signal_connect (self->client, "message", G_CALLBACK (server_message_cb), self);
  g_signal_connect (self->client, "unpaired", G_CALLBACK (server_unpaired_cb), self);
  g_signal_connect (self->client, "failed", G_CALLBACK (server_failed_cb), self);
  als_signal_client_start (self->client);
}

/* --- the local network ----------------------------------------------------------- */

static void
lan_paired_cb (AlsLanClient *client, AlsVisitCore *self)
{
  g_debug ("met on the local network");
  self->is_paired[ALS_VIA_LAN] = TRUE;
  if (self->linger == NULL)
    als_core_paired (self, ALS_VIA_LAN);
}

static void
lan_message_cb (AlsLanClient *client, GBytes *payload, AlsVisitCore *self)
{
  if (self->linger == NULL)
    als_core_message (self, ALS_VIA_LAN, payload);
}

static void
lan_unpaired_cb (AlsLanClient *client, guint reason, AlsVisitCore *self)
{
  self->is_paired[ALS_VIA_LAN] = FALSE;
  if (self->linger == NULL)
    als_core_unpaired (self, ALS_VIA_LAN, reason);
}

static void
lan_failed_cb (AlsLanClient *client, GError *error, AlsVisitCore *self)
{
  g_debug ("local network: %s", error->message);
  if (self->linger == NULL)
    als_core_lan_failed (self, error);
}

void
als_core_start_lan (AlsVisitCore *self)
{
  if (self->no_lan)
    return;
  self->lan = als_lan_client_new (self->loopback);
  g_signal_connect (self->lan, "paired", G_CALLBACK (lan_paired_cb), self);
  g_signal_connect (self->lan, "message", G_CALLBACK (lan_message_cb), self);
  g_signal_connect (self->lan, "unpaired", G_CALLBACK (lan_unpaired_cb), self);
  g_signal_connect (self->lan, "failed", G_CALLBACK (lan_failed_cb), self);
}

/* --- both ------------------------------------------------------------------------- */

void
als_core_end_introducers (AlsVisitCore *self)
{
  als_source_clear (&self->meeting);
  self->met_us = 0;
  if (self->client != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->client, self);
      als_signal_client_stop (self->client);
      g_clear_object (&self->client);
    }
  if (self->lan != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->lan, self);
      als_lan_client_stop (self->lan);
      g_clear_object (&self->lan);
    }
  self->is_paired[ALS_VIA_SERVER] = self->is_paired[ALS_VIA_LAN] = FALSE;
}

gboolean
als_core_is_paired (AlsVisitCore *self)
{
  return self->is_paired[ALS_VIA_SERVER] || self->is_paired[ALS_VIA_LAN];
}

gboolean
als_core_via_send (AlsVisitCore *self, AlsCoreVia via, GBytes *bytes)
{
  if (!self->is_paired[via])
    return FALSE;
  return via == ALS_VIA_LAN ? als_lan_client_send (self->lan, bytes)
                            : als_signal_client_send (self->client, bytes);
}

void
als_core_via_unpair (AlsVisitCore *self, AlsCoreVia via)
{
  if (!self->is_paired[via])
    return;
  self->is_paired[via] = FALSE;
  if (via == ALS_VIA_LAN)
    als_lan_client_unpair (self->lan);
  else
    als_signal_client_unpair (self->client);
}

AlsCarrier *
als_core_via_take_relay (AlsVisitCore *self, AlsCoreVia via)
{
  return via == ALS_VIA_LAN ? als_lan_client_take_relay (self->lan)
                            : als_signal_client_take_relay (self->client);
}

void
als_core_stop_looking (AlsVisitCore *self)
{
  if (self->client != NULL && self->is_inviter)
    als_signal_client_unregister (self->client);
  else if (self->client != NULL && !self->is_paired[ALS_VIA_SERVER])
    als_signal_client_cancel (self->client);
  if (self->lan != NULL && self->is_inviter)
    als_lan_client_unwait (self->lan);
  else if (self->lan != NULL && !self->is_paired[ALS_VIA_LAN])
    als_lan_client_cancel (self->lan);
}

/* --- meeting again ----------------------------------------------------------------- */

static void
meet (AlsVisitCore *self)
{
  self->met_us = g_get_monotonic_time ();
  if (self->client != NULL)
    als_signal_client_meet (self->client, self->meeting_id, self->is_inviter);
  if (self->lan != NULL)
    als_lan_client_meet (self->lan, self->meeting_id, self->is_inviter);
}

void
als_core_meet_somewhere (AlsVisitCore *self)
{
  if (self->lan == NULL)
    als_core_start_lan (self);
  if (self->client == NULL && self->servers != NULL && self->servers[0] != NULL)
    als_core_start_server (self, (const char *const *) self->servers);
  als_core_meet_again (self);
}

static gboolean
meet_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->meeting);
  if (self->linger == NULL && !als_core_is_paired (self))
    meet (self);
  return G_SOURCE_REMOVE;
}

void
als_core_meet_again (AlsVisitCore *self)
{
  int64_t wait_us = self->met_us + MEET_INTERVAL_US - g_get_monotonic_time ();

  if (self->meeting != NULL)
    return;
  if (self->met_us == 0 || wait_us <= 0)
    meet (self);
  else
    self->meeting
        = als_core_add_timeout ((guint) (wait_us / 1000) + 1, "als-visit-meet", meet_cb, self);
}
