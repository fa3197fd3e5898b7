/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What both ends of a transfer share: its state and figures, the bytes of the
 * channel in both directions, and every way it can end. */

#define G_LOG_DOMAIN "als-transfer"

#include "config.h"

#include "transfer/als-transfer.h"

#include "base/als-deadline-source.h"
#include "transfer/als-file-source.h"
#include "transfer/als-transfer-private.h"
#include "transfer/als-transfer-rate.h"

/* `changed`, and the receiver's word of progress, no more often than this ... */
#define CHANGED_MIN_US (G_USEC_PER_SEC / 10)
/* ... and no less: rate and time left change while nothing comes. */
#define CHANGED_MAX_US G_USEC_PER_SEC
/* With more than this waiting for the disk the other side is held up, so no more than this and
 * the channel's window are ever in memory. */
#define MAX_WAITING_BYTES (4 * 1024 * 1024)

typedef struct
{
  GBytes *bytes;
  gboolean is_block;
} OutItem;

struct _AlsTransfer
{
  GObject parent_instance;
  GMainContext *context;
  gboolean incoming;
  AlsTransferState state;
  GError *error;
  gboolean holds_self;        /* a reference, until it is over and the channel gone */

  GPtrArray *entries;         /* of AlsFileEntry */
  GPtrArray *saved;           /* of GFile, nullable */
  guint n_done;
  uint64_t bytes_total, bytes_done;
  AlsTransferRate rate;
  int64_t active_us, ended_us;

  AlsTransferSender *sender;
  AlsTransferReceiver *receiver;
  AlsFileWorker *worker;      /* nullable */

  AlsChannel *channel;        /* nullable */
  AlsFileParser parser;
  size_t unconsumed;          /* received, not yet given back to the channel */
  size_t waiting;             /* of blocks at the worker */
  GQueue out;                 /* of OutItem */
  size_t out_offset;          /* what the channel took of the first one */
  guint n_unsent;             /* blocks in OUT */
  gboolean finishing;         /* the channel is to be finished after OUT */
  gboolean all_saved;         /* receiver: only the sender's finish is missing */

  GSource *tick;
  int64_t changed_us;         /* when `changed` was last emitted */
  gboolean has_news;          /* since then */
};

enum
{
  SIGNAL_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (AlsTransfer, als_transfer, G_TYPE_OBJECT)
G_DEFINE_QUARK (als-transfer-error-quark, als_transfer_error)

static const char *
state_name (AlsTransferState state)
{
  static const char *const names[] = { "preparing", "offered", "active", "done", "failed" };

  return names[state];
}

static void
free_out_item (gpointer data)
{
  OutItem *item = data;

  g_bytes_unref (item->bytes);
  g_free (item);
}

/* After this SELF may be gone unless the caller has a reference. */
static void
let_go_if_over (AlsTransfer *self)
{
  if (als_transfer_is_over (self) && self->channel == NULL && self->holds_self)
    {
      self->holds_self = FALSE;
      g_object_unref (self);
    }
}

static void
emit_changed (AlsTransfer *self)
{
  self->changed_us = g_get_monotonic_time ();
  self->has_news = FALSE;
  if (self->state == ALS_TRANSFER_ACTIVE)
    {
      als_transfer_rate_update (&self->rate, self->bytes_done, self->changed_us);
      if (self->receiver != NULL)
        als_transfer_receiver_tell (self->receiver);
      als_deadline_source_set (self->tick, self->changed_us + CHANGED_MAX_US);
    }
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

static void
news (AlsTransfer *self)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->state != ALS_TRANSFER_ACTIVE || self->has_news)
    return;
  self->has_news = TRUE;
  als_deadline_source_set (self->tick, MAX (now_us, self->changed_us + CHANGED_MIN_US));
}

static gboolean
tick_cb (gpointer user_data)
{
  g_autoptr (AlsTransfer) self = g_object_ref (user_data);

  if (self->state == ALS_TRANSFER_ACTIVE)
    emit_changed (self);
  return G_SOURCE_CONTINUE;
}

void
als_transfer_set_state (AlsTransfer *self, AlsTransferState state)
{
  g_debug ("%p %s: %s to %s%s%s", self, self->incoming ? "incoming" : "outgoing",
           state_name (self->state), state_name (state), self->error != NULL ? ": " : "",
           self->error != NULL ? self->error->message : "");
  self->state = state;
  if (state == ALS_TRANSFER_ACTIVE)
    {
      self->active_us = g_get_monotonic_time ();
      als_transfer_rate_init (&self->rate, self->active_us);
    }
  else if (als_transfer_is_over (self))
    {
      self->ended_us = g_get_monotonic_time ();
      g_source_destroy (self->tick);
      g_clear_pointer (&self->worker, als_file_worker_close);
    }
  emit_changed (self);
}

