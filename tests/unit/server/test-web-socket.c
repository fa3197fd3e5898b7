/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server/als-web-socket.h"

#include <string.h>

typedef struct
{
  GString *log; /* what happened, in words */
  AlsWebSocket *stop_on_message;
} Recorder;

static void
on_message (const uint8_t *data, size_t len, gpointer user_data)
{
  Recorder *self = user_data;

  g_string_append_printf (self->log, "message %.*s;", (int)len, (const char *)data);
  if (self->stop_on_message != NULL)
    als_web_socket_stop (self->stop_on_message);
}

static void
on_ping (const uint8_t *data, size_t len, gpointer user_data)
{
  g_string_append_printf (((Recorder *)user_data)->log, "ping %.*s;", (int)len, (const char *)data);
}

static void
on_closed (gpointer user_data)
{
  g_string_append (((Recorder *)user_data)->log, "closed;");
}

static void
on_broken (AlsWebSocketStatus status, const char *text, gpointer user_data)
{
  g_string_append_printf (((Recorder *)user_data)->log, "broken %d;", (int)status);
}

static const AlsWebSocketEvents events = { on_message, on_ping, on_closed, on_broken };

/* Frames with the mask 0, so that they can be read. */
static void
assert_events (const char *bytes, size_t len, const char *wanted)
{
  for (size_t piece = 1; piece <= MAX (len, 1); piece++)
    {
      Recorder recorder = { .log = g_string_new (NULL) };
      g_autoptr (AlsWebSocket) ws = als_web_socket_new (10, &events, &recorder);

      for (size_t at = 0; at < len; at += piece)
        als_web_socket_feed (ws, (const uint8_t *)bytes + at, MIN (piece, len - at));
      g_assert_cmpstr (recorder.log->str, ==, wanted);
      g_string_free (recorder.log, TRUE);
    }
}

#define ASSERT_EVENTS(bytes, wanted) assert_events (bytes, sizeof bytes - 1, wanted)
#define MASK "\0\0\0\0"

static void
test_messages (void)
{
  ASSERT_EVENTS ("\x82\x83" MASK "abc"
                 "\x82\x80" MASK "\x82\x81"
                 "\x20\0\0\0"
                 "A",
                 "message abc;message ;message a;");
  ASSERT_EVENTS ("\x82\x8a" MASK "0123456789", "message 0123456789;");
  ASSERT_EVENTS ("\x82\x83" MASK "ab", "");
}

static void
test_fragments (void)
{
  ASSERT_EVENTS ("\x02\x82" MASK "ab"
                 "\x89\x81" MASK "p"
                 "\x00\x80" MASK "\x8a\x80" MASK "\x80\x81" MASK "c"
                 "\x82\x81" MASK "d",
                 "ping p;message abc;message d;");
}

static void
test_close (void)
{
  ASSERT_EVENTS ("\x88\x80" MASK "\x82\x81" MASK "x", "closed;");
  ASSERT_EVENTS ("\x02\x81" MASK "x"
                 "\x88\x82" MASK "\x03\xe8",
                 "closed;");
}

static void
test_broken (void)
{
  ASSERT_EVENTS ("\x82\x01"
                 "x"
                 "\x82\x81" MASK "x",
                 "broken 1002;");                      /* unmasked */
  ASSERT_EVENTS ("\x81\x81" MASK "x", "broken 1003;"); /* text */
  ASSERT_EVENTS ("\xc2\x81" MASK "x", "broken 1002;"); /* reserved bit */
  ASSERT_EVENTS ("\x83\x81" MASK "x", "broken 1002;"); /* opcode */
  ASSERT_EVENTS ("\x8b\x81" MASK "x", "broken 1002;");
  ASSERT_EVENTS ("\x80\x81" MASK "x", "broken 1002;"); /* continues nothing */
  ASSERT_EVENTS ("\x02\x81" MASK "x"
                 "\x82\x81" MASK "x",
                 "broken 1002;");
  ASSERT_EVENTS ("\x09\x81" MASK "x", "broken 1002;");         /* a ping in pieces */
  ASSERT_EVENTS ("\x89\xfe\x00\x7e" MASK "x", "broken 1002;"); /* a long one */
  ASSERT_EVENTS ("\x82\x8b" MASK "0123456789a", "broken 1009;");
  ASSERT_EVENTS ("\x02\x86" MASK "012345"
                 "\x80\x85" MASK "67891",
                 "broken 1009;");
  ASSERT_EVENTS ("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", "broken 1002;");
  ASSERT_EVENTS ("\x82\xfe\x00\x05" MASK "01234",
                 "broken 1002;"); /* a length that could be shorter */
}

static void
test_stop (void)
{
  Recorder recorder = { .log = g_string_new (NULL) };
  g_autoptr (AlsWebSocket) ws = als_web_socket_new (10, &events, &recorder);

  recorder.stop_on_message = ws;
  als_web_socket_feed (ws, (const uint8_t *)"\x82\x81" MASK "a\x82\x81" MASK "b", 14);
  als_web_socket_feed (ws, (const uint8_t *)"\x82\x81" MASK "c", 7);
  g_assert_cmpstr (recorder.log->str, ==, "message a;");
  g_string_free (recorder.log, TRUE);
}

static void
assert_frame (GBytes *frame, const char *head, size_t head_len, size_t total)
{
  g_assert_cmpuint (g_bytes_get_size (frame), ==, total);
  g_assert_true (memcmp (g_bytes_get_data (frame, NULL), head, head_len) == 0);
  g_bytes_unref (frame);
}

static void
test_make (void)
{
  static const char zeros[32832];
  g_autoptr (GBytes) tiny = g_bytes_new_static (zeros, 125);
  g_autoptr (GBytes) small = g_bytes_new_static (zeros, 126);
  g_autoptr (GBytes) large = g_bytes_new_static (zeros, 32832);

  assert_frame (als_web_socket_make_binary (tiny), "\x82\x7d", 2, 127);
  assert_frame (als_web_socket_make_binary (small), "\x82\x7e\x00\x7e", 4, 130);
  assert_frame (als_web_socket_make_binary (large), "\x82\x7e\x80\x40", 4, 32836);
  assert_frame (als_web_socket_make_pong ((const uint8_t *)"ab", 2),
                "\x8a\x02"
                "ab",
                4, 4);
  assert_frame (als_web_socket_make_close (ALS_WEB_SOCKET_TOO_BIG), "\x88\x02\x03\xf1", 4, 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/web-socket/yields-messages", test_messages);
  g_test_add_func ("/server/web-socket/joins-fragments", test_fragments);
  g_test_add_func ("/server/web-socket/close-is-the-end", test_close);
  g_test_add_func ("/server/web-socket/names-what-is-broken", test_broken);
  g_test_add_func ("/server/web-socket/can-be-stopped-by-a-message", test_stop);
  g_test_add_func ("/server/web-socket/makes-frames", test_make);
  return g_test_run ();
}
