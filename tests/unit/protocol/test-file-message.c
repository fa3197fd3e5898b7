/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/als-file-message.h"

#include <string.h>

static GBytes *
encode_whole (const AlsFileMessage *message)
{
  g_autoptr (GBytes) head = als_file_message_encode (message);
  GByteArray *all = g_byte_array_new ();

  g_assert_nonnull (head);
  g_byte_array_append (all, g_bytes_get_data (head, NULL), (guint) g_bytes_get_size (head));
  if (message->data != NULL)
    g_byte_array_append (all, g_bytes_get_data (message->data, NULL),
                         (guint) g_bytes_get_size (message->data));
  return g_byte_array_free_to_bytes (all);
}

static void
test_block_in_pieces (void)
{
  g_autoptr (AlsFileMessage) block = als_file_message_new (ALS_FILE_BLOCK);
  g_autoptr (AlsFileMessage) got = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_auto (AlsFileParser) parser = { 0 };
  g_autofree uint8_t *data = g_malloc (ALS_FILE_BLOCK_BYTES);
  const uint8_t *at;
  size_t len;

  memset (data, 'x', ALS_FILE_BLOCK_BYTES);
  block->file = 3;
  block->index = 99;
  memset (block->hash, 7, sizeof block->hash);
  block->data = g_bytes_new (data, ALS_FILE_BLOCK_BYTES);
  bytes = encode_whole (block);
  at = g_bytes_get_data (bytes, &len);
  als_file_parser_init (&parser);
  while (len > 0)
    {
      size_t piece = MIN (len, 1000);

      g_assert_null (got);
      len -= piece;
      got = als_file_parser_push (&parser, &at, &piece, NULL);
      g_assert_cmpuint (piece, ==, 0);
    }
  g_assert_nonnull (got);
  g_assert_cmpuint (als_file_parser_get_held (&parser), ==, 0);
  g_assert_cmpuint (got->file, ==, 3);
  g_assert_cmpuint (got->index, ==, 99);
  g_assert_cmpmem (got->hash, sizeof got->hash, block->hash, sizeof block->hash);
  g_assert_true (g_bytes_equal (got->data, block->data));
}

static void
test_largest_offer (void)
{
  g_autoptr (AlsFileMessage) offer = als_file_message_new (ALS_FILE_OFFER);
  g_autoptr (AlsFileMessage) got = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_auto (AlsFileParser) parser = { 0 };
  g_autofree char *name = g_strnfill (ALS_FILE_MAX_NAME, 'n');
  const AlsFileEntry *entry;
  const uint8_t *at;
  size_t len;

  for (guint i = 0; i < ALS_FILE_MAX_FILES; i++)
    g_ptr_array_add (offer->files, als_file_entry_new (name, ALS_FILE_MAX_SIZE, -(int64_t) i));
  bytes = encode_whole (offer);
  at = g_bytes_get_data (bytes, &len);
  als_file_parser_init (&parser);
  got = als_file_parser_push (&parser, &at, &len, NULL);
  g_assert_nonnull (got);
  g_assert_cmpuint (got->files->len, ==, ALS_FILE_MAX_FILES);
  entry = g_ptr_array_index (got->files, 999);
  g_assert_cmpstr (entry->name, ==, name);
  g_assert_cmpuint (entry->size, ==, ALS_FILE_MAX_SIZE);
  g_assert_cmpint (entry->mtime_us, ==, -999);
}

static void
test_out_of_bounds (void)
{
  g_autoptr (AlsFileMessage) offer = als_file_message_new (ALS_FILE_OFFER);
  g_autoptr (AlsFileMessage) block = als_file_message_new (ALS_FILE_BLOCK);
  g_autoptr (AlsFileMessage) repair = als_file_message_new (ALS_FILE_REPAIR);
  g_autofree char *name = g_strnfill (ALS_FILE_MAX_NAME + 1, 'n');

  g_assert_null (als_file_message_encode (offer)); /* of nothing */
  g_ptr_array_add (offer->files, als_file_entry_new (name, 1, 0));
  g_assert_null (als_file_message_encode (offer));
  g_ptr_array_set_size (offer->files, 0);
  g_ptr_array_add (offer->files, als_file_entry_new ("a", ALS_FILE_MAX_SIZE + 1, 0));
  g_assert_null (als_file_message_encode (offer));
  g_assert_null (als_file_message_encode (block)); /* without data */
  repair->file = ALS_FILE_MAX_FILES;
  g_assert_null (als_file_message_encode (repair));
}

static void
assert_refused (const void *data, size_t len)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, len);
  g_autoptr (AlsFileMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  message = als_file_message_decode (bytes, &error);
  g_assert_null (message);
  g_assert_error (error, ALS_FILE_MESSAGE_ERROR, ALS_FILE_MESSAGE_ERROR_INVALID);
}

static void
test_malformed (void)
{
  assert_refused ("", 0);
  assert_refused ("\x02x", 2);                     /* something after ACCEPT */
  assert_refused ("\x05\x00\x01\x00", 4);          /* half a REPAIR */
  assert_refused ("\x07\x03\xe8", 3);              /* file 1000 */
  assert_refused ("\x05\x00\x00\x00\x80\x00\x00", 7); /* block 2^23 */
  assert_refused ("\x63", 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/protocol/file-message/a-block-comes-in-any-pieces", test_block_in_pieces);
  g_test_add_func ("/protocol/file-message/the-largest-offer-fits", test_largest_offer);
  g_test_add_func ("/protocol/file-message/writes-nothing-out-of-bounds", test_out_of_bounds);
  g_test_add_func ("/protocol/file-message/refuses-what-is-malformed", test_malformed);
  return g_test_run ();
}
