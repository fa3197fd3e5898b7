/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>
#include <string.h>

#include "base/als-deadline-source.h"

/* How long goodbyes may take to leave (an orderly end is told at once on all links). */
#define LINGER_MS 150

gboolean
als_core_is_running (AlsVisitCore *self)
{
  return (self->state == ALS_VISIT_ACTIVE || self->state == ALS_VISIT_RECONNECTING)
         && self->linger == NULL;
}

GSource *
als_core_add_timeout (guint interval_ms, const char *name, GSourceFunc func, gpointer user_data)
{
  GSource *source = g_timeout_source_new (interval_ms);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, func, user_data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

static gboolean
limit_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->limit);
  switch (self->state)
    {
    case ALS_VISIT_REACHING_SERVER:
      als_core_finish (
          self, self->problem != NULL ? self->problem->code : ALS_VISIT_ERROR_SERVER, "%s",
          self->problem != NULL ? self->problem->message : "no answer from the rendezvous server");
      break;
    case ALS_VISIT_CHECKING:
      if (self->is_confirmed)
        als_core_finish (self, ALS_VISIT_ERROR_PEER_LOST,
                         "the code was right, but no connection came about");
      else if (self->is_inviter)
        als_core_wait_again (self);
      else
        als_core_finish (self, ALS_VISIT_ERROR_PEER_LEFT, "the other side does not answer");
      break;
    case ALS_VISIT_ASKING:
      if (self->stats.kind == ALS_PATH_NONE)
        als_core_finish (self, ALS_VISIT_ERROR_PEER_LOST, "no way to the other side for %d s",
                         ALS_GREET_LIMIT_S);
      else
        als_core_finish (self, ALS_VISIT_ERROR_NO_ANSWER, "nobody answered the question");
      break;
    case ALS_VISIT_RECONNECTING:
      als_core_finish (self, ALS_VISIT_ERROR_PEER_LOST, "no way to the other side for %d s",
                       ALS_NO_PATH_LIMIT_S);
      break;
    case ALS_VISIT_LOOKING:
      als_core_finish (self, ALS_VISIT_ERROR_NO_WAY, "tried at %u marks in vain", self->n_marks);
      break;
    default:
      break;
    }
  return G_SOURCE_REMOVE;
}

void
als_core_set_state (AlsVisitCore *self, AlsVisitState state, guint limit_s)
{
  als_source_clear (&self->limit);
  if (limit_s != 0)
    self->limit = als_core_add_timeout (limit_s * 1000, "als-visit-limit", limit_cb, self);
  if (state != self->state)
    {
      g_debug ("state %d → %d", self->state, state);
      self->state = state;
    }
  als_core_tell (self);
}

void
als_core_set_problem (AlsVisitCore *self, AlsVisitError code, const char *message)
{
  g_clear_error (&self->problem);
  if (message != NULL)
    self->problem = g_error_new_literal (ALS_VISIT_ERROR, code, message);
}

/* Frees everything a started visit holds; what is shown stays. Not within an upcall of the session.
 */
static void
clear_started (AlsVisitCore *self)
{
  if (self->cancellable != NULL)
    {
      g_cancellable_cancel (self->cancellable);
      g_clear_object (&self->cancellable);
    }
  als_source_clear (&self->limit);
  als_source_clear (&self->expiry);
  als_source_clear (&self->ticker);
  als_source_clear (&self->linger);
  als_source_clear (&self->echo_source);
  als_source_clear (&self->local_code);
  als_source_clear (&self->answer_source);
  als_core_stop_screen (self);
  if (self->session != NULL)
    als_session_end (self->session);
  g_ptr_array_set_size (self->transfers, 0);
  g_ptr_array_set_size (self->early_files, 0);
  als_source_clear (&self->poll_source);
  g_clear_pointer (&self->session, als_session_free);
  g_clear_pointer (&self->paths, als_visit_paths_free);
  als_core_end_invitation (self);
  als_core_end_network (self);
  self->channel = NULL;
  self->echo = NULL;
  als_core_end_introducers (self);
  g_clear_pointer (&self->handshake, als_handshake_free);
  als_core_drop_code (self);
  self->is_confirmed = FALSE;
  als_core_end_peer (self);
  sodium_memzero (self->meeting_id, sizeof self->meeting_id);
  if (self->inbox != NULL)
    g_byte_array_set_size (self->inbox, 0);
}

static gboolean
linger_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  clear_started (self);
  als_core_set_state (self, ALS_VISIT_ENDED, 0);
  return G_SOURCE_REMOVE;
}

void
als_core_finish (AlsVisitCore *self, AlsVisitError code, const char *format, ...)
{
  va_list args;

  if (self->linger != NULL || self->state == ALS_VISIT_ENDED)
    return;
  g_clear_error (&self->error);
  va_start (args, format);
  self->error = g_error_new_valist (ALS_VISIT_ERROR, (int) code, format, args);
  va_end (args);
  g_debug ("ends: %s", self->error->message);
  als_source_clear (&self->limit);
  als_core_drop_code (self);
  als_core_stop_screen (self);
  if (self->paths != NULL)
    als_visit_paths_pause (self->paths);
  if (self->session != NULL && !self->ended_by_session && !self->is_declined)
    {
      als_core_say_peer (self, ALS_PEER_BYE);
      als_session_end (self->session);
    }
  self->linger = als_core_add_timeout (self->session != NULL ? LINGER_MS : 0, "als-visit-linger",
                                       linger_cb, self);
}

