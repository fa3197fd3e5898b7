/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Without a server: two texts that people carry, and then both punch at the
 * same moments of the clock until they meet (design §7).
 *
 *   clock asked → punches made → endpoints known → text shown → (inviter: reply pasted) →
 *   session begun → marks, until a path is there
 *
 * When a session that began so has lost every path, the marks begin again, with
 * the endpoints known last: what either side learns of itself then cannot be
 * told, so that one who got another address is found by nobody; but the other
 * one may be, by those who have not moved. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/als-bytes.h"
#include "base/als-deadline-source.h"
#include "path/punch/als-punch-message.h"

#define MARK_STEP_US (10 * G_USEC_PER_SEC)
/* Servers and router are waited for so long; what is known by then goes into the text. */
#define GATHER_LIMIT_MS 6000
/* The inviter knows that both are trying; the joiner waits until the reply was carried, too. */
#define INVITER_LIMIT_S (3 * 60)
#define JOINER_LIMIT_S (15 * 60)
/* How often it is looked whether the sockets of dead paths are closed: their ports are wanted again. */
#define MARK_AGAIN_MS 250

static const AlsPathMethod methods[ALS_N_PUNCHES] = { ALS_METHOD_TCP_PUNCH, ALS_METHOD_UDP_PUNCH };

/* --- addresses as bytes: a u16 length and a punch message for each ------------- */

/* A chat should not have to carry more: the least useful endpoints stay behind. */
static GBytes *
shorten (GBytes *message, size_t max_len)
{
  AlsPunchMessage endpoints;
  size_t len;
  const uint8_t *data = g_bytes_get_data (message, &len);

  if (len <= max_len)
    return g_bytes_ref (message);
  if (!als_punch_message_decode (&endpoints, data, len, NULL))
    return NULL;
  while (endpoints.n_endpoints > 0)
    {
      g_autoptr (GBytes) shorter = NULL;

      endpoints.n_endpoints--;
      shorter = als_punch_message_encode (&endpoints);
      if (shorter != NULL && g_bytes_get_size (shorter) <= max_len)
        return g_steal_pointer (&shorter);
    }
  return NULL;
}

static GBytes *
make_addresses (AlsVisitCore *self)
{
  g_auto (AlsWriter) writer = { 0 };

  als_writer_init (&writer, ALS_INVITATION_MAX_ADDRESSES);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    {
      g_autoptr (GBytes) part = NULL;

      if (self->endpoints[i] != NULL)
        part = shorten (self->endpoints[i], ALS_INVITATION_MAX_ADDRESSES / ALS_N_PUNCHES - 2);
      als_writer_blob (&writer, part != NULL ? g_bytes_get_data (part, NULL) : "",
                       part != NULL ? g_bytes_get_size (part) : 0);
    }
  return als_writer_steal (&writer);
}

/* The other side's, kept for our punches. */
static void
keep_addresses (AlsVisitCore *self, GBytes *addresses)
{
  AlsReader reader;
  size_t len;
  const uint8_t *data = g_bytes_get_data (addresses, &len);

  als_reader_init (&reader, data, len);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    {
      size_t part_len;
      const uint8_t *part = als_reader_blob (&reader, ALS_INVITATION_MAX_ADDRESSES, &part_len);

      if (part != NULL && part_len > 0)
        self->peer_endpoints[i] = g_bytes_new (part, part_len);
    }
}

static void
tell_punch (AlsVisitCore *self, guint i, AlsPath *punch)
{
  size_t len;
  const uint8_t *data;

  if (self->peer_endpoints[i] == NULL)
    return;
  data = g_bytes_get_data (self->peer_endpoints[i], &len);
  als_path_remote_message (punch, data, len);
}

/* --- both met ----------------------------------------------------------------------- */

static void
update_mark (AlsVisitCore *self)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->next_mark_us != 0 && now_us >= self->next_mark_us)
    self->n_marks++;
  if (self->next_mark_us == 0 || now_us >= self->next_mark_us)
    self->next_mark_us = als_sntp_next_mark (&self->clock, now_us, MARK_STEP_US);
}

