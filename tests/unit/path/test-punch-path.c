/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Punched paths on loopback: both halves in one process, strangers at the door. */

#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include "als-fake-turn-pool.h"
#include "als-punch-pair.h"
#include "als-wait.h"
#include "path/punch/als-punch-message.h"
#include "path/punch/als-udp-carrier.h"
#include "path/turn/als-turn-way.h"

static void
open_pair (AlsPunchEnd *a, AlsPunchEnd *b, AlsTurnPool *pool_a, AlsTurnPool *pool_b)
{
  AlsPunchPathConfig inviter = { .is_inviter = TRUE, .loopback = TRUE, .pool = pool_a };
  AlsPunchPathConfig joiner = { .loopback = TRUE, .pool = pool_b };

  als_punch_end_open (a, b, &inviter);
  als_punch_end_open (b, a, &joiner);
}

static void
start_pair (AlsPunchEnd *a, AlsPunchEnd *b)
{
  als_path_start (a->path);
  als_path_start (b->path);
}

static void
test_two_halves_meet (void)
{
  for (guint i = 0; i < 20; i++)
    {
      AlsPunchEnd a = { .delay_ms = 0 }, b = { .delay_ms = 0 };
      AlsPathReport report;

      open_pair (&a, &b, NULL, NULL);
      start_pair (&a, &b);
      als_punch_pair_wait (&a, &b);
      g_assert_no_error (a.error);
      g_assert_cmpuint (a.carriers->len, >, 0);
      g_assert_cmpint (als_carrier_get_kind (a.carriers->pdata[0]), ==, ALS_PATH_DIRECT_TCP);
      g_assert_cmpint (als_carrier_get_carrier_type (a.carriers->pdata[0]), ==, ALS_CARRIER_STREAM);
      g_assert_true (als_carrier_is_lan (a.carriers->pdata[0]));
      g_assert_nonnull (als_carrier_get_remote (a.carriers->pdata[0]));
      als_path_get_report (a.path, &report);
      g_assert_cmpint (report.problem, ==, ALS_PATH_PROBLEM_NONE);
      g_assert_cmpint (report.took_us, >, 0);
      /* The inviter may be connected before it has dialled. */
      als_path_get_report (b.path, &report);
      g_assert_cmpuint (report.tries, >, 0);
      als_punch_end_clear (&a);
      als_punch_end_clear (&b);
    }
}

/* The port of the first address an end told. */
static uint16_t
find_port (AlsPunchEnd *end)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (end->told->pdata[0], &len);
  AlsPunchMessage message;

  g_assert_true (als_punch_message_decode (&message, data, len, NULL));
  g_assert_cmpint (message.type, ==, ALS_PUNCH_ENDPOINTS);
  return message.endpoints[0].address.port;
}

static GSocket *
make_stranger_from (const char *from, uint16_t port)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_TCP, &error);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string (from, 0);

  g_assert_no_error (error);
  g_socket_bind (socket, local, FALSE, &error);
  g_assert_no_error (error);
  g_socket_set_timeout (socket, 10);
  if (!g_socket_connect (socket, address, NULL, NULL))
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  return g_steal_pointer (&socket);
}

static GSocket *
make_stranger (uint16_t port)
{
  return make_stranger_from ("127.0.0.1", port);
}

