/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two clients on this machine's loopback, and strangers. */

#include "signal/als-lan-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "als-wait.h"
#include "signal/als-lan-connection.h"
#include "signal/als-lan-message.h"
#include "signal/als-lan-multicast.h"

static const uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 1, 2, 3 };

typedef struct
{
  AlsLanClient *client;
  guint n_paired, n_messages, n_unpaired, n_failed, n_signals;
  guint reason;
  int error;
  GBytes *payload;
} Side;

static void
paired_cb (AlsLanClient *client, Side *side)
{
  side->n_paired++;
  side->n_signals++;
}

static void
message_cb (AlsLanClient *client, GBytes *payload, Side *side)
{
  g_clear_pointer (&side->payload, g_bytes_unref);
  side->payload = g_bytes_ref (payload);
  side->n_messages++;
  side->n_signals++;
}

static void
unpaired_cb (AlsLanClient *client, guint reason, Side *side)
{
  side->reason = reason;
  side->n_unpaired++;
  side->n_signals++;
}

static void
failed_cb (AlsLanClient *client, GError *error, Side *side)
{
  g_assert_true (error->domain == ALS_SIGNAL_CLIENT_ERROR);
  side->error = error->code;
  side->n_failed++;
  side->n_signals++;
}

static void
side_init (Side *side)
{
  *side = (Side) { .client = als_lan_client_new (TRUE) };
  g_signal_connect (side->client, "paired", G_CALLBACK (paired_cb), side);
  g_signal_connect (side->client, "message", G_CALLBACK (message_cb), side);
  g_signal_connect (side->client, "unpaired", G_CALLBACK (unpaired_cb), side);
  g_signal_connect (side->client, "failed", G_CALLBACK (failed_cb), side);
}

static void
expect_nothing_more (Side *side)
{
  als_lan_client_stop (side->client);
  g_assert_finalize_object (side->client);
  g_clear_pointer (&side->payload, g_bytes_unref);
}

static void
side_clear (Side *side)
{
  guint n_signals;

  als_lan_client_stop (side->client);
  als_lan_client_stop (side->client);
  n_signals = side->n_signals;
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (side->n_signals, ==, n_signals);
  expect_nothing_more (side);
}

/* Other tests, and other runs of this one, are in the same loopback. */
static guint
draw_number (void)
{
  return (guint) g_random_int_range (0, 1000000);
}

static void
expect_message (Side *from, Side *to, const char *text)
{
  g_autoptr (GBytes) payload = g_bytes_new (text, strlen (text));
  guint n = to->n_messages;

  g_assert_true (als_lan_client_send (from->client, payload));
  als_wait_until (to->n_messages == n + 1);
  g_assert_true (g_bytes_equal (to->payload, payload));
}

static guint
pair_up (Side *inviter, Side *joiner)
{
  guint number = draw_number ();

  side_init (inviter);
  side_init (joiner);
  als_lan_client_wait (inviter->client, number);
  als_lan_client_join (joiner->client, number);
  als_wait_until (inviter->n_paired == 1 && joiner->n_paired == 1);
  return number;
}

static void
test_two_find_each_other (void)
{
  int64_t began_us = g_get_monotonic_time ();
  Side inviter, joiner;
  guint number = pair_up (&inviter, &joiner);

  g_test_message ("paired after %d ms", (int) ((g_get_monotonic_time () - began_us) / 1000));
  g_assert_true (als_lan_client_is_paired (inviter.client));
  g_assert_nonnull (als_lan_client_get_remote (joiner.client));
  expect_message (&inviter, &joiner, "hello");
  expect_message (&joiner, &inviter, "hello yourself");
  als_lan_client_unpair (joiner.client);
  als_wait_until (inviter.n_unpaired == 1);
  g_assert_cmpuint (inviter.reason, ==, ALS_SIGNAL_UNPAIR_LEFT);
  g_assert_cmpuint (joiner.n_unpaired, ==, 0);
  g_assert_false (als_lan_client_send (joiner.client, joiner.payload));
  /* The inviter waits on. */
  als_lan_client_join (joiner.client, number);
  als_wait_until (inviter.n_paired == 2 && joiner.n_paired == 2);
  als_lan_client_unwait (inviter.client);
  expect_message (&joiner, &inviter, "still here");
  side_clear (&joiner);
  als_wait_until (inviter.n_unpaired == 2);
  g_assert_cmpuint (inviter.n_failed, ==, 0);
  side_clear (&inviter);
}