/* SECRET is wiped. ADDRESSES: the other side's. */
static void
begin (AlsVisitCore *self, uint8_t *secret, GBytes *addresses)
{
  als_core_begin_session (self, secret);
  keep_addresses (self, addresses);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    if (self->punches[i] != NULL)
      {
        g_signal_handlers_disconnect_by_data (self->punches[i], self);
        tell_punch (self, i, self->punches[i]);
        als_visit_paths_adopt (self->paths, methods[i], g_steal_pointer (&self->punches[i]));
      }
  update_mark (self);
  als_core_set_state (self, ALS_VISIT_LOOKING, self->is_inviter ? INVITER_LIMIT_S : JOINER_LIMIT_S);
}

/* --- and lost each other ---------------------------------------------------------------- */

/* Monotonic time stands still while the computer sleeps; the marks go on. */
static int64_t
get_slept_us (void)
{
  struct timespec now;

  return clock_gettime (CLOCK_BOOTTIME, &now) == 0
             ? now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 - g_get_monotonic_time () : 0;
}

void
als_core_note_endpoints (AlsVisitCore *self, const AlsPeerMessage *message)
{
  AlsPunchMessage endpoints;

  /* Those of TCP stay good: its port is one for the whole visit. A search by UDP has sockets of its own. */
  if (!self->by_invitation || message->method != ALS_METHOD_TCP_PUNCH
      || !als_punch_message_decode (&endpoints, message->payload, message->payload_len, NULL)
      || endpoints.type != ALS_PUNCH_ENDPOINTS)
    return;
  g_clear_pointer (&self->peer_endpoints[0], g_bytes_unref);
  self->peer_endpoints[0] = g_bytes_new (message->payload, message->payload_len);
}

/* The socket and the secret that our text told of. OURS: (out): what MARKS points into. */
static void
find_udp_socket (AlsVisitCore *self, AlsVisitMarks *marks, AlsPunchMessage *ours)
{
  size_t len;
  const uint8_t *data = self->endpoints[1] != NULL ? g_bytes_get_data (self->endpoints[1], &len) : NULL;

  if (data == NULL || !als_punch_message_decode (ours, data, len, NULL))
    return;
  if (ours->has_secret)
    marks->udp_secret = ours->secret;
  for (guint i = 0; i < ours->n_endpoints; i++)
    if (ours->endpoints[i].kind == ALS_PUNCH_HOST && ours->endpoints[i].address.family == ALS_STUN_FAMILY_IPV4)
      marks->udp_port = ours->endpoints[i].address.port;
}

/* ALL: anew; else those that have ended. */
static void
try_at_marks (AlsVisitCore *self, gboolean all)
{
  AlsVisitMarks marks = { .mark_step_us = MARK_STEP_US };
  AlsPunchMessage ours = { 0 };

  marks.mark_us = als_sntp_next_mark (&self->clock, g_get_monotonic_time (), MARK_STEP_US);
  find_udp_socket (self, &marks, &ours);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    {
      AlsPath *punch;

      if (self->peer_endpoints[i] == NULL
          || !(self->allowed_kinds & 1u << als_path_method_get_kind (methods[i]))
          || (!all && als_visit_paths_is_trying (self->paths, methods[i])))
        continue;
      g_debug ("tries %s at the marks again", als_path_method_to_string (methods[i]));
      punch = als_visit_means_make_marked_punch (self->means, methods[i], &marks);
      als_visit_paths_adopt (self->paths, methods[i], punch);
      als_path_start (punch);
      tell_punch (self, i, punch);
    }
  explicit_bzero (&ours, sizeof ours);
}

static gboolean
marking_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;
  int64_t slept_us = get_slept_us ();

  if (self->linger == NULL && als_visit_paths_has_link (self->paths))
    return G_SOURCE_CONTINUE;
  als_source_clear (&self->marking);
  if (self->linger != NULL)
    return G_SOURCE_REMOVE;
  self->clock.offset_us += slept_us - self->clock_slept_us;
  self->clock_slept_us = slept_us;
  self->next_mark_us = 0;
  update_mark (self);
  als_visit_paths_part (self->paths);
  try_at_marks (self, TRUE);
  als_core_tell (self);
  return G_SOURCE_REMOVE;
}

void
als_core_mark_again (AlsVisitCore *self)
{
  self->is_marking = TRUE;
  als_source_clear (&self->marking);
  self->marking = als_core_add_timeout (MARK_AGAIN_MS, "als-visit-marking", marking_cb, self);
}

