/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Striped carriers over pairs of sockets. What they say is heard in their
 * thread and counted there; the test waits for the counts. */

#include "path/turn/als-turn-carrier.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>

#include "als-stream-call.h"
#include "als-wait.h"
#include "path/turn/als-turn-records.h"

typedef struct End End;
struct End
{
  End *other;
  AlsTurnCarrier *carrier;
  AlsMailbox *notes;
  guint wanted;            /* streams; the last wish */
  guint n_wishes;          /* notes of a wish */
  guint n_ends;            /* notes of an end */
  GMutex mutex;
  uint64_t sent, to_send, received; /* messages */
  uint64_t more;           /* the test's: for to_send */
  uint64_t window;         /* messages under way, at most */
  gboolean is_wrong;
  gboolean is_closed;
  gboolean had_error;
};

static uint64_t
get_received (End *self)
{
  uint64_t received;

  g_mutex_lock (&self->mutex);
  received = self->received;
  g_mutex_unlock (&self->mutex);
  return received;
}

static gboolean
is_closed (End *self)
{
  gboolean closed;

  g_mutex_lock (&self->mutex);
  closed = self->is_closed;
  g_mutex_unlock (&self->mutex);
  return closed;
}

/* No more is under way than a link would have. */
static void
pump (End *self)
{
  while (self->sent < self->to_send && self->sent < get_received (self->other) + self->window)
    {
      uint8_t message[8 + 4096] = { 0 };
      uint64_t number = GUINT64_TO_BE (self->sent);
      AlsPacket packet = { message, 8 + self->sent * 37 % 4096 };

      memcpy (message, &number, sizeof number);
      if (als_carrier_send (ALS_CARRIER (self->carrier), &packet, 1) == 0)
        return;
      self->sent++;
    }
}

static void
on_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  End *self = user_data;
  uint64_t number = 0;

  memcpy (&number, data, MIN (len, sizeof number));
  number = GUINT64_FROM_BE (number);
  g_mutex_lock (&self->mutex);
  self->is_wrong |= number != self->received || len != 8 + number * 37 % 4096;
  self->received++;
  g_mutex_unlock (&self->mutex);
  pump (self->other);
}

static void
on_writable (AlsCarrier *carrier, gpointer user_data)
{
  pump (user_data);
}

static void
on_closed (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  End *self = user_data;

  g_mutex_lock (&self->mutex);
  self->is_closed = TRUE;
  self->had_error = error != NULL;
  g_mutex_unlock (&self->mutex);
}

static const AlsCarrierEvents events = { on_received, on_writable, on_closed };

static gboolean
listen_cb (gpointer user_data)
{
  End *self = user_data;

  als_carrier_set_events (ALS_CARRIER (self->carrier), &events, self);
  return G_SOURCE_REMOVE;
}

static gboolean
send_more_cb (gpointer user_data)
{
  End *self = user_data;

  self->to_send += self->more;
  pump (self);
  return G_SOURCE_REMOVE;
}

static gboolean
close_cb (gpointer user_data)
{
  als_carrier_close (ALS_CARRIER (((End *) user_data)->carrier));
  return G_SOURCE_REMOVE;
}

static gboolean
stop_reading_cb (gpointer user_data)
{
  als_carrier_set_reading (ALS_CARRIER (((End *) user_data)->carrier), FALSE);
  return G_SOURCE_REMOVE;
}

static gboolean
start_reading_cb (gpointer user_data)
{
  als_carrier_set_reading (ALS_CARRIER (((End *) user_data)->carrier), TRUE);
  return G_SOURCE_REMOVE;
}

static void
notes_cb (GPtrArray *items, gpointer user_data)
{
  End *self = user_data;

  for (guint i = 0; i < items->len; i++)
    {
      g_autofree AlsTurnCarrierNote *note = g_ptr_array_index (items, i);

      self->wanted = MAX (self->wanted, note->wanted_stripes);
      self->n_wishes += note->wanted_stripes > 0;
      self->n_ends += note->wanted_stripes == 0;
    }
}

static GIOStream *
take_stream (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

typedef struct
{
  End ends[2]; /* 0 can widen */
} Pair;

static void
pair_add_stream (Pair *self)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GIOStream) stream = take_stream (fds[i]);

      als_turn_carrier_add_stream (self->ends[i].carrier, stream, NULL);
    }
}

static void
pair_init (Pair *self, guint n_streams)
{
  memset (self, 0, sizeof *self);
  for (guint i = 0; i < 2; i++)
    {
      End *end = &self->ends[i];

      g_mutex_init (&end->mutex);
      end->other = &self->ends[1 - i];
      end->window = 256;
      end->notes = als_mailbox_new (NULL, "notes", notes_cb, end, g_free);
      end->carrier = als_turn_carrier_new ("peer", i == 0, end->notes);
    }
  for (guint i = 0; i < n_streams; i++)
    pair_add_stream (self);
}