/* A joiner who was first, and an inviter who says little: the question is asked again. */
static void
test_joiner_may_be_first (void)
{
  guint number = draw_number ();
  Side inviter, joiner;

  side_init (&joiner);
  als_lan_client_join (joiner.client, number);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  als_wait_until (inviter.n_paired == 1 && joiner.n_paired == 1);
  side_clear (&inviter);
  als_wait_until (joiner.n_unpaired == 1);
  g_assert_cmpuint (joiner.reason, ==, ALS_SIGNAL_UNPAIR_LEFT);
  side_clear (&joiner);
}

/* What was said last still arrives, though the one who said it has gone. */
static void
test_last_words_arrive (void)
{
  g_autofree char *text = g_strnfill (ALS_SIGNAL_MAX_PEER_MESSAGE, 'x');
  g_autoptr (GBytes) payload = g_bytes_new (text, strlen (text));
  Side inviter, joiner;

  pair_up (&inviter, &joiner);
  for (guint i = 0; i < 20; i++)
    {
      g_assert_true (als_lan_client_send (inviter.client, payload));
      g_assert_true (als_lan_client_send (joiner.client, payload));
    }
  side_clear (&inviter);
  als_wait_until (joiner.n_unpaired == 1);
  g_assert_cmpuint (joiner.n_messages, ==, 20);
  g_assert_cmpuint (joiner.reason, ==, ALS_SIGNAL_UNPAIR_LEFT);
  side_clear (&joiner);
}

static void
test_meeting (void)
{
  Side inviter, joiner;
  uint8_t id[ALS_SIGNAL_MEETING_BYTES];

  memcpy (id, meeting, sizeof id);
  *(guint32 *) (id + 4) = g_random_int ();
  pair_up (&inviter, &joiner);
  /* Either side may notice first that all is lost; each leaves the old pairing. */
  for (guint i = 0; i < 4; i++)
    {
      als_lan_client_meet (i % 2 == 0 ? inviter.client : joiner.client, id, i % 2 == 0);
      g_assert_false (als_lan_client_is_paired (i % 2 == 0 ? inviter.client : joiner.client));
      als_wait_until (i % 2 == 0 ? joiner.n_unpaired == i / 2 + 1
                                 : inviter.n_unpaired == i / 2 + 1);
      als_lan_client_meet (i % 2 == 0 ? joiner.client : inviter.client, id, i % 2 != 0);
      als_wait_until (inviter.n_paired == i + 2 && joiner.n_paired == i + 2);
      expect_message (&inviter, &joiner, "again");
    }
  side_clear (&joiner);
  side_clear (&inviter);
}

static void
test_second_guest_is_told (void)
{
  Side inviter, joiner, other;
  guint number = pair_up (&inviter, &joiner);

  side_init (&other);
  als_lan_client_join (other.client, number);
  als_wait_until (other.n_failed == 1);
  g_assert_cmpint (other.error, ==, ALS_SIGNAL_ERROR_BUSY);
  expect_message (&joiner, &inviter, "undisturbed");
  als_lan_client_unpair (joiner.client);
  als_wait_until (inviter.n_unpaired == 1);
  als_lan_client_join (other.client, number);
  als_wait_until (other.n_paired == 1 && inviter.n_paired == 2);
  g_assert_cmpuint (joiner.n_failed, ==, 0);
  side_clear (&other);
  side_clear (&joiner);
  side_clear (&inviter);
}

static void
test_crowd_is_served_once (void)
{
  enum { N = 6 };
  guint number = draw_number ();
  Side inviter, joiners[N];
  guint n_paired = 0;

  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  for (guint i = 0; i < N; i++)
    {
      side_init (&joiners[i]);
      als_lan_client_join (joiners[i].client, number);
    }
  for (guint i = 0; i < N; i++)
    als_wait_until (joiners[i].n_paired + joiners[i].n_failed == 1);
  for (guint i = 0; i < N; i++)
    {
      n_paired += joiners[i].n_paired;
      if (joiners[i].n_failed == 1)
        g_assert_cmpint (joiners[i].error, ==, ALS_SIGNAL_ERROR_BUSY);
    }
  g_assert_cmpuint (n_paired, ==, 1);
  als_wait_until (inviter.n_paired == 1);
  for (guint i = 0; i < N; i++)
    side_clear (&joiners[i]);
  side_clear (&inviter);
}