void
als_core_end_marks (AlsVisitCore *self)
{
  self->is_marking = FALSE;
  als_source_clear (&self->marking);
}

gboolean
als_core_tick_invitation (AlsVisitCore *self)
{
  int64_t mark_us = self->next_mark_us;

  if (!self->is_marking && (self->state != ALS_VISIT_LOOKING || !self->by_invitation))
    return FALSE;
  update_mark (self);
  /* Who was found may have been lost before a word came through. */
  if (self->marking == NULL && !als_visit_paths_has_link (self->paths))
    try_at_marks (self, FALSE);
  return mark_us != self->next_mark_us;
}

/* --- the text ------------------------------------------------------------------------ */

static gboolean
invitation_expired_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->expiry);
  als_core_finish (self, ALS_VISIT_ERROR_OLD_INVITATION, "the invitation was not answered in time");
  return G_SOURCE_REMOVE;
}

static void
make_invitation (AlsVisitCore *self, GBytes *addresses)
{
  int64_t now_us = g_get_monotonic_time (), left_us;

  self->invitation = als_invitation_new (addresses, now_us + self->clock.offset_us, now_us);
  left_us = als_invitation_get_expiry (self->invitation) - now_us;
  self->code_expires_us = g_get_real_time () + left_us;
  self->expiry = als_core_add_timeout ((guint) (left_us / 1000), "als-invitation-expiry",
                                       invitation_expired_cb, self);
  als_core_set_state (self, ALS_VISIT_CODE_READY, 0);
}

static void
make_reply (AlsVisitCore *self, GBytes *addresses)
{
  g_autoptr (AlsInvitationOffer) offer = g_steal_pointer (&self->offer);
  g_autoptr (GError) error = NULL;
  uint8_t secret[ALS_SESSION_SECRET_BYTES];

  self->reply = als_invitation_offer_reply (offer, self->digits, addresses, secret, &error);
  als_code_wipe_string (g_steal_pointer (&self->digits));
  if (self->reply != NULL)
    begin (self, secret, als_invitation_offer_get_addresses (offer));
  else
    als_core_finish (self, ALS_VISIT_ERROR_BAD_INVITATION, "%s", error->message);
}

/* --- our endpoints ------------------------------------------------------------------- */

static void
gathered (AlsVisitCore *self)
{
  g_autoptr (GBytes) addresses = NULL;

  als_source_clear (&self->gathering);
  if (self->linger != NULL)
    return;
  addresses = make_addresses (self);
  if (self->is_inviter)
    make_invitation (self, addresses);
  else
    make_reply (self, addresses);
}

static gboolean
gathered_cb (gpointer user_data)
{
  gathered (user_data);
  return G_SOURCE_REMOVE;
}

static void
gather_while (AlsVisitCore *self, guint ms)
{
  als_source_clear (&self->gathering);
  self->gathering = als_core_add_timeout (ms, "als-invitation-gathering", gathered_cb, self);
}

static guint
find_punch (AlsVisitCore *self, AlsPath *path)
{
  return self->punches[0] == path ? 0 : 1;
}

static void
punch_message_cb (AlsPath *path, GBytes *bytes, AlsVisitCore *self)
{
  guint i = find_punch (self, path);
  AlsPunchMessage message;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  if (self->gathering == NULL || !als_punch_message_decode (&message, data, len, NULL)
      || message.type != ALS_PUNCH_ENDPOINTS)
    return;
  g_clear_pointer (&self->endpoints[i], g_bytes_unref);
  self->endpoints[i] = g_bytes_ref (bytes);
  self->is_settled[i] = message.is_settled;
  /* Not within a punch's own call. */
  if (self->is_settled[0] && self->is_settled[1])
    gather_while (self, 0);
}

static void
punch_failed_cb (AlsPath *path, GError *error, AlsVisitCore *self)
{
  self->is_settled[find_punch (self, path)] = TRUE;
  if (self->gathering != NULL && self->is_settled[0] && self->is_settled[1])
    gather_while (self, 0);
}

