/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The receiving side: everything is checked against the offer before it goes to
 * the worker, and against its hash there. */

#define G_LOG_DOMAIN "als-transfer"

#include "config.h"

#include <string.h>

#include "transfer/als-block-ledger.h"
#include "transfer/als-file-store.h"
#include "transfer/als-safe-name.h"
#include "transfer/als-transfer-private.h"

struct _AlsTransferReceiver
{
  AlsTransfer *transfer;     /* owner */
  GFile *folder;
  gboolean accepting;        /* the worker looks at the folder */
  AlsFileStore *store;       /* once accepted */
  AlsBlockLedger **ledgers;  /* by file; NULL before its first message and once it is saved */
  guint current_file;        /* whose blocks come now; earlier ones only as repairs */
  uint64_t told_bytes;
};

typedef struct
{
  AlsFileJob job;
  AlsTransferReceiver *receiver;
  char *folder;              /* nullable: not on this computer */
  GPtrArray *entries;
  AlsFileStore *store;
  GError *error;
} OpenJob;

typedef struct
{
  AlsFileJob job;
  AlsTransferReceiver *receiver;
  AlsFileStore *store;
  guint file;
  uint32_t index;
  uint8_t hash[ALS_FILE_HASH_BYTES];
  GBytes *data;
  size_t len;
  gboolean is_good;
  GError *error;
} StoreJob;

typedef struct
{
  AlsFileJob job;
  AlsTransferReceiver *receiver;
  AlsFileStore *store;
  guint file;
  char *name;
  GError *error;
} SaveJob;

static guint
n_files (AlsTransferReceiver *self)
{
  return als_transfer_get_entries (self->transfer)->len;
}

static void
send_simple (AlsTransferReceiver *self, AlsFileMessageType type, guint file, uint32_t index,
             uint64_t bytes)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (type);

  message->file = (uint16_t) file;
  message->index = index;
  message->bytes = bytes;
  als_transfer_send (self->transfer, message);
}

static void
free_ledger (AlsBlockLedger *ledger)
{
  als_block_ledger_clear (ledger);
  g_free (ledger);
}

static void
open_run (AlsFileJob *job)
{
  OpenJob *open = (OpenJob *) job;

  if (open->folder != NULL)
    open->store = als_file_store_new (open->folder, open->entries, &open->error);
  else
    g_set_error (&open->error, ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_WRITE,
                 "the folder for received files is not on this computer");
}

static void
open_done (AlsFileJob *job)
{
  OpenJob *open = (OpenJob *) job;
  AlsTransferReceiver *self = open->receiver;
  g_autoptr (AlsTransfer) transfer = g_object_ref (self->transfer);

  if (open->store == NULL)
    {
      als_transfer_fail (transfer, g_steal_pointer (&open->error));
      return;
    }
  self->store = als_file_store_ref (open->store);
  send_simple (self, ALS_FILE_ACCEPT, 0, 0, 0);
  als_transfer_set_state (transfer, ALS_TRANSFER_ACTIVE);
}

static void
open_free (AlsFileJob *job)
{
  OpenJob *open = (OpenJob *) job;

  g_free (open->folder);
  g_ptr_array_unref (open->entries);
  g_clear_pointer (&open->store, als_file_store_unref);
  g_clear_error (&open->error);
  g_free (open);
}

void
als_transfer_receiver_accept (AlsTransferReceiver *self)
{
  OpenJob *open;

  if (self->accepting)
    return;
  self->accepting = TRUE;
  open = g_new0 (OpenJob, 1);
  open->job = (AlsFileJob){ open_run, open_done, open_free };
  open->receiver = self;
  open->folder = g_file_get_path (self->folder);
  open->entries = g_ptr_array_ref (als_transfer_get_entries (self->transfer));
  als_transfer_push_job (self->transfer, &open->job);
}

static void
save_run (AlsFileJob *job)
{
  SaveJob *save = (SaveJob *) job;

  save->name = als_file_store_save (save->store, save->file, &save->error);
}