typedef struct
{
  uint64_t n_bytes;
  guint n_received, n_writable, n_closed;
} Relay;

static void
relay_received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Relay *relay = user_data;

  g_assert_cmpuint (data[0], ==, relay->n_received & 0xff);
  relay->n_received++;
  relay->n_bytes += len;
}

static void
relay_writable_cb (AlsCarrier *carrier, gpointer user_data)
{
  ((Relay *) user_data)->n_writable++;
}

static void
relay_closed_cb (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  ((Relay *) user_data)->n_closed++;
}

static const AlsCarrierEvents relay_events = { relay_received_cb, relay_writable_cb,
                                               relay_closed_cb };

static void
test_relay (void)
{
  enum { N = 2000 };
  g_autofree uint8_t *frame = g_malloc0 (ALS_SIGNAL_MAX_RELAY);
  g_autoptr (AlsCarrier) from = NULL;
  g_autoptr (AlsCarrier) to = NULL;
  Side inviter, joiner;
  Relay sent = { 0 }, received = { 0 };
  guint n_refused = 0;

  pair_up (&inviter, &joiner);
  from = als_lan_client_take_relay (inviter.client);
  to = als_lan_client_take_relay (joiner.client);
  g_assert_null (als_lan_client_take_relay (joiner.client));
  g_assert_cmpint (als_carrier_get_carrier_type (from), ==, ALS_CARRIER_MESSAGES);
  g_assert_cmpint (als_carrier_get_kind (from), ==, ALS_PATH_SIGNAL_RELAY);
  g_assert_true (als_carrier_is_lan (from));
  g_assert_cmpuint (als_carrier_get_rate_limit (from), ==, 0);
  als_carrier_set_events (from, &relay_events, &sent);
  als_carrier_set_events (to, &relay_events, &received);
  for (guint i = 0; i < N;)
    {
      AlsPacket packet = { frame, ALS_SIGNAL_MAX_RELAY };

      frame[0] = (uint8_t) i;
      if (als_carrier_send (from, &packet, 1) == 1)
        {
          i++;
          continue;
        }
      /* No more is taken than can be sent; what is said meanwhile goes past it. */
      n_refused++;
      als_wait_until (sent.n_writable == n_refused);
    }
  g_assert_cmpuint (n_refused, >, 0);
  expect_message (&inviter, &joiner, "past it");
  als_wait_until (received.n_received == N);
  g_assert_cmpuint (received.n_bytes, ==, (uint64_t) N * ALS_SIGNAL_MAX_RELAY);
  als_lan_client_unpair (inviter.client);
  g_assert_cmpuint (sent.n_closed, ==, 1);
  als_wait_until (received.n_closed == 1 && joiner.n_unpaired == 1);
  side_clear (&joiner);
  side_clear (&inviter);
}

/* The loop ends right behind the goodbye (what that leaves behind, the leak checker sees). */
static void
test_loop_ends (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  guint number = draw_number ();
  Side inviter, joiner;

  g_main_context_push_thread_default (context);
  side_init (&inviter);
  side_init (&joiner);
  als_lan_client_wait (inviter.client, number);
  als_lan_client_join (joiner.client, number);
  while (inviter.n_paired == 0 || joiner.n_paired == 0)
    g_main_context_iteration (context, TRUE);
  expect_nothing_more (&inviter);
  expect_nothing_more (&joiner);
  g_main_context_pop_thread_default (context);
}

/* No socket can be had for a while. */
static void
test_no_sockets (void)
{
  guint number = draw_number ();
  struct rlimit limit, none;
  Side inviter, joiner;

  side_init (&inviter);
  side_init (&joiner);
  als_lan_client_wait (inviter.client, number);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = limit;
  /* The lowest number that is free. */
  none.rlim_cur = (rlim_t) dup (0);
  close ((int) none.rlim_cur);
  setrlimit (RLIMIT_NOFILE, &none);
  als_wait_until (inviter.n_failed == 1);
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_cmpint (inviter.error, ==, ALS_SIGNAL_ERROR_UNREACHABLE);
  als_lan_client_join (joiner.client, number);
  als_wait_until (inviter.n_paired == 1 && joiner.n_paired == 1);
  g_assert_cmpuint (inviter.n_failed, ==, 1);
  side_clear (&joiner);
  side_clear (&inviter);
}

