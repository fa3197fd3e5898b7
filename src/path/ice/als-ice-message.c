/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/ice/als-ice-message.h"

#include <string.h>
#include "base/als-bytes.h"

/* RFC 8839, 5.4. */
#define MIN_UFRAG_BYTES 4
#define MIN_PASSWORD_BYTES 22
#define MAX_CREDENTIAL_BYTES 256
#define MAX_LINE_BYTES 256
#define MAX_LINE_WORDS 32
/* RFC 8839, 5.1. */
#define MAX_FOUNDATION_BYTES 32
#define LINE_PREFIX "candidate:"
/* RFC 8445, 5.1.2.1: type 100 (server-reflexive), the best local preference, component 1. */
#define MAPPED_PRIORITY ((100u << 24) + (65535u << 8) + 255u)

static const char *const type_names[] = { "host", "srflx", "prflx", "relay" };

void
als_ice_message_free (AlsIceMessage *self)
{
  g_free (self->ufrag);
  if (self->password != NULL)
    explicit_bzero (self->password, strlen (self->password));
  g_free (self->password);
  g_free (self->line);
  g_clear_object (&self->address);
  g_free (self);
}

/* RFC 8839, 5.1: ice-char. */
static gboolean
is_ice_text (const char *text, size_t min, size_t max)
{
  size_t len = strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

  return text[len] == '\0' && len >= min && len <= max;
}

static gboolean
parse_candidate (AlsIceMessage *self)
{
  g_auto (GStrv) words = NULL;
  g_autoptr (GInetAddress) inet = NULL;
  guint64 component, priority, port;

  for (const char *p = self->line; *p != '\0'; p++)
    if (*p < ' ' || *p > '~')
      return FALSE;
  if (!g_str_has_prefix (self->line, LINE_PREFIX))
    return FALSE;
  words = g_strsplit (self->line + strlen (LINE_PREFIX), " ", MAX_LINE_WORDS + 1);
  /* Foundation, component, transport, priority, address, port, "typ", type; then pairs. */
  if (g_strv_length (words) < 8 || g_strv_length (words) > MAX_LINE_WORDS
      || g_strv_length (words) % 2 != 0)
    return FALSE;
  if (!is_ice_text (words[0], 1, MAX_FOUNDATION_BYTES)
      || !g_ascii_string_to_unsigned (words[1], 10, 1, 1, &component, NULL)
      || g_ascii_strcasecmp (words[2], "UDP") != 0
      || !g_ascii_string_to_unsigned (words[3], 10, 1, G_MAXINT32, &priority, NULL)
      || !g_ascii_string_to_unsigned (words[5], 10, 1, G_MAXUINT16, &port, NULL)
      || !g_str_equal (words[6], "typ"))
    return FALSE;
  for (self->candidate_type = 0; self->candidate_type < G_N_ELEMENTS (type_names);
       self->candidate_type++)
    if (g_str_equal (words[7], type_names[self->candidate_type]))
      break;
  if (self->candidate_type == G_N_ELEMENTS (type_names))
    return FALSE;
  inet = g_inet_address_new_from_string (words[4]);
  if (inet != NULL)
    self->address = g_inet_socket_address_new (inet, (guint16) port);
  return TRUE;
}

AlsIceMessage *
als_ice_message_decode (const uint8_t *data, size_t len, GError **error)
{
  g_autoptr (AlsIceMessage) self = g_new0 (AlsIceMessage, 1);
  gboolean valid = TRUE;
  AlsReader reader;

  als_reader_init (&reader, data, len);
  self->type = als_reader_u8 (&reader);
  switch (self->type)
    {
    case ALS_ICE_CREDENTIALS:
      self->ufrag = als_reader_text (&reader, MAX_CREDENTIAL_BYTES);
      self->password = als_reader_text (&reader, MAX_CREDENTIAL_BYTES);
      valid = !reader.failed
              && is_ice_text (self->ufrag, MIN_UFRAG_BYTES, MAX_CREDENTIAL_BYTES)
              && is_ice_text (self->password, MIN_PASSWORD_BYTES, MAX_CREDENTIAL_BYTES);
      break;
    case ALS_ICE_CANDIDATE:
      self->line = als_reader_text (&reader, MAX_LINE_BYTES);
      valid = !reader.failed && parse_candidate (self);
      break;
    case ALS_ICE_END_OF_CANDIDATES:
      break;
    default:
      valid = FALSE;
    }
  if (!valid || !als_reader_done (&reader))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "malformed ICE message");
      return NULL;
    }
  return g_steal_pointer (&self);
}

