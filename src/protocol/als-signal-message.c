/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The codec of the rendezvous protocol: a type byte, then the fields of that
 * type in network order, nothing after them. */

#define G_LOG_DOMAIN "als-protocol"
#include "config.h"

#include "protocol/als-signal-message.h"

#include "base/als-bytes.h"

#include <string.h>

#define MAX_NUMBER 999999
#define MAX_TEXT 256
#define MAX_HOST 255
#define MAX_USERNAME 255
#define MAX_CREDENTIAL 255

G_DEFINE_QUARK (als - signal - message - error - quark, als_signal_message_error)

gboolean
als_signal_hello_has_word (const char *text, const char *word)
{
  g_auto (GStrv) words = g_strsplit (text != NULL ? text : "", " ", -1);

  /* The first is the name. */
  return words[0] != NULL && g_strv_contains ((const char *const *)words + 1, word);
}

AlsSignalMessage *
als_signal_message_new (AlsSignalType type)
{
  AlsSignalMessage *self = g_new0 (AlsSignalMessage, 1);

  self->type = type;
  return self;
}

void
als_ice_server_free (AlsIceServer *self)
{
  if (self == NULL)
    return;
  if (self->credential != NULL)
    explicit_bzero (self->credential, strlen (self->credential));
  g_free (self->host);
  g_free (self->username);
  g_free (self->credential);
  g_free (self);
}

void
als_signal_message_free (AlsSignalMessage *self)
{
  if (self == NULL)
    return;
  explicit_bzero (self->token, sizeof self->token);
  explicit_bzero (self->meeting_id, sizeof self->meeting_id);
  g_clear_pointer (&self->payload, g_bytes_unref);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_free (self->text);
  g_free (self);
}

static gboolean
read_bool (AlsReader *reader)
{
  uint8_t value = als_reader_u8 (reader);

  if (value > 1)
    als_reader_fail (reader);
  return value == 1;
}

static uint32_t
read_number (AlsReader *reader)
{
  uint32_t number = als_reader_u32 (reader);

  if (number > MAX_NUMBER)
    als_reader_fail (reader);
  return number;
}

static GBytes *
read_payload (AlsReader *reader, size_t max_len)
{
  size_t len;
  const uint8_t *at = als_reader_rest (reader, &len);

  if (at == NULL || len == 0 || len > max_len)
    {
      als_reader_fail (reader);
      return NULL;
    }
  return g_bytes_new (at, len);
}

static char *
read_name (AlsReader *reader, size_t max_len)
{
  char *text = als_reader_text (reader, max_len);

  if (text != NULL && *text == '\0')
    als_reader_fail (reader);
  return text;
}

static AlsIceServer *
read_server (AlsReader *reader)
{
  AlsIceServer *server = g_new0 (AlsIceServer, 1);
  uint8_t kind = als_reader_u8 (reader);

  server->kind = kind;
  server->host = read_name (reader, MAX_HOST);
  server->port = als_reader_u16 (reader);
  if (read_bool (reader))
    {
      server->username = read_name (reader, MAX_USERNAME);
      server->credential = read_name (reader, MAX_CREDENTIAL);
    }
  if (kind < ALS_ICE_SERVER_STUN || kind > ALS_ICE_SERVER_TURNS || server->port == 0)
    als_reader_fail (reader);
  return server;
}

static GPtrArray *
read_servers (AlsReader *reader)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
  guint n = als_reader_u8 (reader);

  if (n > ALS_SIGNAL_MAX_SERVERS)
    als_reader_fail (reader);
  for (guint i = 0; i < n && !reader->failed; i++)
    g_ptr_array_add (servers, read_server (reader));
  return servers;
}

/* Optional: at the end of what older ones send without. Who has not proved anything gets no login. */
static GPtrArray *
read_public_servers (AlsReader *reader)
{
  GPtrArray *servers;

  if (als_reader_left (reader) == 0)
    return NULL;
  servers = read_servers (reader);
  if (servers->len == 0)
    als_reader_fail (reader);
  for (guint i = 0; i < servers->len; i++)
    if (((AlsIceServer *)g_ptr_array_index (servers, i))->username != NULL)
      als_reader_fail (reader);
  return servers;
}

/* What follows the version of another version's greeting is not ours to judge. */
static gboolean
read_version (AlsReader *reader, AlsSignalMessage *self)
{
  size_t len;

  self->version = als_reader_u16 (reader);
  if (self->version == ALS_SIGNAL_PROTOCOL_VERSION)
    return TRUE;
  als_reader_rest (reader, &len);
  return FALSE;
}

