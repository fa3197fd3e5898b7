/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Puts frames together to messages, and refuses what a client of ours does not
 * send: unmasked frames, text, extensions, messages beyond the limit. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-web-socket.h"

#include "base/als-bytes.h"

#include <string.h>
#include <wslay/wslay.h>

#define MAX_CONTROL_PAYLOAD 125
/* A client may cut a message into frames, but not into crumbs. */
#define MAX_FRAMES_PER_MESSAGE 256

struct _AlsWebSocket
{
  wslay_frame_context_ptr frames;
  const AlsWebSocketEvents *events;
  gpointer user_data;
  size_t max_message;
  const uint8_t *input; /* what is being fed, borrowed */
  size_t input_len;
  uint64_t frame_left; /* payload bytes of the current frame still to come */
  GByteArray *message; /* data frames so far */
  guint n_frames;      /* of the message; 0: none begun */
  GByteArray *control; /* payload of the current control frame */
  gboolean stopped;
};

static ssize_t
read_input (uint8_t *buffer, size_t len, int flags, void *user_data)
{
  AlsWebSocket *self = user_data;
  size_t n = MIN (len, self->input_len);

  if (n == 0)
    return -1;
  memcpy (buffer, self->input, n);
  self->input += n;
  self->input_len -= n;
  return (ssize_t)n;
}

AlsWebSocket *
als_web_socket_new (size_t max_message, const AlsWebSocketEvents *events, gpointer user_data)
{
  const struct wslay_frame_callbacks callbacks = { NULL, read_input, NULL };
  AlsWebSocket *self = g_new0 (AlsWebSocket, 1);

  if (wslay_frame_context_init (&self->frames, &callbacks, self) != 0)
    g_error ("out of memory");
  self->events = events;
  self->user_data = user_data;
  self->max_message = max_message;
  self->message = g_byte_array_new ();
  self->control = g_byte_array_new ();
  return self;
}

void
als_web_socket_free (AlsWebSocket *self)
{
  if (self == NULL)
    return;
  wslay_frame_context_free (self->frames);
  g_byte_array_unref (self->message);
  g_byte_array_unref (self->control);
  g_free (self);
}

void
als_web_socket_stop (AlsWebSocket *self)
{
  self->stopped = TRUE;
}

static void
break_off (AlsWebSocket *self, AlsWebSocketStatus status, const char *text)
{
  self->stopped = TRUE;
  self->events->broken (status, text, self->user_data);
}

/* NULL: the frame may come. */
static const char *
judge_frame (AlsWebSocket *self, const struct wslay_frame_iocb *frame, AlsWebSocketStatus *status)
{
  *status = ALS_WEB_SOCKET_PROTOCOL_ERROR;
  if (!frame->mask)
    return "an unmasked frame";
  if (frame->rsv != WSLAY_RSV_NONE)
    return "an extension was not agreed upon";
  switch (frame->opcode)
    {
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
      return NULL;
    case WSLAY_TEXT_FRAME:
      *status = ALS_WEB_SOCKET_UNSUPPORTED;
      return "a text message";
    case WSLAY_BINARY_FRAME:
      if (self->n_frames > 0)
        return "a message inside another";
      break;
    case WSLAY_CONTINUATION_FRAME:
      if (self->n_frames == 0)
        return "a message without a beginning";
      if (self->n_frames >= MAX_FRAMES_PER_MESSAGE)
        return "a message in too many pieces";
      break;
    default:
      return "an unknown kind of frame";
    }
  *status = ALS_WEB_SOCKET_TOO_BIG;
  if (frame->payload_length > self->max_message - self->message->len)
    return "a message that is too long";
  return NULL;
}

static void
finish_frame (AlsWebSocket *self, const struct wslay_frame_iocb *frame)
{
  switch (frame->opcode)
    {
    case WSLAY_CONNECTION_CLOSE:
      self->stopped = TRUE;
      self->events->closed (self->user_data);
      break;
    case WSLAY_PING:
      self->events->ping (self->control->data, self->control->len, self->user_data);
      break;
    case WSLAY_PONG:
      break;
    default:
      self->n_frames++;
      if (!frame->fin)
        return;
      self->events->message (self->message->data, self->message->len, self->user_data);
      g_byte_array_set_size (self->message, 0);
      self->n_frames = 0;
      return;
    }
  g_byte_array_set_size (self->control, 0);
}

void
als_web_socket_feed (AlsWebSocket *self, const uint8_t *data, size_t len)
{
  self->input = data;
  self->input_len = len;
  while (!self->stopped)
    {
      struct wslay_frame_iocb frame = { 0 };
      ssize_t n = wslay_frame_recv (self->frames, &frame);

      if (n == WSLAY_ERR_WANT_READ)
        break;
      if (n < 0)
        {
          break_off (self, ALS_WEB_SOCKET_PROTOCOL_ERROR, "a frame header that is none");
          break;
        }
      if (self->frame_left == 0)
        {
          AlsWebSocketStatus status;
          const char *wrong = judge_frame (self, &frame, &status);

          if (wrong != NULL)
            {
              break_off (self, status, wrong);
              break;
            }
          self->frame_left = frame.payload_length;
        }
      g_byte_array_append (wslay_is_ctrl_frame (frame.opcode) ? self->control : self->message,
                           frame.data, (guint)frame.data_length);
      self->frame_left -= frame.data_length;
      if (self->frame_left == 0)
        finish_frame (self, &frame);
    }
  self->input = NULL;
  self->input_len = 0;
}

static GBytes *
make_frame (uint8_t opcode, const void *data, size_t len)
{
  g_auto (AlsWriter) writer;

  g_assert (len <= UINT16_MAX);
  als_writer_init (&writer, 4 + len);
  als_writer_u8 (&writer, 0x80 | opcode);
  if (len <= MAX_CONTROL_PAYLOAD)
    als_writer_u8 (&writer, (uint8_t)len);
  else
    {
      als_writer_u8 (&writer, 126);
      als_writer_u16 (&writer, (uint16_t)len);
    }
  als_writer_bytes (&writer, data, len);
  return als_writer_steal (&writer);
}

GBytes *
als_web_socket_make_binary (GBytes *message)
{
  size_t len;
  const void *data = g_bytes_get_data (message, &len);

  return make_frame (WSLAY_BINARY_FRAME, data, len);
}

GBytes *
als_web_socket_make_pong (const uint8_t *data, size_t len)
{
  return make_frame (WSLAY_PONG, data, len);
}

GBytes *
als_web_socket_make_close (AlsWebSocketStatus status)
{
  const uint8_t code[2] = { status >> 8, status & 0xff };

  return make_frame (WSLAY_CONNECTION_CLOSE, code, sizeof code);
}
