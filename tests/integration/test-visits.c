/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Visits in one process against the real server: consent, ends, and fifty at once. */

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "visit/als-visit.h"

/* Of fifty at once, too. */
#define ALS_WAIT_S 60
#include "als-test-server.h"
#include "als-wait.h"

#define N_PAIRS 25

static char *server_uri; /* of the server that main () starts */
static uint16_t last_port; /* of the visits that are made next */

typedef struct
{
  AlsVisit *inviter;
  AlsVisit *joiner;
  char *folder;        /* where the joiner saves */
  AlsVisitPermission answer;
} Pair;

static AlsVisit *
visit_new (const char *folder)
{
  const char *servers[] = { server_uri, NULL };
  AlsVisitConfig config = { 0 };

  config.servers = servers;
  config.loopback = TRUE;
  config.name = "Test";
  config.download_folder = folder;
  config.screen = ALS_SCREEN_TEST_PATTERN;
  config.last_local_port = last_port;
  return als_visit_new (&config);
}

static void
inviter_state_cb (AlsVisit *visit, GParamSpec *pspec, Pair *pair)
{
  if (als_visit_get_state (visit) == ALS_VISIT_ASKING)
    als_visit_answer (visit, pair->answer);
}

static void
accept_cb (AlsVisit *visit, AlsVisitTransfer *transfer, gpointer user_data)
{
  als_visit_transfer_accept (transfer);
}

static Pair *
pair_new (AlsVisitPermission answer)
{
  Pair *pair = g_new0 (Pair, 1);

  pair->folder = g_dir_make_tmp ("als-visits-XXXXXX", NULL);
  pair->answer = answer;
  pair->inviter = visit_new (pair->folder);
  pair->joiner = visit_new (pair->folder);
  g_signal_connect (pair->inviter, "notify::state", G_CALLBACK (inviter_state_cb), pair);
  g_signal_connect (pair->joiner, "transfer-added", G_CALLBACK (accept_cb), NULL);
  als_visit_invite (pair->inviter);
  return pair;
}

static void
pair_free (Pair *pair)
{
  g_autoptr (GDir) dir = g_dir_open (pair->folder, 0, NULL);
  const char *name;

  g_signal_handlers_disconnect_by_data (pair->inviter, pair);
  g_object_unref (pair->inviter);
  g_object_unref (pair->joiner);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (pair->folder, name, NULL);

      g_unlink (path);
    }
  g_rmdir (pair->folder);
  g_free (pair->folder);
  g_free (pair);
}

static gboolean
state_is (AlsVisit *visit, AlsVisitState state)
{
  return als_visit_get_state (visit) == state;
}

static gboolean
ended_with (AlsVisit *visit, AlsVisitError code)
{
  return state_is (visit, ALS_VISIT_ENDED)
         && g_error_matches (als_visit_get_error (visit), ALS_VISIT_ERROR, (int) code);
}

static void
join (Pair *pair)
{
  als_wait_until (state_is (pair->inviter, ALS_VISIT_CODE_READY));
  g_assert_true (als_visit_shows_code (pair->inviter, als_visit_get_code (pair->inviter)));
  g_assert_false (als_visit_shows_code (pair->inviter, "000 000 000 000"));
  g_assert_true (als_visit_join (pair->joiner, als_visit_get_code (pair->inviter), NULL));
}

