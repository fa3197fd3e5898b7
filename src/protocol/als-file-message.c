/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages of a file transfer. Which message may come when, and whether a
 * block fits its file, is the transfer's to say. */

#define G_LOG_DOMAIN "als-protocol"

#include "config.h"

#include "protocol/als-file-message.h"

#include <string.h>

#include "base/als-bytes.h"

#define LENGTH_BYTES 4
#define BLOCK_HEAD_BYTES (1 + 2 + 4 + ALS_FILE_HASH_BYTES)
#define MAX_BLOCK_MESSAGE (BLOCK_HEAD_BYTES + ALS_FILE_BLOCK_BYTES)
#define MAX_OFFER_MESSAGE                                                                         \
  (1 + 1 + ALS_FILE_ID_BYTES + 2 + ALS_FILE_MAX_FILES * (2 + ALS_FILE_MAX_NAME + 8 + 8))
#define MAX_SMALL_MESSAGE 64

G_DEFINE_QUARK (als-file-message-error-quark, als_file_message_error)

AlsFileEntry *
als_file_entry_new (const char *name, uint64_t size, int64_t mtime_us)
{
  AlsFileEntry *self = g_new0 (AlsFileEntry, 1);

  self->name = g_strdup (name);
  self->size = size;
  self->mtime_us = mtime_us;
  return self;
}

void
als_file_entry_free (AlsFileEntry *self)
{
  g_free (self->name);
  g_free (self);
}

AlsFileMessage *
als_file_message_new (AlsFileMessageType type)
{
  AlsFileMessage *self = g_new0 (AlsFileMessage, 1);

  self->type = type;
  if (type == ALS_FILE_OFFER)
    {
      self->version = ALS_FILE_VERSION;
      self->files = g_ptr_array_new_with_free_func ((GDestroyNotify) als_file_entry_free);
    }
  return self;
}

void
als_file_message_free (AlsFileMessage *self)
{
  g_clear_pointer (&self->files, g_ptr_array_unref);
  g_clear_pointer (&self->data, g_bytes_unref);
  g_free (self);
}

static size_t
max_message (uint8_t type)
{
  switch (type)
    {
    case ALS_FILE_OFFER:
      return MAX_OFFER_MESSAGE;
    case ALS_FILE_BLOCK:
      return MAX_BLOCK_MESSAGE;
    default:
      return MAX_SMALL_MESSAGE;
    }
}

static void
decode_offer (AlsFileMessage *self, AlsReader *reader)
{
  guint n_files;

  als_reader_copy (reader, self->id, sizeof self->id);
  n_files = als_reader_u16 (reader);
  if (n_files == 0 || n_files > ALS_FILE_MAX_FILES)
    als_reader_fail (reader);
  for (guint i = 0; i < n_files && !reader->failed; i++)
    {
      uint64_t size = als_reader_u64 (reader);
      int64_t mtime_us = (int64_t) als_reader_u64 (reader);
      g_autofree char *name = als_reader_text (reader, ALS_FILE_MAX_NAME);

      if (name == NULL || *name == '\0' || size > ALS_FILE_MAX_SIZE)
        als_reader_fail (reader);
      else
        g_ptr_array_add (self->files, als_file_entry_new (name, size, mtime_us));
    }
}

static void
decode_block (AlsFileMessage *self, AlsReader *reader, GBytes *body)
{
  size_t len;

  self->file = als_reader_u16 (reader);
  self->index = als_reader_u32 (reader);
  als_reader_copy (reader, self->hash, sizeof self->hash);
  als_reader_rest (reader, &len);
  if (len == 0 || len > ALS_FILE_BLOCK_BYTES)
    als_reader_fail (reader);
  if (!reader->failed)
    self->data = g_bytes_new_from_bytes (body, BLOCK_HEAD_BYTES, len);
}

AlsFileMessage *
als_file_message_decode (GBytes *body, GError **error)
{
  g_autoptr (AlsFileMessage) self = NULL;
  AlsReader reader;
  size_t len;
  const uint8_t *data = g_bytes_get_data (body, &len);
  uint8_t type;

  als_reader_init (&reader, data, len);
  type = als_reader_u8 (&reader);
  if (len > max_message (type))
    als_reader_fail (&reader);
  self = als_file_message_new (type);
  switch (type)
    {
    case ALS_FILE_OFFER:
      self->version = als_reader_u8 (&reader);
      if (!reader.failed && self->version != ALS_FILE_VERSION)
        {
          g_set_error (error, ALS_FILE_MESSAGE_ERROR, ALS_FILE_MESSAGE_ERROR_VERSION,
                       "file offer of version %u", self->version);
          return NULL;
        }
      decode_offer (self, &reader);
      break;
    case ALS_FILE_ACCEPT:
    case ALS_FILE_DONE:
      break;
    case ALS_FILE_BLOCK:
      decode_block (self, &reader, body);
      break;
    case ALS_FILE_FILE_END:
      self->file = als_reader_u16 (&reader);
      als_reader_copy (&reader, self->hash, sizeof self->hash);
      break;
    case ALS_FILE_REPAIR:
      self->file = als_reader_u16 (&reader);
      self->index = als_reader_u32 (&reader);
      break;
    case ALS_FILE_PROGRESS:
      self->bytes = als_reader_u64 (&reader);
      break;
    case ALS_FILE_FILE_SAVED:
      self->file = als_reader_u16 (&reader);
      break;
    default:
      als_reader_fail (&reader);
      break;
    }
  if (!als_reader_done (&reader) || self->file >= ALS_FILE_MAX_FILES
      || self->index >= ALS_FILE_MAX_SIZE / ALS_FILE_BLOCK_BYTES
      || self->bytes > ALS_FILE_MAX_FILES * ALS_FILE_MAX_SIZE)
    {
      g_set_error (error, ALS_FILE_MESSAGE_ERROR, ALS_FILE_MESSAGE_ERROR_INVALID,
                   "malformed file message of type %u and %zu bytes", type, len);
      return NULL;
    }
  return g_steal_pointer (&self);
}