static gboolean
is_closed (GSocket *socket)
{
  char byte;
  ssize_t n = recv (g_socket_get_fd (socket), &byte, 1, MSG_DONTWAIT);

  /* He is not given a byte either. */
  g_assert_cmpint (n, <=, 0);
  return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
test_silent_stranger_is_sent_off_and_gets_no_byte (void)
{
  AlsPunchEnd a = { .mute = TRUE }, b = { .mute = TRUE };
  g_autoptr (GSocket) stranger = NULL;
  AlsPathReport report;
  int64_t start_us;

  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_wait_until (a.n_messages > 0);
  start_us = g_get_monotonic_time ();
  stranger = make_stranger (find_port (&a));
  als_wait_until (is_closed (stranger));
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 5 * G_USEC_PER_SEC);
  g_assert_cmpuint (a.carriers->len, ==, 0);
  als_path_get_report (a.path, &report);
  g_assert_cmpuint (report.strangers, ==, 1);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_strangers_do_not_keep_the_other_side_out (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  g_autoptr (GPtrArray) strangers = g_ptr_array_new_with_free_func (g_object_unref);
  AlsPathReport report;
  uint16_t port;

  a.mute = b.mute = TRUE;
  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_wait_until (a.n_messages > 0);
  port = find_port (&a);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (GSocket) stranger = make_stranger (port);

      /* A third hold their tongue, a third talk rubbish, a third have gone. */
      if (stranger != NULL && i % 3 == 1)
        g_socket_send (stranger, "GET / HTTP/1.1\r\n\r\n", 18, NULL, NULL);
      if (stranger != NULL && i % 3 != 2)
        g_ptr_array_add (strangers, g_steal_pointer (&stranger));
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  /* What was said is heard only now. */
  a.mute = b.mute = FALSE;
  for (guint i = 0; i < a.told->len; i++)
    als_path_remote_message (b.path, g_bytes_get_data (a.told->pdata[i], NULL),
                             g_bytes_get_size (a.told->pdata[i]));
  for (guint i = 0; i < b.told->len; i++)
    als_path_remote_message (a.path, g_bytes_get_data (b.told->pdata[i], NULL),
                             g_bytes_get_size (b.told->pdata[i]));
  als_punch_pair_wait (&a, &b);
  g_assert_no_error (a.error);
  als_path_get_report (a.path, &report);
  g_test_message ("%u strangers, %u connections yielded", report.strangers, a.carriers->len);
  g_assert_cmpuint (report.strangers, >, 300);
  g_assert_cmpuint (a.carriers->len, <, 400);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

/* Half of the places of those who have said something are for addresses that the other side named. */
static void
test_talking_strangers_leave_places (void)
{
  static const char *const from[] = { "127.0.0.2", "127.0.0.1" };
  AlsPunchEnd a = { .mute = TRUE }, b = { .mute = TRUE };
  g_autoptr (GPtrArray) strangers = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_before, n_yielded[2];
  uint16_t port;

  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_wait_until (a.n_messages > 0 && b.n_messages > 0);
  port = find_port (&a);
  als_path_remote_message (a.path, g_bytes_get_data (b.told->pdata[0], NULL),
                           g_bytes_get_size (b.told->pdata[0]));
  n_before = a.carriers->len;
  for (guint side = 0; side < 2; side++)
    {
      for (guint i = 0; i < 20; i++)
        {
          GSocket *stranger = make_stranger_from (from[side], port);

          g_assert_nonnull (stranger);
          g_socket_send (stranger, "GET / HTTP/1.1\r\n\r\n", 18, NULL, NULL);
          g_ptr_array_add (strangers, stranger);
          /* Refused at once, or by whoever it was yielded to. */
          als_wait_until_ticking (is_closed (stranger));
        }
      n_yielded[side] = a.carriers->len - n_before;
    }
  g_test_message ("%u, then %u yielded", n_yielded[0], n_yielded[1]);
  g_assert_cmpuint (n_yielded[0], ==, 8);
  g_assert_cmpuint (n_yielded[1], >=, 16);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_settled_path_listens_no_more (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  g_autoptr (GSocket) stranger = NULL;
  guint n_carriers;

  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_punch_pair_wait (&a, &b);
  n_carriers = a.carriers->len;
  stranger = make_stranger (find_port (&a));
  g_assert_null (stranger);
  als_path_settle (a.path);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (a.carriers->len, ==, n_carriers);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_nobody_there_is_told (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };

  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_path_close (b.path);
  /* It names an address where nobody is: one round, for there is no public one. */
  {
    AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .n_endpoints = 1 };
    AlsPunchMessage pong = { .type = ALS_PUNCH_PONG, .serial = 1 };
    g_autoptr (GBytes) bytes = NULL, bytes_2 = NULL;

    message.endpoints[0].kind = ALS_PUNCH_HOST;
    als_stun_address_parse (&message.endpoints[0].address, "127.0.0.1", 1);
    bytes = als_punch_message_encode (&message);
    bytes_2 = als_punch_message_encode (&pong);
    als_path_remote_message (a.path, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
    als_path_remote_message (a.path, g_bytes_get_data (bytes_2, NULL), g_bytes_get_size (bytes_2));
  }
  als_wait_until (a.error != NULL);
  g_assert_error (a.error, ALS_PATH_ERROR, ALS_PATH_PROBLEM_NO_ENDPOINT);
  g_assert_cmpint (g_get_monotonic_time () - a.opened_us, <, 8 * G_USEC_PER_SEC);
  {
    AlsPathReport report;

    als_path_get_report (a.path, &report);
    g_assert_cmpuint (report.resets, >, 10);
    g_assert_cmpuint (report.resets, <, 200);
    g_assert_cmpint (report.problem, ==, ALS_PATH_PROBLEM_NO_ENDPOINT);
  }
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_closing_at_any_time_is_safe (void)
{
  for (guint i = 0; i < 60; i++)
    {
      AlsPunchEnd a = { 0 }, b = { 0 };

      open_pair (&a, &b, NULL, NULL);
      start_pair (&a, &b);
      for (guint j = 0; j < i; j++)
        g_main_context_iteration (NULL, FALSE);
      als_punch_end_clear (&a);
      als_punch_end_clear (&b);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

static void
test_marks_need_no_word_but_the_addresses (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  int64_t mark_us = g_get_monotonic_time () + G_USEC_PER_SEC / 5;
  AlsPunchPathConfig inviter = { .is_inviter = TRUE, .loopback = TRUE, .mark_us = mark_us,
                                 .mark_step_us = G_USEC_PER_SEC };
  AlsPunchPathConfig joiner = { .loopback = TRUE, .mark_us = mark_us,
                                .mark_step_us = G_USEC_PER_SEC };

  als_punch_end_open (&a, &b, &inviter);
  als_punch_end_open (&b, &a, &joiner);
  start_pair (&a, &b);
  als_punch_pair_wait (&a, &b);
  g_assert_no_error (a.error);
  g_assert_cmpuint (a.n_messages, ==, 1);
  g_assert_cmpuint (b.n_messages, ==, 1);
  g_assert_cmpint (a.proved_us, >=, mark_us);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_pool_and_mapper_are_asked_and_believed_only_as_far_as_they_go (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  g_autoptr (AlsTurnPool) pool = als_fake_turn_pool_new (0);
  g_autoptr (AlsPortMapper) mapper = als_fake_port_mapper_new ();
  AlsPunchPathConfig inviter = { .is_inviter = TRUE, .loopback = TRUE, .pool = pool,
                                 .mapper = mapper };
  AlsPunchPathConfig joiner = { .loopback = TRUE };
  AlsStunAddress address;

  als_punch_end_open (&a, &b, &inviter);
  als_punch_end_open (&b, &a, &joiner);
  a.mute = TRUE;
  start_pair (&a, &b);
  als_stun_address_parse (&address, "198.51.100.1", 4444);
  als_fake_turn_pool_learn (pool, &address);
  als_stun_address_parse (&address, "198.51.100.2", 5555);
  als_fake_port_mapper_map (mapper, &address);
  als_fake_turn_pool_settle (pool, FALSE);
  als_wait_until (a.n_messages >= 2);
  {
    AlsPunchMessage message;
    GBytes *last = NULL;
    guint kinds[5] = { 0 };

    for (guint i = 0; i < a.told->len; i++)
      if (((const uint8_t *) g_bytes_get_data (a.told->pdata[i], NULL))[0] == ALS_PUNCH_ENDPOINTS)
        last = a.told->pdata[i];
    g_assert_true (als_punch_message_decode (&message, g_bytes_get_data (last, NULL),
                                             g_bytes_get_size (last), NULL));
    g_assert_true (message.is_settled);
    for (guint i = 0; i < message.n_endpoints; i++)
      kinds[message.endpoints[i].kind]++;
    g_assert_cmpuint (kinds[ALS_PUNCH_HOST], ==, 2);
    g_assert_cmpuint (kinds[ALS_PUNCH_PUBLIC], ==, 1);
    g_assert_cmpuint (kinds[ALS_PUNCH_MAPPING], ==, 1);
  }
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_malformed_messages_are_ignored (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  uint8_t junk[2000];

  memset (junk, 0xa5, sizeof junk);
  open_pair (&a, &b, NULL, NULL);
  als_path_remote_message (a.path, junk, 10);
  for (guint i = 0; i < 10; i++)
    als_path_remote_message (b.path, junk, sizeof junk);
  start_pair (&a, &b);
  als_path_remote_message (b.path, junk, 3);
  als_path_remote_message (b.path, junk, 0);
  als_punch_pair_wait (&a, &b);
  g_assert_no_error (a.error);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

/* The pool's connections and ours come and go in any order. */
static void
test_port_is_shared_with_the_pool (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };

  open_pair (&a, &b, NULL, NULL);
  start_pair (&a, &b);
  als_wait_until (a.n_messages > 0);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GSocket) socket
          = als_turn_way_bind_socket (i == 0 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6, TRUE,
                                      find_port (&a), &error);

      g_assert_no_error (error);
    }
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

static void
test_two_udp_halves_meet (void)
{
  for (guint i = 0; i < 10; i++)
    {
      AlsPunchEnd a = { 0 }, b = { 0 };
      AlsPunchPathConfig inviter = { .is_inviter = TRUE, .is_udp = TRUE, .loopback = TRUE };
      AlsPunchPathConfig joiner = { .is_udp = TRUE, .loopback = TRUE };

      als_punch_end_open (&a, &b, &inviter);
      als_punch_end_open (&b, &a, &joiner);
      start_pair (&a, &b);
      als_punch_pair_wait (&a, &b);
      g_assert_no_error (a.error);
      g_assert_cmpuint (a.carriers->len, ==, 1);
      g_assert_cmpuint (b.carriers->len, ==, 1);
      g_assert_cmpint (als_carrier_get_kind (a.carriers->pdata[0]), ==, ALS_PATH_DIRECT_UDP);
      g_assert_cmpint (als_carrier_get_carrier_type (a.carriers->pdata[0]), ==, ALS_CARRIER_DATAGRAMS);
      g_assert_true (als_carrier_is_lan (a.carriers->pdata[0]));
      als_punch_end_clear (&a);
      als_punch_end_clear (&b);
    }
  while (als_udp_carrier_count () > 0)
    g_usleep (1000);
}

static void
test_closing_udp_at_any_time_is_safe (void)
{
  for (guint i = 0; i < 40; i++)
    {
      AlsPunchEnd a = { 0 }, b = { 0 };
      AlsPunchPathConfig inviter = { .is_inviter = TRUE, .is_udp = TRUE, .loopback = TRUE };
      AlsPunchPathConfig joiner = { .is_udp = TRUE, .loopback = TRUE };

      als_punch_end_open (&a, &b, &inviter);
      als_punch_end_open (&b, &a, &joiner);
      start_pair (&a, &b);
      for (guint j = 0; j < i; j++)
        g_main_context_iteration (NULL, FALSE);
      als_punch_end_clear (&a);
      als_punch_end_clear (&b);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  while (als_udp_carrier_count () > 0)
    g_usleep (1000);
}

typedef struct
{
  int n_received; /* atomic */
  int n_bad;      /* atomic */
} Counter;

static void
count_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Counter *counter = user_data;

  /* A word or its answer, late. */
  if (len < 20)
    return;
  if (len != 1200 || data[0] != data[len - 1])
    g_atomic_int_inc (&counter->n_bad);
  g_atomic_int_inc (&counter->n_received);
  g_main_context_wakeup (NULL);
}

static const AlsCarrierEvents count_events = { count_cb, NULL, NULL };

/* What a carrier of its own thread is told to do there. */
typedef struct
{
  AlsCarrier *carrier;
  Counter *counter; /* NULL: send */
  int *done;
} Order;

static gboolean
order_cb (gpointer user_data)
{
  g_autofree Order *order = user_data;

  if (order->counter != NULL)
    als_carrier_set_events (order->carrier, &count_events, order->counter);
  else
    for (guint i = 0; i < 5; i++)
      {
        uint8_t bytes[20][1200];
        AlsPacket packets[20];

        for (guint j = 0; j < 20; j++)
          {
            memset (bytes[j], (int) (i + j), sizeof bytes[j]);
            packets[j] = (AlsPacket){ bytes[j], sizeof bytes[j] };
          }
        als_carrier_send (order->carrier, packets, 20);
      }
  g_atomic_int_set (order->done, 1);
  g_main_context_wakeup (NULL);
  return G_SOURCE_REMOVE;
}

static void
order (AlsCarrier *carrier, Counter *counter)
{
  Order *what = g_new0 (Order, 1);
  int done = 0;

  what->carrier = carrier;
  what->counter = counter;
  what->done = &done;
  g_main_context_invoke (als_carrier_get_context (carrier), order_cb, what);
  als_wait_until (g_atomic_int_get (&done) != 0);
}

static void
test_udp_carrier_moves_many_datagrams_whole (void)
{
  AlsPunchEnd a = { 0 }, b = { 0 };
  AlsPunchPathConfig inviter = { .is_inviter = TRUE, .is_udp = TRUE, .loopback = TRUE };
  AlsPunchPathConfig joiner = { .is_udp = TRUE, .loopback = TRUE };
  Counter counter = { 0 };

  als_punch_end_open (&a, &b, &inviter);
  als_punch_end_open (&b, &a, &joiner);
  start_pair (&a, &b);
  als_punch_pair_wait (&a, &b);
  order (b.carriers->pdata[0], &counter);
  /* Some may be lost where the reader is slow. */
  for (guint i = 0; i < 1000 && g_atomic_int_get (&counter.n_received) < 1000; i++)
    order (a.carriers->pdata[0], NULL);
  als_wait_until (g_atomic_int_get (&counter.n_received) >= 1000);
  g_assert_cmpint (counter.n_bad, ==, 0);
  als_punch_end_clear (&a);
  als_punch_end_clear (&b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/punch/two-halves-meet", test_two_halves_meet);
  g_test_add_func ("/path/punch/settled-path-listens-no-more", test_settled_path_listens_no_more);
  g_test_add_func ("/path/punch/port-is-shared-with-the-pool", test_port_is_shared_with_the_pool);
  g_test_add_func ("/path/punch/closing-at-any-time-is-safe", test_closing_at_any_time_is_safe);
  g_test_add_func ("/path/punch/marks-need-no-word-but-the-addresses",
                   test_marks_need_no_word_but_the_addresses);
  g_test_add_func ("/path/punch/pool-and-mapper-are-asked",
                   test_pool_and_mapper_are_asked_and_believed_only_as_far_as_they_go);
  g_test_add_func ("/path/punch/malformed-messages-are-ignored", test_malformed_messages_are_ignored);
  g_test_add_func ("/path/punch/silent-stranger-is-sent-off-and-gets-no-byte",
                   test_silent_stranger_is_sent_off_and_gets_no_byte);
  g_test_add_func ("/path/punch/strangers-do-not-keep-the-other-side-out",
                   test_strangers_do_not_keep_the_other_side_out);
  g_test_add_func ("/path/punch/talking-strangers-leave-places", test_talking_strangers_leave_places);
  g_test_add_func ("/path/punch/nobody-there-is-told", test_nobody_there_is_told);
  g_test_add_func ("/path/punch/udp/two-halves-meet", test_two_udp_halves_meet);
  g_test_add_func ("/path/punch/udp/closing-at-any-time-is-safe",
                   test_closing_udp_at_any_time_is_safe);
  g_test_add_func ("/path/punch/udp/carrier-moves-many-datagrams-whole",
                   test_udp_carrier_moves_many_datagrams_whole);
  return g_test_run ();
}
