/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How the two find each other: servers, codes, their proof, and meeting again. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>

#include "base/als-deadline-source.h"
#include "signal/als-private-server.h"

#define CODE_LIFETIME_S (10 * 60)
/* Between two meetings that are asked for: a server that parts the two again and again, or refuses,
 * is not asked at the speed of its answers. */
#define MEET_INTERVAL_US (2 * G_USEC_PER_SEC)
/* Inviter: wrong tries in one visit, over all its codes. Whoever controls the server could burn one
 * code after the other, and have a guess at each; a person who looks on makes a new visit. */
#define MAX_WRONG_TRIES (3 * ALS_HANDSHAKE_MAX_TRIES)

static gboolean code_expired_cb (gpointer user_data);

guint
als_core_get_tries_left (AlsVisitCore *self)
{
  return ALS_HANDSHAKE_MAX_TRIES - MIN (self->tries.spent, ALS_HANDSHAKE_MAX_TRIES);
}

void
als_core_drop_code (AlsVisitCore *self)
{
  als_code_clear (&self->code);
  self->has_code = FALSE;
}

static void
show_code (AlsVisitCore *self, uint32_t number)
{
  als_code_init (&self->code, number);
  self->has_code = TRUE;
  self->former_tries += self->tries.spent;
  self->tries.spent = 0;
}

/* Inviter: too much was guessed; no further code is made by itself. */
static gboolean
is_worn_out (AlsVisitCore *self)
{
  return self->is_inviter && self->former_tries + self->tries.spent >= MAX_WRONG_TRIES;
}

static void
meet (AlsVisitCore *self)
{
  self->met_us = g_get_monotonic_time ();
  als_signal_client_meet (self->client, self->meeting_id, self->is_inviter);
}

static gboolean
meet_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->meeting);
  if (self->linger == NULL)
    meet (self);
  return G_SOURCE_REMOVE;
}

/* Asks for a new pairing, with a relay of its own; at once, if the last one is not just now. */
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

static void
handshake_failed (AlsVisitCore *self, const GError *error)
{
  gboolean wrong = g_error_matches (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE);

  g_debug ("handshake: %s", error->message);
  g_clear_pointer (&self->handshake, als_handshake_free);
  if (wrong)
    als_core_tell_wrong_code (self);
  if (self->is_inviter)
    als_core_wait_again (self);
  else if (g_error_matches (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_BURNT)
           || (wrong && als_core_get_tries_left (self) == 0))
    als_core_finish (self, ALS_VISIT_ERROR_BURNT_CODE, "no tries are left");
  else if (wrong)
    als_core_finish (self, ALS_VISIT_ERROR_WRONG_CODE, "wrong code");
  else
    als_core_finish (self, ALS_VISIT_ERROR_PEER_PROTOCOL, "%s", error->message);
}

static void
give_up_code (AlsVisitCore *self)
{
  als_core_finish (self, ALS_VISIT_ERROR_BURNT_CODE, "somebody tried wrong codes %u times",
                   MAX_WRONG_TRIES);
}

/* Inviter: one guest has gone without proof; the next may come, while there are tries. */
void
als_core_wait_again (AlsVisitCore *self)
{
  if (self->state != ALS_VISIT_CHECKING)
    return;
  g_clear_pointer (&self->handshake, als_handshake_free);
  if (self->is_paired)
    als_signal_client_unpair (self->client);
  self->is_paired = FALSE;
  if (is_worn_out (self))
    give_up_code (self);
  else if (als_core_get_tries_left (self) == 0)
    {
      als_core_drop_code (self);
      als_signal_client_renumber (self->client);
      als_core_set_state (self, ALS_VISIT_REACHING_SERVER, 0);
    }
  else
    als_core_set_state (self, ALS_VISIT_CODE_READY, 0);
}

static void
confirmed (AlsVisitCore *self)
{
  uint8_t secret[ALS_SESSION_SECRET_BYTES];

  als_handshake_get_secret (self->handshake, secret);
  g_clear_pointer (&self->handshake, als_handshake_free);
  als_core_drop_code (self);
  als_source_clear (&self->expiry);
  if (self->is_inviter)
    als_signal_client_unregister (self->client);
  als_core_begin_session (self, secret);
  als_core_use_pairing (self);
}

