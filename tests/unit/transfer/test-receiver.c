/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A real receiver before a sender that damages, lies and breaks the rules. */
#include "config.h"

#include <string.h>

#include "transfer-fixture.h"

static gboolean
is_failed_at_both (Fixture *f)
{
  return is_incoming_over (f) && f->peer.closed;
}

/* The peer offers one file of SIZE bytes, and it is accepted. */
static void
begin (Fixture *f, const char *name, uint64_t size)
{
  fixture_init (f);
  fixture_connect_peer_as_sender (f);
  peer_send_offer (&f->peer, name, size);
  FIXTURE_WAIT (f, is_incoming_offered);
  als_transfer_accept (f->incoming);
  FIXTURE_WAIT (f, is_incoming_active);
}

static void
end_refused (Fixture *f, AlsTransferError error, AlsFileReset code)
{
  FIXTURE_WAIT (f, is_failed_at_both);
  fixture_assert_failed (f->incoming, error);
  g_assert_cmpuint (f->peer.code, ==, code);
  g_assert_cmpuint (fixture_count_to (f), ==, 0);
  fixture_clear (f);
}

static void
end_protocol (Fixture *f)
{
  end_refused (f, ALS_TRANSFER_ERROR_PROTOCOL, ALS_FILE_RESET_PROTOCOL);
}

static gboolean
is_peer_told_done (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_DONE) == 1;
}

static gboolean
is_repair_wanted (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_REPAIR) > 0;
}

static void
assert_saved_as (const char *offered, const char *expected)
{
  g_autofree char *path = NULL, *text = NULL;
  Fixture f;

  begin (&f, offered, 5);
  g_assert_cmpstr (als_transfer_get_name (f.incoming, 0), ==, expected);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  FIXTURE_WAIT (&f, is_peer_told_done);
  path = g_build_filename (f.to, expected, NULL);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "hello");
  g_assert_cmpuint (fixture_count_to (&f), ==, 1);
  fixture_clear (&f);
}

static void
test_parent_names (void)
{
  assert_saved_as ("../escaped", "_.._escaped");
  assert_saved_as ("..", "_..");
  assert_saved_as ("../../../../../../etc/cron.d/x", "_.._.._.._.._.._.._etc_cron.d_x");
}

static void
test_other_names (void)
{
  assert_saved_as ("/etc/passwd", "_etc_passwd");
  assert_saved_as ("sub/dir/file", "sub_dir_file");
  assert_saved_as (".profile", "_.profile");
  assert_saved_as ("invoice\u202efdp.exe", "invoicefdp.exe");
}

static void
test_repair (void)
{
  g_autofree uint8_t *data = g_malloc0 (3 * MIB);
  AlsTransferInfo info;
  Fixture f;

  begin (&f, "a", 3 * MIB);
  peer_send_block (&f.peer, 0, 0, data, MIB, FALSE);
  peer_send_block (&f.peer, 0, 1, data, MIB, TRUE);
  peer_send_block (&f.peer, 0, 2, data, MIB, FALSE);
  peer_send_end (&f.peer, 0, data, 3 * MIB, FALSE);
  FIXTURE_WAIT (&f, is_repair_wanted);
  fixture_settle (&f);
  als_transfer_get_info (f.incoming, &info);
  g_assert_cmpuint (info.bytes_done, <=, 2 * MIB);
  g_assert_cmpint (info.state, ==, ALS_TRANSFER_ACTIVE);
  peer_send_block (&f.peer, 0, 1, data, MIB, FALSE);
  FIXTURE_WAIT (&f, is_peer_told_done);
  g_assert_cmpuint (peer_count (&f.peer, ALS_FILE_REPAIR), ==, 1);
  g_assert_cmpuint (peer_count (&f.peer, ALS_FILE_FILE_SAVED), ==, 1);
  als_channel_finish (f.peer.channel);
  FIXTURE_WAIT (&f, is_incoming_over);
  g_assert_no_error (als_transfer_get_error (f.incoming));
  als_transfer_get_info (f.incoming, &info);
  g_assert_cmpuint (info.bytes_done, ==, 3 * MIB);
  fixture_clear (&f);
}

