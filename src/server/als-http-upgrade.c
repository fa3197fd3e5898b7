/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Lines end in CR LF, names are tokens, nothing is folded, nothing that we act
 * on comes twice, there is no body. Whatever else HTTP may be is refused with a
 * status that says why. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-http-upgrade.h"

#include <string.h>

#define MAX_REQUEST_BYTES 8192
#define MAX_HEADERS 64
#define KEY_BYTES 16
/* RFC 6455, 1.3 */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef enum
{
  HEADER_HOST,
  HEADER_UPGRADE,
  HEADER_CONNECTION,
  HEADER_KEY,
  HEADER_VERSION,
  HEADER_PROTOCOL,
  HEADER_CONTENT_LENGTH,
  HEADER_TRANSFER_ENCODING,
  HEADER_FORWARDED,
  N_HEADERS,
} Header;

static const struct
{
  const char *name;
  gboolean is_list; /* may come on several lines, which are one list */
} headers[N_HEADERS] = {
  [HEADER_HOST] = { "Host", FALSE },
  [HEADER_UPGRADE] = { "Upgrade", TRUE },
  [HEADER_CONNECTION] = { "Connection", TRUE },
  [HEADER_KEY] = { "Sec-WebSocket-Key", FALSE },
  [HEADER_VERSION] = { "Sec-WebSocket-Version", FALSE },
  [HEADER_PROTOCOL] = { "Sec-WebSocket-Protocol", TRUE },
  [HEADER_CONTENT_LENGTH] = { "Content-Length", FALSE },
  [HEADER_TRANSFER_ENCODING] = { "Transfer-Encoding", FALSE },
  [HEADER_FORWARDED] = { "X-Forwarded-For", TRUE },
};

struct _AlsHttpUpgrade
{
  char *subprotocol;
  GString *request;
  char *values[N_HEADERS];
  char *answer;
  char *forwarded;
};

AlsHttpUpgrade *
als_http_upgrade_new (const char *subprotocol)
{
  AlsHttpUpgrade *self = g_new0 (AlsHttpUpgrade, 1);

  self->subprotocol = g_strdup (subprotocol);
  self->request = g_string_sized_new (512);
  return self;
}

void
als_http_upgrade_free (AlsHttpUpgrade *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < N_HEADERS; i++)
    g_free (self->values[i]);
  g_string_free (self->request, TRUE);
  g_free (self->subprotocol);
  g_free (self->answer);
  g_free (self->forwarded);
  g_free (self);
}

const char *
als_http_upgrade_get_answer (AlsHttpUpgrade *self)
{
  return self->answer;
}

const char *
als_http_upgrade_get_forwarded (AlsHttpUpgrade *self)
{
  return self->forwarded;
}

static char *
make_answer (guint status, const char *reason, const char *extra, const char *text)
{
  return g_strdup_printf ("HTTP/1.1 %u %s\r\n"
                          "%s"
                          "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Length: %zu\r\n"
                          "Connection: close\r\n\r\n"
                          "%s\n",
                          status, reason, extra, strlen (text) + 1, text);
}

char *
als_http_upgrade_make_refusal (guint status, const char *reason, const char *text)
{
  return make_answer (status, reason, "", text);
}

static AlsHttpUpgradeVerdict
refuse_with (
    AlsHttpUpgrade *self, guint status, const char *reason, const char *extra, const char *text)
{
  self->answer = make_answer (status, reason, extra, text);
  return ALS_HTTP_UPGRADE_REFUSE;
}

static AlsHttpUpgradeVerdict
bad_request (AlsHttpUpgrade *self, const char *text)
{
  return refuse_with (self, 400, "Bad Request", "", text);
}

/* RFC 9110, 5.6.2 */
static gboolean
is_token (const char *text, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i])
        && (text[i] == '\0' || strchr ("!#$%&'*+-.^_`|~", text[i]) == NULL))
      return FALSE;
  return len > 0;
}

static gboolean
is_value (const char *text)
{
  for (; *text != '\0'; text++)
    if ((guchar)*text < 0x20 ? *text != '\t' : *text == 0x7f)
      return FALSE;
  return TRUE;
}

/* Whether a comma separated list holds TOKEN; protocols are compared exactly, the rest without
 * case. */