static void
handshake_message (AlsVisitCore *self, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) reply = NULL;
  g_autoptr (GError) error = NULL;
  gboolean going_on;

  if (self->handshake == NULL)
    return;
  going_on = als_handshake_receive (self->handshake, data, len, &reply, &error);
  if (reply != NULL)
    {
      als_signal_client_send (self->client, reply);
      self->sent_tag = !self->is_inviter;
    }
  if (!going_on)
    handshake_failed (self, error);
  else if (als_handshake_is_done (self->handshake))
    confirmed (self);
}

static void
client_registered_cb (AlsSignalClient *client, guint number, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  als_core_set_problem (self, 0, NULL);
  if (self->is_confirmed)
    return;
  if (!self->has_code || self->code.number != number)
    {
      show_code (self, number);
      self->code_expires_us = g_get_real_time () + CODE_LIFETIME_S * G_USEC_PER_SEC;
      if (self->expiry != NULL)
        als_source_clear (&self->expiry);
      self->expiry
          = als_core_add_timeout (CODE_LIFETIME_S * 1000, "als-code-expiry", code_expired_cb, self);
    }
  if (self->state == ALS_VISIT_REACHING_SERVER)
    als_core_set_state (self, ALS_VISIT_CODE_READY, 0);
  else
    als_core_tell (self);
}

static void
client_waiting_cb (AlsSignalClient *client, guint seconds, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  als_core_set_problem (self, 0, NULL);
  if (!self->is_confirmed && self->state == ALS_VISIT_REACHING_SERVER)
    als_core_set_state (self, ALS_VISIT_LOOKING, 0);
}

static void
client_paired_cb (AlsSignalClient *client, AlsVisitCore *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) first = NULL;

  if (self->linger != NULL)
    return;
  als_core_set_problem (self, 0, NULL);
  self->is_paired = TRUE;
  if (self->is_confirmed)
    {
      als_core_use_pairing (self);
      als_core_tell (self);
      return;
    }
  g_clear_pointer (&self->handshake, als_handshake_free);
  if (!self->has_code)
    {
      als_signal_client_unpair (client);
      return;
    }
  if (is_worn_out (self))
    {
      give_up_code (self);
      return;
    }
  self->sent_tag = FALSE;
  self->handshake = als_handshake_new (self->is_inviter, &self->code, &self->tries);
  als_core_set_state (self, ALS_VISIT_CHECKING, ALS_CHECK_LIMIT_S);
  first = als_handshake_start (self->handshake, &error);
  if (first != NULL)
    als_signal_client_send (client, first);
  else if (error != NULL)
    handshake_failed (self, error);
}

static void
client_message_cb (AlsSignalClient *client, GBytes *payload, AlsVisitCore *self)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (payload, &len);

  if (self->linger != NULL)
    return;
  if (self->is_confirmed)
    als_core_sealed_peer_message (self, data, len);
  else
    handshake_message (self, data, len);
}

static void
client_unpaired_cb (AlsSignalClient *client, guint reason, AlsVisitCore *self)
{
  self->is_paired = FALSE;
  if (self->linger != NULL)
    return;
  if (self->is_confirmed)
    {
      /* Both meet again; other paths go on meanwhile. An orderly end is told by BYE or GOODBYE,
       * which the server cannot forge. */
      als_core_meet_again (self);
    }
  else if (self->is_inviter)
    als_core_wait_again (self);
  else if (self->sent_tag && reason == ALS_SIGNAL_UNPAIR_LEFT)
    {
      g_autoptr (GError) error = g_error_new (ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE,
                                              "the other side turned the code down");

      handshake_failed (self, error);
    }
  else
    als_core_finish (self, ALS_VISIT_ERROR_PEER_LEFT, "the other side went away");
}