static void
pair_listen (Pair *self)
{
  als_stream_call (listen_cb, &self->ends[0]);
  als_stream_call (listen_cb, &self->ends[1]);
}

static void
pair_clear (Pair *self)
{
  for (guint i = 0; i < 2; i++)
    als_stream_call (close_cb, &self->ends[i]);
  for (guint i = 0; i < 2; i++)
    {
      End *end = &self->ends[i];

      g_assert_false (end->is_wrong);
      als_wait_until (end->n_ends == 1);
      als_mailbox_close (end->notes);
      als_mailbox_unref (end->notes);
      g_object_unref (end->carrier);
      g_mutex_clear (&end->mutex);
    }
}

static void
send_messages (End *end, uint64_t n)
{
  end->more = n;
  als_stream_call (send_more_cb, end);
}

static void
test_in_order (gconstpointer user_data)
{
  Pair pair;

  pair_init (&pair, GPOINTER_TO_UINT (user_data));
  pair_listen (&pair);
  send_messages (&pair.ends[0], 20000);
  send_messages (&pair.ends[1], 20000);
  als_wait_until_ticking (get_received (&pair.ends[0]) == 20000 && get_received (&pair.ends[1]) == 20000);
  pair_clear (&pair);
}

static void
test_growing (void)
{
  Pair pair;

  pair_init (&pair, 1);
  pair_listen (&pair);
  for (guint i = 1; i <= 10; i++)
    {
      send_messages (&pair.ends[0], 2000);
      send_messages (&pair.ends[1], 1000);
      pair_add_stream (&pair);
      als_wait_until_ticking (get_received (&pair.ends[1]) == 2000 * i);
    }
  als_wait_until_ticking (get_received (&pair.ends[0]) == 10000);
  /* Those beyond eight are not taken. */
  g_assert_cmpuint (als_turn_carrier_count_streams (pair.ends[0].carrier), ==, 8);
  pair_clear (&pair);
}

static void
test_unheard (void)
{
  Pair pair;

  pair_init (&pair, 2);
  als_stream_call (listen_cb, &pair.ends[0]);
  send_messages (&pair.ends[0], 200);
  als_stream_call (listen_cb, &pair.ends[1]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == 200);
  pair_clear (&pair);
}

static void
test_end (void)
{
  Pair pair;

  pair_init (&pair, 4);
  pair_listen (&pair);
  send_messages (&pair.ends[0], 200);
  als_stream_call (close_cb, &pair.ends[0]);
  als_wait_until_ticking (is_closed (&pair.ends[1]));
  g_assert_cmpuint (get_received (&pair.ends[1]), ==, 200);
  g_assert_false (pair.ends[1].had_error);
  pair_clear (&pair);
}

/* Every stream is full, one of them in the middle of a message. */
static void
test_end_while_full (void)
{
  uint64_t taken;
  Pair pair;

  pair_init (&pair, 4);
  pair_listen (&pair);
  als_stream_call (stop_reading_cb, &pair.ends[1]);
  pair.ends[0].window = 100000;
  send_messages (&pair.ends[0], pair.ends[0].window);
  als_stream_call (close_cb, &pair.ends[0]);
  taken = pair.ends[0].sent;
  g_assert_cmpuint (taken, <, pair.ends[0].window);
  als_stream_call (start_reading_cb, &pair.ends[1]);
  als_wait_until_ticking (is_closed (&pair.ends[1]));
  g_assert_cmpuint (get_received (&pair.ends[1]), ==, taken);
  g_assert_false (pair.ends[1].had_error);
  pair_clear (&pair);
}

static void
test_lost_stream (void)
{
  g_autoptr (GIOStream) stream = NULL;
  int fds[2];
  Pair pair;

  pair_init (&pair, 2);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  stream = take_stream (fds[0]);
  als_turn_carrier_add_stream (pair.ends[0].carrier, stream, NULL);
  pair_listen (&pair);
  g_close (fds[1], NULL);
  als_wait_until_ticking (is_closed (&pair.ends[0]));
  g_assert_true (pair.ends[0].had_error);
  /* The other streams went with it. */
  als_wait_until_ticking (is_closed (&pair.ends[1]));
  pair_clear (&pair);
}

static void
test_nonsense (void)
{
  g_autoptr (GBytes) early = g_bytes_new_static ("GET / HTTP/1.1\r\n\r\n", 18);
  g_autoptr (GIOStream) stream = NULL;
  int fds[2];
  Pair pair;

  pair_init (&pair, 1);
  pair_listen (&pair);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  stream = take_stream (fds[0]);
  als_turn_carrier_add_stream (pair.ends[0].carrier, stream, early);
  als_wait_until_ticking (is_closed (&pair.ends[0]));
  g_assert_true (pair.ends[0].had_error);
  g_close (fds[1], NULL);
  pair_clear (&pair);
}