static void
read_fields (AlsReader *reader, AlsSignalMessage *self)
{
  switch (self->type)
    {
    case ALS_SIGNAL_HELLO:
      if (read_version (reader, self))
        self->text = als_reader_text (reader, MAX_TEXT);
      break;
    case ALS_SIGNAL_REGISTER:
      self->has_token = read_bool (reader);
      if (self->has_token)
        als_reader_copy (reader, self->token, sizeof self->token);
      break;
    case ALS_SIGNAL_UNREGISTER:
      break;
    case ALS_SIGNAL_JOIN:
      self->number = read_number (reader);
      break;
    case ALS_SIGNAL_MEET:
      als_reader_copy (reader, self->meeting_id, sizeof self->meeting_id);
      self->is_inviter = read_bool (reader);
      break;
    case ALS_SIGNAL_PEER_MESSAGE:
      self->payload = read_payload (reader, ALS_SIGNAL_MAX_PEER_MESSAGE);
      break;
    case ALS_SIGNAL_RELAY:
      self->payload = read_payload (reader, ALS_SIGNAL_MAX_RELAY);
      break;
    case ALS_SIGNAL_UNPAIR:
      self->reason = als_reader_u8 (reader);
      if (self->reason > ALS_SIGNAL_UNPAIR_RELAY_ABUSE)
        als_reader_fail (reader);
      break;
    case ALS_SIGNAL_PING:
    case ALS_SIGNAL_PONG:
      self->cookie = als_reader_u64 (reader);
      break;
    case ALS_SIGNAL_WELCOME:
      if (read_version (reader, self))
        {
          self->heartbeat_s = als_reader_u16 (reader);
          if (self->heartbeat_s == 0)
            als_reader_fail (reader);
          self->servers = read_public_servers (reader);
        }
      break;
    case ALS_SIGNAL_REGISTERED:
      self->number = read_number (reader);
      self->has_token = TRUE;
      als_reader_copy (reader, self->token, sizeof self->token);
      self->keep_s = als_reader_u32 (reader);
      break;
    case ALS_SIGNAL_WAITING:
      self->keep_s = als_reader_u32 (reader);
      break;
    case ALS_SIGNAL_PAIRED:
      self->relay_rate = als_reader_u32 (reader);
      self->relay_backlog = als_reader_u32 (reader);
      self->servers = read_servers (reader);
      self->foreign_peers = als_reader_left (reader) > 0;
      if (self->foreign_peers)
        self->text = als_reader_text (reader, ALS_SIGNAL_MAX_ADDRESS);
      break;
    case ALS_SIGNAL_ERROR:
      /* Codes of a later server are passed on: the text still helps. */
      self->code = als_reader_u16 (reader);
      self->text = als_reader_text (reader, MAX_TEXT);
      if (self->code == 0)
        als_reader_fail (reader);
      break;
    default:
      als_reader_fail (reader);
    }
}

AlsSignalMessage *
als_signal_message_decode (const uint8_t *data, size_t len, GError **error)
{
  g_autoptr (AlsSignalMessage) self = NULL;
  AlsReader reader;

  if (len > ALS_SIGNAL_MAX_MESSAGE)
    {
      g_set_error (error, ALS_SIGNAL_MESSAGE_ERROR, ALS_SIGNAL_CODE_BAD_MESSAGE,
                   "a message of %zu bytes is too long", len);
      return NULL;
    }
  als_reader_init (&reader, data, len);
  self = als_signal_message_new (als_reader_u8 (&reader));
  read_fields (&reader, self);
  if (!als_reader_done (&reader))
    {
      g_set_error (error, ALS_SIGNAL_MESSAGE_ERROR, ALS_SIGNAL_CODE_BAD_MESSAGE,
                   "a message of type %d and %zu bytes does not parse", (int)self->type, len);
      return NULL;
    }
  return g_steal_pointer (&self);
}

static void
write_text (AlsWriter *writer, const char *text, size_t max_len)
{
  if (text != NULL && strlen (text) > max_len)
    writer->failed = TRUE;
  als_writer_text (writer, text);
}

static void
write_name (AlsWriter *writer, const char *text, size_t max_len)
{
  if (text == NULL || *text == '\0')
    writer->failed = TRUE;
  write_text (writer, text, max_len);
}

static void
write_payload (AlsWriter *writer, GBytes *payload)
{
  size_t len = 0;
  const void *data = payload != NULL ? g_bytes_get_data (payload, &len) : NULL;

  als_writer_bytes (writer, data, len);
}

