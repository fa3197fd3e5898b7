/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/als-bytes.h"
#include "base/als-deadline-source.h"
#include "crypto/als-handshake.h"
#include "crypto/als-key-schedule.h"
#include "media/als-screen-sender.h"
#include "protocol/als-peer-message.h"
#include "protocol/als-visit-message.h"
#include "signal/als-private-server.h"
#include "signal/als-signal-client.h"
#include "visit/als-visit-paths.h"

/* Limits of waits, in seconds. Each ends in a state with a sentence. */
#define CODE_LIFETIME_S (10 * 60)
#define REACH_SERVER_LIMIT_S 20  /* joiner; an inviter goes on trying */
#define CHECK_LIMIT_S 10
#define GREET_LIMIT_S 20         /* from the proof of the code to the other's HELLO */
#define ANSWER_LIMIT_S (3 * 60)
#define NO_PATH_LIMIT_S (10 * 60)
/* How long goodbyes may take to leave (an orderly end is told at once on all links). */
#define LINGER_MS 150
#define STATS_INTERVAL_MS 500
/* Without a path and without the server's relay for so long, though paired: both meet again. */
#define MEET_AGAIN_US (5 * G_USEC_PER_SEC)
/* Between two meetings that are asked for: a server that parts the two again and again, or refuses, is not
 * asked at the speed of its answers. */
#define MEET_INTERVAL_US (2 * G_USEC_PER_SEC)

/* Inviter: wrong tries in one visit, over all its codes. Whoever controls the server could burn one code
 * after the other, and have a guess at each; a person who looks on makes a new visit. */
#define MAX_WRONG_TRIES (3 * ALS_HANDSHAKE_MAX_TRIES)

#define MAX_TRANSFERS 256
#define ECHO_BYTES 8
#define MAX_NAME_CHARS 60

typedef struct
{
  AlsVisitCore *core;    /* back pointer */
  guint id;
  AlsTransfer *transfer;
  AlsTransferState told; /* the last state that was told, with names */
  gboolean is_told;
} Entry;

struct _AlsVisitCore
{
  /* As given. */
  char **servers;
  gboolean listen;
  guint allowed_kinds;
  gboolean loopback;
  char *name;
  char *download_folder;
  AlsScreenKind screen_kind;
  char *display;

  AlsMailbox *updates;
  AlsVisitState state;
  gboolean is_inviter;
  AlsVisitReach reach;
  GCancellable *cancellable; /* of finding a server */
  AlsSignalClient *client;
  gboolean is_paired;
  GError *problem;
  GError *error;

  AlsCode code;
  gboolean has_code;
  gint64 code_expires_us;    /* real time */
  AlsTries tries;
  guint former_tries;        /* inviter: spent on earlier codes of this visit */
  uint32_t tries_number;     /* joiner: the number that `tries` counts for */
  AlsHandshake *handshake;
  gboolean sent_tag;         /* joiner: so an abrupt end means a wrong code */

  gboolean is_confirmed;     /* from here on the fields below are valid */
  uint8_t meeting_id[ALS_MEETING_ID_BYTES];
  AlsSealer sealer;
  AlsOpener opener;
  AlsSession *session;
  AlsVisitPaths *paths;
  GSource *poll_source;
  int64_t poll_deadline_us;
  AlsChannel *channel;       /* ALS_CHANNEL_VISIT; NULL: not open (any more) */
  GByteArray *inbox;         /* of `channel`: less than one message */
  char *peer_name;
  AlsVisitPermission permission;
  gboolean ended_by_session;
  gboolean is_declined;      /* by als_visit_core_answer () */
  AlsSessionStats stats;
  char *path_remote;

  AlsScreenSender *sender;
  AlsScreenReceiver *receiver;
  GPtrArray *transfers;      /* (element-type Entry) */
  AlsChannel *probe;         /* ALS_CHANNEL_ECHO of als_visit_core_measure () */
  int64_t probe_interval_us;
  GSource *probe_source;

  int64_t met_us;            /* when a meeting was asked for last; 0: never */
  GSource *meeting;          /* the next one */

  GSource *limit;            /* of the present wait */
  GSource *expiry;           /* of the code */
  GSource *ticker;           /* of path figures */
  GSource *linger;
};

/* --- what is told to the visit's thread ------------------------------------- */

void
als_visit_update_free (AlsVisitUpdate *self)
{
  als_code_wipe_string (self->code);
  als_code_wipe_string (self->code_uri);
  g_free (self->peer_name);
  g_free (self->path_remote);
  g_clear_error (&self->problem);
  g_clear_error (&self->error);
  g_clear_object (&self->screen);
  g_clear_error (&self->transfer_error);
  for (guint i = 0; i < self->n_files; i++)
    {
      g_free (self->names[i]);
      g_clear_object (&self->saved[i]);
    }
  g_free (self->names);
  g_free (self->sizes);
  g_free (self->saved);
  g_free (self);
}

static guint
tries_left (AlsVisitCore *self)
{
  return ALS_HANDSHAKE_MAX_TRIES - MIN (self->tries.spent, ALS_HANDSHAKE_MAX_TRIES);
}