static AlsFileReset
reset_code (const GError *error)
{
  switch ((AlsTransferError) error->code)
    {
    case ALS_TRANSFER_ERROR_READ:
      return ALS_FILE_RESET_READ;
    case ALS_TRANSFER_ERROR_WRITE:
      return ALS_FILE_RESET_WRITE;
    case ALS_TRANSFER_ERROR_DISK_FULL:
      return ALS_FILE_RESET_DISK_FULL;
    case ALS_TRANSFER_ERROR_DECLINED:
      return ALS_FILE_RESET_DECLINED;
    case ALS_TRANSFER_ERROR_DAMAGED:
      return ALS_FILE_RESET_DAMAGED;
    case ALS_TRANSFER_ERROR_PROTOCOL:
      return ALS_FILE_RESET_PROTOCOL;
    default:
      return ALS_FILE_RESET_CANCELLED;
    }
}

static GError *
error_of_reset (AlsTransfer *self, guint32 code)
{
  switch (code)
    {
    case 0:
    case ALS_CHANNEL_SESSION_ENDED:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_SESSION, "the session ended");
    case ALS_FILE_RESET_DECLINED:
      if (!self->incoming)
        return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DECLINED,
                            "the other side declined");
      /* fall through */
    case ALS_FILE_RESET_CANCELLED:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PEER_CANCELLED,
                          "the other side cancelled");
    case ALS_FILE_RESET_READ:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PEER_READ,
                          "the other side could not read a file, or it changed");
    case ALS_FILE_RESET_WRITE:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PEER_WRITE,
                          "the other side could not save a file");
    case ALS_FILE_RESET_DISK_FULL:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PEER_DISK_FULL,
                          "the other side has no room for the files");
    case ALS_FILE_RESET_DAMAGED:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DAMAGED,
                          "what arrived at the other side was damaged");
    case ALS_FILE_RESET_PROTOCOL:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PROTOCOL,
                          "the other side did not understand what it was sent");
    default:
      return g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PROTOCOL,
                          "the other side broke off with the unknown code %u", code);
    }
}

static void
set_done (AlsTransfer *self)
{
  if (als_transfer_is_over (self))
    return;
  als_transfer_set_state (self, ALS_TRANSFER_DONE);
  let_go_if_over (self);
}

void
als_transfer_fail (AlsTransfer *self, GError *error)
{
  if (als_transfer_is_over (self))
    {
      g_error_free (error);
      return;
    }
  if (self->all_saved)
    {
      /* Whatever happens now, the files are here. */
      g_error_free (error);
      set_done (self);
      return;
    }
  self->error = error;
  if (self->receiver != NULL)
    als_transfer_receiver_abandon (self->receiver);
  if (self->channel != NULL)
    als_channel_reset (g_steal_pointer (&self->channel), reset_code (error));
  als_file_parser_clear (&self->parser);
  g_queue_clear_full (&self->out, free_out_item);
  self->n_unsent = 0;
  als_transfer_set_state (self, ALS_TRANSFER_FAILED);
  let_go_if_over (self);
}

void
als_transfer_fail_protocol (AlsTransfer *self, const char *what)
{
  als_transfer_fail (self, g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_PROTOCOL,
                                        "the other side broke the rules: %s", what));
}

/* Gives the channel what it takes. */
static void
flush (AlsTransfer *self)
{
  OutItem *item;

  while (self->channel != NULL && (item = g_queue_peek_head (&self->out)) != NULL)
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (item->bytes, &len);
      size_t taken
        = als_channel_write (self->channel, data + self->out_offset, len - self->out_offset);

      self->out_offset += taken;
      if (self->out_offset < len)
        return;
      self->out_offset = 0;
      self->n_unsent -= item->is_block ? 1 : 0;
      free_out_item (g_queue_pop_head (&self->out));
    }
  if (self->channel != NULL && self->finishing)
    {
      self->finishing = FALSE;
      als_channel_finish (self->channel);
    }
}

void
als_transfer_finish (AlsTransfer *self)
{
  if (als_transfer_is_over (self))
    return;
  als_transfer_set_bytes (self, self->bytes_total);
  self->finishing = TRUE;
  flush (self);
  /* The receiver is done when the sender knows, lest it ends the session before that. */
  if (self->incoming)
    self->all_saved = TRUE;
  else
    set_done (self);
}