static void
test_allow_and_stop (void)
{
  Pair *pair = pair_new (ALS_VISIT_SEE_SCREEN);

  join (pair);
  als_wait_until (state_is (pair->joiner, ALS_VISIT_ACTIVE));
  g_assert_cmpint (als_visit_get_permission (pair->joiner), ==, ALS_VISIT_SEE_SCREEN);
  g_assert_cmpstr (als_visit_get_peer_name (pair->joiner), ==, "Test");
  g_assert_null (als_visit_get_code (pair->inviter));
  als_wait_until (als_visit_get_screen (pair->joiner) != NULL
            && als_screen_receiver_get_n_frames (als_visit_get_screen (pair->joiner)) > 5);
  g_assert_true (als_visit_get_is_sharing (pair->inviter));
  als_wait_until (als_visit_get_path_kind (pair->joiner) == ALS_PATH_DIRECT_TCP);
  als_visit_stop (pair->joiner);
  als_wait_until (ended_with (pair->joiner, ALS_VISIT_ERROR_STOPPED));
  als_wait_until (ended_with (pair->inviter, ALS_VISIT_ERROR_PEER_LEFT));
  g_assert_false (als_visit_get_is_sharing (pair->inviter));
  pair_free (pair);
}

static void
test_declined (void)
{
  Pair *pair = pair_new (ALS_VISIT_NOTHING);

  join (pair);
  als_wait_until (ended_with (pair->joiner, ALS_VISIT_ERROR_DECLINED));
  als_wait_until (ended_with (pair->inviter, ALS_VISIT_ERROR_DECLINED));
  pair_free (pair);
}

static void
test_stop_in_every_state (void)
{
  static const AlsVisitState states[] = { ALS_VISIT_REACHING_SERVER, ALS_VISIT_CODE_READY,
                                          ALS_VISIT_ASKING, ALS_VISIT_ACTIVE };

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    {
      Pair *pair = pair_new (ALS_VISIT_FILES_ONLY);
      int64_t stopped_us;

      if (states[i] == ALS_VISIT_ASKING)
        g_signal_handlers_block_by_func (pair->inviter, inviter_state_cb, pair);
      if (states[i] >= ALS_VISIT_ASKING)
        join (pair);
      als_wait_until (als_visit_get_state (pair->inviter) >= states[i]);
      stopped_us = g_get_monotonic_time ();
      als_visit_stop (pair->inviter);
      als_wait_until (ended_with (pair->inviter, ALS_VISIT_ERROR_STOPPED));
      g_test_message ("state %d: ended after %d ms", states[i],
                      (int) ((g_get_monotonic_time () - stopped_us) / 1000));
      if (states[i] >= ALS_VISIT_ASKING)
        als_wait_until (ended_with (pair->joiner, ALS_VISIT_ERROR_PEER_LEFT));
      pair_free (pair);
    }
}

static void
test_stop_while_joining (void)
{
  AlsVisit *joiner = visit_new (NULL);

  /* Nobody waits there. */
  g_assert_true (als_visit_join (joiner, "000 001 234 567", NULL));
  als_wait_until (state_is (joiner, ALS_VISIT_LOOKING));
  als_visit_stop (joiner);
  als_wait_until (ended_with (joiner, ALS_VISIT_ERROR_STOPPED));
  /* Freed in full flight. */
  g_assert_true (als_visit_join (joiner, "000 001 234 567", NULL));
  g_object_unref (joiner);
}