static gboolean
encode_offer (const AlsFileMessage *self, AlsWriter *writer)
{
  if (self->files->len == 0 || self->files->len > ALS_FILE_MAX_FILES)
    return FALSE;
  als_writer_u8 (writer, self->version);
  als_writer_bytes (writer, self->id, sizeof self->id);
  als_writer_u16 (writer, (uint16_t) self->files->len);
  for (guint i = 0; i < self->files->len; i++)
    {
      const AlsFileEntry *entry = g_ptr_array_index (self->files, i);
      size_t len = strlen (entry->name);

      if (len == 0 || len > ALS_FILE_MAX_NAME || entry->size > ALS_FILE_MAX_SIZE)
        return FALSE;
      als_writer_u64 (writer, entry->size);
      als_writer_u64 (writer, (uint64_t) entry->mtime_us);
      als_writer_text (writer, entry->name);
    }
  return TRUE;
}

GBytes *
als_file_message_encode (const AlsFileMessage *self)
{
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) body = NULL;
  size_t data_len = self->data != NULL ? g_bytes_get_size (self->data) : 0;

  if (self->file >= ALS_FILE_MAX_FILES
      || self->index >= ALS_FILE_MAX_SIZE / ALS_FILE_BLOCK_BYTES)
    return NULL;
  als_writer_init (&writer, LENGTH_BYTES + MAX_OFFER_MESSAGE);
  als_writer_u32 (&writer, 0); /* the length, below */
  als_writer_u8 (&writer, (uint8_t) self->type);
  switch (self->type)
    {
    case ALS_FILE_OFFER:
      if (!encode_offer (self, &writer))
        return NULL;
      break;
    case ALS_FILE_ACCEPT:
    case ALS_FILE_DONE:
      break;
    case ALS_FILE_BLOCK:
      if (data_len == 0 || data_len > ALS_FILE_BLOCK_BYTES)
        return NULL;
      als_writer_u16 (&writer, self->file);
      als_writer_u32 (&writer, self->index);
      als_writer_bytes (&writer, self->hash, sizeof self->hash);
      break;
    case ALS_FILE_FILE_END:
      als_writer_u16 (&writer, self->file);
      als_writer_bytes (&writer, self->hash, sizeof self->hash);
      break;
    case ALS_FILE_REPAIR:
      als_writer_u16 (&writer, self->file);
      als_writer_u32 (&writer, self->index);
      break;
    case ALS_FILE_PROGRESS:
      als_writer_u64 (&writer, self->bytes);
      break;
    case ALS_FILE_FILE_SAVED:
      als_writer_u16 (&writer, self->file);
      break;
    default:
      return NULL;
    }
  if (!writer.failed)
    {
      uint32_t len = GUINT32_TO_BE ((uint32_t) (writer.bytes->len - LENGTH_BYTES + data_len));

      memcpy (writer.bytes->data, &len, sizeof len);
    }
  return als_writer_steal (&writer);
}

void
als_file_parser_init (AlsFileParser *self)
{
  memset (self, 0, sizeof *self);
}

void
als_file_parser_clear (AlsFileParser *self)
{
  g_clear_pointer (&self->body, g_free);
  als_file_parser_init (self);
}

AlsFileMessage *
als_file_parser_push (AlsFileParser *self, const uint8_t **data, size_t *len, GError **error)
{
  g_autoptr (GBytes) body = NULL;
  size_t n;

  if (self->n_head < sizeof self->head)
    {
      AlsReader reader;

      n = MIN (*len, sizeof self->head - self->n_head);
      if (n > 0)
        memcpy (self->head + self->n_head, *data, n);
      self->n_head += (guint) n;
      *data += n;
      *len -= n;
      if (self->n_head < sizeof self->head)
        return NULL;
      als_reader_init (&reader, self->head, sizeof self->head);
      self->len = als_reader_u32 (&reader);
      if (self->len == 0 || self->len > max_message (self->head[LENGTH_BYTES]))
        {
          g_set_error (error, ALS_FILE_MESSAGE_ERROR, ALS_FILE_MESSAGE_ERROR_INVALID,
                       "file message of type %u and %zu bytes", self->head[LENGTH_BYTES],
                       self->len);
          return NULL;
        }
      self->body = g_malloc (self->len);
      self->body[0] = self->head[LENGTH_BYTES];
      self->have = 1;
    }
  n = MIN (*len, self->len - self->have);
  if (n > 0)
    memcpy (self->body + self->have, *data, n);
  self->have += n;
  *data += n;
  *len -= n;
  if (self->have < self->len)
    return NULL;
  body = g_bytes_new_take (g_steal_pointer (&self->body), self->len);
  als_file_parser_init (self);
  return als_file_message_decode (body, error);
}

size_t
als_file_parser_get_held (const AlsFileParser *self)
{
  return self->n_head < sizeof self->head ? self->n_head : LENGTH_BYTES + self->have;
}