static void
save_done (AlsFileJob *job)
{
  SaveJob *save = (SaveJob *) job;
  AlsTransferReceiver *self = save->receiver;
  g_autoptr (AlsTransfer) transfer = g_object_ref (self->transfer);
  g_autoptr (GFile) saved = NULL;

  if (save->name == NULL)
    {
      als_transfer_fail (transfer, g_steal_pointer (&save->error));
      return;
    }
  saved = g_file_get_child (self->folder, save->name);
  g_clear_pointer (&self->ledgers[save->file], free_ledger);
  als_transfer_file_done (transfer, save->file, saved);
  send_simple (self, ALS_FILE_FILE_SAVED, save->file, 0, 0);
  if (als_transfer_get_n_done (transfer) < n_files (self))
    return;
  als_transfer_receiver_tell (self);
  send_simple (self, ALS_FILE_DONE, 0, 0, 0);
  als_transfer_finish (transfer);
}

static void
save_free (AlsFileJob *job)
{
  SaveJob *save = (SaveJob *) job;

  als_file_store_unref (save->store);
  g_free (save->name);
  g_clear_error (&save->error);
  g_free (save);
}

/* Saves FILE if all of it is here. */
static void
save_if_whole (AlsTransferReceiver *self, guint file)
{
  const AlsFileEntry *entry = g_ptr_array_index (als_transfer_get_entries (self->transfer), file);
  SaveJob *save;

  if (!als_block_ledger_is_whole (self->ledgers[file]))
    return;
  if (!als_block_ledger_is_right (self->ledgers[file]))
    {
      als_transfer_fail (self->transfer,
                         g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DAMAGED,
                                      "“%s” is not what was sent", entry->name));
      return;
    }
  save = g_new0 (SaveJob, 1);
  save->job = (AlsFileJob){ save_run, save_done, save_free };
  save->receiver = self;
  save->store = als_file_store_ref (self->store);
  save->file = file;
  als_transfer_push_job (self->transfer, &save->job);
}

static void
store_run (AlsFileJob *job)
{
  StoreJob *store = (StoreJob *) job;
  uint8_t hash[ALS_FILE_HASH_BYTES];

  als_file_hash_block (g_bytes_get_data (store->data, NULL), store->len, hash);
  store->is_good = memcmp (hash, store->hash, sizeof hash) == 0;
  if (store->is_good)
    als_file_store_write (store->store, store->file, store->index, store->data, &store->error);
  g_clear_pointer (&store->data, g_bytes_unref);
}

static void
store_done (AlsFileJob *job)
{
  StoreJob *store = (StoreJob *) job;
  AlsTransferReceiver *self = store->receiver;
  g_autoptr (AlsTransfer) transfer = g_object_ref (self->transfer);
  const AlsFileEntry *entry = g_ptr_array_index (als_transfer_get_entries (transfer), store->file);

  als_transfer_release (transfer, store->len);
  if (als_transfer_is_over (transfer))
    return;
  if (store->error != NULL)
    {
      als_transfer_fail (transfer, g_steal_pointer (&store->error));
      return;
    }
  switch (als_block_ledger_checked (self->ledgers[store->file], store->index, store->is_good,
                                    store->hash))
    {
    case ALS_BLOCK_STORED:
      als_transfer_set_bytes (transfer, als_transfer_get_bytes (transfer) + store->len);
      save_if_whole (self, store->file);
      break;
    case ALS_BLOCK_REPAIR:
      g_debug ("block %u of file %u is damaged", store->index, store->file);
      send_simple (self, ALS_FILE_REPAIR, store->file, store->index, 0);
      break;
    default:
      als_transfer_fail (transfer, g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DAMAGED,
                                                "“%s” arrives damaged again and again",
                                                entry->name));
      break;
    }
}

static void
store_free (AlsFileJob *job)
{
  StoreJob *store = (StoreJob *) job;

  als_file_store_unref (store->store);
  g_clear_pointer (&store->data, g_bytes_unref);
  g_clear_error (&store->error);
  g_free (store);
}