static void
test_fifty_visits_at_once (void)
{
  Pair *pairs[N_PAIRS];
  g_autofree char *source = g_build_filename (g_get_tmp_dir (), "als-fifty-XXXXXX", NULL);
  g_autofree char *content = g_malloc (200 * 1000);
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);
  int fd = g_mkstemp (source);

  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  for (guint i = 0; i < 200 * 1000; i++)
    content[i] = (char) (i * 7 + i / 251);
  g_assert_true (g_file_set_contents (source, content, 200 * 1000, NULL));
  g_ptr_array_add (files, g_file_new_for_path (source));
  for (guint i = 0; i < N_PAIRS; i++)
    pairs[i] = pair_new (ALS_VISIT_FILES_ONLY);
  for (guint i = 0; i < N_PAIRS; i++)
    join (pairs[i]);
  for (guint i = 0; i < N_PAIRS; i++)
    {
      als_wait_until (state_is (pairs[i]->joiner, ALS_VISIT_ACTIVE));
      als_visit_send_files (pairs[i]->inviter, files);
    }
  for (guint i = 0; i < N_PAIRS; i++)
    {
      g_autofree char *base = g_path_get_basename (source);
      g_autofree char *got = g_build_filename (pairs[i]->folder, base, NULL);
      g_autofree char *bytes = NULL;
      g_autoptr (AlsVisitTransfer) transfer = NULL;
      AlsTransferInfo info = { 0 };
      size_t len;

      als_wait_until (g_list_model_get_n_items (als_visit_get_transfers (pairs[i]->joiner)) == 1);
      transfer = g_list_model_get_item (als_visit_get_transfers (pairs[i]->joiner), 0);
      als_wait_until ((als_visit_transfer_get_info (transfer, &info), info.state == ALS_TRANSFER_DONE));
      g_assert_true (g_file_get_contents (got, &bytes, &len, NULL));
      g_assert_cmpmem (bytes, len, content, 200 * 1000);
    }
  for (guint i = 0; i < N_PAIRS; i++)
    pair_free (pairs[i]);
  g_unlink (source);
}

/* Both sides have LAST as the port that worked last. PORT: what the inviter used. */
static Pair *
pair_with_port (uint16_t last, guint *port)
{
  Pair *pair;

  last_port = last;
  pair = pair_new (ALS_VISIT_FILES_ONLY);
  last_port = 0;
  g_assert_cmpuint (als_visit_get_local_port (pair->inviter), ==, 0);
  join (pair);
  als_wait_until (als_visit_get_local_port (pair->inviter) != 0 && als_visit_get_local_port (pair->joiner) != 0);
  g_assert_cmpint (als_visit_get_path_kind (pair->inviter), ==, ALS_PATH_DIRECT_TCP);
  g_assert_cmpuint (als_visit_get_local_port (pair->inviter), !=, als_visit_get_local_port (pair->joiner));
  *port = als_visit_get_local_port (pair->inviter);
  return pair;
}

static void
test_port_that_worked (void)
{
  guint first, second, third;
  Pair *one = pair_with_port (0, &first), *two = pair_with_port ((uint16_t) first, &second);

  /* It is taken: any other will do. */
  g_assert_cmpuint (first, !=, second);
  als_visit_stop (two->inviter);
  als_wait_until (state_is (two->inviter, ALS_VISIT_ENDED) && state_is (two->joiner, ALS_VISIT_ENDED));
  /* Still known, for whoever stores it; and the same visit begins with it again. */
  g_assert_cmpuint (als_visit_get_local_port (two->inviter), ==, second);
  als_visit_invite (two->inviter);
  join (two);
  als_wait_until (als_visit_get_path_kind (two->inviter) == ALS_PATH_DIRECT_TCP);
  third = als_visit_get_local_port (two->inviter);
  g_assert_cmpuint (third, ==, second);
  pair_free (one);
  pair_free (two);
  one = pair_with_port ((uint16_t) second, &third);
  g_assert_true (third == second || als_visit_get_local_port (one->joiner) == second);
  pair_free (one);
}

/* Two texts and six digits, and no server: both meet at a mark of the clock. */
static void
invite_by_text (Pair *pair, const char *digits_but)
{
  g_autofree char *digits = NULL;

  als_visit_make_invitation (pair->inviter);
  als_wait_until (als_visit_get_invitation (pair->inviter) != NULL);
  g_assert_true (state_is (pair->inviter, ALS_VISIT_CODE_READY));
  g_assert_cmpint (als_visit_classify_text (als_visit_get_invitation (pair->inviter)), ==,
                   ALS_VISIT_TEXT_INVITATION);
  digits = g_strdup (als_visit_get_code (pair->inviter));
  g_assert_cmpuint (strlen (digits), ==, 6);
  g_assert_null (strstr (als_visit_get_invitation (pair->inviter), digits));
  if (digits_but != NULL)
    digits[0] = digits[0] == '9' ? '0' : (char) (digits[0] + 1);
  g_assert_true (als_visit_paste_invitation (pair->joiner, als_visit_get_invitation (pair->inviter), digits,
                                             NULL));
  als_wait_until (als_visit_get_reply (pair->joiner) != NULL);
  g_assert_cmpint (als_visit_classify_text (als_visit_get_reply (pair->joiner)), ==, ALS_VISIT_TEXT_REPLY);
  als_wait_until (state_is (pair->joiner, ALS_VISIT_LOOKING) && als_visit_get_next_mark_us (pair->joiner) > 0);
}