static void
write_servers (AlsWriter *writer, GPtrArray *servers)
{
  guint n = servers != NULL ? servers->len : 0;

  als_writer_u8 (writer, (uint8_t)MIN (n, UINT8_MAX));
  for (guint i = 0; i < n; i++)
    {
      const AlsIceServer *server = g_ptr_array_index (servers, i);
      gboolean has_login = server->username != NULL && server->credential != NULL;

      als_writer_u8 (writer, (uint8_t)server->kind);
      write_name (writer, server->host, MAX_HOST);
      als_writer_u16 (writer, server->port);
      als_writer_u8 (writer, has_login ? 1 : 0);
      if (has_login)
        {
          write_name (writer, server->username, MAX_USERNAME);
          write_name (writer, server->credential, MAX_CREDENTIAL);
        }
    }
}

static void
write_fields (AlsWriter *writer, const AlsSignalMessage *self)
{
  switch (self->type)
    {
    case ALS_SIGNAL_HELLO:
      als_writer_u16 (writer, self->version);
      write_text (writer, self->text, MAX_TEXT);
      break;
    case ALS_SIGNAL_REGISTER:
      als_writer_u8 (writer, self->has_token ? 1 : 0);
      if (self->has_token)
        als_writer_bytes (writer, self->token, sizeof self->token);
      break;
    case ALS_SIGNAL_JOIN:
      als_writer_u32 (writer, self->number);
      break;
    case ALS_SIGNAL_MEET:
      als_writer_bytes (writer, self->meeting_id, sizeof self->meeting_id);
      als_writer_u8 (writer, self->is_inviter ? 1 : 0);
      break;
    case ALS_SIGNAL_PEER_MESSAGE:
    case ALS_SIGNAL_RELAY:
      write_payload (writer, self->payload);
      break;
    case ALS_SIGNAL_UNPAIR:
      als_writer_u8 (writer, self->reason);
      break;
    case ALS_SIGNAL_PING:
    case ALS_SIGNAL_PONG:
      als_writer_u64 (writer, self->cookie);
      break;
    case ALS_SIGNAL_WELCOME:
      als_writer_u16 (writer, self->version);
      als_writer_u16 (writer, self->heartbeat_s);
      if (self->servers != NULL && self->servers->len > 0)
        write_servers (writer, self->servers);
      break;
    case ALS_SIGNAL_REGISTERED:
      als_writer_u32 (writer, self->number);
      als_writer_bytes (writer, self->token, sizeof self->token);
      als_writer_u32 (writer, self->keep_s);
      break;
    case ALS_SIGNAL_WAITING:
      als_writer_u32 (writer, self->keep_s);
      break;
    case ALS_SIGNAL_PAIRED:
      als_writer_u32 (writer, self->relay_rate);
      als_writer_u32 (writer, self->relay_backlog);
      write_servers (writer, self->servers);
      if (self->foreign_peers)
        write_text (writer, self->text, ALS_SIGNAL_MAX_ADDRESS);
      break;
    case ALS_SIGNAL_ERROR:
      als_writer_u16 (writer, self->code);
      write_text (writer, self->text, MAX_TEXT);
      break;
    case ALS_SIGNAL_UNREGISTER:
    default:
      break;
    }
}

/* The bounds live in the decoder alone: what it refuses is not sent either. */
static gboolean
is_readable (GBytes *bytes)
{
  AlsSignalMessage *copy
      = als_signal_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL);

  if (copy == NULL)
    return FALSE;
  als_signal_message_free (copy);
  return TRUE;
}

GBytes *
als_signal_message_encode (const AlsSignalMessage *self)
{
  g_auto (AlsWriter) writer;
  g_autoptr (GBytes) bytes = NULL;
  size_t len = self->payload != NULL ? g_bytes_get_size (self->payload) : 0;

  als_writer_init (&writer, ALS_SIGNAL_MAX_MESSAGE);
  als_writer_u8 (&writer, (uint8_t)self->type);
  write_fields (&writer, self);
  bytes = als_writer_steal (&writer);
  if (bytes == NULL)
    return NULL;
  /* An opaque payload has its length to check; copying it again would only cost time. */
  if (self->type == ALS_SIGNAL_RELAY)
    return len > 0 && len <= ALS_SIGNAL_MAX_RELAY ? g_steal_pointer (&bytes) : NULL;
  return is_readable (bytes) ? g_steal_pointer (&bytes) : NULL;
}