static gboolean
has_token (const char *list, const char *token, gboolean exactly)
{
  g_auto (GStrv) parts = g_strsplit (list != NULL ? list : "", ",", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    {
      const char *part = g_strstrip (parts[i]);

      if (exactly ? strcmp (part, token) == 0 : g_ascii_strcasecmp (part, token) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_key (const char *text)
{
  gsize len = 0;
  g_autofree guchar *bytes = NULL;
  g_autofree char *again = NULL;

  if (text == NULL || strlen (text) != 24)
    return FALSE;
  bytes = g_base64_decode (text, &len);
  again = g_base64_encode (bytes, len);
  return len == KEY_BYTES && strcmp (again, text) == 0;
}

static char *
make_accept (const char *key)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize len = sizeof digest;

  g_checksum_update (checksum, (const guchar *)key, -1);
  g_checksum_update (checksum, (const guchar *)ACCEPT_GUID, -1);
  g_checksum_get_digest (checksum, digest, &len);
  return g_base64_encode (digest, len);
}

/* NULL: fine; else what is wrong. */
static const char *
take_header (AlsHttpUpgrade *self, char *line)
{
  char *colon = strchr (line, ':');
  char *value;

  if (colon == NULL || !is_token (line, colon - line))
    return "a header without a proper name";
  *colon = '\0';
  value = g_strstrip (colon + 1);
  if (!is_value (value))
    return "a control character in a header";
  for (guint i = 0; i < N_HEADERS; i++)
    if (g_ascii_strcasecmp (line, headers[i].name) == 0)
      {
        char *all;

        if (self->values[i] != NULL && !headers[i].is_list)
          return "a header that comes twice";
        all = self->values[i] != NULL ? g_strconcat (self->values[i], ",", value, NULL)
                                      : g_strdup (value);
        g_free (self->values[i]);
        self->values[i] = all;
      }
  return NULL;
}

static void
take_forwarded (AlsHttpUpgrade *self)
{
  const char *list = self->values[HEADER_FORWARDED];
  const char *comma;

  if (list == NULL)
    return;
  comma = strrchr (list, ',');
  self->forwarded = g_strstrip (g_strdup (comma != NULL ? comma + 1 : list));
}

static AlsHttpUpgradeVerdict
switch_protocol (AlsHttpUpgrade *self)
{
  g_autofree char *accept = NULL;

  if (!has_token (self->values[HEADER_UPGRADE], "websocket", FALSE)
      || !has_token (self->values[HEADER_CONNECTION], "upgrade", FALSE))
    return refuse_with (self, 426, "Upgrade Required", "Upgrade: websocket\r\n",
                        "This is a rendezvous server: it speaks WebSocket only.");
  if (g_strcmp0 (self->values[HEADER_VERSION], "13") != 0)
    return refuse_with (self, 426, "Upgrade Required", "Sec-WebSocket-Version: 13\r\n",
                        "WebSocket version 13 is needed.");
  if (!is_key (self->values[HEADER_KEY]))
    return bad_request (self, "Sec-WebSocket-Key is not the base64 form of 16 bytes.");
  if (!has_token (self->values[HEADER_PROTOCOL], self->subprotocol, TRUE))
    return bad_request (self, "None of the offered subprotocols is spoken here.");
  take_forwarded (self);
  accept = make_accept (self->values[HEADER_KEY]);
  self->answer = g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Accept: %s\r\n"
                                  "Sec-WebSocket-Protocol: %s\r\n\r\n",
                                  accept, self->subprotocol);
  return ALS_HTTP_UPGRADE_SWITCH;
}

/* LINES: without their ends; the last two are empty. */
static AlsHttpUpgradeVerdict
judge (AlsHttpUpgrade *self, char **lines)
{
  g_auto (GStrv) words = g_strsplit (lines[0], " ", 4);
  const char *content_length;
  gboolean is_health;

  if (g_strv_length (words) != 3 || !is_token (words[0], strlen (words[0])) || !is_value (lines[0]))
    return bad_request (self, "The request line is not one.");
  if (strcmp (words[2], "HTTP/1.1") != 0)
    return refuse_with (self, 505, "HTTP Version Not Supported", "", "HTTP/1.1 is needed.");
  if (strcmp (words[0], "GET") != 0)
    return refuse_with (self, 405, "Method Not Allowed", "Allow: GET\r\n",
                        "Only GET is answered here.");
  is_health = strcmp (words[1], "/healthz") == 0;
  if (!is_health && strcmp (words[1], "/") != 0 && strcmp (words[1], "/v1") != 0)
    return refuse_with (self, 404, "Not Found", "", "There is nothing here.");
  for (guint i = 1; *lines[i] != '\0'; i++)
    {
      const char *wrong = i <= MAX_HEADERS ? take_header (self, lines[i]) : "too many headers";

      if (wrong != NULL)
        return bad_request (self, wrong);
    }
  if (self->values[HEADER_HOST] == NULL || *self->values[HEADER_HOST] == '\0')
    return bad_request (self, "There is no Host header.");
  content_length = self->values[HEADER_CONTENT_LENGTH];
  if (self->values[HEADER_TRANSFER_ENCODING] != NULL
      || (content_length != NULL && strcmp (content_length, "0") != 0))
    return bad_request (self, "A body is not expected.");
  if (is_health)
    {
      self->answer = make_answer (200, "OK", "Cache-Control: no-store\r\n", "ok");
      return ALS_HTTP_UPGRADE_HEALTH;
    }
  return switch_protocol (self);
}

/* NULL: every LF has its CR, every CR its LF, and there is no NUL. */
static const char *
find_bad_line_end (const GString *request)
{
  for (size_t i = 0; i < request->len; i++)
    {
      char c = request->str[i];

      if (c == '\0' || (c == '\n' && (i == 0 || request->str[i - 1] != '\r'))
          || (c == '\r' && i + 1 < request->len && request->str[i + 1] != '\n'))
        return request->str + i;
    }
  return NULL;
}

AlsHttpUpgradeVerdict
als_http_upgrade_feed (AlsHttpUpgrade *self, const uint8_t *data, size_t len, size_t *used)
{
  g_auto (GStrv) lines = NULL;
  size_t before = self->request->len;
  size_t taken = MIN (len, MAX_REQUEST_BYTES - before);
  char *end;

  g_assert (self->answer == NULL);
  g_string_append_len (self->request, (const char *)data, (gssize)taken);
  /* The end may have begun up to three bytes ago. */
  end = g_strstr_len (self->request->str + MAX (before, 3) - 3, -1, "\r\n\r\n");
  if (end != NULL)
    {
      size_t total = end + 4 - self->request->str;

      taken = total - before;
      g_string_truncate (self->request, total);
    }
  *used = taken;
  if (find_bad_line_end (self->request) != NULL)
    return bad_request (self, "A line does not end as it should.");
  if (end == NULL)
    {
      if (self->request->len < MAX_REQUEST_BYTES)
        return ALS_HTTP_UPGRADE_MORE;
      return refuse_with (self, 431, "Request Header Fields Too Large", "",
                          "The request is too long.");
    }
  lines = g_strsplit (self->request->str, "\r\n", -1);
  return judge (self, lines);
}