static Pair *
text_pair_new (void)
{
  Pair *pair = pair_new (ALS_VISIT_FILES_ONLY);

  als_visit_stop (pair->inviter);
  als_wait_until (state_is (pair->inviter, ALS_VISIT_ENDED));
  return pair;
}

static void
test_invitation (void)
{
  Pair *pair = text_pair_new ();
  g_autofree char *reply = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (als_visit_paste_invitation (pair->joiner, "hello", "123456", &error));
  g_assert_error (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_INVITATION);
  invite_by_text (pair, NULL);
  g_clear_error (&error);
  g_assert_false (als_visit_paste_reply (pair->inviter, als_visit_get_invitation (pair->inviter), &error));
  g_assert_error (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_INVITATION);
  reply = g_strdup_printf ("Here you are:\n%s\nBye", als_visit_get_reply (pair->joiner));
  g_assert_true (als_visit_paste_reply (pair->inviter, reply, NULL));
  als_wait_until (state_is (pair->inviter, ALS_VISIT_LOOKING));
  g_assert_null (als_visit_get_invitation (pair->inviter));
  als_wait_until (state_is (pair->inviter, ALS_VISIT_ACTIVE) && state_is (pair->joiner, ALS_VISIT_ACTIVE));
  g_assert_cmpuint (als_visit_get_n_marks (pair->inviter), <=, 3);
  /* What the two say to each other about paths goes through the session now. */
  als_wait_until (als_visit_get_path_kind (pair->joiner) == ALS_PATH_DIRECT_TCP);
  als_visit_stop (pair->inviter);
  als_wait_until (ended_with (pair->joiner, ALS_VISIT_ERROR_PEER_LEFT));
  pair_free (pair);
}

static void
test_invitation_wrong_digits (void)
{
  Pair *pair = text_pair_new ();

  invite_by_text (pair, "wrong");
  g_assert_true (als_visit_paste_reply (pair->inviter, als_visit_get_reply (pair->joiner), NULL));
  als_wait_until (ended_with (pair->inviter, ALS_VISIT_ERROR_WRONG_CODE));
  pair_free (pair);
}

int
main (int argc, char **argv)
{
  AlsTestServer *server;
  int status;

  g_test_init (&argc, &argv, NULL);
  server = als_test_server_start (ALS_TEST_SERVER_NO_LIMITS, NULL);
  server_uri = als_test_server_make_uri (server);
  g_test_add_func ("/visit/allow-shows-the-screen-and-stop-ends-both", test_allow_and_stop);
  g_test_add_func ("/visit/declined-is-told-to-both", test_declined);
  g_test_add_func ("/visit/stop-works-in-every-state", test_stop_in_every_state);
  g_test_add_func ("/visit/stop-works-while-joining", test_stop_while_joining);
  g_test_add_func ("/visit/the-port-that-worked-last-is-tried-first", test_port_that_worked);
  g_test_add_func ("/visit/fifty-visits-at-once-in-one-process", test_fifty_visits_at_once);
  g_test_add_func ("/visit/an-invitation-needs-no-server", test_invitation);
  g_test_add_func ("/visit/an-invitation-with-wrong-digits-is-over", test_invitation_wrong_digits);
  status = g_test_run ();
  als_test_server_free (server);
  g_free (server_uri);
  return status;
}