static void
tell (AlsVisitCore *self)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);

  update->type = ALS_VISIT_UPDATE_SNAPSHOT;
  update->state = self->state;
  update->is_inviter = self->is_inviter;
  if (self->has_code && self->is_inviter)
    {
      update->code = als_code_format (&self->code);
      update->code_uri = als_code_to_uri (&self->code);
      update->code_expires_us = self->code_expires_us;
    }
  update->reach = self->reach;
  update->tries_left = tries_left (self);
  update->peer_name = g_strdup (self->peer_name);
  update->permission = self->permission;
  update->is_sharing = self->sender != NULL;
  update->path_kind = self->stats.kind;
  update->path_remote = g_strdup (self->path_remote);
  update->rtt_us = self->stats.rtt_us;
  update->problem = self->problem != NULL ? g_error_copy (self->problem) : NULL;
  update->error = self->error != NULL ? g_error_copy (self->error) : NULL;
  update->screen = self->receiver != NULL ? g_object_ref (self->receiver) : NULL;
  als_mailbox_post (self->updates, update);
}

static void
tell_wrong_code (AlsVisitCore *self)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);

  update->type = ALS_VISIT_UPDATE_WRONG_CODE;
  update->tries_left = tries_left (self);
  als_mailbox_post (self->updates, update);
}

static void
tell_transfer (Entry *entry)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);
  const GError *error = als_transfer_get_error (entry->transfer);

  update->type = ALS_VISIT_UPDATE_TRANSFER;
  update->transfer_id = entry->id;
  als_transfer_get_info (entry->transfer, &update->info);
  update->transfer_error = error != NULL ? g_error_copy (error) : NULL;
  if (!entry->is_told || entry->told != update->info.state)
    {
      update->n_files = update->info.n_files;
      update->names = g_new0 (char *, update->n_files);
      update->sizes = g_new0 (guint64, update->n_files);
      update->saved = g_new0 (GFile *, update->n_files);
      for (guint i = 0; i < update->n_files; i++)
        {
          GFile *saved = als_transfer_get_saved (entry->transfer, i);

          update->names[i] = g_strdup (als_transfer_get_name (entry->transfer, i));
          update->sizes[i] = als_transfer_get_size (entry->transfer, i);
          update->saved[i] = saved != NULL ? g_object_ref (saved) : NULL;
        }
      entry->told = update->info.state;
      entry->is_told = TRUE;
    }
  als_mailbox_post (entry->core->updates, update);
}

static void
drop_code (AlsVisitCore *self)
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

/* --- state, limits ------------------------------------------------------------ */

static GSource *
add_timeout (guint interval_ms, const char *name, GSourceFunc func, gpointer user_data)
{
  GSource *source = g_timeout_source_new (interval_ms);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, func, user_data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

static void finish (AlsVisitCore *self, GError *error);
static gboolean code_expired_cb (gpointer user_data);
static void wait_again (AlsVisitCore *self);

static gboolean
limit_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->limit);
  switch (self->state)
    {
    case ALS_VISIT_REACHING_SERVER:
      finish (self, self->problem != NULL
                        ? g_error_copy (self->problem)
                        : g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_SERVER,
                                       "no answer from the rendezvous server"));
      break;
    case ALS_VISIT_CHECKING:
      if (self->is_confirmed)
        finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LOST,
                                   "the code was right, but no connection came about"));
      else if (self->is_inviter)
        wait_again (self);
      else
        finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT,
                                   "the other side does not answer"));
      break;
    case ALS_VISIT_ASKING:
      if (self->stats.kind == ALS_PATH_NONE)
        finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LOST,
                                   "no way to the other side for %d s", GREET_LIMIT_S));
      else
        finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_NO_ANSWER,
                                   "nobody answered the question"));
      break;
    case ALS_VISIT_RECONNECTING:
      finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LOST,
                                 "no way to the other side for %d s", NO_PATH_LIMIT_S));
      break;
    default:
      break;
    }
  return G_SOURCE_REMOVE;
}

/* LIMIT_S: how long this state may last; 0: as long as it likes. */
static void
set_state (AlsVisitCore *self, AlsVisitState state, guint limit_s)
{
  als_source_clear (&self->limit);
  if (limit_s != 0)
    self->limit = add_timeout (limit_s * 1000, "als-visit-limit", limit_cb, self);
  if (state != self->state)
    {
      g_debug ("state %d → %d", self->state, state);
      self->state = state;
    }
  tell (self);
}

static void
set_problem (AlsVisitCore *self, AlsVisitError code, const char *message)
{
  g_clear_error (&self->problem);
  if (message != NULL)
    self->problem = g_error_new_literal (ALS_VISIT_ERROR, code, message);
}

/* --- transfers ------------------------------------------------------------------ */

static void
entry_free (Entry *self)
{
  g_signal_handlers_disconnect_by_data (self->transfer, self);
  g_object_unref (self->transfer);
  g_free (self);
}