/* --- strangers ------------------------------------------------------------------ */

/* Hears datagrams as anybody here can. */
typedef struct
{
  AlsLanMulticast *multicast;
  AlsLanTopic topic;
  AlsLanType type;            /* waited for */
  AlsLanEndpoint heard;       /* where its sender can be reached; port 0: nothing yet */
} Spy;

static void
spy_cb (const uint8_t *data, size_t len, const AlsLanEndpoint *from, guint interface,
        gpointer user_data)
{
  Spy *spy = user_data;
  AlsLanMessage message;

  if (from->is_v6 || !als_lan_message_decode (&message, data, len) || message.type != spy->type
      || !als_lan_message_check (&message, &spy->topic, NULL))
    return;
  spy->heard = *from;
  spy->heard.port = message.port;
}

static void
spy_init (Spy *spy, guint number, AlsLanType type)
{
  g_autoptr (GError) error = NULL;

  *spy = (Spy) { .type = type };
  als_lan_topic_from_number (&spy->topic, number);
  spy->multicast = als_lan_multicast_new (TRUE, spy_cb, spy, &error);
  g_assert_no_error (error);
  als_lan_multicast_refresh (spy->multicast);
}

static int
dial_endpoint (const AlsLanEndpoint *to)
{
  struct sockaddr_storage address;
  guint len = als_lan_endpoint_to_native (to, &address);
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, len), ==, 0);
  return fd;
}

/* The other side has closed it, and never said a word. */
static gboolean
is_closed_unheard (int fd)
{
  char byte;
  ssize_t n = recv (fd, &byte, 1, MSG_DONTWAIT);

  g_assert_cmpint (n, <=, 0);
  return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
send_greeting (int fd, const AlsLanTopic *topic, AlsLanType type, uint8_t first)
{
  AlsLanMessage message = { .type = type, .nonce = { first } };
  uint8_t data[ALS_LAN_MESSAGE_BYTES];

  als_lan_message_sign (&message, topic, NULL);
  als_lan_message_encode (&message, data);
  g_assert_cmpint (send (fd, data, sizeof data, MSG_NOSIGNAL), ==, sizeof data);
}

static void
test_strangers_at_the_inviter (void)
{
  enum { SILENT, GARBAGE, WRONG_TOPIC, WRONG_TYPE, TAKE_FIRST, N_KINDS, N = 30 };
  guint number = draw_number ();
  int64_t began_us = g_get_monotonic_time ();
  int fds[N], kinds[N_KINDS];
  AlsLanTopic other;
  Side inviter, joiner;
  guint n_left = 0;
  Spy spy;

  spy_init (&spy, number, ALS_LAN_ANNOUNCE);
  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  als_wait_until (spy.heard.port != 0);
  als_lan_topic_from_number (&other, (number + 1) % 1000000);
  for (guint i = 0; i < N_KINDS; i++)
    kinds[i] = dial_endpoint (&spy.heard);
  g_assert_cmpint (send (kinds[GARBAGE], "GET / HTTP/1.1\r\nHost: nobody, nowhere, never", 44,
                         MSG_NOSIGNAL), ==, 44);
  send_greeting (kinds[WRONG_TOPIC], &other, ALS_LAN_HELLO, 1);
  send_greeting (kinds[WRONG_TYPE], &spy.topic, ALS_LAN_WELCOME, 1);
  send_greeting (kinds[TAKE_FIRST], &spy.topic, ALS_LAN_TAKE, 1);
  for (guint i = GARBAGE; i < N_KINDS; i++)
    als_wait_until (is_closed_unheard (kinds[i]));
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 4 * G_USEC_PER_SEC);
  g_assert_false (is_closed_unheard (kinds[SILENT]));
  /* Many who say nothing: no more than eight are kept, and the right one comes in beside them. */
  for (guint i = 0; i < N; i++)
    {
      fds[i] = dial_endpoint (&spy.heard);
      g_main_context_iteration (NULL, TRUE);
    }
  do
    {
      g_main_context_iteration (NULL, FALSE);
      n_left = 0;
      for (guint i = 0; i < N; i++)
        n_left += is_closed_unheard (fds[i]) ? 0 : 1;
    }
  while (n_left > 7);
  side_init (&joiner);
  als_lan_client_join (joiner.client, number);
  als_wait_until (inviter.n_paired == 1 && joiner.n_paired == 1);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 4 * G_USEC_PER_SEC);
  /* Nobody stays for long. */
  als_wait_until (is_closed_unheard (kinds[SILENT]));
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 8 * G_USEC_PER_SEC);
  for (guint i = 0; i < N; i++)
    als_wait_until (is_closed_unheard (fds[i]));
  for (guint i = 0; i < N; i++)
    close (fds[i]);
  for (guint i = 0; i < N_KINDS; i++)
    close (kinds[i]);
  expect_message (&joiner, &inviter, "undisturbed");
  side_clear (&joiner);
  side_clear (&inviter);
  als_lan_multicast_free (spy.multicast);
}

