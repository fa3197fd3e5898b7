/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Stream carriers over loopback, plain and in TLS: all bytes in order, full
 * sockets, back-pressure, ends. What the carriers say is heard in their thread
 * and counted there; the test waits for the counts. */

#include "path/als-stream-carrier.h"

#include <string.h>
#include <sys/socket.h>

#include "als-stream-call.h"
#include "als-test-certificate.h"
#include "als-wait.h"

typedef struct
{
  AlsCarrier *carrier;
  GMutex mutex;
  uint64_t sent, received; /* bytes; both numbered by their place */
  uint64_t to_send;
  size_t packet_bytes;
  guint n_refused;         /* times it was full */
  gboolean is_wrong;       /* a byte came that does not belong there */
  gboolean is_closed;
  GError *error;           /* (nullable) */
} End;

static uint8_t
byte_at (uint64_t pos)
{
  return (uint8_t) (pos * 7 + (pos >> 8) * 3 + (pos >> 16));
}

/* One period of it: the pattern of the lower 24 bits. */
static const uint8_t *
get_pattern (void)
{
  static uint8_t *pattern;

  if (g_once_init_enter (&pattern))
    {
      uint8_t *bytes = g_malloc (2 << 24);

      for (uint64_t i = 0; i < 2 << 24; i++)
        bytes[i] = byte_at (i & 0xffffff);
      g_once_init_leave (&pattern, bytes);
    }
  return pattern;
}

static void
pump (End *self)
{
  for (;;)
    {
      AlsPacket packets[32];
      uint64_t at = self->sent;
      guint n = 0, taken;

      for (; n < G_N_ELEMENTS (packets) && at < self->to_send; n++)
        {
          packets[n].data = get_pattern () + (at & 0xffffff);
          packets[n].len = MIN (self->packet_bytes, self->to_send - at);
          at += packets[n].len;
        }
      if (n == 0)
        return;
      taken = als_carrier_send (self->carrier, packets, n);
      g_mutex_lock (&self->mutex);
      for (guint i = 0; i < taken; i++)
        self->sent += packets[i].len;
      self->n_refused += taken < n;
      g_mutex_unlock (&self->mutex);
      if (taken < n)
        return;
    }
}

static void
on_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  End *self = user_data;

  g_mutex_lock (&self->mutex);
  self->is_wrong |= memcmp (data, get_pattern () + (self->received & 0xffffff), len) != 0;
  self->received += len;
  g_mutex_unlock (&self->mutex);
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
  self->error = error != NULL ? g_error_copy (error) : NULL;
  g_mutex_unlock (&self->mutex);
}

static const AlsCarrierEvents events = { on_received, on_writable, on_closed };

static gboolean
listen_cb (gpointer user_data)
{
  End *self = user_data;

  als_carrier_set_events (self->carrier, &events, self);
  pump (self);
  return G_SOURCE_REMOVE;
}

static gboolean
stop_reading_cb (gpointer user_data)
{
  als_carrier_set_reading (((End *) user_data)->carrier, FALSE);
  return G_SOURCE_REMOVE;
}

static gboolean
start_reading_cb (gpointer user_data)
{
  als_carrier_set_reading (((End *) user_data)->carrier, TRUE);
  return G_SOURCE_REMOVE;
}

static gboolean
close_cb (gpointer user_data)
{
  als_carrier_close (((End *) user_data)->carrier);
  return G_SOURCE_REMOVE;
}

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

/* --- connections --- */

static void
make_tcp_pair (GIOStream *streams[2])
{
  g_autoptr (GSocket) listener
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GSocket) dialled
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocket) accepted = NULL;

  g_assert_true (g_socket_bind (listener, any, FALSE, NULL));
  g_assert_true (g_socket_listen (listener, NULL));
  bound = g_socket_get_local_address (listener, NULL);
  g_assert_true (g_socket_connect (dialled, bound, NULL, NULL));
  accepted = g_socket_accept (listener, NULL, NULL);
  g_assert_nonnull (accepted);
  streams[0] = G_IO_STREAM (g_socket_connection_factory_create_connection (dialled));
  streams[1] = G_IO_STREAM (g_socket_connection_factory_create_connection (accepted));
}

static gboolean
accept_certificate_cb (GTlsConnection *connection, GTlsCertificate *certificate,
                       GTlsCertificateFlags flags, gpointer user_data)
{
  return TRUE;
}