/* Once all is saved the receiver waits for the sender's finish; nothing else can spoil it. */
static void
test_done (gconstpointer data)
{
  const char *how = data;
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  FIXTURE_WAIT (&f, is_peer_told_done);
  g_assert_true (is_incoming_active (&f));
  if (g_str_equal (how, "reset"))
    als_channel_reset (f.peer.channel, ALS_FILE_RESET_CANCELLED);
  else if (g_str_equal (how, "session"))
    fake_sessions_end (f.sessions);
  else if (g_str_equal (how, "cancel"))
    als_transfer_cancel (f.incoming);
  else if (g_str_equal (how, "more"))
    peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  else
    als_channel_finish (f.peer.channel);
  FIXTURE_WAIT (&f, is_incoming_over);
  g_assert_cmpint (fixture_state (f.incoming), ==, ALS_TRANSFER_DONE);
  g_assert_no_error (als_transfer_get_error (f.incoming));
  g_assert_nonnull (als_transfer_get_saved (f.incoming, 0));
  g_assert_cmpuint (fixture_count_to (&f), ==, 1);
  fixture_clear (&f);
}

static gboolean
is_repair_wanted_again_or_failed (Fixture *f)
{
  static guint seen;
  guint now = peer_count (&f->peer, ALS_FILE_REPAIR);

  if (f->peer.closed || now > seen)
    {
      seen = now;
      return TRUE;
    }
  return FALSE;
}

static void
test_always_damaged (void)
{
  guint n_sent = 0;
  Fixture f;

  begin (&f, "a", 5);
  while (!f.peer.closed)
    {
      peer_send_block (&f.peer, 0, 0, "hello", 5, TRUE);
      g_assert_cmpuint (++n_sent, <, 10);
      FIXTURE_WAIT (&f, is_repair_wanted_again_or_failed);
    }
  g_assert_cmpuint (n_sent, ==, 4);
  end_refused (&f, ALS_TRANSFER_ERROR_DAMAGED, ALS_FILE_RESET_DAMAGED);
}

static void
test_wrong_root (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_end (&f.peer, 0, "hello", 5, TRUE);
  end_refused (&f, ALS_TRANSFER_ERROR_DAMAGED, ALS_FILE_RESET_DAMAGED);
}

static void
test_no_offer (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_connect_peer_as_sender (&f);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_two_offers (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_connect_peer_as_sender (&f);
  peer_send_offer (&f.peer, "a", 5);
  peer_send_offer (&f.peer, "b", 5);
  end_protocol (&f);
}

static void
test_data_before_accept (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_connect_peer_as_sender (&f);
  peer_send_offer (&f.peer, "a", 5);
  FIXTURE_WAIT (&f, is_incoming_offered);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_unknown_file (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 1, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_block_beyond_end (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 1, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_block_of_wrong_length (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 0, "hello!", 6, FALSE);
  end_protocol (&f);
  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 0, "hell", 4, FALSE);
  end_protocol (&f);
}

static void
test_block_of_empty_file (void)
{
  Fixture f;

  begin (&f, "a", 0);
  peer_send_block (&f.peer, 0, 0, "x", 1, FALSE);
  end_protocol (&f);
}

static void
test_block_twice (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_early_end (void)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
offer_two (Fixture *f)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_OFFER);

  fixture_init (f);
  fixture_connect_peer_as_sender (f);
  g_ptr_array_add (message->files, als_file_entry_new ("a", 5, 0));
  g_ptr_array_add (message->files, als_file_entry_new ("b", 5, 0));
  peer_send (&f->peer, message);
  FIXTURE_WAIT (f, is_incoming_offered);
  als_transfer_accept (f->incoming);
  FIXTURE_WAIT (f, is_incoming_active);
}

static gboolean
is_one_saved (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_FILE_SAVED) == 1;
}

static void
test_double_end (void)
{
  Fixture f;

  offer_two (&f);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  FIXTURE_WAIT (&f, is_one_saved);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  FIXTURE_WAIT (&f, is_failed_at_both);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_PROTOCOL);
  g_assert_cmpuint (fixture_count_to (&f), ==, 1); /* the whole file stays */
  fixture_clear (&f);
}

static void
test_second_file_first (void)
{
  Fixture f;

  offer_two (&f);
  peer_send_block (&f.peer, 1, 0, "hello", 5, FALSE);
  end_protocol (&f);
}

