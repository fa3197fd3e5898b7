/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A stream of file messages: whatever is understood must say the same when it is
 * written and read again. */

#include "config.h"

#include "protocol/als-file-message.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_again (const AlsFileMessage *message)
{
  g_autoptr (GBytes) head = als_file_message_encode (message);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (AlsFileMessage) again = NULL;
  g_auto (AlsFileParser) parser = { 0 };
  const uint8_t *data;
  size_t len;

  g_assert_nonnull (head);
  g_byte_array_append (bytes, g_bytes_get_data (head, NULL), (guint) g_bytes_get_size (head));
  if (message->data != NULL)
    g_byte_array_append (bytes, g_bytes_get_data (message->data, NULL),
                         (guint) g_bytes_get_size (message->data));
  data = bytes->data;
  len = bytes->len;
  als_file_parser_init (&parser);
  again = als_file_parser_push (&parser, &data, &len, NULL);
  g_assert_nonnull (again);
  g_assert_cmpuint (len, ==, 0);
  g_assert_cmpint (again->type, ==, message->type);
  g_assert_cmpuint (again->file, ==, message->file);
  g_assert_cmpuint (again->index, ==, message->index);
  g_assert_cmpuint (again->bytes, ==, message->bytes);
  g_assert_cmpmem (again->hash, sizeof again->hash, message->hash, sizeof message->hash);
  g_assert_cmpmem (again->id, sizeof again->id, message->id, sizeof message->id);
  g_assert_true ((again->data == NULL) == (message->data == NULL));
  g_assert_true (message->data == NULL || g_bytes_equal (again->data, message->data));
  for (guint i = 0; message->files != NULL && i < message->files->len; i++)
    {
      const AlsFileEntry *a = g_ptr_array_index (message->files, i);
      const AlsFileEntry *b = g_ptr_array_index (again->files, i);

      g_assert_cmpstr (a->name, ==, b->name);
      g_assert_cmpuint (a->size, ==, b->size);
      g_assert_cmpint (a->mtime_us, ==, b->mtime_us);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_auto (AlsFileParser) parser = { 0 };
  /* The first byte says in which pieces the rest comes. */
  size_t piece_bytes = size > 0 && data[0] != 0 ? data[0] : SIZE_MAX;

  als_file_parser_init (&parser);
  if (size > 0)
    {
      data++;
      size--;
    }
  while (size > 0)
    {
      size_t piece = MIN (piece_bytes, size);
      const uint8_t *at = data;

      data += piece;
      size -= piece;
      while (piece > 0)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (AlsFileMessage) message
            = als_file_parser_push (&parser, &at, &piece, &error);

          if (error != NULL)
            return 0;
          if (message != NULL)
            check_again (message);
        }
    }
  return 0;
}
