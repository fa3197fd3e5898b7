/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What people came for: files, the screen, and figures about how well it goes. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <errno.h>

#include "base/als-bytes.h"
#include "base/als-deadline-source.h"

#define MAX_TRANSFERS 256
#define ECHO_BYTES 8
/* Screens that the other side may begin to show, one after the other: each costs a decoder. */
#define SCREENS_PER_S 0.5
#define SCREENS_BURST 10

void
als_core_transfer_free (AlsCoreTransfer *self)
{
  g_signal_handlers_disconnect_by_data (self->transfer, self);
  g_object_unref (self->transfer);
  g_free (self);
}

static void
transfer_changed_cb (AlsTransfer *transfer, AlsCoreTransfer *entry)
{
  AlsTransferInfo info;

  als_transfer_get_info (transfer, &info);
  /* Nothing to show of an offer that has not said yet what it is. */
  if (!entry->is_told && info.incoming && info.state == ALS_TRANSFER_PREPARING)
    return;
  if (!entry->is_told && info.incoming && info.state == ALS_TRANSFER_FAILED && info.n_files == 0)
    return;
  als_core_tell_transfer (entry);
}

static AlsCoreTransfer *
add_transfer (AlsVisitCore *self, AlsTransfer *transfer)
{
  AlsCoreTransfer *entry = g_new0 (AlsCoreTransfer, 1);

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
  return ((AlsCoreTransfer *)g_ptr_array_index (self->transfers, id - 1))->transfer;
}

void
als_visit_core_send_files (AlsVisitCore *self, GPtrArray *files)
{
  if (self->answer_source != NULL && self->early_files->len < MAX_TRANSFERS)
    g_ptr_array_add (self->early_files, g_ptr_array_ref (files));
  else if (als_core_is_running (self) && self->transfers->len < MAX_TRANSFERS)
    add_transfer (self, als_transfer_new_outgoing (self->session, files));
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

void
als_core_begin_work (AlsVisitCore *self)
{
  als_token_bucket_init (&self->screens, SCREENS_PER_S, SCREENS_BURST, g_get_monotonic_time ());
}

void
als_core_send_early_files (AlsVisitCore *self)
{
  g_autoptr (GPtrArray) early = g_steal_pointer (&self->early_files);

  self->early_files = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  for (guint i = 0; i < early->len; i++)
    als_visit_core_send_files (self, g_ptr_array_index (early, i));
}

void
als_core_stop_screen (AlsVisitCore *self)
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

static void
screen_failed_cb (AlsScreenSender *sender, GError *error, AlsVisitCore *self)
{
  g_message ("the screen cannot be shared: %s", error->message);
  als_core_stop_screen (self);
  als_core_set_problem (self, ALS_VISIT_ERROR_SCREEN, error->message);
  als_core_tell (self);
}

void
als_visit_core_set_sharing (AlsVisitCore *self, gboolean sharing)
{
  g_autoptr (GError) error = NULL;

  if (!self->is_inviter || !als_core_is_running (self) || self->permission != ALS_VISIT_SEE_SCREEN
      || sharing == (self->sender != NULL))
    return;
  if (!sharing)
    als_core_stop_screen (self);
  else
    {
      self->sender
          = als_screen_sender_new (self->session, self->screen_kind, self->display, 0, &error);
      if (self->sender != NULL)
        {
          g_signal_connect (self->sender, "failed", G_CALLBACK (screen_failed_cb), self);
          als_core_set_problem (self, 0, NULL);
        }
      else
        als_core_set_problem (self, ALS_VISIT_ERROR_SCREEN, error->message);
    }
  als_core_tell (self);
}

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

  self->echo = NULL;
  als_source_clear (&self->echo_source);
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
  if (self->echo != NULL && als_channel_get_room (self->echo) >= ECHO_BYTES)
    als_channel_write (self->echo, g_bytes_get_data (bytes, NULL), ECHO_BYTES);
  return G_SOURCE_CONTINUE;
}

void
als_visit_core_measure (AlsVisitCore *self, int64_t interval_us)
{
  if (self->state != ALS_VISIT_ACTIVE || self->echo != NULL)
    return;
  self->echo = als_session_open_channel (self->session, ALS_CHANNEL_ECHO, ALS_LANE_CONTROL);
  if (self->echo == NULL)
    return;
  als_channel_set_events (self->echo, &probe_events, self);
  self->echo_source
      = als_core_add_timeout ((guint) (interval_us / 1000), "als-visit-echo", probe_cb, self);
}

static void
take_files (AlsVisitCore *self, AlsChannel *channel)
{
  g_autoptr (GFile) folder = NULL;

  if (g_mkdir_with_parents (self->download_folder, 0755) != 0)
    g_message ("the folder for received files cannot be made: %s", g_strerror (errno));
  folder = g_file_new_for_path (self->download_folder);
  add_transfer (self, als_transfer_new_incoming (channel, folder));
}

static void
take_screen (AlsVisitCore *self, AlsChannel *channel)
{
  if (self->receiver != NULL)
    als_screen_receiver_stop (self->receiver);
  g_clear_object (&self->receiver);
  self->receiver = als_screen_receiver_new (channel);
  als_core_tell (self);
}

gboolean
als_core_take_work (AlsVisitCore *self, AlsChannel *channel, AlsChannelKind kind)
{
  /* Who has read the answer may begin before we know that it was read. */
  if (!als_core_is_running (self) && (self->answer_source == NULL || self->linger != NULL))
    return FALSE;
  if (kind == ALS_CHANNEL_FILES && self->transfers->len < MAX_TRANSFERS)
    take_files (self, channel);
  else if (kind == ALS_CHANNEL_MEDIA && !self->is_inviter
           && self->permission == ALS_VISIT_SEE_SCREEN
           && als_token_bucket_take (&self->screens, 1, g_get_monotonic_time ()))
    take_screen (self, channel);
  else if (kind == ALS_CHANNEL_ECHO)
    als_channel_set_events (channel, &echo_events, self);
  else
    return FALSE;
  return TRUE;
}