static void
handshake_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_tls_connection_handshake_finish (G_TLS_CONNECTION (object), result, &error);
  g_assert_no_error (error);
  ++*(guint *) user_data;
}

static void
make_tls_pair (GIOStream *streams[2])
{
  g_autoptr (GTlsCertificate) certificate
      = g_tls_certificate_new_from_pem (ALS_TEST_CERTIFICATE, -1, NULL);
  GIOStream *plain[2];
  guint n_done = 0;

  make_tcp_pair (plain);
  streams[0] = g_tls_client_connection_new (plain[0], NULL, NULL);
  streams[1] = g_tls_server_connection_new (plain[1], certificate, NULL);
  g_signal_connect (streams[0], "accept-certificate", G_CALLBACK (accept_certificate_cb), NULL);
  for (guint i = 0; i < 2; i++)
    {
      g_tls_connection_handshake_async (G_TLS_CONNECTION (streams[i]), G_PRIORITY_DEFAULT, NULL,
                                        handshake_cb, &n_done);
      g_object_unref (plain[i]);
    }
  als_wait_until (n_done == 2);
}

typedef struct
{
  End ends[2];
} Pair;

static void
pair_init (Pair *self, gboolean is_tls, GBytes *early)
{
  GIOStream *streams[2];

  memset (self, 0, sizeof *self);
  if (is_tls)
    make_tls_pair (streams);
  else
    make_tcp_pair (streams);
  for (guint i = 0; i < 2; i++)
    {
      g_mutex_init (&self->ends[i].mutex);
      self->ends[i].packet_bytes = 16 * 1024;
      self->ends[i].carrier = als_stream_carrier_new (streams[i], ALS_PATH_DIRECT_TCP, "peer", TRUE,
                                                      i == 0, i == 1 ? early : NULL);
      g_object_unref (streams[i]);
    }
}

static void
pair_clear (Pair *self)
{
  for (guint i = 0; i < 2; i++)
    {
      als_stream_call (close_cb, &self->ends[i]);
      g_assert_false (self->ends[i].is_wrong);
      g_object_unref (self->ends[i].carrier);
      g_clear_error (&self->ends[i].error);
      g_mutex_clear (&self->ends[i].mutex);
    }
}

/* --- the tests --- */

static void
test_both_ways (gconstpointer user_data)
{
  gboolean is_tls = GPOINTER_TO_INT (user_data);
  uint64_t n = (is_tls ? 32 : 128) << 20;
  Pair pair;

  pair_init (&pair, is_tls, NULL);
  for (guint i = 0; i < 2; i++)
    {
      pair.ends[i].to_send = n;
      pair.ends[i].packet_bytes = i == 0 ? 16 * 1024 : 1021;
      als_stream_call (listen_cb, &pair.ends[i]);
    }
  als_wait_until_ticking (get_received (&pair.ends[0]) == n && get_received (&pair.ends[1]) == n);
  g_assert_cmpuint (pair.ends[0].n_refused, >, 0);
  pair_clear (&pair);
}

static void
test_speed (void)
{
  uint64_t n = (uint64_t) 512 << 20;
  int64_t start_us;
  Pair pair;

  get_pattern ();
  pair_init (&pair, FALSE, NULL);
  als_stream_call (listen_cb, &pair.ends[1]);
  pair.ends[0].to_send = n;
  start_us = g_get_monotonic_time ();
  als_stream_call (listen_cb, &pair.ends[0]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == n);
  g_test_message ("%.0f Mbit/s over loopback",
                  (double) n * 8 / (double) (g_get_monotonic_time () - start_us));
  pair_clear (&pair);
}

static void
test_back_pressure (gconstpointer user_data)
{
  gboolean is_tls = GPOINTER_TO_INT (user_data);
  uint64_t n = 32 << 20, stalled;
  Pair pair;

  pair_init (&pair, is_tls, NULL);
  pair.ends[0].to_send = n;
  als_stream_call (listen_cb, &pair.ends[1]);
  als_stream_call (stop_reading_cb, &pair.ends[1]);
  als_stream_call (listen_cb, &pair.ends[0]);
  g_mutex_lock (&pair.ends[0].mutex);
  stalled = pair.ends[0].n_refused;
  g_mutex_unlock (&pair.ends[0].mutex);
  g_assert_cmpuint (stalled, >, 0);
  g_assert_cmpuint (get_received (&pair.ends[1]), ==, 0);
  als_stream_call (start_reading_cb, &pair.ends[1]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == n);
  pair_clear (&pair);
}

