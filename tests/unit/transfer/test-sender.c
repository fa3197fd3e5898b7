/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A real sender before a receiver that asks for too much and breaks the rules. */
#include "config.h"

#include <string.h>

#include "transfer-fixture.h"

static gboolean
is_offer_there (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_OFFER) == 1;
}

static gboolean
is_failed_at_both (Fixture *f)
{
  return is_outgoing_over (f) && f->peer.closed;
}

static gboolean
are_two_ends_there (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_FILE_END) == 2;
}

/* Two files, "a" of 2 MiB + 1 and "b" of 10 bytes, offered. */
static void
begin (Fixture *f)
{
  fixture_init (f);
  f->peer_receives = TRUE;
  fixture_add_file (f, "a", 2 * MIB + 1, 1);
  fixture_add_file (f, "b", 10, 2);
  fixture_send (f);
  FIXTURE_WAIT (f, is_offer_there);
}

static void
begin_and_take_all (Fixture *f)
{
  begin (f);
  peer_send_simple (&f->peer, ALS_FILE_ACCEPT, 0, 0, 0);
  FIXTURE_WAIT (f, are_two_ends_there);
}

static void
end_refused (Fixture *f)
{
  FIXTURE_WAIT (f, is_failed_at_both);
  fixture_assert_failed (f->outgoing, ALS_TRANSFER_ERROR_PROTOCOL);
  g_assert_cmpuint (f->peer.code, ==, ALS_FILE_RESET_PROTOCOL);
  fixture_clear (f);
}

static void
test_goes_well (void)
{
  const AlsFileMessage *offer;
  const AlsFileEntry *entry;
  AlsTransferInfo info;
  Fixture f;

  begin_and_take_all (&f);
  offer = g_ptr_array_index (f.peer.got, 0);
  g_assert_cmpint (offer->type, ==, ALS_FILE_OFFER);
  g_assert_cmpuint (offer->files->len, ==, 2);
  entry = g_ptr_array_index (offer->files, 0);
  g_assert_cmpstr (entry->name, ==, "a");
  g_assert_cmpuint (entry->size, ==, 2 * MIB + 1);
  g_assert_cmpint (entry->mtime_us, >, INT64_C (1700000000) * G_USEC_PER_SEC);
  g_assert_cmpuint (peer_count (&f.peer, ALS_FILE_BLOCK), ==, 4);
  als_transfer_get_info (f.outgoing, &info);
  g_assert_cmpuint (info.bytes_done, ==, 0); /* sent is not stored */
  peer_send_simple (&f.peer, ALS_FILE_PROGRESS, 0, 0, MIB);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 0, 0, 0);
  fixture_settle (&f);
  als_transfer_get_info (f.outgoing, &info);
  g_assert_cmpuint (info.bytes_done, ==, MIB);
  g_assert_cmpuint (info.n_files_done, ==, 1);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 1, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_DONE, 0, 0, 0);
  FIXTURE_WAIT (&f, is_outgoing_over);
  g_assert_no_error (als_transfer_get_error (f.outgoing));
  als_channel_finish (f.peer.channel);
  FIXTURE_WAIT (&f, is_peer_closed);
  g_assert_true (f.peer.finished);
  g_assert_cmpuint (f.peer.code, ==, 0);
  fixture_clear (&f);
}

static gboolean
is_repair_there (Fixture *f)
{
  return peer_count (&f->peer, ALS_FILE_BLOCK) == 5;
}

static void
test_repairs (void)
{
  const AlsFileMessage *first = NULL, *again;
  Fixture f;

  begin_and_take_all (&f);
  for (guint i = 0; i < f.peer.got->len; i++)
    {
      const AlsFileMessage *message = g_ptr_array_index (f.peer.got, i);

      if (message->type == ALS_FILE_BLOCK && message->file == 0 && message->index == 1)
        first = message;
    }
  g_assert_nonnull (first);
  peer_send_simple (&f.peer, ALS_FILE_REPAIR, 0, 1, 0);
  FIXTURE_WAIT (&f, is_repair_there);
  again = g_ptr_array_index (f.peer.got, f.peer.got->len - 1);
  g_assert_cmpuint (again->file, ==, 0);
  g_assert_cmpuint (again->index, ==, 1);
  g_assert_true (g_bytes_equal (again->data, first->data));
  g_assert_cmpmem (again->hash, sizeof again->hash, first->hash, sizeof first->hash);
  fixture_settle (&f);
  g_assert_cmpuint (peer_count (&f.peer, ALS_FILE_FILE_END), ==, 2); /* not ended again */
  fixture_clear (&f);
}

static void
test_before_answer (gconstpointer data)
{
  Fixture f;

  begin (&f);
  peer_send_simple (&f.peer, GPOINTER_TO_INT (data), 0, 0, 0);
  end_refused (&f);
}

static void
test_accept_twice (void)
{
  Fixture f;

  begin (&f);
  peer_send_simple (&f.peer, ALS_FILE_ACCEPT, 0, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_ACCEPT, 0, 0, 0);
  end_refused (&f);
}

static void
test_repair_of_unknown (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_REPAIR, 2, 0, 0);
  end_refused (&f);
  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_REPAIR, 0, 3, 0);
  end_refused (&f);
}

static void
test_repair_of_saved (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 0, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_REPAIR, 0, 0, 0);
  end_refused (&f);
}

static void
test_repair_flood (void)
{
  Fixture f;

  begin_and_take_all (&f);
  for (guint i = 0; i < 1000; i++)
    peer_send_simple (&f.peer, ALS_FILE_REPAIR, 0, 0, 0);
  end_refused (&f);
}