static void
transfer_changed_cb (AlsTransfer *transfer, Entry *entry)
{
  AlsTransferInfo info;

  als_transfer_get_info (transfer, &info);
  /* Nothing to show of an offer that has not said yet what it is. */
  if (!entry->is_told && info.incoming && info.state == ALS_TRANSFER_PREPARING)
    return;
  if (!entry->is_told && info.incoming && info.state == ALS_TRANSFER_FAILED && info.n_files == 0)
    return;
  tell_transfer (entry);
}

static Entry *
add_transfer (AlsVisitCore *self, AlsTransfer *transfer)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->core = self;
  entry->transfer = transfer;
  entry->id = self->transfers->len + 1;
  g_ptr_array_add (self->transfers, entry);
  g_signal_connect (transfer, "changed", G_CALLBACK (transfer_changed_cb), entry);
  transfer_changed_cb (transfer, entry);
  return entry;
}

static AlsTransfer *
find_transfer (AlsVisitCore *self, guint id)
{
  if (id == 0 || id > self->transfers->len)
    return NULL;
  return ((Entry *) g_ptr_array_index (self->transfers, id - 1))->transfer;
}

/* --- the end ---------------------------------------------------------------------- */

static void
stop_screen (AlsVisitCore *self)
{
  if (self->sender != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->sender, self);
      als_screen_sender_stop (self->sender);
      g_clear_object (&self->sender);
    }
  if (self->receiver != NULL)
    {
      als_screen_receiver_stop (self->receiver);
      g_clear_object (&self->receiver);
    }
}

/* Frees everything a started visit holds; what is shown stays. Not within an upcall of the session. */
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
  als_source_clear (&self->probe_source);
  als_source_clear (&self->meeting);
  self->met_us = 0;
  stop_screen (self);
  if (self->session != NULL)
    als_session_end (self->session);
  g_ptr_array_set_size (self->transfers, 0);
  als_source_clear (&self->poll_source);
  g_clear_pointer (&self->session, als_session_free);
  g_clear_pointer (&self->paths, als_visit_paths_free);
  self->channel = NULL;
  self->probe = NULL;
  if (self->client != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->client, self);
      als_signal_client_stop (self->client);
      g_clear_object (&self->client);
    }
  self->is_paired = FALSE;
  g_clear_pointer (&self->handshake, als_handshake_free);
  drop_code (self);
  self->is_confirmed = FALSE;
  als_sealer_clear (&self->sealer);
  als_opener_clear (&self->opener);
  sodium_memzero (self->meeting_id, sizeof self->meeting_id);
  if (self->inbox != NULL)
    g_byte_array_set_size (self->inbox, 0);
}

static gboolean
linger_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  clear_started (self);
  set_state (self, ALS_VISIT_ENDED, 0);
  return G_SOURCE_REMOVE;
}

static gboolean send_peer_cb (GBytes *bytes, gpointer user_data);

/* Ends the visit with ERROR (transfer full), after goodbyes have had a moment to leave. */
static void
finish (AlsVisitCore *self, GError *error)
{
  if (self->linger != NULL || self->state == ALS_VISIT_ENDED)
    {
      g_error_free (error);
      return;
    }
  g_debug ("ends: %s", error->message);
  g_clear_error (&self->error);
  self->error = error;
  als_source_clear (&self->limit);
  drop_code (self);
  stop_screen (self);
  if (self->session != NULL && !self->ended_by_session && !self->is_declined)
    {
      AlsPeerMessage bye = { ALS_PEER_BYE, 0, 0, NULL, 0 };
      g_autoptr (GBytes) bytes = als_peer_message_encode (&bye);

      send_peer_cb (bytes, self);
      als_session_end (self->session);
    }
  self->linger = add_timeout (self->session != NULL ? LINGER_MS : 0, "als-visit-linger", linger_cb,
                              self);
}

/* --- the visit channel --------------------------------------------------------------- */

static void
send_visit_message (AlsVisitCore *self, const AlsVisitMessage *message)
{
  g_autoptr (GBytes) bytes = als_visit_message_encode (message);
  size_t len;
  const void *data = g_bytes_get_data (bytes, &len);

  /* Few and small: the channel's queue takes them whole. */
  if (self->channel != NULL && als_channel_write (self->channel, data, len) != len)
    g_warning ("a visit message did not fit");
}

static void
send_hello (AlsVisitCore *self)
{
  AlsVisitMessage hello = { ALS_VISIT_MESSAGE_HELLO, ALS_VISIT_PROTOCOL_VERSION, self->name, 0 };

  send_visit_message (self, &hello);
}

static void
peer_broke_rules (AlsVisitCore *self)
{
  finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_PROTOCOL,
                             "the other side spoke nonsense"));
}

/* The joiner's is the shorter one, so that both tell the same. */
static guint
answer_limit_s (AlsVisitCore *self)
{
  return ANSWER_LIMIT_S + (self->is_inviter ? 5 : 0);
}

/* What a stranger calls themselves, fit to be shown in a line of text: nothing that is invisible, turns
 * the direction of what stands beside it, or starts a line. Control characters are refused before. */