static void
test_waits_for_a_listener (void)
{
  Pair pair;

  pair_init (&pair, FALSE, NULL);
  pair.ends[0].to_send = 8 << 20;
  pair.ends[0].packet_bytes = 100;
  als_stream_call (listen_cb, &pair.ends[0]);
  g_assert_cmpuint (pair.ends[0].n_refused, >, 0);
  als_stream_call (listen_cb, &pair.ends[1]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == 8 << 20);
  pair_clear (&pair);
}

static void
test_early_bytes (void)
{
  g_autoptr (GBytes) early = g_bytes_new (get_pattern (), 1000);
  Pair pair;

  pair_init (&pair, FALSE, early);
  pair.ends[0].sent = 1000; /* goes on from there */
  pair.ends[0].to_send = 2000;
  als_stream_call (listen_cb, &pair.ends[0]);
  als_stream_call (listen_cb, &pair.ends[1]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == 2000);
  pair_clear (&pair);
}

static void
test_end (gconstpointer user_data)
{
  Pair pair;

  pair_init (&pair, GPOINTER_TO_INT (user_data), NULL);
  pair.ends[0].to_send = 100000;
  als_stream_call (listen_cb, &pair.ends[0]);
  als_stream_call (listen_cb, &pair.ends[1]);
  als_wait_until_ticking (get_received (&pair.ends[1]) == 100000);
  als_stream_call (close_cb, &pair.ends[0]);
  als_wait_until_ticking (is_closed (&pair.ends[1]));
  g_assert_nonnull (pair.ends[1].error);
  g_assert_false (is_closed (&pair.ends[0]));
  pair_clear (&pair);
}

static void
test_reset_while_writing (void)
{
  Pair pair;

  pair_init (&pair, FALSE, NULL);
  pair.ends[0].to_send = UINT64_MAX / 2;
  als_stream_call (listen_cb, &pair.ends[0]);
  /* Unread bytes make it a reset. */
  als_stream_call (close_cb, &pair.ends[1]);
  als_wait_until_ticking (is_closed (&pair.ends[0]));
  g_assert_nonnull (pair.ends[0].error);
  pair_clear (&pair);
}

static void
test_close_without_a_listener (void)
{
  Pair pair;

  pair_init (&pair, FALSE, NULL);
  als_stream_call (listen_cb, &pair.ends[0]);
  als_stream_call (close_cb, &pair.ends[1]);
  als_wait_until_ticking (is_closed (&pair.ends[0]));
  pair_clear (&pair);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/path/stream/plain-bytes-arrive-in-order-both-ways", NULL,
                        test_both_ways);
  g_test_add_func ("/path/stream/is-fast-over-loopback", test_speed);
  g_test_add_data_func ("/path/stream/a-plain-sender-waits-for-its-reader", NULL,
                        test_back_pressure);
  g_test_add_func ("/path/stream/nothing-is-lost-before-somebody-listens",
                   test_waits_for_a_listener);
  g_test_add_func ("/path/stream/early-bytes-come-first", test_early_bytes);
  g_test_add_data_func ("/path/stream/a-plain-end-is-told-after-its-last-byte", NULL, test_end);
  g_test_add_func ("/path/stream/a-reset-ends-it-while-writing", test_reset_while_writing);
  g_test_add_func ("/path/stream/closing-unheard-is-quiet", test_close_without_a_listener);
#ifndef __SANITIZE_THREAD__ /* it knows nothing of GIO's threads for handshakes */
  g_test_add_data_func ("/path/stream/tls-bytes-arrive-in-order-both-ways", GINT_TO_POINTER (TRUE),
                        test_both_ways);
  g_test_add_data_func ("/path/stream/a-tls-sender-waits-for-its-reader", GINT_TO_POINTER (TRUE),
                        test_back_pressure);
  g_test_add_data_func ("/path/stream/a-tls-end-is-told-after-its-last-byte",
                        GINT_TO_POINTER (TRUE), test_end);
#endif
  return g_test_run ();
}