static void
test_repair_too_early (void)
{
  Fixture f;

  fixture_init (&f);
  f.peer_receives = TRUE;
  fixture_add_file (&f, "a", 200 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_offer_there);
  fake_sessions_hold (f.sessions, 0, TRUE);
  peer_send_simple (&f.peer, ALS_FILE_ACCEPT, 0, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_REPAIR, 0, 199, 0);
  FIXTURE_WAIT (&f, is_outgoing_over);
  fake_sessions_hold (f.sessions, 0, FALSE);
  end_refused (&f);
}

static void
test_saved_twice (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 1, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 1, 0, 0);
  end_refused (&f);
}

static void
test_progress_beyond_sent (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_PROGRESS, 0, 0, 2 * MIB + 12);
  end_refused (&f);
}

static void
test_progress_backwards (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_PROGRESS, 0, 0, 100);
  peer_send_simple (&f.peer, ALS_FILE_PROGRESS, 0, 0, 99);
  end_refused (&f);
}

static void
test_done_too_early (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_simple (&f.peer, ALS_FILE_FILE_SAVED, 0, 0, 0);
  peer_send_simple (&f.peer, ALS_FILE_DONE, 0, 0, 0);
  end_refused (&f);
}

static void
test_senders_message (void)
{
  Fixture f;

  begin_and_take_all (&f);
  peer_send_block (&f.peer, 0, 0, "x", 1, FALSE);
  end_refused (&f);
}

static void
test_finishes (void)
{
  Fixture f;

  begin_and_take_all (&f);
  als_channel_finish (f.peer.channel);
  end_refused (&f);
}

static void
test_reset (void)
{
  static const AlsTransferError errors[] = {
    [ALS_FILE_RESET_DECLINED] = ALS_TRANSFER_ERROR_DECLINED,
    [ALS_FILE_RESET_CANCELLED] = ALS_TRANSFER_ERROR_PEER_CANCELLED,
    [ALS_FILE_RESET_READ] = ALS_TRANSFER_ERROR_PEER_READ,
    [ALS_FILE_RESET_WRITE] = ALS_TRANSFER_ERROR_PEER_WRITE,
    [ALS_FILE_RESET_DISK_FULL] = ALS_TRANSFER_ERROR_PEER_DISK_FULL,
    [ALS_FILE_RESET_DAMAGED] = ALS_TRANSFER_ERROR_DAMAGED,
    [ALS_FILE_RESET_PROTOCOL] = ALS_TRANSFER_ERROR_PROTOCOL,
  };

  for (guint32 code = 1; code < G_N_ELEMENTS (errors); code++)
    {
      Fixture f;

      begin (&f);
      als_channel_reset (f.peer.channel, code);
      FIXTURE_WAIT (&f, is_outgoing_over);
      fixture_assert_failed (f.outgoing, errors[code]);
      fixture_clear (&f);
    }
}

/* A receiver that takes nothing makes the sender wait, with a few blocks in hand. */
static void
test_waits (void)
{
  AlsTransferInfo info;
  Fixture f;

  fixture_init (&f);
  f.peer_receives = TRUE;
  fixture_add_file (&f, "a", 40 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_offer_there);
  fake_sessions_hold (f.sessions, 0, TRUE);
  peer_send_simple (&f.peer, ALS_FILE_ACCEPT, 0, 0, 0);
  FIXTURE_WAIT (&f, is_outgoing_active);
  fixture_settle (&f);
  als_transfer_get_info (f.outgoing, &info);
  g_assert_cmpint (info.seconds_left, ==, -1);
  fake_sessions_hold (f.sessions, 0, FALSE);
  als_transfer_cancel (f.outgoing);
  FIXTURE_WAIT (&f, is_peer_closed);
  g_assert_cmpuint (f.peer.code, ==, ALS_FILE_RESET_CANCELLED);
  g_assert_cmpuint (peer_count (&f.peer, ALS_FILE_BLOCK), <=, 1);
  fixture_clear (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define P "/transfer/sender/"
  g_test_add_func (P "offers-sends-and-believes-what-is-stored", test_goes_well);
  g_test_add_func (P "sends-one-block-again", test_repairs);
  g_test_add_data_func (P "takes-no-progress-before-the-answer",
                        GINT_TO_POINTER (ALS_FILE_PROGRESS), test_before_answer);
  g_test_add_data_func (P "takes-no-repair-before-the-answer", GINT_TO_POINTER (ALS_FILE_REPAIR),
                        test_before_answer);
  g_test_add_data_func (P "takes-no-done-before-the-answer", GINT_TO_POINTER (ALS_FILE_DONE),
                        test_before_answer);
  g_test_add_func (P "takes-one-acceptance", test_accept_twice);
  g_test_add_func (P "repairs-no-unknown-block", test_repair_of_unknown);
  g_test_add_func (P "repairs-no-saved-file", test_repair_of_saved);
  g_test_add_func (P "repairs-so-many-blocks-at-once", test_repair_flood);
  g_test_add_func (P "repairs-nothing-that-was-not-sent", test_repair_too_early);
  g_test_add_func (P "takes-a-file-as-saved-once", test_saved_twice);
  g_test_add_func (P "takes-no-progress-beyond-what-it-sent", test_progress_beyond_sent);
  g_test_add_func (P "takes-no-progress-backwards", test_progress_backwards);
  g_test_add_func (P "takes-no-done-before-all-is-saved", test_done_too_early);
  g_test_add_func (P "is-sent-no-blocks", test_senders_message);
  g_test_add_func (P "notices-that-the-receiver-stopped", test_finishes);
  g_test_add_func (P "tells-every-end-apart", test_reset);
  g_test_add_func (P "waits-for-a-slow-receiver-and-cancels-at-once", test_waits);
  return g_test_run ();
}
