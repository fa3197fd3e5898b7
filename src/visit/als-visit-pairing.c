/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How the two find each other: codes, and their proof. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>

#include "base/als-deadline-source.h"
#include "signal/als-private-server.h"

#define CODE_LIFETIME_S (10 * 60)
/* With no server in reach by then, the code is drawn here: for each of them, but no longer than a person
 * waits for a code. */
#define LOCAL_CODE_AFTER_MS 3000
#define LOCAL_CODE_LIMIT_MS 9000
#define N_NUMBERS 1000000
/* Inviter: wrong tries in one visit, over all its codes. Whoever controls the server could burn one
 * code after the other, and have a guess at each; a person who looks on makes a new visit. */
#define MAX_WRONG_TRIES (3 * ALS_HANDSHAKE_MAX_TRIES)

static gboolean code_expired_cb (gpointer user_data);
static void local_code_later (AlsVisitCore *self);

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
replace_code (AlsVisitCore *self)
{
  als_core_drop_code (self);
  self->is_local_code = FALSE;
  self->reach = self->best_reach;
  if (self->lan != NULL)
    als_lan_client_unwait (self->lan);
  if (self->client != NULL)
    als_signal_client_renumber (self->client);
  als_core_set_state (self, ALS_VISIT_REACHING_SERVER, 0);
  local_code_later (self);
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
  als_core_via_unpair (self, ALS_VIA_SERVER);
  als_core_via_unpair (self, ALS_VIA_LAN);
  if (is_worn_out (self))
    give_up_code (self);
  else if (als_core_get_tries_left (self) == 0)
    replace_code (self);
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
  als_source_clear (&self->local_code);
  als_core_stop_looking (self);
  /* Whoever else is there was not it. */
  for (guint via = 0; via < ALS_N_VIAS; via++)
    if (via != self->via)
      als_core_via_unpair (self, via);
  als_core_begin_session (self, secret);
  als_core_use_pairing (self, self->via);
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
      als_core_via_send (self, self->via, reply);
      self->sent_tag = !self->is_inviter;
    }
  if (!going_on)
    handshake_failed (self, error);
  else if (als_handshake_is_done (self->handshake))
    confirmed (self);
}

/* --- the code that is shown ------------------------------------------------------ */

static void
show_code_for_a_while (AlsVisitCore *self, uint32_t number)
{
  show_code (self, number);
  self->code_expires_us = g_get_real_time () + CODE_LIFETIME_S * G_USEC_PER_SEC;
  als_source_clear (&self->expiry);
  self->expiry
      = als_core_add_timeout (CODE_LIFETIME_S * 1000, "als-code-expiry", code_expired_cb, self);
  if (self->lan != NULL)
    als_lan_client_wait (self->lan, number);
}

/* Inviter without a server: the app draws all twelve digits itself. They are kept for their lifetime, whatever
 * comes in reach meanwhile: somebody may be reading them out. */
static void
show_local_code (AlsVisitCore *self)
{
  als_source_clear (&self->local_code);
  if (!self->is_inviter || self->is_confirmed || self->has_code || self->lan == NULL
      || self->state != ALS_VISIT_REACHING_SERVER)
    return;
  self->is_local_code = TRUE;
  self->reach = self->loopback ? ALS_VISIT_REACH_MACHINE : ALS_VISIT_REACH_NETWORK;
  show_code_for_a_while (self, randombytes_uniform (N_NUMBERS));
  als_core_set_state (self, ALS_VISIT_CODE_READY, 0);
}

static gboolean
local_code_cb (gpointer user_data)
{
  show_local_code (user_data);
  return G_SOURCE_REMOVE;
}

static void
local_code_later (AlsVisitCore *self)
{
  guint n_servers = self->servers != NULL ? g_strv_length (self->servers) : 0;
  guint wait_ms = MIN (MAX (n_servers, 1) * LOCAL_CODE_AFTER_MS, LOCAL_CODE_LIMIT_MS);

  als_source_clear (&self->local_code);
  if (self->is_inviter)
    self->local_code = als_core_add_timeout (wait_ms, "als-local-code", local_code_cb, self);
}

static gboolean
code_expired_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->expiry);
  if (self->is_confirmed || !self->has_code)
    return G_SOURCE_REMOVE;
  if (self->handshake != NULL)
    /* Somebody is typing it right now: a little longer. */
    self->expiry = als_core_add_timeout (ALS_CHECK_LIMIT_S * 1000, "als-code-expiry",
                                         code_expired_cb, self);
  else
    replace_code (self);
  return G_SOURCE_REMOVE;
}