static void
client_failed_cb (AlsSignalClient *client, GError *error, AlsVisitCore *self)
{
  AlsVisitError code = ALS_VISIT_ERROR_SERVER;
  gboolean final = FALSE;

  if (self->linger != NULL)
    return;
  switch ((AlsSignalError)error->code)
    {
    case ALS_SIGNAL_ERROR_OFFLINE:
      code = ALS_VISIT_ERROR_OFFLINE;
      break;
    case ALS_SIGNAL_ERROR_UNREACHABLE:
    case ALS_SIGNAL_ERROR_REFUSED:
      code = ALS_VISIT_ERROR_SERVER;
      break;
    case ALS_SIGNAL_ERROR_VERSION:
      code = ALS_VISIT_ERROR_SERVER_VERSION;
      final = TRUE;
      break;
    case ALS_SIGNAL_ERROR_PROTOCOL:
      code = ALS_VISIT_ERROR_SERVER_PROTOCOL;
      break;
    case ALS_SIGNAL_ERROR_NO_SUCH_NUMBER:
      code = ALS_VISIT_ERROR_UNKNOWN_CODE;
      final = TRUE;
      break;
    case ALS_SIGNAL_ERROR_BUSY:
      code = ALS_VISIT_ERROR_BUSY;
      final = !self->is_inviter;
      break;
    case ALS_SIGNAL_ERROR_RATE_LIMITED:
      code = ALS_VISIT_ERROR_RATE_LIMITED;
      final = !self->is_inviter;
      break;
    }
  if (self->is_confirmed)
    {
      /* The session may well live on other paths; meeting again is asked for until its limit. */
      if (error->code == ALS_SIGNAL_ERROR_NO_SUCH_NUMBER || error->code == ALS_SIGNAL_ERROR_BUSY
          || error->code == ALS_SIGNAL_ERROR_RATE_LIMITED)
        als_core_meet_again (self);
      return;
    }
  if (final)
    {
      als_core_finish (self, code, "%s", error->message);
      return;
    }
  als_core_set_problem (self, code, error->message);
  if (self->state == ALS_VISIT_LOOKING)
    als_core_set_state (self, ALS_VISIT_REACHING_SERVER, ALS_REACH_SERVER_LIMIT_S);
  else
    als_core_tell (self);
}

static gboolean
code_expired_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->expiry);
  if (self->is_confirmed || self->client == NULL)
    return G_SOURCE_REMOVE;
  if (self->handshake != NULL)
    {
      /* Somebody is typing it right now: a little longer. */
      self->expiry = als_core_add_timeout (ALS_CHECK_LIMIT_S * 1000, "als-code-expiry",
                                           code_expired_cb, self);
      return G_SOURCE_REMOVE;
    }
  als_core_drop_code (self);
  als_signal_client_renumber (self->client);
  als_core_set_state (self, ALS_VISIT_REACHING_SERVER, 0);
  return G_SOURCE_REMOVE;
}

static void
start_client (AlsVisitCore *self, const char *const *uris)
{
  self->client = als_signal_client_new (uris);
  g_signal_connect (self->client, "registered", G_CALLBACK (client_registered_cb), self);
  g_signal_connect (self->client, "waiting", G_CALLBACK (client_waiting_cb), self);
  g_signal_connect (self->client, "paired", G_CALLBACK (client_paired_cb), self);
  g_signal_connect (self->client, "message", G_CALLBACK (client_message_cb), self);
  g_signal_connect (self->client, "unpaired", G_CALLBACK (client_unpaired_cb), self);
  g_signal_connect (self->client, "failed", G_CALLBACK (client_failed_cb), self);
  if (self->is_inviter)
    als_signal_client_register (self->client);
  else
    als_signal_client_join (self->client, self->code.number);
  als_signal_client_start (self->client);
}

static void
private_server_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *uri = als_private_server_find_finish (result, &error);

  /* Cancelled: the core may be gone. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (self->linger != NULL)
    return;
  if (uri == NULL)
    als_core_finish (self, ALS_VISIT_ERROR_SERVER, "no private server could be started: %s",
                     error->message);
  else
    start_client (self, (const char *const[]){ uri, NULL });
}

void
als_core_start_pairing (AlsVisitCore *self)
{
  self->reach = ALS_VISIT_REACH_ANYWHERE;
  if (self->servers == NULL || self->servers[0] == NULL)
    self->reach = self->listen ? ALS_VISIT_REACH_NETWORK : ALS_VISIT_REACH_MACHINE;
  als_core_tell (self);
  if (self->reach == ALS_VISIT_REACH_ANYWHERE)
    {
      start_client (self, (const char *const *) self->servers);
      return;
    }
  self->cancellable = g_cancellable_new ();
  als_private_server_find_async (self->listen, self->cancellable, private_server_cb, self);
}