static char *
clean_name (const char *name)
{
  GString *clean = g_string_new (NULL);
  guint n = 0;

  for (const char *p = name; *p != '\0' && n < MAX_NAME_CHARS; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      GUnicodeType type = g_unichar_type (c);

      if (type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR
          || type == G_UNICODE_PARAGRAPH_SEPARATOR || type == G_UNICODE_CONTROL)
        continue;
      g_string_append_unichar (clean, g_unichar_isspace (c) ? ' ' : c);
      n++;
    }
  return g_strstrip (g_string_free (clean, FALSE));
}

static void
handle_hello (AlsVisitCore *self, const AlsVisitMessage *message)
{
  if (self->peer_name != NULL)
    {
      peer_broke_rules (self);
      return;
    }
  if (message->version != ALS_VISIT_PROTOCOL_VERSION)
    {
      finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_VERSION,
                                 "the other side speaks version %u", message->version));
      return;
    }
  self->peer_name = clean_name (message->name);
  set_state (self, ALS_VISIT_ASKING, answer_limit_s (self));
}

static void
become_active (AlsVisitCore *self, AlsVisitPermission permission)
{
  self->permission = permission;
  als_session_get_stats (self->session, &self->stats);
  set_state (self, self->stats.kind == ALS_PATH_NONE ? ALS_VISIT_RECONNECTING : ALS_VISIT_ACTIVE,
             self->stats.kind == ALS_PATH_NONE ? NO_PATH_LIMIT_S : 0);
}

static void
handle_consent (AlsVisitCore *self, const AlsVisitMessage *message)
{
  if (self->is_inviter || self->state != ALS_VISIT_ASKING)
    peer_broke_rules (self);
  else if (message->permission == ALS_VISIT_NOTHING)
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_DECLINED, "declined"));
  else
    become_active (self, message->permission);
}

static void
visit_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_channel_consume (channel, len);
  g_byte_array_append (self->inbox, data, (guint) len);
  while (self->inbox->len >= 2 && self->linger == NULL)
    {
      guint message_len = (guint) self->inbox->data[0] << 8 | self->inbox->data[1];
      g_auto (AlsVisitMessage) message = { 0 };
      g_autoptr (GError) error = NULL;

      if (message_len <= ALS_VISIT_MAX_MESSAGE && self->inbox->len < 2 + message_len)
        return;
      if (message_len > ALS_VISIT_MAX_MESSAGE
          || !als_visit_message_decode (&message, self->inbox->data + 2, message_len, &error))
        {
          peer_broke_rules (self);
          return;
        }
      g_byte_array_remove_range (self->inbox, 0, 2 + message_len);
      if (message.type == ALS_VISIT_MESSAGE_HELLO)
        handle_hello (self, &message);
      else
        handle_consent (self, &message);
    }
}

static void
visit_closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  self->channel = NULL;
  /* It lives as long as the visit; without it an answer could not be given. */
  if (code != ALS_CHANNEL_SESSION_ENDED)
    peer_broke_rules (self);
}

static const AlsChannelEvents visit_channel_events = { visit_received_cb, NULL, NULL,
                                                       visit_closed_cb };

/* --- echo: how long a small message takes beside everything else ------------------------ */

static void
echo_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  als_channel_consume (channel, len);
  /* What does not fit is dropped: probes are few and small. */
  als_channel_write (channel, data, MIN (len, als_channel_get_room (channel)));
}

static void
probe_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_channel_consume (channel, len);
  /* A probe may come in parts only if it was cut by a frame; those are left out. */
  for (; len >= ECHO_BYTES; data += ECHO_BYTES, len -= ECHO_BYTES)
    {
      AlsReader reader;
      AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);

      als_reader_init (&reader, data, ECHO_BYTES);
      update->type = ALS_VISIT_UPDATE_MEASURED;
      update->round_trip_us
          = (int64_t) ((uint64_t) g_get_monotonic_time () - als_reader_u64 (&reader));
      als_mailbox_post (self->updates, update);
    }
}

static void
probe_closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  self->probe = NULL;
  als_source_clear (&self->probe_source);
}

static const AlsChannelEvents echo_events = { echo_received_cb, NULL, NULL, NULL };
static const AlsChannelEvents probe_events = { probe_received_cb, NULL, NULL, probe_closed_cb };

static gboolean
probe_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  als_writer_init (&writer, ECHO_BYTES);
  als_writer_u64 (&writer, (uint64_t) g_get_monotonic_time ());
  bytes = als_writer_steal (&writer);
  if (self->probe != NULL && als_channel_get_room (self->probe) >= ECHO_BYTES)
    als_channel_write (self->probe, g_bytes_get_data (bytes, NULL), ECHO_BYTES);
  return G_SOURCE_CONTINUE;
}

void
als_visit_core_measure (AlsVisitCore *self, int64_t interval_us)
{
  if (self->state != ALS_VISIT_ACTIVE || self->probe != NULL)
    return;
  self->probe = als_session_open_channel (self->session, ALS_CHANNEL_ECHO, ALS_LANE_CONTROL);
  if (self->probe == NULL)
    return;
  als_channel_set_events (self->probe, &probe_events, self);
  self->probe_source = add_timeout ((guint) (interval_us / 1000), "als-visit-probe", probe_cb, self);
}