/* Who knows the number and says HELLO, but goes no further, holds others up for a second. */
static void
test_welcome_guest_that_hesitates (void)
{
  guint number = draw_number ();
  Side inviter, joiner;
  Spy spy;
  int fd;

  spy_init (&spy, number, ALS_LAN_ANNOUNCE);
  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  als_wait_until (spy.heard.port != 0);
  fd = dial_endpoint (&spy.heard);
  send_greeting (fd, &spy.topic, ALS_LAN_HELLO, 1);
  for (uint8_t answer[ALS_LAN_MESSAGE_BYTES]; recv (fd, answer, sizeof answer, MSG_DONTWAIT) < 0;)
    g_main_context_iteration (NULL, FALSE);
  side_init (&joiner);
  als_lan_client_join (joiner.client, number);
  als_wait_until (inviter.n_paired == 1 && joiner.n_paired == 1);
  g_assert_cmpuint (joiner.n_failed, ==, 0);
  close (fd);
  side_clear (&joiner);
  side_clear (&inviter);
  als_lan_multicast_free (spy.multicast);
}

static int
listen_somewhere (uint16_t *port)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, len), ==, 0);
  g_assert_cmpint (listen (fd, 64), ==, 0);
  getsockname (fd, (struct sockaddr *) &address, &len);
  *port = ntohs (address.sin_port);
  return fd;
}

/* An announcement with the right number from 127.0.0.HOST. */
static void
lie (Spy *spy, uint8_t host, uint16_t port)
{
  struct sockaddr_in from = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK + host - 1) };
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (ALS_LAN_PORT) };
  struct ip_mreqn request = { .imr_address = from.sin_addr, .imr_ifindex = (int) if_nametoindex ("lo") };
  AlsLanMessage message = { .type = ALS_LAN_ANNOUNCE, .port = port };
  uint8_t data[ALS_LAN_MESSAGE_BYTES];
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  inet_pton (AF_INET, ALS_LAN_GROUP_IPV4, &to.sin_addr);
  als_lan_message_sign (&message, &spy->topic, NULL);
  als_lan_message_encode (&message, data);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &from, sizeof from), ==, 0);
  g_assert_cmpint (setsockopt (fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request), ==, 0);
  g_assert_cmpint (sendto (fd, data, sizeof data, 0, (struct sockaddr *) &to, sizeof to), ==,
                   sizeof data);
  close (fd);
}

/* Announcements with our number by others: silent ones and dead ones. */
static void
test_joiner_among_liars (void)
{
  guint number = draw_number ();
  int64_t began_us = g_get_monotonic_time ();
  uint16_t ports[2];
  int fds[2] = { listen_somewhere (&ports[0]), listen_somewhere (&ports[1]) };
  Side inviter, joiner;
  int stranger;
  Spy spy;

  close (fds[1]);
  spy_init (&spy, number, ALS_LAN_ASK);
  side_init (&joiner);
  als_lan_client_join (joiner.client, number);
  als_wait_until (spy.heard.port != 0);
  /* Who was not heard of gets no byte. */
  stranger = dial_endpoint (&spy.heard);
  for (guint i = 0; i < 40; i++)
    {
      lie (&spy, (uint8_t) (2 + i % 20), ports[i % 2]);
      g_main_context_iteration (NULL, FALSE);
    }
  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  als_wait_until (inviter.n_paired == 1 && joiner.n_paired == 1);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 5 * G_USEC_PER_SEC);
  als_wait_until (is_closed_unheard (stranger));
  close (stranger);
  close (fds[0]);
  side_clear (&joiner);
  side_clear (&inviter);
  als_lan_multicast_free (spy.multicast);
}