static void
time_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_autoptr (GPtrArray) none = NULL;
  AlsVisitMarks marks = { .mark_step_us = MARK_STEP_US };
  AlsSntpTime clock;

  /* Cancelled: the core may be gone. */
  if (!als_sntp_ask_finish (result, &clock, NULL))
    return;
  g_clear_object (&self->cancellable);
  self->clock = clock;
  self->clock_slept_us = get_slept_us ();
  if (self->linger != NULL)
    return;
  als_core_begin_network (self);
  none = g_ptr_array_new ();
  als_visit_means_set_servers (self->means, none);
  gather_while (self, GATHER_LIMIT_MS);
  marks.mark_us = als_sntp_next_mark (&clock, g_get_monotonic_time (), MARK_STEP_US);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    {
      self->is_settled[i] = !(self->allowed_kinds & 1u << als_path_method_get_kind (methods[i]));
      if (self->is_settled[i])
        continue;
      self->punches[i] = als_visit_means_make_marked_punch (self->means, methods[i], &marks);
      g_signal_connect (self->punches[i], "local-message", G_CALLBACK (punch_message_cb), self);
      g_signal_connect (self->punches[i], "failed", G_CALLBACK (punch_failed_cb), self);
      als_path_start (self->punches[i]);
    }
}

/* --- the beginning and the end --------------------------------------------------------- */

void
als_core_start_invitation (AlsVisitCore *self)
{
  self->by_invitation = TRUE;
  self->reach = ALS_VISIT_REACH_ANYWHERE;
  self->cancellable = g_cancellable_new ();
  als_sntp_ask_async ((const char *const *) self->ntp_servers, self->cancellable, time_cb, self);
}

void
als_core_end_invitation (AlsVisitCore *self)
{
  als_source_clear (&self->gathering);
  for (guint i = 0; i < ALS_N_PUNCHES; i++)
    {
      if (self->punches[i] != NULL)
        {
          g_signal_handlers_disconnect_by_data (self->punches[i], self);
          als_path_close (self->punches[i]);
        }
      g_clear_object (&self->punches[i]);
      g_clear_pointer (&self->endpoints[i], g_bytes_unref);
      g_clear_pointer (&self->peer_endpoints[i], g_bytes_unref);
      self->is_settled[i] = FALSE;
    }
  als_core_end_marks (self);
  g_clear_pointer (&self->invitation, als_invitation_free);
  g_clear_pointer (&self->offer, als_invitation_offer_free);
  als_code_wipe_string (g_steal_pointer (&self->digits));
  als_code_wipe_string (g_steal_pointer (&self->reply));
  self->next_mark_us = 0;
  self->n_marks = 0;
  self->by_invitation = FALSE;
}

/* Which sentence an error of a text is. */
AlsVisitError
als_core_invitation_error (const GError *error)
{
  switch ((AlsInvitationError) error->code)
    {
    case ALS_INVITATION_ERROR_OLD:
    case ALS_INVITATION_ERROR_USED: return ALS_VISIT_ERROR_OLD_INVITATION;
    case ALS_INVITATION_ERROR_WRONG_DIGITS: return ALS_VISIT_ERROR_WRONG_CODE;
    case ALS_INVITATION_ERROR_BAD_DIGITS: return ALS_VISIT_ERROR_BAD_CODE;
    default: return ALS_VISIT_ERROR_BAD_INVITATION;
    }
}

void
als_visit_core_paste_reply (AlsVisitCore *self, const char *text)
{
  g_autoptr (GBytes) addresses = NULL;
  g_autoptr (GError) error = NULL;
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
  AlsVisitError code;

  if (self->invitation == NULL || self->state != ALS_VISIT_CODE_READY || self->linger != NULL)
    return;
  addresses = als_invitation_take_reply (self->invitation, text, g_get_monotonic_time (), secret,
                                         &error);
  if (addresses != NULL)
    {
      als_source_clear (&self->expiry);
      g_clear_pointer (&self->invitation, als_invitation_free);
      als_core_set_problem (self, 0, NULL);
      begin (self, secret, addresses);
      return;
    }
  code = als_core_invitation_error (error);
  if (code == ALS_VISIT_ERROR_BAD_INVITATION)
    {
      als_core_set_problem (self, code, error->message);
      als_core_tell (self);
    }
  else
    als_core_finish (self, code, "%s", error->message);
}