/* --- what the session says ----------------------------------------------------------------- */

static gboolean
poll_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  self->poll_deadline_us = INT64_MAX;
  als_session_poll (self->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (deadline_us < self->poll_deadline_us)
    {
      self->poll_deadline_us = deadline_us;
      als_deadline_source_set (self->poll_source, deadline_us);
    }
}

static gboolean
is_running (AlsVisitCore *self)
{
  return (self->state == ALS_VISIT_ACTIVE || self->state == ALS_VISIT_RECONNECTING)
         && self->linger == NULL;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (kind == ALS_CHANNEL_VISIT && !self->is_inviter && self->channel == NULL)
    {
      self->channel = channel;
      als_channel_set_events (channel, &visit_channel_events, self);
      send_hello (self);
    }
  else if (kind == ALS_CHANNEL_FILES && is_running (self) && self->transfers->len < MAX_TRANSFERS)
    {
      g_autoptr (GFile) folder = NULL;

      if (g_mkdir_with_parents (self->download_folder, 0755) != 0)
        g_message ("the folder for received files cannot be made: %s", g_strerror (errno));
      folder = g_file_new_for_path (self->download_folder);
      add_transfer (self, als_transfer_new_incoming (channel, folder));
    }
  else if (kind == ALS_CHANNEL_MEDIA && is_running (self) && !self->is_inviter
           && self->permission == ALS_VISIT_SEE_SCREEN)
    {
      if (self->receiver != NULL)
        als_screen_receiver_stop (self->receiver);
      g_clear_object (&self->receiver);
      self->receiver = als_screen_receiver_new (channel);
      tell (self);
    }
  else if (kind == ALS_CHANNEL_ECHO && is_running (self))
    als_channel_set_events (channel, &echo_events, self);
  else
    als_channel_reset (channel, 1);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (kind == ALS_DATAGRAM_VIDEO && self->receiver != NULL)
    als_screen_receiver_datagram (self->receiver, data, len);
}

/* Reads the session's figures; TRUE when something a person sees has changed. */
static gboolean
update_stats (AlsVisitCore *self)
{
  AlsSessionStats old = self->stats;
  const char *remote = NULL;

  als_session_get_stats (self->session, &self->stats);
  if (self->stats.link != NULL)
    remote = als_visit_paths_get_remote (self->paths, self->stats.link);
  if (g_strcmp0 (remote, self->path_remote) != 0)
    {
      g_free (self->path_remote);
      self->path_remote = g_strdup (remote);
    }
  return old.kind != self->stats.kind || old.link != self->stats.link
         || ABS (old.rtt_us - self->stats.rtt_us) > 500;
}

static void
path_changed_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (self->linger != NULL)
    return;
  update_stats (self);
  g_debug ("path: %s", als_path_kind_to_string (self->stats.kind));
  if (self->sender != NULL)
    als_screen_sender_path_changed (self->sender);
  if (self->state == ALS_VISIT_ACTIVE && self->stats.kind == ALS_PATH_NONE)
    set_state (self, ALS_VISIT_RECONNECTING, NO_PATH_LIMIT_S);
  else if (self->state == ALS_VISIT_RECONNECTING && self->stats.kind != ALS_PATH_NONE)
    set_state (self, ALS_VISIT_ACTIVE, 0);
  else if (self->state == ALS_VISIT_ASKING)
    set_state (self, ALS_VISIT_ASKING,
               self->stats.kind == ALS_PATH_NONE ? GREET_LIMIT_S : answer_limit_s (self));
  else
    tell (self);
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (self->paths != NULL)
    als_visit_paths_link_gone (self->paths, link);
}

static void
session_ended_cb (AlsSessionEnd end, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (end == ALS_SESSION_END_LOCAL)
    return;
  self->ended_by_session = TRUE;
  if (end == ALS_SESSION_END_PROTOCOL)
    peer_broke_rules (self);
  else
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT,
                               "the other side ended the visit"));
}

static const AlsSessionEvents session_events = { schedule_cb, channel_opened_cb, datagram_cb,
                                                 path_changed_cb, link_gone_cb, session_ended_cb };

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
static void
meet_again (AlsVisitCore *self)
{
  int64_t wait_us = self->met_us + MEET_INTERVAL_US - g_get_monotonic_time ();

  if (self->meeting != NULL)
    return;
  if (self->met_us == 0 || wait_us <= 0)
    meet (self);
  else
    self->meeting = add_timeout ((guint) (wait_us / 1000) + 1, "als-visit-meet", meet_cb, self);
}

static gboolean
tick_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (self->linger == NULL && self->is_paired && self->stats.no_path_since_us != 0
      && g_get_monotonic_time () - self->stats.no_path_since_us > MEET_AGAIN_US
      && !als_visit_paths_has_relay (self->paths))
    {
      g_debug ("paired, but no path is left: meets again");
      als_signal_client_unpair (self->client);
      self->is_paired = FALSE;
      als_visit_paths_unpaired (self->paths);
      meet_again (self);
    }
  if (self->linger == NULL && update_stats (self))
    tell (self);
  return G_SOURCE_CONTINUE;
}