void
als_core_registered (AlsVisitCore *self, guint number)
{
  als_core_set_problem (self, 0, NULL);
  if (self->is_confirmed)
    return;
  if (self->is_local_code)
    {
      als_core_tell (self);
      return;
    }
  als_source_clear (&self->local_code);
  self->n_server_failures = 0;
  if (!self->has_code || self->code.number != number)
    show_code_for_a_while (self, number);
  if (self->state == ALS_VISIT_REACHING_SERVER)
    als_core_set_state (self, ALS_VISIT_CODE_READY, 0);
  else
    als_core_tell (self);
}

/* --- what the introducers say ----------------------------------------------------- */

void
als_core_server_waits (AlsVisitCore *self)
{
  als_core_set_problem (self, 0, NULL);
  if (!self->is_confirmed && self->state == ALS_VISIT_REACHING_SERVER)
    als_core_set_state (self, ALS_VISIT_LOOKING, 0);
}

/* The joiner has one guest at a time, the inviter may be found in two ways at once by the same one: whose
 * first message comes is heard. */
static void
begin_handshake (AlsVisitCore *self, AlsCoreVia via)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) first = NULL;

  self->via = via;
  self->is_via_chosen = !self->is_inviter;
  self->sent_tag = FALSE;
  self->handshake = als_handshake_new (self->is_inviter, &self->code, &self->tries);
  als_core_set_state (self, ALS_VISIT_CHECKING, ALS_CHECK_LIMIT_S);
  if (!self->is_inviter)
    als_core_stop_looking (self);
  first = als_handshake_start (self->handshake, &error);
  if (first != NULL)
    als_core_via_send (self, via, first);
  else if (error != NULL)
    handshake_failed (self, error);
}

void
als_core_paired (AlsVisitCore *self, AlsCoreVia via)
{
  als_core_set_problem (self, 0, NULL);
  if (self->is_confirmed)
    als_core_use_pairing (self, via);
  else if (!self->has_code)
    als_core_via_unpair (self, via);
  else if (is_worn_out (self))
    give_up_code (self);
  else if (self->handshake == NULL)
    begin_handshake (self, via);
  else if (self->is_via_chosen)
    als_core_via_unpair (self, via);
}

void
als_core_message (AlsVisitCore *self, AlsCoreVia via, GBytes *payload)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (payload, &len);

  if (self->is_confirmed)
    {
      als_core_sealed_peer_message (self, data, len);
      return;
    }
  if (self->handshake != NULL && !self->is_via_chosen)
    {
      self->via = via;
      self->is_via_chosen = TRUE;
      for (guint other = 0; other < ALS_N_VIAS; other++)
        if (other != via)
          als_core_via_unpair (self, other);
    }
  if (via == self->via)
    handshake_message (self, data, len);
}

void
als_core_unpaired (AlsVisitCore *self, AlsCoreVia via, guint reason)
{
  if (self->is_confirmed)
    {
      /* Both meet again; other paths go on meanwhile. An orderly end is told by BYE or GOODBYE,
       * which the server cannot forge. */
      if (!als_core_is_paired (self))
        als_core_meet_again (self);
    }
  else if (self->handshake == NULL || (self->is_via_chosen && via != self->via))
    return;
  else if (self->is_inviter)
    {
      if (self->is_via_chosen || !als_core_is_paired (self))
        als_core_wait_again (self);
    }
  else if (self->sent_tag && reason == ALS_SIGNAL_UNPAIR_LEFT)
    {
      g_autoptr (GError) error = g_error_new (ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE,
                                              "the other side turned the code down");

      handshake_failed (self, error);
    }
  else
    als_core_finish (self, ALS_VISIT_ERROR_PEER_LEFT, "the other side went away");
}