static void
got_offer (AlsTransferReceiver *self, const AlsFileMessage *message)
{
  g_autoptr (GPtrArray) entries
    = g_ptr_array_new_with_free_func ((GDestroyNotify) als_file_entry_free);

  for (guint i = 0; i < message->files->len; i++)
    {
      const AlsFileEntry *entry = g_ptr_array_index (message->files, i);
      g_autofree char *name = als_safe_name_new (entry->name);

      g_ptr_array_add (entries, als_file_entry_new (name, entry->size, entry->mtime_us));
    }
  self->ledgers = g_new0 (AlsBlockLedger *, entries->len);
  als_transfer_set_entries (self->transfer, g_steal_pointer (&entries));
  als_transfer_set_state (self->transfer, ALS_TRANSFER_OFFERED);
}

/* The books of FILE while its messages may come; NULL otherwise. */
static AlsBlockLedger *
get_ledger (AlsTransferReceiver *self, guint file)
{
  if (file > self->current_file || file >= n_files (self))
    return NULL;
  if (file == self->current_file && self->ledgers[file] == NULL)
    {
      const AlsFileEntry *entry
        = g_ptr_array_index (als_transfer_get_entries (self->transfer), file);

      self->ledgers[file] = g_new0 (AlsBlockLedger, 1);
      als_block_ledger_init (self->ledgers[file], entry->size);
    }
  return self->ledgers[file];
}

static void
got_block (AlsTransferReceiver *self, const AlsFileMessage *message)
{
  AlsBlockLedger *ledger = get_ledger (self, message->file);
  size_t len = g_bytes_get_size (message->data);
  StoreJob *store;

  if (ledger == NULL || !als_block_ledger_arrived (ledger, message->index, len))
    {
      als_transfer_fail_protocol (self->transfer, "it sent a block out of turn");
      return;
    }
  store = g_new0 (StoreJob, 1);
  store->job = (AlsFileJob){ store_run, store_done, store_free };
  store->receiver = self;
  store->store = als_file_store_ref (self->store);
  store->file = message->file;
  store->index = message->index;
  memcpy (store->hash, message->hash, sizeof store->hash);
  store->data = g_bytes_ref (message->data);
  store->len = len;
  als_transfer_hold (self->transfer, len);
  als_transfer_push_job (self->transfer, &store->job);
}

static void
got_end (AlsTransferReceiver *self, const AlsFileMessage *message)
{
  AlsBlockLedger *ledger
    = message->file == self->current_file ? get_ledger (self, message->file) : NULL;

  if (ledger == NULL || !als_block_ledger_end (ledger, message->hash))
    {
      als_transfer_fail_protocol (self->transfer, "it ended a file out of turn");
      return;
    }
  self->current_file++;
  save_if_whole (self, message->file);
}

void
als_transfer_receiver_message (AlsTransferReceiver *self, const AlsFileMessage *message)
{
  AlsTransferState state = als_transfer_get_state (self->transfer);

  if (state == ALS_TRANSFER_PREPARING && message->type == ALS_FILE_OFFER)
    got_offer (self, message);
  else if (state == ALS_TRANSFER_ACTIVE && message->type == ALS_FILE_BLOCK)
    got_block (self, message);
  else if (state == ALS_TRANSFER_ACTIVE && message->type == ALS_FILE_FILE_END)
    got_end (self, message);
  else
    als_transfer_fail_protocol (self->transfer, "it sent a message out of turn");
}

void
als_transfer_receiver_tell (AlsTransferReceiver *self)
{
  uint64_t bytes = als_transfer_get_bytes (self->transfer);

  if (bytes == self->told_bytes)
    return;
  self->told_bytes = bytes;
  send_simple (self, ALS_FILE_PROGRESS, 0, 0, bytes);
}

void
als_transfer_receiver_abandon (AlsTransferReceiver *self)
{
  if (self->store != NULL)
    als_file_store_abandon (self->store);
}

AlsTransferReceiver *
als_transfer_receiver_new (AlsTransfer *transfer, GFile *folder)
{
  AlsTransferReceiver *self = g_new0 (AlsTransferReceiver, 1);

  self->transfer = transfer;
  self->folder = g_object_ref (folder);
  return self;
}

void
als_transfer_receiver_free (AlsTransferReceiver *self)
{
  for (guint i = 0; self->ledgers != NULL && i < n_files (self); i++)
    g_clear_pointer (&self->ledgers[i], free_ledger);
  g_free (self->ledgers);
  g_clear_pointer (&self->store, als_file_store_unref);
  g_object_unref (self->folder);
  g_free (self);
}