/* --- sealed signalling ------------------------------------------------------------------------ */

static gboolean
send_peer_cb (GBytes *bytes, gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_autoptr (GBytes) sealed = NULL;

  if (!self->is_paired || !self->is_confirmed)
    return FALSE;
  sealed = als_sealer_seal_message (&self->sealer, bytes);
  return als_signal_client_send (self->client, sealed);
}

static void
peer_message (AlsVisitCore *self, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) plain = als_opener_open_message (&self->opener, data, len);
  g_autoptr (GError) error = NULL;
  AlsPeerMessage message;

  /* Not from our partner, then; the server's affair, not a reason to end. */
  if (plain == NULL)
    return;
  if (!als_peer_message_decode (&message, g_bytes_get_data (plain, NULL), g_bytes_get_size (plain),
                                &error))
    {
      g_debug ("%s", error->message);
      return;
    }
  switch (message.type)
    {
    case ALS_PEER_PATH:
      als_visit_paths_message (self->paths, message.kind, message.attempt, message.payload,
                               message.payload_len);
      break;
    case ALS_PEER_PATH_FAILED:
      als_visit_paths_peer_failed (self->paths, message.kind, message.attempt);
      break;
    case ALS_PEER_BYE:
      finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT,
                                 "the other side ended the visit"));
      break;
    }
}

/* The code is proved: the session begins, first over the server's relay. */
static void
confirmed (AlsVisitCore *self)
{
  uint8_t secret[ALS_SESSION_SECRET_BYTES], key[ALS_KEY_BYTES];
  AlsKeyContext context = { 0 };
  AlsSessionConfig session_config = { 0 };
  AlsVisitPathsConfig paths_config = { 0 };

  als_handshake_get_secret (self->handshake, secret);
  g_clear_pointer (&self->handshake, als_handshake_free);
  als_session_secret_to_meeting_id (secret, self->meeting_id);
  context.purpose = ALS_KEY_PURPOSE_SIGNAL;
  context.from_inviter = self->is_inviter;
  als_key_derive (secret, &context, key);
  als_sealer_init (&self->sealer, key);
  context.from_inviter = !self->is_inviter;
  als_key_derive (secret, &context, key);
  als_opener_init (&self->opener, key, FALSE);
  self->is_confirmed = TRUE;
  drop_code (self);
  als_source_clear (&self->expiry);
  if (self->is_inviter)
    als_signal_client_unregister (self->client);

  self->poll_deadline_us = INT64_MAX;
  self->poll_source = als_deadline_source_new (g_main_context_get_thread_default (),
                                               "als-session-poll", poll_cb, self);
  session_config.role = self->is_inviter ? ALS_ROLE_INVITER : ALS_ROLE_JOINER;
  session_config.allowed_kinds = self->allowed_kinds;
  self->session = als_session_new (&session_config, &session_events, self,
                                   g_get_monotonic_time ());
  paths_config.role = session_config.role;
  paths_config.session_secret = secret;
  paths_config.allowed_kinds = self->allowed_kinds;
  paths_config.loopback = self->loopback;
  paths_config.session = self->session;
  paths_config.send_peer = send_peer_cb;
  paths_config.user_data = self;
  self->paths = als_visit_paths_new (&paths_config);
  sodium_memzero (secret, sizeof secret);
  sodium_memzero (key, sizeof key);

  if (self->is_inviter)
    {
      self->channel = als_session_open_channel (self->session, ALS_CHANNEL_VISIT, ALS_LANE_CONTROL);
      als_channel_set_events (self->channel, &visit_channel_events, self);
      send_hello (self);
    }
  self->ticker = add_timeout (STATS_INTERVAL_MS, "als-visit-stats", tick_cb, self);
  als_visit_paths_paired (self->paths, als_signal_client_take_relay (self->client),
                          als_signal_client_get_servers (self->client));
  set_state (self, ALS_VISIT_CHECKING, GREET_LIMIT_S);
}

/* --- handshake ------------------------------------------------------------------------------------ */

static void
handshake_failed (AlsVisitCore *self, const GError *error)
{
  gboolean wrong = g_error_matches (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE);

  g_debug ("handshake: %s", error->message);
  g_clear_pointer (&self->handshake, als_handshake_free);
  if (wrong)
    tell_wrong_code (self);
  if (self->is_inviter)
    wait_again (self);
  else if (g_error_matches (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_BURNT)
           || (wrong && tries_left (self) == 0))
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_BURNT_CODE, "no tries are left"));
  else if (wrong)
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_WRONG_CODE, "wrong code"));
  else
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_PROTOCOL, "%s",
                               error->message));
}

static void
give_up_code (AlsVisitCore *self)
{
  finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_BURNT_CODE,
                             "somebody tried wrong codes %u times", MAX_WRONG_TRIES));
}