static AlsVisitError
error_to_visit (const GError *error)
{
  switch ((AlsSignalError) error->code)
    {
    case ALS_SIGNAL_ERROR_OFFLINE: return ALS_VISIT_ERROR_OFFLINE;
    case ALS_SIGNAL_ERROR_VERSION: return ALS_VISIT_ERROR_SERVER_VERSION;
    case ALS_SIGNAL_ERROR_PROTOCOL: return ALS_VISIT_ERROR_SERVER_PROTOCOL;
    case ALS_SIGNAL_ERROR_NO_SUCH_NUMBER: return ALS_VISIT_ERROR_UNKNOWN_CODE;
    case ALS_SIGNAL_ERROR_BUSY: return ALS_VISIT_ERROR_BUSY;
    case ALS_SIGNAL_ERROR_RATE_LIMITED: return ALS_VISIT_ERROR_RATE_LIMITED;
    default: return ALS_VISIT_ERROR_SERVER;
    }
}

static gboolean
is_answer (const GError *error)
{
  return error->code == ALS_SIGNAL_ERROR_NO_SUCH_NUMBER || error->code == ALS_SIGNAL_ERROR_BUSY
         || error->code == ALS_SIGNAL_ERROR_RATE_LIMITED;
}

void
als_core_server_failed (AlsVisitCore *self, const GError *error)
{
  gboolean final = error->code == ALS_SIGNAL_ERROR_VERSION
                   || error->code == ALS_SIGNAL_ERROR_NO_SUCH_NUMBER
                   || (is_answer (error) && !self->is_inviter);

  if (self->is_confirmed)
    {
      /* The session may well live on other paths; meeting again is asked for until its limit. */
      if (is_answer (error) && !als_core_is_paired (self))
        als_core_meet_again (self);
      return;
    }
  /* The other side was met on the local network meanwhile. */
  if (self->is_paired[ALS_VIA_LAN])
    return;
  if (final)
    {
      als_core_finish (self, error_to_visit (error), "%s", error->message);
      return;
    }
  als_core_set_problem (self, error_to_visit (error), error->message);
  if (self->state == ALS_VISIT_LOOKING)
    als_core_set_state (self, ALS_VISIT_REACHING_SERVER, ALS_REACH_SERVER_LIMIT_S);
  else
    als_core_tell (self);
  /* No use in waiting: each of them has failed. */
  self->n_server_failures++;
  if (error->code == ALS_SIGNAL_ERROR_OFFLINE || self->servers == NULL
      || self->n_server_failures >= g_strv_length (self->servers))
    show_local_code (self);
}

void
als_core_lan_failed (AlsVisitCore *self, const GError *error)
{
  if (self->is_confirmed)
    {
      if (is_answer (error) && !als_core_is_paired (self))
        als_core_meet_again (self);
    }
  /* Not to be found here may mean to be found through the server, which has its own limits. */
  else if (error->code == ALS_SIGNAL_ERROR_BUSY && !self->is_inviter
           && !self->is_paired[ALS_VIA_SERVER])
    als_core_finish (self, ALS_VISIT_ERROR_BUSY, "%s", error->message);
}

/* --- the beginning ---------------------------------------------------------------- */

static void
begin_looking (AlsVisitCore *self, const char *const *uris)
{
  als_core_start_server (self, uris);
  if (self->is_inviter)
    als_signal_client_register (self->client);
  else
    als_signal_client_join (self->client, self->code.number);
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
  if (self->linger != NULL || self->is_confirmed)
    return;
  if (uri != NULL)
    begin_looking (self, (const char *const[]){ uri, NULL });
  else if (self->lan != NULL)
    {
      g_message ("no private server could be started: %s", error->message);
      show_local_code (self);
    }
  else
    als_core_finish (self, ALS_VISIT_ERROR_SERVER, "no private server could be started: %s",
                     error->message);
}

void
als_core_start_pairing (AlsVisitCore *self)
{
  gboolean has_servers = self->servers != NULL && self->servers[0] != NULL;

  als_core_start_lan (self);
  self->is_local_code = FALSE;
  self->n_server_failures = 0;
  self->best_reach = ALS_VISIT_REACH_ANYWHERE;
  if (!has_servers)
    self->best_reach = (self->lan != NULL && !self->loopback) || self->listen
                           ? ALS_VISIT_REACH_NETWORK : ALS_VISIT_REACH_MACHINE;
  self->reach = self->best_reach;
  als_core_tell (self);
  local_code_later (self);
  if (self->lan != NULL && !self->is_inviter)
    als_lan_client_join (self->lan, self->code.number);
  if (has_servers)
    {
      begin_looking (self, (const char *const *) self->servers);
      return;
    }
  self->cancellable = g_cancellable_new ();
  als_private_server_find_async (self->listen, self->cancellable, private_server_cb, self);
}
