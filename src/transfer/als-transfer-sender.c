/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The sending side: offers, then reads a few blocks ahead of the channel. */

#define G_LOG_DOMAIN "als-transfer"

#include "config.h"

#include <string.h>

#include <sodium.h>

#include "transfer/als-file-hash.h"
#include "transfer/als-file-source.h"
#include "transfer/als-transfer-private.h"

/* Being read, or read and not yet taken by the channel. */
#define MAX_BLOCKS_IN_HAND 4
#define MAX_REPAIRS_WAITING 256

struct _AlsTransferSender
{
  AlsTransfer *transfer;   /* owner */
  AlsSession *session;     /* borrowed */
  AlsFileSource *source;   /* once prepared */
  guint8 *is_saved;        /* by file */

  guint read_file;         /* the next block to be read */
  uint32_t read_index;
  GQueue repairs;          /* of Position: to be read before that */
  guint n_reading;

  guint sent_file;         /* the next block to be sent */
  uint32_t sent_index;
  AlsFileRoot root;        /* of sent_file so far */
  uint64_t sent_bytes;     /* without repairs */
};

typedef struct
{
  guint file;
  uint32_t index;
} Position;

typedef struct
{
  AlsFileJob job;
  AlsTransferSender *sender;
  GPtrArray *files;
  AlsFileSource *source;
  GError *error;
} PrepareJob;

typedef struct
{
  AlsFileJob job;
  AlsTransferSender *sender;
  AlsFileSource *source;
  Position at;
  gboolean is_repair;
  GBytes *data;
  uint8_t hash[ALS_FILE_HASH_BYTES];
  GError *error;
} ReadJob;

static const AlsFileEntry *
get_entry (AlsTransferSender *self, guint file)
{
  return g_ptr_array_index (als_transfer_get_entries (self->transfer), file);
}

static guint
n_files (AlsTransferSender *self)
{
  return als_transfer_get_entries (self->transfer)->len;
}

static void
offer (AlsTransferSender *self)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_OFFER);
  GPtrArray *entries = als_transfer_get_entries (self->transfer);
  AlsChannel *channel
    = als_session_open_channel (self->session, ALS_CHANNEL_FILES, ALS_LANE_BULK);

  if (channel == NULL)
    {
      als_transfer_fail (self->transfer, g_error_new (ALS_TRANSFER_ERROR,
                                                      ALS_TRANSFER_ERROR_SESSION,
                                                      "the session ended"));
      return;
    }
  als_transfer_set_channel (self->transfer, channel);
  randombytes_buf (message->id, sizeof message->id);
  for (guint i = 0; i < entries->len; i++)
    {
      const AlsFileEntry *entry = g_ptr_array_index (entries, i);

      g_ptr_array_add (message->files,
                       als_file_entry_new (entry->name, entry->size, entry->mtime_us));
    }
  als_transfer_send (self->transfer, message);
  als_transfer_set_state (self->transfer, ALS_TRANSFER_OFFERED);
}

static void
prepare_run (AlsFileJob *job)
{
  PrepareJob *prepare = (PrepareJob *) job;

  prepare->source = als_file_source_new (prepare->files, &prepare->error);
}

static void
prepare_done (AlsFileJob *job)
{
  PrepareJob *prepare = (PrepareJob *) job;
  AlsTransferSender *self = prepare->sender;
  g_autoptr (AlsTransfer) transfer = g_object_ref (self->transfer);
  GPtrArray *entries = als_transfer_get_entries (transfer);
  GPtrArray *found;

  if (prepare->source == NULL)
    {
      als_transfer_fail (transfer, g_steal_pointer (&prepare->error));
      return;
    }
  self->source = als_file_source_ref (prepare->source);
  self->is_saved = g_new0 (guint8, entries->len);
  found = als_file_source_get_entries (self->source);
  for (guint i = 0; i < entries->len; i++)
    {
      AlsFileEntry *entry = g_ptr_array_index (entries, i);
      const AlsFileEntry *now = g_ptr_array_index (found, i);

      entry->size = now->size;
      entry->mtime_us = now->mtime_us;
    }
  als_transfer_set_entries (transfer, entries);
  offer (self);
}

static void
prepare_free (AlsFileJob *job)
{
  PrepareJob *prepare = (PrepareJob *) job;

  g_ptr_array_unref (prepare->files);
  g_clear_pointer (&prepare->source, als_file_source_unref);
  g_clear_error (&prepare->error);
  g_free (prepare);
}

static void
read_run (AlsFileJob *job)
{
  ReadJob *read = (ReadJob *) job;

  read->data = als_file_source_read (read->source, read->at.file, read->at.index, &read->error);
  if (read->data != NULL)
    als_file_hash_block (g_bytes_get_data (read->data, NULL), g_bytes_get_size (read->data),
                         read->hash);
}

/* After the last block of a file, or none at all. */
static void
send_end (AlsTransferSender *self)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_FILE_END);

  message->file = (uint16_t) self->sent_file;
  als_file_root_final (&self->root, message->hash);
  self->sent_file++;
  self->sent_index = 0;
  als_transfer_send (self->transfer, message);
}

static void
send_block (AlsTransferSender *self, ReadJob *read)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_BLOCK);

  message->file = (uint16_t) read->at.file;
  message->index = read->at.index;
  memcpy (message->hash, read->hash, sizeof message->hash);
  message->data = g_steal_pointer (&read->data);
  als_transfer_send (self->transfer, message);
}