/* Inviter: one guest has gone without proof; the next may come, while there are tries. */
static void
wait_again (AlsVisitCore *self)
{
  if (self->state != ALS_VISIT_CHECKING)
    return;
  g_clear_pointer (&self->handshake, als_handshake_free);
  if (self->is_paired)
    als_signal_client_unpair (self->client);
  self->is_paired = FALSE;
  if (is_worn_out (self))
    give_up_code (self);
  else if (tries_left (self) == 0)
    {
      drop_code (self);
      als_signal_client_renumber (self->client);
      set_state (self, ALS_VISIT_REACHING_SERVER, 0);
    }
  else
    set_state (self, ALS_VISIT_CODE_READY, 0);
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

/* --- what the rendezvous client says ------------------------------------------------------------------ */

static void
client_registered_cb (AlsSignalClient *client, guint number, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  set_problem (self, 0, NULL);
  if (self->is_confirmed)
    return;
  if (!self->has_code || self->code.number != number)
    {
      show_code (self, number);
      self->code_expires_us = g_get_real_time () + CODE_LIFETIME_S * G_USEC_PER_SEC;
      if (self->expiry != NULL)
        als_source_clear (&self->expiry);
      self->expiry = add_timeout (CODE_LIFETIME_S * 1000, "als-code-expiry", code_expired_cb, self);
    }
  if (self->state == ALS_VISIT_REACHING_SERVER)
    set_state (self, ALS_VISIT_CODE_READY, 0);
  else
    tell (self);
}

static void
client_waiting_cb (AlsSignalClient *client, guint seconds, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  set_problem (self, 0, NULL);
  if (!self->is_confirmed && self->state == ALS_VISIT_REACHING_SERVER)
    set_state (self, ALS_VISIT_LOOKING, 0);
}

static void
client_paired_cb (AlsSignalClient *client, AlsVisitCore *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) first = NULL;

  if (self->linger != NULL)
    return;
  set_problem (self, 0, NULL);
  self->is_paired = TRUE;
  if (self->is_confirmed)
    {
      als_visit_paths_paired (self->paths, als_signal_client_take_relay (client),
                              als_signal_client_get_servers (client));
      tell (self);
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
  set_state (self, ALS_VISIT_CHECKING, CHECK_LIMIT_S);
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
    peer_message (self, data, len);
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
      als_visit_paths_unpaired (self->paths);
      meet_again (self);
    }
  else if (self->is_inviter)
    wait_again (self);
  else if (self->sent_tag && reason == ALS_SIGNAL_UNPAIR_LEFT)
    {
      g_autoptr (GError) error = g_error_new (ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE,
                                              "the other side turned the code down");

      handshake_failed (self, error);
    }
  else
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT,
                               "the other side went away"));
}

static void
client_failed_cb (AlsSignalClient *client, GError *error, AlsVisitCore *self)
{
  AlsVisitError code = ALS_VISIT_ERROR_SERVER;
  gboolean final = FALSE;

  if (self->linger != NULL)
    return;
  switch ((AlsSignalError) error->code)
    {
    case ALS_SIGNAL_ERROR_OFFLINE: code = ALS_VISIT_ERROR_OFFLINE; break;
    case ALS_SIGNAL_ERROR_UNREACHABLE:
    case ALS_SIGNAL_ERROR_REFUSED: code = ALS_VISIT_ERROR_SERVER; break;
    case ALS_SIGNAL_ERROR_VERSION: code = ALS_VISIT_ERROR_SERVER_VERSION; final = TRUE; break;
    case ALS_SIGNAL_ERROR_PROTOCOL: code = ALS_VISIT_ERROR_SERVER_PROTOCOL; break;
    case ALS_SIGNAL_ERROR_NO_SUCH_NUMBER: code = ALS_VISIT_ERROR_UNKNOWN_CODE; final = TRUE; break;
    case ALS_SIGNAL_ERROR_BUSY: code = ALS_VISIT_ERROR_BUSY; final = !self->is_inviter; break;
    case ALS_SIGNAL_ERROR_RATE_LIMITED: code = ALS_VISIT_ERROR_RATE_LIMITED;
                                        final = !self->is_inviter; break;
    }
  if (self->is_confirmed)
    {
      /* The session may well live on other paths; meeting again is asked for until its limit. */
      if (error->code == ALS_SIGNAL_ERROR_NO_SUCH_NUMBER || error->code == ALS_SIGNAL_ERROR_BUSY
          || error->code == ALS_SIGNAL_ERROR_RATE_LIMITED)
        meet_again (self);
      return;
    }
  if (final)
    {
      finish (self, g_error_new_literal (ALS_VISIT_ERROR, code, error->message));
      return;
    }
  set_problem (self, code, error->message);
  if (self->state == ALS_VISIT_LOOKING)
    set_state (self, ALS_VISIT_REACHING_SERVER, REACH_SERVER_LIMIT_S);
  else
    tell (self);
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
      self->expiry = add_timeout (CHECK_LIMIT_S * 1000, "als-code-expiry", code_expired_cb, self);
      return G_SOURCE_REMOVE;
    }
  drop_code (self);
  als_signal_client_renumber (self->client);
  set_state (self, ALS_VISIT_REACHING_SERVER, 0);
  return G_SOURCE_REMOVE;
}

/* --- beginning --------------------------------------------------------------------------------------- */

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
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_SERVER,
                               "no private server could be started: %s", error->message));
  else
    start_client (self, (const char *const[]){ uri, NULL });
}