static void
test_old_file_again (void)
{
  Fixture f;

  offer_two (&f);
  peer_send_block (&f.peer, 0, 0, "hello", 5, FALSE);
  peer_send_end (&f.peer, 0, "hello", 5, FALSE);
  FIXTURE_WAIT (&f, is_one_saved);
  peer_send_block (&f.peer, 0, 0, "HELLO", 5, FALSE);
  FIXTURE_WAIT (&f, is_failed_at_both);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_PROTOCOL);
  fixture_clear (&f);
}

static void
test_receivers_message (gconstpointer data)
{
  Fixture f;

  begin (&f, "a", 5);
  peer_send_simple (&f.peer, GPOINTER_TO_INT (data), 0, 0, 5);
  end_protocol (&f);
}

static void
test_garbage (gconstpointer data)
{
  GBytes *bytes = (GBytes *) data;
  Fixture f;

  fixture_init (&f);
  fixture_connect_peer_as_sender (&f);
  peer_send_raw (&f.peer, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  end_protocol (&f);
}

static void
test_oversized_block (void)
{
  static const uint8_t head[] = { 0, 0x10, 0, 40, ALS_FILE_BLOCK }; /* one byte too many */
  Fixture f;

  begin (&f, "a", 5 * MIB);
  peer_send_raw (&f.peer, head, sizeof head);
  end_protocol (&f);
}

static void
test_newer_version (void)
{
  g_autoptr (AlsFileMessage) message = als_file_message_new (ALS_FILE_OFFER);
  Fixture f;

  fixture_init (&f);
  fixture_connect_peer_as_sender (&f);
  message->version = ALS_FILE_VERSION + 1;
  g_ptr_array_add (message->files, als_file_entry_new ("a", 5, 0));
  peer_send (&f.peer, message);
  FIXTURE_WAIT (&f, is_failed_at_both);
  g_assert_nonnull (strstr (als_transfer_get_error (f.incoming)->message, "version"));
  end_protocol (&f);
}

static void
test_stops_in_the_middle (void)
{
  Fixture f;

  begin (&f, "a", 5 * MIB);
  als_channel_finish (f.peer.channel);
  end_protocol (&f);
}

static void
test_reset (gconstpointer data)
{
  static const AlsTransferError errors[] = {
    [ALS_FILE_RESET_DECLINED] = ALS_TRANSFER_ERROR_PEER_CANCELLED,
    [ALS_FILE_RESET_CANCELLED] = ALS_TRANSFER_ERROR_PEER_CANCELLED,
    [ALS_FILE_RESET_READ] = ALS_TRANSFER_ERROR_PEER_READ,
    [ALS_FILE_RESET_WRITE] = ALS_TRANSFER_ERROR_PEER_WRITE,
    [ALS_FILE_RESET_DISK_FULL] = ALS_TRANSFER_ERROR_PEER_DISK_FULL,
    [ALS_FILE_RESET_DAMAGED] = ALS_TRANSFER_ERROR_DAMAGED,
    [ALS_FILE_RESET_PROTOCOL] = ALS_TRANSFER_ERROR_PROTOCOL,
    [ALS_FILE_RESET_PROTOCOL + 1] = ALS_TRANSFER_ERROR_PROTOCOL, /* none we know */
  };
  g_autofree uint8_t *block = g_malloc0 (MIB);

  for (guint32 code = 1; code < G_N_ELEMENTS (errors); code++)
    {
      Fixture f;

      begin (&f, "a", 2 * MIB);
      peer_send_block (&f.peer, 0, 0, block, MIB, FALSE);
      als_channel_reset (f.peer.channel, code);
      FIXTURE_WAIT (&f, is_incoming_over);
      fixture_assert_failed (f.incoming, errors[code]);
      g_assert_cmpuint (fixture_count_to (&f), ==, 0);
      fixture_clear (&f);
    }
}

/* The peer floods; what waits here stays within the channel's window and our own few blocks. */
static void
test_late_damage_is_bounded (void)
{
  g_autofree uint8_t *block = g_malloc0 (MIB);
  Fixture f;

  begin (&f, "a", UINT64_C (1000) * MIB);
  peer_send_block (&f.peer, 0, 0, block, MIB, TRUE);
  for (guint i = 1; i < 300; i++)
    {
      peer_send_block (&f.peer, 0, i, block, MIB, FALSE);
      fixture_settle (&f);
    }
  end_protocol (&f);
}

int
main (int argc, char **argv)
{
  static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, ALS_FILE_OFFER };
  static const uint8_t unknown[] = { 0, 0, 0, 1, 77 };
  static const uint8_t nothing[] = { 0, 0, 0, 0, 1 };
  static const uint8_t no_files[] = { 0, 0, 0, 20, ALS_FILE_OFFER, 1, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0,  0,              0, 0, 0, 0, 0, 0, 0 };

  g_test_init (&argc, &argv, NULL);
#define P "/transfer/receiver/"
  g_test_add_func (P "rejects-parent-directory-name", test_parent_names);
  g_test_add_func (P "keeps-strange-names-in-its-folder", test_other_names);
  g_test_add_data_func (P "is-done-when-the-sender-finishes", "finish", test_done);
  g_test_add_data_func (P "is-done-when-the-sender-resets-late", "reset", test_done);
  g_test_add_data_func (P "is-done-when-the-session-ends-late", "session", test_done);
  g_test_add_data_func (P "is-done-when-cancelled-late", "cancel", test_done);
  g_test_add_data_func (P "is-done-when-more-comes-late", "more", test_done);
  g_test_add_func (P "asks-for-a-damaged-block-again", test_repair);
  g_test_add_func (P "gives-up-on-a-block-that-is-always-damaged", test_always_damaged);
  g_test_add_func (P "a-wrong-root-leaves-nothing", test_wrong_root);
  g_test_add_func (P "takes-no-data-without-an-offer", test_no_offer);
  g_test_add_func (P "takes-one-offer", test_two_offers);
  g_test_add_func (P "takes-no-data-before-it-accepted", test_data_before_accept);
  g_test_add_func (P "takes-no-block-of-an-unknown-file", test_unknown_file);
  g_test_add_func (P "takes-no-block-beyond-the-end", test_block_beyond_end);
  g_test_add_func (P "takes-no-block-of-the-wrong-length", test_block_of_wrong_length);
  g_test_add_func (P "takes-no-block-of-an-empty-file", test_block_of_empty_file);
  g_test_add_func (P "takes-no-block-twice", test_block_twice);
  g_test_add_func (P "takes-no-end-before-the-blocks", test_early_end);
  g_test_add_func (P "takes-no-second-end", test_double_end);
  g_test_add_func (P "takes-files-in-order", test_second_file_first);
  g_test_add_func (P "takes-nothing-more-of-a-saved-file", test_old_file_again);
  g_test_add_data_func (P "is-sent-no-acceptance", GINT_TO_POINTER (ALS_FILE_ACCEPT),
                        test_receivers_message);
  g_test_add_data_func (P "is-sent-no-repair", GINT_TO_POINTER (ALS_FILE_REPAIR),
                        test_receivers_message);
  g_test_add_data_func (P "is-sent-no-progress", GINT_TO_POINTER (ALS_FILE_PROGRESS),
                        test_receivers_message);
  g_test_add_data_func (P "is-sent-no-done", GINT_TO_POINTER (ALS_FILE_DONE),
                        test_receivers_message);
  g_test_add_data_func_full (P "refuses-a-huge-message", g_bytes_new_static (huge, sizeof huge),
                             test_garbage, (GDestroyNotify) g_bytes_unref);
  g_test_add_data_func_full (P "refuses-an-unknown-message",
                             g_bytes_new_static (unknown, sizeof unknown), test_garbage,
                             (GDestroyNotify) g_bytes_unref);
  g_test_add_data_func_full (P "refuses-an-empty-message",
                             g_bytes_new_static (nothing, sizeof nothing), test_garbage,
                             (GDestroyNotify) g_bytes_unref);
  g_test_add_data_func_full (P "refuses-an-offer-of-nothing",
                             g_bytes_new_static (no_files, sizeof no_files), test_garbage,
                             (GDestroyNotify) g_bytes_unref);
  g_test_add_func (P "refuses-an-oversized-block", test_oversized_block);
  g_test_add_func (P "refuses-a-newer-version", test_newer_version);
  g_test_add_func (P "notices-that-the-sender-stopped", test_stops_in_the_middle);
  g_test_add_data_func (P "tells-every-end-apart", NULL, test_reset);
  g_test_add_func (P "blocks-behind-a-hole-are-bounded", test_late_damage_is_bounded);
  return g_test_run ();
}