/* After the pairing the other side keeps to the rules, or is lost. */
static void
test_partner_that_breaks_the_rules (void)
{
  guint number = draw_number ();
  uint8_t data[ALS_LAN_MESSAGE_BYTES];
  AlsLanMessage welcome, take = { .type = ALS_LAN_TAKE, .nonce = { 1 } };
  Side inviter;
  Spy spy;
  int fd;

  spy_init (&spy, number, ALS_LAN_ANNOUNCE);
  side_init (&inviter);
  als_lan_client_wait (inviter.client, number);
  als_wait_until (spy.heard.port != 0);
  fd = dial_endpoint (&spy.heard);
  send_greeting (fd, &spy.topic, ALS_LAN_HELLO, 1);
  while (recv (fd, data, sizeof data, MSG_DONTWAIT) != sizeof data)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (als_lan_message_decode (&welcome, data, sizeof data));
  g_assert_true (als_lan_message_check (&welcome, &spy.topic, take.nonce));
  als_lan_message_sign (&take, &spy.topic, welcome.nonce);
  als_lan_message_encode (&take, data);
  g_assert_cmpint (send (fd, data, sizeof data, MSG_NOSIGNAL), ==, sizeof data);
  als_wait_until (inviter.n_paired == 1);
  g_assert_cmpint (send (fd, "\0\0\0\5\4\0\0\0\5", 9, MSG_NOSIGNAL), ==, 9);
  als_wait_until (inviter.n_unpaired == 1);
  g_assert_cmpuint (inviter.reason, ==, ALS_SIGNAL_UNPAIR_LOST);
  close (fd);
  side_clear (&inviter);
  als_lan_multicast_free (spy.multicast);
}

/* Those that are turned away hold a socket for a while; so many, and the others are closed. */
static void
test_few_leave_at_once (void)
{
  static const AlsLanConnectionEvents no_events;
  AlsLanEndpoint from = { .ip = { 192, 0, 2, 1 }, .port = 9 };
  AlsLanMessage busy = { .type = ALS_LAN_BUSY };
  int ends[100][2];
  guint n_held = 0;

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      AlsLanConnection *connection;

      g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]), ==, 0);
      connection = als_lan_connection_accept (ends[i][0], &from, &no_events, NULL);
      als_lan_connection_greet (connection, &busy);
      als_lan_connection_leave (connection);
    }
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    n_held += send (ends[i][1], "x", 1, MSG_NOSIGNAL) == 1;
  g_assert_cmpuint (n_held, ==, 32);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    close (ends[i][1]);
  /* They go, and others may come. */
  for (;;)
    {
      AlsLanConnection *connection;
      gboolean is_held;

      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[0]), ==, 0);
      connection = als_lan_connection_accept (ends[0][0], &from, &no_events, NULL);
      als_lan_connection_leave (connection);
      is_held = send (ends[0][1], "x", 1, MSG_NOSIGNAL) == 1;
      close (ends[0][1]);
      if (is_held)
        break;
    }
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/lan-client/two-find-each-other", test_two_find_each_other);
  g_test_add_func ("/signal/lan-client/joiner-may-be-first", test_joiner_may_be_first);
  g_test_add_func ("/signal/lan-client/last-words-arrive", test_last_words_arrive);
  g_test_add_func ("/signal/lan-client/both-meet-again", test_meeting);
  g_test_add_func ("/signal/lan-client/second-guest-is-told", test_second_guest_is_told);
  g_test_add_func ("/signal/lan-client/crowd-is-served-once", test_crowd_is_served_once);
  g_test_add_func ("/signal/lan-client/relay-takes-what-it-can-send", test_relay);
  g_test_add_func ("/signal/lan-client/loop-may-end", test_loop_ends);
  g_test_add_func ("/signal/lan-client/sockets-are-tried-again", test_no_sockets);
  g_test_add_func ("/signal/lan-client/strangers-get-no-byte-and-no-place-for-long",
                   test_strangers_at_the_inviter);
  g_test_add_func ("/signal/lan-client/guest-that-hesitates-gives-way",
                   test_welcome_guest_that_hesitates);
  g_test_add_func ("/signal/lan-client/joiner-finds-its-way-among-liars", test_joiner_among_liars);
  g_test_add_func ("/signal/lan-client/few-leave-at-once", test_few_leave_at_once);
  g_test_add_func ("/signal/lan-client/partner-keeps-to-the-rules",
                   test_partner_that_breaks_the_rules);
  return g_test_run ();
}