static void
queue_out (AlsTransfer *self, GBytes *bytes, gboolean is_block)
{
  OutItem *item = g_new (OutItem, 1);

  item->bytes = g_bytes_ref (bytes);
  item->is_block = is_block;
  self->n_unsent += is_block ? 1 : 0;
  g_queue_push_tail (&self->out, item);
}

void
als_transfer_send (AlsTransfer *self, const AlsFileMessage *message)
{
  g_autoptr (GBytes) head = als_file_message_encode (message);

  g_return_if_fail (head != NULL && self->channel != NULL);
  queue_out (self, head, FALSE);
  if (message->data != NULL)
    queue_out (self, message->data, TRUE);
  flush (self);
}

guint
als_transfer_get_n_unsent (AlsTransfer *self)
{
  return self->n_unsent;
}

static void
consume (AlsTransfer *self)
{
  if (self->channel == NULL || self->unconsumed == 0
      || self->waiting + als_file_parser_get_held (&self->parser) > MAX_WAITING_BYTES)
    return;
  als_channel_consume (self->channel, self->unconsumed);
  self->unconsumed = 0;
}

void
als_transfer_hold (AlsTransfer *self, size_t len)
{
  self->waiting += len;
}

void
als_transfer_release (AlsTransfer *self, size_t len)
{
  self->waiting -= len;
  consume (self);
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  g_autoptr (AlsTransfer) self = g_object_ref (user_data);

  self->unconsumed += len;
  while (len > 0 && !als_transfer_is_over (self))
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AlsFileMessage) message
        = als_file_parser_push (&self->parser, &data, &len, &error);

      if (error != NULL)
        als_transfer_fail_protocol (self, error->message);
      else if (message != NULL && self->incoming)
        als_transfer_receiver_message (self->receiver, message);
      else if (message != NULL)
        als_transfer_sender_message (self->sender, message);
    }
  consume (self);
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  g_autoptr (AlsTransfer) self = g_object_ref (user_data);

  flush (self);
  if (self->sender != NULL)
    als_transfer_sender_pump (self->sender);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  g_autoptr (AlsTransfer) self = g_object_ref (user_data);

  if (self->all_saved)
    set_done (self);
  else
    als_transfer_fail_protocol (self, "it stopped in the middle");
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  g_autoptr (AlsTransfer) self = g_object_ref (user_data);

  self->channel = NULL;
  als_transfer_fail (self, error_of_reset (self, code));
  let_go_if_over (self);
}

static const AlsChannelEvents channel_events = {
  .received = received_cb,
  .writable = writable_cb,
  .finished = finished_cb,
  .closed = closed_cb,
};

void
als_transfer_set_channel (AlsTransfer *self, AlsChannel *channel)
{
  self->channel = channel;
  als_channel_set_events (channel, &channel_events, self);
}

gboolean
als_transfer_is_over (AlsTransfer *self)
{
  return self->state == ALS_TRANSFER_DONE || self->state == ALS_TRANSFER_FAILED;
}

AlsTransferState
als_transfer_get_state (AlsTransfer *self)
{
  return self->state;
}

GPtrArray *
als_transfer_get_entries (AlsTransfer *self)
{
  return self->entries;
}

void
als_transfer_set_entries (AlsTransfer *self, GPtrArray *entries)
{
  if (entries != self->entries)
    {
      g_ptr_array_unref (self->entries);
      self->entries = entries;
    }
  self->bytes_total = 0;
  for (guint i = 0; i < entries->len; i++)
    self->bytes_total += ((const AlsFileEntry *) g_ptr_array_index (entries, i))->size;
  g_ptr_array_set_size (self->saved, (int) entries->len);
}

void
als_transfer_push_job (AlsTransfer *self, AlsFileJob *job)
{
  if (self->worker == NULL)
    self->worker = als_file_worker_new (self->context);
  als_file_worker_push (self->worker, job);
}

void
als_transfer_set_bytes (AlsTransfer *self, uint64_t bytes)
{
  self->bytes_done = bytes;
  news (self);
}

uint64_t
als_transfer_get_bytes (AlsTransfer *self)
{
  return self->bytes_done;
}

void
als_transfer_file_done (AlsTransfer *self, guint file, GFile *saved)
{
  self->n_done++;
  if (saved != NULL)
    g_ptr_array_index (self->saved, file) = g_object_ref (saved);
  news (self);
}

guint
als_transfer_get_n_done (AlsTransfer *self)
{
  return self->n_done;
}

static void
clear_saved (gpointer data)
{
  if (data != NULL)
    g_object_unref (data);
}

