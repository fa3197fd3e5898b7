/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The parts of the fixture that need the fake session, and the peer. */

#include "config.h"

#include "transfer-fixture.h"

#include "transfer/als-file-hash.h"

static void
outgoing_changed_cb (AlsTransfer *transfer, gpointer user_data)
{
  ((Fixture *) user_data)->n_changed_outgoing++;
}

static void
incoming_changed_cb (AlsTransfer *transfer, gpointer user_data)
{
  ((Fixture *) user_data)->n_changed_incoming++;
}

static void
peer_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Peer *self = user_data;

  als_channel_consume (channel, len);
  while (len > 0)
    {
      g_autoptr (GError) error = NULL;
      AlsFileMessage *message = als_file_parser_push (&self->parser, &data, &len, &error);

      g_assert_no_error (error);
      if (message != NULL)
        g_ptr_array_add (self->got, message);
    }
}

static void
peer_writable_cb (AlsChannel *channel, gpointer user_data)
{
  Peer *self = user_data;
  size_t n = als_channel_write (channel, self->to_write->data, self->to_write->len);

  if (n > 0)
    g_byte_array_remove_range (self->to_write, 0, (guint) n);
}

static void
peer_finished_cb (AlsChannel *channel, gpointer user_data)
{
  ((Peer *) user_data)->finished = TRUE;
}

static void
peer_closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Peer *self = user_data;

  self->channel = NULL;
  self->closed = TRUE;
  self->code = code;
}

static const AlsChannelEvents peer_events = {
  .received = peer_received_cb,
  .writable = peer_writable_cb,
  .finished = peer_finished_cb,
  .closed = peer_closed_cb,
};

static void
channel_opened_cb (guint side, AlsChannel *channel, gpointer user_data)
{
  Fixture *self = user_data;
  g_autoptr (GFile) folder = g_file_new_for_path (self->to);

  g_assert_cmpuint (side, ==, 1);
  if (self->peer_receives)
    {
      self->peer.channel = channel;
      als_channel_set_events (channel, &peer_events, &self->peer);
      return;
    }
  g_assert_null (self->incoming);
  self->incoming = als_transfer_new_incoming (channel, folder);
  g_signal_connect (self->incoming, "changed", G_CALLBACK (incoming_changed_cb), self);
}

void
fixture_connect (Fixture *self)
{
  if (self->sessions != NULL)
    return;
  self->config.channel_opened = channel_opened_cb;
  if (self->config.user_data == NULL)
    self->config.user_data = self;
  self->sessions = fake_sessions_new (&self->config);
  self->free_sessions = fake_sessions_free;
}

void
fixture_send (Fixture *self)
{
  fixture_connect (self);
  self->outgoing = als_transfer_new_outgoing (fake_sessions_get (self->sessions, 0), self->files);
  g_signal_connect (self->outgoing, "changed", G_CALLBACK (outgoing_changed_cb), self);
}

void
fixture_connect_peer_as_sender (Fixture *self)
{
  fixture_connect (self);
  self->peer.channel = als_session_open_channel (fake_sessions_get (self->sessions, 0),
                                                 ALS_CHANNEL_FILES, ALS_LANE_BULK);
  als_channel_set_events (self->peer.channel, &peer_events, &self->peer);
  FIXTURE_WAIT (self, is_incoming_there);
}

void
fixture_exchange (Fixture *self)
{
  fixture_send (self);
  FIXTURE_WAIT (self, is_incoming_offered);
  als_transfer_accept (self->incoming);
  FIXTURE_WAIT (self, are_both_over);
}

void
peer_send_raw (Peer *self, const void *data, size_t len)
{
  if (self->channel == NULL)
    return;
  g_byte_array_append (self->to_write, data, (guint) len);
  peer_writable_cb (self->channel, self);
}

void
peer_send (Peer *self, const AlsFileMessage *message)
{
  g_autoptr (GBytes) head = als_file_message_encode (message);

  g_assert_nonnull (head);
  peer_send_raw (self, g_bytes_get_data (head, NULL), g_bytes_get_size (head));
  if (message->data != NULL)
    peer_send_raw (self, g_bytes_get_data (message->data, NULL), g_bytes_get_size (message->data));
}

void
peer_send_simple (Peer *self, AlsFileMessageType type, guint file, uint32_t index, uint64_t bytes)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (type);

  message->file = (uint16_t) file;
  message->index = index;
  message->bytes = bytes;
  peer_send (self, message);
}

void
peer_send_block (Peer *self, guint file, uint32_t index, const void *data, size_t len,
                 gboolean damaged)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_BLOCK);

  message->file = (uint16_t) file;
  message->index = index;
  als_file_hash_block (data, len, message->hash);
  message->hash[0] ^= damaged ? 1 : 0;
  message->data = g_bytes_new (data, len);
  peer_send (self, message);
}

void
peer_send_end (Peer *self, guint file, const void *data, size_t len, gboolean damaged)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_FILE_END);
  AlsFileRoot root;

  message->file = (uint16_t) file;
  als_file_root_init (&root, len);
  for (uint32_t i = 0; i < als_file_n_blocks (len); i++)
    {
      uint8_t hash[ALS_FILE_HASH_BYTES];

      als_file_hash_block ((const uint8_t *) data + (size_t) i * ALS_FILE_BLOCK_BYTES,
                           als_file_block_bytes (len, i), hash);
      als_file_root_add (&root, hash);
    }
  als_file_root_final (&root, message->hash);
  message->hash[0] ^= damaged ? 1 : 0;
  peer_send (self, message);
}

void
peer_send_offer (Peer *self, const char *name, uint64_t size)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_OFFER);

  g_ptr_array_add (message->files, als_file_entry_new (name, size, 0));
  peer_send (self, message);
}

guint
peer_count (Peer *self, AlsFileMessageType type)
{
  guint n = 0;

  for (guint i = 0; i < self->got->len; i++)
    n += ((AlsFileMessage *) g_ptr_array_index (self->got, i))->type == type;
  return n;
}