static void
start (AlsVisitCore *self)
{
  g_clear_error (&self->error);
  als_core_set_problem (self, 0, NULL);
  g_clear_pointer (&self->peer_name, g_free);
  g_clear_pointer (&self->path_remote, g_free);
  als_core_clear_networks (self);
  memset (&self->stats, 0, sizeof self->stats);
  self->permission = ALS_VISIT_NOTHING;
  self->ended_by_session = FALSE;
  self->is_declined = FALSE;
  als_core_set_state (self, ALS_VISIT_REACHING_SERVER,
                      self->is_inviter ? 0 : ALS_REACH_SERVER_LIMIT_S);
}

AlsVisitCore *
als_visit_core_new (const AlsVisitConfig *config, AlsMailbox *updates)
{
  static const char *const built_in[] = { DEFAULT_SERVER, NULL };
  AlsVisitCore *self = g_new0 (AlsVisitCore, 1);
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);
  const char *name = config->name;

  self->updates = als_mailbox_ref (updates);
  if (config->servers != NULL && config->servers[0] != NULL)
    self->servers = g_strdupv ((char **) config->servers);
  else if (DEFAULT_SERVER[0] != '\0')
    self->servers = g_strdupv ((char **) built_in);
  self->listen = config->listen;
  self->allowed_kinds = config->allowed_kinds != 0 ? config->allowed_kinds : ALS_PATH_ALL;
  self->loopback = config->loopback;
  if (name == NULL || *name == '\0')
    name = g_get_real_name ();
  if (g_str_equal (name, "Unknown") || *name == '\0')
    name = g_get_user_name ();
  self->name = g_utf8_make_valid (name, -1);
  if (config->download_folder != NULL)
    self->download_folder = g_strdup (config->download_folder);
  else if (downloads != NULL)
    self->download_folder = g_strdup (downloads);
  else
    self->download_folder = g_build_filename (g_get_home_dir (), "Downloads", NULL);
  self->screen_kind = config->screen;
  self->display = g_strdup (config->display);
  self->ice_servers = g_strdupv ((char **) config->ice_servers);
  self->local_port = config->local_port;
  self->last_local_port = config->last_local_port;
  self->no_port_mapping = config->no_port_mapping;
  self->no_lan = config->no_lan;
  self->ntp_servers = g_strdupv ((char **) config->ntp_servers);
  if (config->proxies != NULL)
    self->proxies = g_object_ref (config->proxies);
  if (config->trust != NULL)
    self->trust = g_object_ref (config->trust);
  self->transfers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_core_transfer_free);
  self->early_files = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  self->inbox = g_byte_array_new ();
  return self;
}

static void
wipe_strv (char **strings)
{
  for (guint i = 0; strings != NULL && strings[i] != NULL; i++)
    sodium_memzero (strings[i], strlen (strings[i]));
  g_strfreev (strings);
}

void
als_visit_core_free (AlsVisitCore *self)
{
  clear_started (self);
  g_clear_pointer (&self->transfers, g_ptr_array_unref);
  g_clear_pointer (&self->early_files, g_ptr_array_unref);
  g_clear_pointer (&self->inbox, g_byte_array_unref);
  g_strfreev (self->servers);
  g_free (self->name);
  g_free (self->download_folder);
  g_free (self->display);
  wipe_strv (self->ice_servers);
  g_strfreev (self->ntp_servers);
  g_strfreev (self->known_ice_servers);
  g_clear_object (&self->proxies);
  g_clear_object (&self->trust);
  g_free (self->peer_name);
  g_free (self->path_remote);
  als_core_clear_networks (self);
  g_clear_error (&self->problem);
  g_clear_error (&self->error);
  als_mailbox_unref (self->updates);
  g_free (self);
}

static gboolean
may_start (AlsVisitCore *self)
{
  return self->state == ALS_VISIT_IDLE || self->state == ALS_VISIT_ENDED;
}

void
als_visit_core_invite (AlsVisitCore *self)
{
  if (!may_start (self))
    return;
  self->is_inviter = TRUE;
  self->tries.spent = self->former_tries = 0;
  start (self);
  als_core_start_pairing (self);
}

void
als_visit_core_make_invitation (AlsVisitCore *self)
{
  if (!may_start (self))
    return;
  self->is_inviter = TRUE;
  start (self);
  als_core_start_invitation (self);
}

void
als_visit_core_paste_invitation (AlsVisitCore *self, AlsInvitationOffer *offer, const char *digits)
{
  if (!may_start (self))
    {
      als_invitation_offer_free (offer);
      return;
    }
  self->is_inviter = FALSE;
  start (self);
  self->offer = offer;
  self->digits = g_strdup (digits);
  als_core_start_invitation (self);
}

void
als_visit_core_join (AlsVisitCore *self, AlsCode *code)
{
  if (may_start (self))
    {
      self->is_inviter = FALSE;
      if (code->number != self->tries_number)
        self->tries.spent = 0;
      self->tries_number = code->number;
      self->code = *code;
      self->has_code = TRUE;
      start (self);
      als_core_start_pairing (self);
    }
  als_code_clear (code);
}

void
als_visit_core_stop (AlsVisitCore *self)
{
  if (self->state != ALS_VISIT_IDLE)
    als_core_finish (self, ALS_VISIT_ERROR_STOPPED, "stopped here");
}

void
als_visit_core_set_allowed (AlsVisitCore *self, guint kinds)
{
  self->allowed_kinds = kinds != 0 ? kinds : ALS_PATH_ALL;
  if (self->paths != NULL)
    als_visit_paths_set_allowed (self->paths, self->allowed_kinds);
}