static void
start (AlsVisitCore *self)
{
  g_clear_error (&self->error);
  set_problem (self, 0, NULL);
  g_clear_pointer (&self->peer_name, g_free);
  g_clear_pointer (&self->path_remote, g_free);
  memset (&self->stats, 0, sizeof self->stats);
  self->permission = ALS_VISIT_NOTHING;
  self->ended_by_session = FALSE;
  self->is_declined = FALSE;
  self->reach = ALS_VISIT_REACH_ANYWHERE;
  if (self->servers == NULL || self->servers[0] == NULL)
    self->reach = self->listen ? ALS_VISIT_REACH_NETWORK : ALS_VISIT_REACH_MACHINE;
  set_state (self, ALS_VISIT_REACHING_SERVER, self->is_inviter ? 0 : REACH_SERVER_LIMIT_S);
  if (self->reach == ALS_VISIT_REACH_ANYWHERE)
    {
      start_client (self, (const char *const *) self->servers);
      return;
    }
  self->cancellable = g_cancellable_new ();
  als_private_server_find_async (self->listen, self->cancellable, private_server_cb, self);
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
  self->transfers = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
  self->inbox = g_byte_array_new ();
  return self;
}

void
als_visit_core_free (AlsVisitCore *self)
{
  clear_started (self);
  g_clear_pointer (&self->transfers, g_ptr_array_unref);
  g_clear_pointer (&self->inbox, g_byte_array_unref);
  g_strfreev (self->servers);
  g_free (self->name);
  g_free (self->download_folder);
  g_free (self->display);
  g_free (self->peer_name);
  g_free (self->path_remote);
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
    }
  als_code_clear (code);
}

/* --- what people do ------------------------------------------------------------------------------------- */

static void
screen_failed_cb (AlsScreenSender *sender, GError *error, AlsVisitCore *self)
{
  g_message ("the screen cannot be shared: %s", error->message);
  stop_screen (self);
  set_problem (self, ALS_VISIT_ERROR_SCREEN, error->message);
  tell (self);
}

void
als_visit_core_set_sharing (AlsVisitCore *self, gboolean sharing)
{
  g_autoptr (GError) error = NULL;

  if (!self->is_inviter || !is_running (self) || self->permission != ALS_VISIT_SEE_SCREEN
      || sharing == (self->sender != NULL))
    return;
  if (!sharing)
    stop_screen (self);
  else
    {
      self->sender = als_screen_sender_new (self->session, self->screen_kind, self->display, 0,
                                            &error);
      if (self->sender != NULL)
        {
          g_signal_connect (self->sender, "failed", G_CALLBACK (screen_failed_cb), self);
          set_problem (self, 0, NULL);
        }
      else
        set_problem (self, ALS_VISIT_ERROR_SCREEN, error->message);
    }
  tell (self);
}

void
als_visit_core_answer (AlsVisitCore *self, AlsVisitPermission permission)
{
  AlsVisitMessage consent = { ALS_VISIT_MESSAGE_CONSENT, 0, NULL, (uint8_t) permission };

  if (!self->is_inviter || self->state != ALS_VISIT_ASKING || self->linger != NULL)
    return;
  send_visit_message (self, &consent);
  if (permission == ALS_VISIT_NOTHING)
    {
      /* No goodbye of ours: it could overtake the answer. The other side ends when it reads that. */
      self->is_declined = TRUE;
      finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_DECLINED, "declined here"));
      return;
    }
  become_active (self, permission);
  if (permission == ALS_VISIT_SEE_SCREEN)
    als_visit_core_set_sharing (self, TRUE);
}

void
als_visit_core_send_files (AlsVisitCore *self, GPtrArray *files)
{
  if (is_running (self) && self->transfers->len < MAX_TRANSFERS)
    add_transfer (self, als_transfer_new_outgoing (self->session, files));
}

void
als_visit_core_stop (AlsVisitCore *self)
{
  if (self->state != ALS_VISIT_IDLE)
    finish (self, g_error_new (ALS_VISIT_ERROR, ALS_VISIT_ERROR_STOPPED, "stopped here"));
}

void
als_visit_core_set_allowed (AlsVisitCore *self, guint kinds)
{
  self->allowed_kinds = kinds != 0 ? kinds : ALS_PATH_ALL;
  if (self->paths != NULL)
    als_visit_paths_set_allowed (self->paths, self->allowed_kinds);
}

void
als_visit_core_accept (AlsVisitCore *self, guint transfer_id)
{
  AlsTransfer *transfer = find_transfer (self, transfer_id);

  if (transfer != NULL)
    als_transfer_accept (transfer);
}

void
als_visit_core_decline (AlsVisitCore *self, guint transfer_id)
{
  AlsTransfer *transfer = find_transfer (self, transfer_id);

  if (transfer != NULL)
    als_transfer_decline (transfer);
}

void
als_visit_core_cancel (AlsVisitCore *self, guint transfer_id)
{
  AlsTransfer *transfer = find_transfer (self, transfer_id);

  if (transfer != NULL)
    als_transfer_cancel (transfer);
}