GBytes *
als_ice_message_new_credentials (const char *ufrag, const char *password)
{
  g_auto (AlsWriter) writer = { 0 };

  if (!is_ice_text (ufrag, MIN_UFRAG_BYTES, MAX_CREDENTIAL_BYTES)
      || !is_ice_text (password, MIN_PASSWORD_BYTES, MAX_CREDENTIAL_BYTES))
    return NULL;
  als_writer_init (&writer, 0);
  als_writer_u8 (&writer, ALS_ICE_CREDENTIALS);
  als_writer_text (&writer, ufrag);
  als_writer_text (&writer, password);
  return als_writer_steal (&writer);
}

GBytes *
als_ice_message_new_candidate (const char *line)
{
  g_auto (AlsWriter) writer = { 0 };

  if (strlen (line) > MAX_LINE_BYTES)
    return NULL;
  als_writer_init (&writer, 0);
  als_writer_u8 (&writer, ALS_ICE_CANDIDATE);
  als_writer_text (&writer, line);
  return als_writer_steal (&writer);
}

GBytes *
als_ice_message_new_end (void)
{
  static const uint8_t end = ALS_ICE_END_OF_CANDIDATES;

  return g_bytes_new_static (&end, 1);
}

static char *
ip_to_string (const AlsStunAddress *address)
{
  g_autoptr (GSocketAddress) gio = als_stun_address_to_gio (address);

  if (gio == NULL)
    return NULL;
  return g_inet_address_to_string (
    g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (gio)));
}

GBytes *
als_ice_message_new_mapped (const AlsStunAddress *mapped, const AlsStunAddress *host)
{
  g_autofree char *mapped_ip = ip_to_string (mapped);
  g_autofree char *host_ip = ip_to_string (host);
  g_autofree char *line = NULL;

  if (mapped_ip == NULL || host_ip == NULL)
    return NULL;
  line = g_strdup_printf (LINE_PREFIX "mapped 1 UDP %u %s %u typ srflx raddr %s rport %u",
                          MAPPED_PRIORITY, mapped_ip, mapped->port, host_ip, host->port);
  return als_ice_message_new_candidate (line);
}

static gboolean
is_mapped_ipv4 (GInetAddress *inet)
{
  static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

  return g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6
         && memcmp (g_inet_address_to_bytes (inet), prefix, sizeof prefix) == 0;
}

gboolean
als_ice_address_is_dialable (GSocketAddress *address, gboolean loopback)
{
  GInetAddress *inet;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return FALSE;
  inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  if (g_inet_address_get_is_any (inet) || g_inet_address_get_is_multicast (inet)
      || is_mapped_ipv4 (inet))
    return FALSE;
  if (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV4
      && (g_inet_address_to_bytes (inet)[0] == 0 || g_inet_address_to_bytes (inet)[0] >= 240))
    return FALSE;
  return loopback
         || !(g_inet_address_get_is_loopback (inet) || g_inet_address_get_is_link_local (inet));
}

/* Site-local is GLib's word for RFC 1918; unique-local is RFC 4193. */
static gboolean
is_private (GInetAddress *inet)
{
  if (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6)
    return (g_inet_address_to_bytes (inet)[0] & 0xfe) == 0xfc;
  return g_inet_address_get_is_site_local (inet);
}

gboolean
als_ice_address_is_public (GSocketAddress *address)
{
  return als_ice_address_is_dialable (address, FALSE)
         && !is_private (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

gboolean
als_ice_addresses_share_lan (GInetAddress *local, AlsIceCandidateType local_type,
                             GInetAddress *remote, AlsIceCandidateType remote_type)
{
  size_t prefix_bytes = g_inet_address_get_family (local) == G_SOCKET_FAMILY_IPV6 ? 8 : 3;

  if (g_inet_address_get_family (local) != g_inet_address_get_family (remote))
    return FALSE;
  if (g_inet_address_get_is_loopback (local) && g_inet_address_get_is_loopback (remote))
    return TRUE;
  if (!is_private (local) || !is_private (remote) || local_type == ALS_ICE_RELAYED
      || remote_type == ALS_ICE_RELAYED)
    return FALSE;
  return (local_type == ALS_ICE_HOST && remote_type == ALS_ICE_HOST)
         || memcmp (g_inet_address_to_bytes (local), g_inet_address_to_bytes (remote),
                    prefix_bytes) == 0;
}