static void
als_transfer_finalize (GObject *object)
{
  AlsTransfer *self = ALS_TRANSFER (object);

  g_clear_pointer (&self->worker, als_file_worker_close);
  g_clear_pointer (&self->sender, als_transfer_sender_free);
  g_clear_pointer (&self->receiver, als_transfer_receiver_free);
  als_file_parser_clear (&self->parser);
  g_queue_clear_full (&self->out, free_out_item);
  g_source_destroy (self->tick);
  g_source_unref (self->tick);
  g_ptr_array_unref (self->entries);
  g_ptr_array_unref (self->saved);
  g_clear_error (&self->error);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (als_transfer_parent_class)->finalize (object);
}

static void
als_transfer_class_init (AlsTransferClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_transfer_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", ALS_TYPE_TRANSFER, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 0);
}

static void
als_transfer_init (AlsTransfer *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->state = ALS_TRANSFER_PREPARING;
  self->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) als_file_entry_free);
  self->saved = g_ptr_array_new_with_free_func (clear_saved);
  als_file_parser_init (&self->parser);
  g_queue_init (&self->out);
  self->tick = als_deadline_source_new (self->context, "transfer", tick_cb, self);
}

static AlsTransfer *
new_transfer (void)
{
  AlsTransfer *self = g_object_new (ALS_TYPE_TRANSFER, NULL);

  self->holds_self = TRUE;
  return g_object_ref (self);
}

AlsTransfer *
als_transfer_new_outgoing (AlsSession *session, GPtrArray *files)
{
  AlsTransfer *self = new_transfer ();

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *name = als_file_source_dup_name (g_ptr_array_index (files, i));

      g_ptr_array_add (self->entries, als_file_entry_new (name, 0, 0));
    }
  als_transfer_set_entries (self, self->entries);
  self->sender = als_transfer_sender_new (self, session, files);
  return self;
}

AlsTransfer *
als_transfer_new_incoming (AlsChannel *channel, GFile *folder)
{
  AlsTransfer *self = new_transfer ();

  self->incoming = TRUE;
  self->receiver = als_transfer_receiver_new (self, folder);
  als_transfer_set_channel (self, channel);
  return self;
}

void
als_transfer_accept (AlsTransfer *self)
{
  g_return_if_fail (ALS_IS_TRANSFER (self));
  if (self->incoming && self->state == ALS_TRANSFER_OFFERED)
    als_transfer_receiver_accept (self->receiver);
}

void
als_transfer_decline (AlsTransfer *self)
{
  g_return_if_fail (ALS_IS_TRANSFER (self));
  if (self->incoming && self->state == ALS_TRANSFER_OFFERED)
    als_transfer_fail (self, g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DECLINED,
                                          "declined here"));
}

void
als_transfer_cancel (AlsTransfer *self)
{
  g_return_if_fail (ALS_IS_TRANSFER (self));
  als_transfer_fail (self, g_error_new (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_CANCELLED,
                                        "cancelled here"));
}

void
als_transfer_get_info (AlsTransfer *self, AlsTransferInfo *info)
{
  int64_t now_us = g_get_monotonic_time ();

  *info = (AlsTransferInfo){
    .state = self->state,
    .incoming = self->incoming,
    .n_files = self->entries->len,
    .n_files_done = self->n_done,
    .bytes_total = self->bytes_total,
    .bytes_done = self->bytes_done,
    .seconds_left = -1,
  };
  if (self->active_us == 0)
    return;
  info->duration_us = (self->ended_us != 0 ? self->ended_us : now_us) - self->active_us;
  if (self->state == ALS_TRANSFER_ACTIVE)
    {
      info->rate = als_transfer_rate_get (&self->rate, now_us);
      info->seconds_left = als_transfer_rate_get_left (
        &self->rate, self->bytes_total - self->bytes_done, now_us);
    }
  else if (self->state == ALS_TRANSFER_DONE)
    {
      info->rate = (uint64_t) ((double) self->bytes_total * G_USEC_PER_SEC
                               / (double) MAX (info->duration_us, 1));
      info->seconds_left = 0;
    }
}

const GError *
als_transfer_get_error (AlsTransfer *self)
{
  return self->error;
}

const char *
als_transfer_get_name (AlsTransfer *self, guint i)
{
  g_return_val_if_fail (i < self->entries->len, NULL);
  return ((const AlsFileEntry *) g_ptr_array_index (self->entries, i))->name;
}

guint64
als_transfer_get_size (AlsTransfer *self, guint i)
{
  g_return_val_if_fail (i < self->entries->len, 0);
  return ((const AlsFileEntry *) g_ptr_array_index (self->entries, i))->size;
}

GFile *
als_transfer_get_saved (AlsTransfer *self, guint i)
{
  g_return_val_if_fail (i < self->entries->len, NULL);
  return g_ptr_array_index (self->saved, i);
}