static void
read_done (AlsFileJob *job)
{
  ReadJob *read = (ReadJob *) job;
  AlsTransferSender *self = read->sender;
  g_autoptr (AlsTransfer) transfer = g_object_ref (self->transfer);
  uint64_t size = get_entry (self, read->at.file)->size;
  size_t len;

  self->n_reading--;
  if (read->data == NULL)
    {
      als_transfer_fail (transfer, g_steal_pointer (&read->error));
      return;
    }
  len = g_bytes_get_size (read->data);
  if (!read->is_repair && read->at.index == 0)
    als_file_root_init (&self->root, size);
  if (!read->is_repair && len > 0)
    {
      als_file_root_add (&self->root, read->hash);
      self->sent_index++;
      self->sent_bytes += len;
    }
  if (len > 0)
    send_block (self, read);
  if (!read->is_repair && self->sent_index == als_file_n_blocks (size))
    send_end (self);
  als_transfer_sender_pump (self);
}

static void
read_free (AlsFileJob *job)
{
  ReadJob *read = (ReadJob *) job;

  als_file_source_unref (read->source);
  g_clear_pointer (&read->data, g_bytes_unref);
  g_clear_error (&read->error);
  g_free (read);
}

static void
read_block (AlsTransferSender *self, Position at, gboolean is_repair)
{
  ReadJob *read = g_new0 (ReadJob, 1);

  read->job = (AlsFileJob){ read_run, read_done, read_free };
  read->sender = self;
  read->source = als_file_source_ref (self->source);
  read->at = at;
  read->is_repair = is_repair;
  self->n_reading++;
  als_transfer_push_job (self->transfer, &read->job);
}

/* An empty file is read, too: it must still be there and empty. */
static Position
take_next (AlsTransferSender *self)
{
  Position at = { self->read_file, self->read_index };

  self->read_index++;
  if (self->read_index >= als_file_n_blocks (get_entry (self, at.file)->size))
    {
      self->read_file++;
      self->read_index = 0;
    }
  return at;
}

void
als_transfer_sender_pump (AlsTransferSender *self)
{
  while (als_transfer_get_state (self->transfer) == ALS_TRANSFER_ACTIVE
         && self->n_reading + als_transfer_get_n_unsent (self->transfer) < MAX_BLOCKS_IN_HAND)
    {
      g_autofree Position *repair = g_queue_pop_head (&self->repairs);

      if (repair != NULL)
        read_block (self, *repair, TRUE);
      else if (self->read_file < n_files (self))
        read_block (self, take_next (self), FALSE);
      else
        break;
    }
}

static void
got_repair (AlsTransferSender *self, const AlsFileMessage *message)
{
  Position at = { message->file, message->index };

  if (at.file >= n_files (self) || self->is_saved[at.file]
      || at.index >= als_file_n_blocks (get_entry (self, at.file)->size)
      || at.file > self->sent_file
      || (at.file == self->sent_file && at.index >= self->sent_index)
      || g_queue_get_length (&self->repairs) >= MAX_REPAIRS_WAITING)
    {
      als_transfer_fail_protocol (self->transfer, "it asked for a block that it cannot miss");
      return;
    }
  g_debug ("block %u of file %u is sent again", at.index, at.file);
  g_queue_push_tail (&self->repairs, g_memdup2 (&at, sizeof at));
  als_transfer_sender_pump (self);
}

static void
got_saved (AlsTransferSender *self, guint file)
{
  if (file >= self->sent_file || self->is_saved[file])
    {
      als_transfer_fail_protocol (self->transfer, "it saved a file that it cannot have");
      return;
    }
  self->is_saved[file] = TRUE;
  als_transfer_file_done (self->transfer, file, NULL);
}

void
als_transfer_sender_message (AlsTransferSender *self, const AlsFileMessage *message)
{
  AlsTransferState state = als_transfer_get_state (self->transfer);

  if (state == ALS_TRANSFER_OFFERED && message->type == ALS_FILE_ACCEPT)
    {
      als_transfer_set_state (self->transfer, ALS_TRANSFER_ACTIVE);
      als_transfer_sender_pump (self);
      return;
    }
  if (state != ALS_TRANSFER_ACTIVE)
    {
      als_transfer_fail_protocol (self->transfer, "it spoke before it answered");
      return;
    }
  switch (message->type)
    {
    case ALS_FILE_REPAIR:
      got_repair (self, message);
      break;
    case ALS_FILE_PROGRESS:
      if (message->bytes < als_transfer_get_bytes (self->transfer)
          || message->bytes > self->sent_bytes)
        als_transfer_fail_protocol (self->transfer, "it stored more than it was sent");
      else
        als_transfer_set_bytes (self->transfer, message->bytes);
      break;
    case ALS_FILE_FILE_SAVED:
      got_saved (self, message->file);
      break;
    case ALS_FILE_DONE:
      if (als_transfer_get_n_done (self->transfer) == n_files (self))
        als_transfer_finish (self->transfer);
      else
        als_transfer_fail_protocol (self->transfer, "it was done too early");
      break;
    default:
      als_transfer_fail_protocol (self->transfer, "it sent what only a sender sends");
      break;
    }
}

AlsTransferSender *
als_transfer_sender_new (AlsTransfer *transfer, AlsSession *session, GPtrArray *files)
{
  AlsTransferSender *self = g_new0 (AlsTransferSender, 1);
  PrepareJob *prepare = g_new0 (PrepareJob, 1);

  self->transfer = transfer;
  self->session = session;
  g_queue_init (&self->repairs);
  prepare->job = (AlsFileJob){ prepare_run, prepare_done, prepare_free };
  prepare->sender = self;
  prepare->files = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (prepare->files, g_object_ref (g_ptr_array_index (files, i)));
  als_transfer_push_job (transfer, &prepare->job);
  return self;
}

void
als_transfer_sender_free (AlsTransferSender *self)
{
  g_clear_pointer (&self->source, als_file_source_unref);
  g_queue_clear_full (&self->repairs, g_free);
  g_free (self->is_saved);
  g_free (self);
}