/* The other end asks for more streams a thousand times over. */
static void
test_many_wishes (void)
{
  g_autoptr (GByteArray) wishes = g_byte_array_new ();
  g_autoptr (GBytes) early = NULL;
  g_autoptr (GIOStream) stream = NULL;
  uint8_t record[ALS_TURN_RECORD_HEADER_BYTES];
  int fds[2];
  Pair pair;

  pair_init (&pair, 1);
  pair_listen (&pair);
  als_turn_record_put (record, ALS_TURN_RECORD_WIDEN, 0, 8);
  for (guint i = 0; i < 1000; i++)
    g_byte_array_append (wishes, record, sizeof record);
  als_turn_record_put (record, ALS_TURN_RECORD_END, 0, 0);
  g_byte_array_append (wishes, record, sizeof record);
  early = g_bytes_new (wishes->data, wishes->len);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  stream = take_stream (fds[0]);
  als_turn_carrier_add_stream (pair.ends[0].carrier, stream, early);
  als_wait_until_ticking (is_closed (&pair.ends[0]) && pair.ends[0].n_ends == 1);
  g_assert_cmpuint (pair.ends[0].n_wishes, ==, 1);
  g_assert_cmpuint (pair.ends[0].wanted, ==, 8);
  g_close (fds[1], NULL);
  pair_clear (&pair);
}

static void
test_wishes (gconstpointer user_data)
{
  Pair pair;
  End *from;

  pair_init (&pair, 1);
  from = &pair.ends[GPOINTER_TO_UINT (user_data)];
  pair_listen (&pair);
  /* The reader is slow: the stream is full, as it is where a server holds 64 KiB. */
  als_stream_call (stop_reading_cb, from->other);
  send_messages (from, UINT64_MAX / 2);
  g_assert_cmpuint (pair.ends[0].wanted, ==, 0);
  for (guint i = 0; pair.ends[0].wanted == 0; i++)
    {
      uint64_t before = get_received (from->other);

      g_assert_cmpuint (i, <, 20000);
      als_stream_call (start_reading_cb, from->other);
      als_wait_until_ticking (get_received (from->other) > before);
      als_stream_call (stop_reading_cb, from->other);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_assert_cmpuint (pair.ends[0].wanted, >=, 4);
  g_assert_cmpuint (pair.ends[1].wanted, ==, 0);
  als_stream_call (start_reading_cb, from->other);
  pair_clear (&pair);
}

static void
test_few_do_not_wish (void)
{
  Pair pair;

  pair_init (&pair, 1);
  pair_listen (&pair);
  for (guint i = 1; i <= 50; i++)
    {
      send_messages (&pair.ends[0], 1);
      als_wait_until_ticking (get_received (&pair.ends[1]) == i);
    }
  g_assert_cmpuint (pair.ends[0].wanted, ==, 0);
  pair_clear (&pair);
}

static void
test_ended_from_outside (gconstpointer user_data)
{
  gboolean is_heard = GPOINTER_TO_INT (user_data);
  Pair pair;

  pair_init (&pair, 2);
  if (is_heard)
    pair_listen (&pair);
  als_turn_carrier_end (pair.ends[0].carrier);
  als_wait_until (pair.ends[0].n_ends == 1);
  if (is_heard)
    als_wait_until_ticking (is_closed (&pair.ends[0]) && is_closed (&pair.ends[1]));
  pair_clear (&pair);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/path/turn-carrier/one-stream-keeps-order", GUINT_TO_POINTER (1),
                        test_in_order);
  g_test_add_data_func ("/path/turn-carrier/eight-streams-keep-order", GUINT_TO_POINTER (8),
                        test_in_order);
  g_test_add_func ("/path/turn-carrier/streams-join-on-the-way", test_growing);
  g_test_add_func ("/path/turn-carrier/nothing-is-lost-before-somebody-listens", test_unheard);
  g_test_add_func ("/path/turn-carrier/an-end-comes-after-the-last-message", test_end);
  g_test_add_func ("/path/turn-carrier/an-end-comes-after-the-last-message-where-all-are-full",
                   test_end_while_full);
  g_test_add_func ("/path/turn-carrier/a-lost-stream-ends-it", test_lost_stream);
  g_test_add_func ("/path/turn-carrier/nonsense-ends-it", test_nonsense);
  g_test_add_func ("/path/turn-carrier/many-wishes-are-one", test_many_wishes);
  g_test_add_data_func ("/path/turn-carrier/bulk-wishes-for-more", GUINT_TO_POINTER (0),
                        test_wishes);
  g_test_add_data_func ("/path/turn-carrier/bulk-of-the-other-end-wishes-for-more",
                        GUINT_TO_POINTER (1), test_wishes);
  g_test_add_func ("/path/turn-carrier/a-little-does-not", test_few_do_not_wish);
  g_test_add_data_func ("/path/turn-carrier/it-is-ended-from-outside", GINT_TO_POINTER (TRUE),
                        test_ended_from_outside);
  g_test_add_data_func ("/path/turn-carrier/it-is-ended-unheard", GINT_TO_POINTER (FALSE),
                        test_ended_from_outside);
  return g_test_run ();
}
