/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Visits against a peer who knows the rules and breaks them, before and after the code is proved, over the
 * real server: each breach ends the visit, or does not, as it should, and the next visit works. */

#include <gio/gio.h>
#include <sodium.h>
#include <string.h>

#include "base/als-deadline-source.h"
#include "crypto/als-handshake.h"
#include "crypto/als-key-schedule.h"
#include "crypto/als-seal.h"
#include "protocol/als-peer-message.h"
#include "protocol/als-visit-message.h"
#include "session/als-session.h"
#include "signal/als-signal-client.h"
#include "transport/als-link-host.h"
#include "visit/als-connection-report.h"
#include "visit/als-visit.h"

/* The other side's time limits are among what is waited for. */
#define ALS_WAIT_S 60
#include "als-test-server.h"
#include "als-wait.h"

static char *server_uri; /* of the server that main () starts */

/* --- the hostile peer -------------------------------------------------------- */

typedef struct
{
  gboolean is_inviter;
  AlsCode code;
  AlsTries tries;
  AlsSignalClient *client;
  gboolean is_registered;
  gboolean is_paired;
  guint n_unpaired;
  GBytes *first;             /* nullable: said instead of the handshake's first message */
  gboolean answers_rubbish;  /* each handshake message is answered with FIRST */
  AlsHandshake *handshake;
  gboolean has_failed;       /* the handshake */
  gboolean is_confirmed;
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
  AlsSealer sealer;
  AlsOpener opener;
  AlsCarrier *relay;
  GPtrArray *links;          /* (element-type AlsLink) */
  guint next_path_id;
  AlsSession *session;
  GSource *poll;
  gboolean has_path;
  AlsChannel *visit;
  GByteArray *heard;         /* on it */
  AlsChannel *own;           /* opened by peer_open () */
  gboolean own_is_closed;
  guint n_refused;           /* channels that the visit reset at once */
  guint n_path_failed;
  gboolean parts_again;      /* from each further pairing */
  guint n_parted;
} Peer;

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Peer *self = user_data;

  als_channel_consume (channel, len);
  if (channel == self->visit)
    g_byte_array_append (self->heard, data, (guint) len);
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Peer *self = user_data;

  self->n_refused += code == 1;
  if (channel == self->visit)
    self->visit = NULL;
  if (channel == self->own)
    {
      self->own = NULL;
      self->own_is_closed = TRUE;
    }
}

static const AlsChannelEvents channel_events = { received_cb, NULL, NULL, closed_cb };

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  als_deadline_source_set (((Peer *) user_data)->poll, deadline_us);
}

static gboolean
poll_cb (gpointer user_data)
{
  Peer *self = user_data;

  als_deadline_source_set (self->poll, INT64_MAX);
  als_session_poll (self->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  Peer *self = user_data;

  als_channel_set_events (channel, &channel_events, self);
  if (kind == ALS_CHANNEL_VISIT)
    self->visit = channel;
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
}

static void
path_changed_cb (gpointer user_data)
{
  Peer *self = user_data;
  AlsSessionStats stats;

  als_session_get_stats (self->session, &stats);
  self->has_path = stats.kind != ALS_PATH_NONE;
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
}

static const AlsSessionEvents session_events = { schedule_cb, channel_opened_cb, datagram_cb,
                                                 path_changed_cb, link_gone_cb, ended_cb };

static void
peer_add_relay (Peer *self)
{
  AlsLinkConfig config = { .role = self->is_inviter ? ALS_ROLE_INVITER : ALS_ROLE_JOINER };
  AlsLink *link;

  g_clear_object (&self->relay);
  self->relay = als_signal_client_take_relay (self->client);
  config.speaks_first = self->is_inviter;
  config.path_id = self->is_inviter ? self->next_path_id++ : 0;
  memcpy (config.session_secret, self->secret, sizeof self->secret);
  link = als_link_host_new (self->relay, &config, g_main_context_default ());
  g_ptr_array_add (self->links, link);
  als_session_add_link (self->session, link);
}

static void
peer_confirmed (Peer *self)
{
  AlsSessionConfig config = { .role = self->is_inviter ? ALS_ROLE_INVITER : ALS_ROLE_JOINER };
  AlsKeyContext context = { .purpose = ALS_KEY_PURPOSE_SIGNAL };
  uint8_t key[ALS_KEY_BYTES];

  als_handshake_get_secret (self->handshake, self->secret);
  context.from_inviter = self->is_inviter;
  als_key_derive (self->secret, &context, key);
  als_sealer_init (&self->sealer, key);
  context.from_inviter = !self->is_inviter;
  als_key_derive (self->secret, &context, key);
  als_opener_init (&self->opener, key, FALSE);
  self->is_confirmed = TRUE;
  self->poll = als_deadline_source_new (g_main_context_default (), "poll", poll_cb, self);
  self->session = als_session_new (&config, &session_events, self, g_get_monotonic_time ());
  if (self->is_inviter)
    {
      als_signal_client_unregister (self->client);
      self->visit = als_session_open_channel (self->session, ALS_CHANNEL_VISIT, ALS_LANE_CONTROL);
      als_channel_set_events (self->visit, &channel_events, self);
    }
  peer_add_relay (self);
}

static void
peer_meet (Peer *self)
{
  uint8_t id[ALS_MEETING_ID_BYTES];

  als_session_secret_to_meeting_id (self->secret, id);
  als_signal_client_meet (self->client, id, self->is_inviter);
}

static void
registered_cb (AlsSignalClient *client, guint number, Peer *self)
{
  als_code_init (&self->code, number);
  self->is_registered = TRUE;
}

static void
paired_cb (AlsSignalClient *client, Peer *self)
{
  g_autoptr (GBytes) first = NULL;

  self->is_paired = TRUE;
  if (self->parts_again)
    {
      self->n_parted++;
      als_signal_client_unpair (client);
      peer_meet (self);
      return;
    }
  if (self->is_confirmed)
    {
      peer_add_relay (self);
      return;
    }
  self->handshake = als_handshake_new (self->is_inviter, &self->code, &self->tries);
  first = als_handshake_start (self->handshake, NULL);
  if (self->first != NULL)
    als_signal_client_send (client, self->first);
  else if (first != NULL)
    als_signal_client_send (client, first);
}

static void
message_cb (AlsSignalClient *client, GBytes *payload, Peer *self)
{
  g_autoptr (GBytes) reply = NULL;
  g_autoptr (GBytes) plain = NULL;
  AlsPeerMessage message;
  size_t len;
  const uint8_t *data = g_bytes_get_data (payload, &len);

  if (self->is_confirmed)
    {
      plain = als_opener_open_message (&self->opener, data, len);
      g_assert_nonnull (plain);
      data = g_bytes_get_data (plain, &len);
      g_assert_true (als_peer_message_decode (&message, data, len, NULL));
      self->n_path_failed += message.type == ALS_PEER_PATH_FAILED;
      return;
    }
  if (self->answers_rubbish)
    {
      als_signal_client_send (client, self->first);
      return;
    }
  if (self->first != NULL)
    return;
  self->has_failed = !als_handshake_receive (self->handshake, data, len, &reply, NULL);
  if (reply != NULL)
    als_signal_client_send (client, reply);
  if (als_handshake_is_done (self->handshake))
    peer_confirmed (self);
}

static void
unpaired_cb (AlsSignalClient *client, guint reason, Peer *self)
{
  self->is_paired = FALSE;
  self->n_unpaired++;
  if (self->is_confirmed)
    peer_meet (self);
}

/* CODE: as a visit shows it; NULL: the peer is the inviter. */
static Peer *
peer_new (const char *code, GBytes *first)
{
  const char *const uris[] = { server_uri, NULL };
  Peer *self = g_new0 (Peer, 1);

  self->is_inviter = code == NULL;
  self->first = first;
  self->heard = g_byte_array_new ();
  self->links = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  self->next_path_id = 1;
  self->client = als_signal_client_new (uris);
  g_signal_connect (self->client, "registered", G_CALLBACK (registered_cb), self);
  g_signal_connect (self->client, "paired", G_CALLBACK (paired_cb), self);
  g_signal_connect (self->client, "message", G_CALLBACK (message_cb), self);
  g_signal_connect (self->client, "unpaired", G_CALLBACK (unpaired_cb), self);
  if (code == NULL)
    als_signal_client_register (self->client);
  else
    {
      g_assert_true (als_code_parse (&self->code, code, NULL));
      als_signal_client_join (self->client, self->code.number);
    }
  return self;
}

static void
peer_free (Peer *self)
{
  if (self->session != NULL)
    {
      als_session_end (self->session);
      g_source_destroy (self->poll);
      g_source_unref (self->poll);
      als_session_free (self->session);
    }
  g_ptr_array_unref (self->links);
  g_clear_object (&self->relay);
  g_signal_handlers_disconnect_by_data (self->client, self);
  als_signal_client_stop (self->client);
  g_object_unref (self->client);
  g_clear_pointer (&self->handshake, als_handshake_free);
  g_clear_pointer (&self->first, g_bytes_unref);
  g_byte_array_unref (self->heard);
  g_free (self);
}

static void
peer_write (Peer *self, const void *data, size_t len)
{
  g_assert_cmpuint (als_channel_write (self->visit, data, len), ==, len);
}

static void
peer_say (Peer *self, AlsVisitMessage message)
{
  g_autoptr (GBytes) bytes = als_visit_message_encode (&message);

  peer_write (self, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
peer_hello (Peer *self)
{
  peer_say (self, (AlsVisitMessage){ .type = ALS_VISIT_MESSAGE_HELLO, .version = ALS_VISIT_PROTOCOL_VERSION,
                                     .name = (char *) "Mallory" });
}

static void
peer_consent (Peer *self, AlsVisitPermission permission)
{
  peer_say (self, (AlsVisitMessage){ .type = ALS_VISIT_MESSAGE_CONSENT, .permission = (uint8_t) permission });
}

static void
peer_open (Peer *self, AlsChannelKind kind, AlsLane lane)
{
  self->own_is_closed = FALSE;
  self->own = als_session_open_channel (self->session, kind, lane);
  als_channel_set_events (self->own, &channel_events, self);
  als_channel_write (self->own, "\xff\xff\xff\xff", 4);
}

static void
peer_signal (Peer *self, AlsPeerMessageType type, guint method, uint32_t attempt)
{
  AlsPeerMessage message = { .type = type, .method = (uint8_t) method, .attempt = attempt,
                             .payload = (const uint8_t *) "nonsense", .payload_len = 8 };
  g_autoptr (GBytes) plain = als_peer_message_encode (&message);
  g_autoptr (GBytes) sealed = als_sealer_seal_message (&self->sealer, plain);

  g_assert_true (als_signal_client_send (self->client, sealed));
}

/* --- the visit ---------------------------------------------------------------- */

static AlsVisit *
visit_new (guint kinds)
{
  const char *servers[] = { server_uri, NULL };
  AlsVisitConfig config = { 0 };

  config.servers = servers;
  config.loopback = TRUE;
  config.allowed_kinds = kinds;
  config.name = "Test";
  config.download_folder = g_get_tmp_dir ();
  config.screen = ALS_SCREEN_TEST_PATTERN;
  return als_visit_new (&config);
}

static gboolean
state_is (AlsVisit *visit, AlsVisitState state)
{
  return als_visit_get_state (visit) == state;
}

static void
assert_ends (AlsVisit *visit, AlsVisitError code)
{
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  g_assert_error (als_visit_get_error (visit), ALS_VISIT_ERROR, (int) code);
  g_assert_cmpint (als_visit_get_permission (visit), ==, ALS_VISIT_NOTHING);
  g_assert_null (als_visit_get_screen (visit));
  g_assert_false (als_visit_get_is_sharing (visit));
}

/* With an honest partner, up to the question. */
static void
assert_works (AlsVisit *visit, gboolean as_inviter)
{
  g_autoptr (AlsVisit) other = visit_new (1u << ALS_PATH_SIGNAL_RELAY);
  AlsVisit *inviter = as_inviter ? visit : other;
  AlsVisit *joiner = as_inviter ? other : visit;

  if (!state_is (inviter, ALS_VISIT_CODE_READY))
    als_visit_invite (inviter);
  als_wait_until (state_is (inviter, ALS_VISIT_CODE_READY));
  g_assert_true (als_visit_join (joiner, als_visit_get_code (inviter), NULL));
  als_wait_until (state_is (inviter, ALS_VISIT_ASKING) && state_is (joiner, ALS_VISIT_ASKING));
  als_visit_stop (other);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED) && state_is (other, ALS_VISIT_ENDED));
}

/* An inviter, and a joiner who proved the code. */
static AlsVisit *
meet_inviter (Peer **peer)
{
  AlsVisit *visit = visit_new (1u << ALS_PATH_SIGNAL_RELAY);

  als_visit_invite (visit);
  als_wait_until (state_is (visit, ALS_VISIT_CODE_READY));
  *peer = peer_new (als_visit_get_code (visit), NULL);
  als_signal_client_start ((*peer)->client);
  als_wait_until ((*peer)->visit != NULL);
  return visit;
}

/* A joiner, and an inviter who proved the code. */
static AlsVisit *
meet_joiner (Peer **peer, guint kinds)
{
  AlsVisit *visit = visit_new (kinds);
  g_autofree char *code = NULL;

  *peer = peer_new (NULL, NULL);
  als_signal_client_start ((*peer)->client);
  als_wait_until ((*peer)->is_registered);
  code = als_code_format (&(*peer)->code);
  g_assert_true (als_visit_join (visit, code, NULL));
  als_wait_until ((*peer)->has_path);
  return visit;
}

static void
end_well (AlsVisit *visit, Peer *peer, gboolean as_inviter)
{
  peer_free (peer);
  assert_works (visit, as_inviter);
  g_object_unref (visit);
}

/* --- before the code is proved -------------------------------------------------- */

static GBytes *
rubbish (guint i)
{
  g_autofree uint8_t *bytes = g_malloc (4000);

  memset (bytes, 0xff, 4000);
  switch (i)
    {
    case 0: return g_bytes_new ("\xff", 1);
    case 1: return g_bytes_new (bytes, 4000);
    case 2: bytes[0] = 1; return g_bytes_new (bytes, 33);            /* a share that is no point */
    case 3: memset (bytes, 0, 33); bytes[0] = 1; return g_bytes_new (bytes, 33); /* the identity */
    case 4: bytes[0] = 2; return g_bytes_new (bytes, 33);            /* a tag out of turn */
    default: bytes[0] = 3; return g_bytes_new (bytes, 2);            /* a refusal out of turn */
    }
}

static void
test_rubbish_before_the_proof (void)
{
  AlsVisit *visit = visit_new (1u << ALS_PATH_SIGNAL_RELAY);
  g_autofree char *code = NULL;

  als_visit_invite (visit);
  als_wait_until (state_is (visit, ALS_VISIT_CODE_READY));
  code = g_strdup (als_visit_get_code (visit));
  for (guint i = 0; i < 6; i++)
    {
      Peer *peer = peer_new (code, rubbish (i));

      als_signal_client_start (peer->client);
      als_wait_until (peer->n_unpaired == 1);
      als_wait_until (state_is (visit, ALS_VISIT_CODE_READY));
      /* Nothing left us that a guess could be checked with. */
      g_assert_cmpuint (als_visit_get_tries_left (visit), ==, ALS_HANDSHAKE_MAX_TRIES);
      g_assert_cmpstr (als_visit_get_code (visit), ==, code);
      peer_free (peer);
    }
  assert_works (visit, TRUE);
  g_object_unref (visit);
}

static void
test_rubbish_instead_of_an_answer (void)
{
  for (guint i = 0; i < 6; i++)
    {
      AlsVisit *visit = visit_new (1u << ALS_PATH_SIGNAL_RELAY);
      Peer *peer = peer_new (NULL, rubbish (i));
      g_autofree char *code = NULL;

      als_signal_client_start (peer->client);
      als_wait_until (peer->is_registered);
      code = als_code_format (&peer->code);
      g_assert_true (als_visit_join (visit, code, NULL));
      assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
      end_well (visit, peer, FALSE);
    }
}

static void
wrong_code_cb (AlsVisit *visit, guint tries_left, guint *n)
{
  (*n)++;
}

/* Burnt codes are replaced, but not for ever: each is worth three guesses. */
static void
test_guesses_come_to_an_end (void)
{
  AlsVisit *visit = visit_new (1u << ALS_PATH_SIGNAL_RELAY);
  g_autofree char *burnt = NULL;
  guint n_wrong = 0, n_guesses = 0;

  g_signal_connect (visit, "wrong-code", G_CALLBACK (wrong_code_cb), &n_wrong);
  als_visit_invite (visit);
  while (n_guesses < 100)
    {
      Peer *peer;

      als_wait_until (state_is (visit, ALS_VISIT_ENDED)
                || (state_is (visit, ALS_VISIT_CODE_READY) && als_visit_get_code (visit) != NULL
                    && n_wrong == n_guesses));
      if (state_is (visit, ALS_VISIT_ENDED))
        break;
      if (n_guesses % 3 == 0)
        {
          g_assert_cmpstr (als_visit_get_code (visit), !=, burnt);
          g_free (burnt);
          burnt = g_strdup (als_visit_get_code (visit));
        }
      peer = peer_new (als_visit_get_code (visit), NULL);
      peer->code.secret[0] = peer->code.secret[0] == '9' ? '0' : (char) (peer->code.secret[0] + 1);
      als_signal_client_start (peer->client);
      als_wait_until (peer->has_failed && peer->n_unpaired == 1);
      als_wait_until (n_wrong == n_guesses + 1);
      n_guesses++;
      peer_free (peer);
    }
  g_assert_cmpuint (n_guesses, ==, 9);
  assert_ends (visit, ALS_VISIT_ERROR_BURNT_CODE);
  /* A person may begin again. */
  assert_works (visit, TRUE);
  g_object_unref (visit);
}

/* --- after it ------------------------------------------------------------------- */

static void
test_sealed_rubbish (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);
  uint8_t noise[3000];

  for (guint len = 1; len < sizeof noise; len = len * 2 + 1)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GBytes) sealed = NULL;

      randombytes_buf (noise, len);
      bytes = g_bytes_new (noise, len);
      sealed = als_sealer_seal_message (&peer->sealer, bytes);
      als_signal_client_send (peer->client, bytes);
      /* BYE would be an end. */
      if (noise[0] != ALS_PEER_BYE)
        als_signal_client_send (peer->client, sealed);
    }
  for (guint method = 0; method < 256; method += method < 10 ? 1 : 5)
    {
      peer_signal (peer, ALS_PEER_PATH_BEGIN, method, 1);
      peer_signal (peer, ALS_PEER_PATH, method, 1);
      peer_signal (peer, ALS_PEER_PATH_FAILED, method, 1);
    }
  peer_signal (peer, ALS_PEER_NETWORK, 0, 0);
  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  als_visit_answer (visit, ALS_VISIT_FILES_ONLY);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, TRUE);
}

static void
test_joiner_consents (void)
{
  for (guint with_hello = 0; with_hello < 2; with_hello++)
    {
      Peer *peer;
      AlsVisit *visit = meet_inviter (&peer);

      if (with_hello)
        peer_hello (peer);
      peer_consent (peer, ALS_VISIT_SEE_SCREEN);
      assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
      end_well (visit, peer, TRUE);
    }
}

static void
test_second_hello (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  peer_hello (peer);
  peer_hello (peer);
  assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
  end_well (visit, peer, TRUE);
}

static void
test_other_version (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  peer_say (peer, (AlsVisitMessage){ .type = ALS_VISIT_MESSAGE_HELLO, .version = 2, .name = (char *) "Future" });
  assert_ends (visit, ALS_VISIT_ERROR_PEER_VERSION);
  end_well (visit, peer, TRUE);
}

static void
test_malformed_visit_messages (void)
{
  static const struct { const char *bytes; size_t len; } cases[] = {
    { "\xff\xff", 2 },             /* longer than any */
    { "\x20\x0a", 2 },             /* by one byte */
    { "\0\0", 2 },                 /* of no type */
    { "\0\1\x09", 3 },             /* unknown type */
    { "\0\2\2\7", 4 },             /* a permission there is not */
    { "\0\7\1\0\1\0\2\33[", 9 },   /* a name with control characters */
    { "\0\7\1\0\1\0\2\xff\xff", 9 }, /* a name that is no text */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Peer *peer;
      AlsVisit *visit = meet_inviter (&peer);

      g_test_message ("case %u", i);
      peer_write (peer, cases[i].bytes, cases[i].len);
      assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
      end_well (visit, peer, TRUE);
    }
}

static void
test_channel_taken_away (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  als_channel_reset (g_steal_pointer (&peer->visit), 7);
  assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
  end_well (visit, peer, TRUE);
}

static void
test_name_is_cleaned (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  peer_say (peer, (AlsVisitMessage){ .type = ALS_VISIT_MESSAGE_HELLO, .version = ALS_VISIT_PROTOCOL_VERSION,
                                     .name = (char *) " \u202eMal\u2066l\u200bory\u2028\u00a0<b>&  " });
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  g_assert_cmpstr (als_visit_get_peer_name (visit), ==, "Mallory <b>&");
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, TRUE);
}

static void
test_files_before_consent (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  peer_open (peer, ALS_CHANNEL_FILES, ALS_LANE_BULK);
  als_wait_until (peer->own_is_closed);
  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  peer_open (peer, ALS_CHANNEL_FILES, ALS_LANE_BULK);
  als_wait_until (peer->own_is_closed);
  peer_open (peer, ALS_CHANNEL_ECHO, ALS_LANE_CONTROL);
  als_wait_until (peer->own_is_closed);
  g_assert_true (state_is (visit, ALS_VISIT_ASKING));
  g_assert_cmpuint (g_list_model_get_n_items (als_visit_get_transfers (visit)), ==, 0);
  als_visit_answer (visit, ALS_VISIT_SEE_SCREEN);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  /* Who shows the screen is shown none, and there is one visit channel. */
  peer_open (peer, ALS_CHANNEL_MEDIA, ALS_LANE_CONTROL);
  als_wait_until (peer->own_is_closed);
  peer_open (peer, ALS_CHANNEL_VISIT, ALS_LANE_CONTROL);
  als_wait_until (peer->own_is_closed);
  g_assert_null (als_visit_get_screen (visit));
  g_assert_true (state_is (visit, ALS_VISIT_ACTIVE));
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, TRUE);
}

static void
test_screen_before_consent (void)
{
  Peer *peer;
  AlsVisit *visit = meet_joiner (&peer, 1u << ALS_PATH_SIGNAL_RELAY);

  peer_open (peer, ALS_CHANNEL_MEDIA, ALS_LANE_CONTROL);
  als_wait_until (peer->own_is_closed);
  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  peer_consent (peer, ALS_VISIT_FILES_ONLY);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  peer_open (peer, ALS_CHANNEL_MEDIA, ALS_LANE_CONTROL);
  als_wait_until (peer->own_is_closed);
  g_assert_null (als_visit_get_screen (visit));
  /* Consent is given once. */
  peer_consent (peer, ALS_VISIT_SEE_SCREEN);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  g_assert_error (als_visit_get_error (visit), ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_PROTOCOL);
  end_well (visit, peer, FALSE);
}

/* Each costs a decoder. */
static void
test_screens_have_a_rate (void)
{
  Peer *peer;
  AlsVisit *visit = meet_joiner (&peer, 1u << ALS_PATH_SIGNAL_RELAY);

  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  peer_consent (peer, ALS_VISIT_SEE_SCREEN);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  for (guint i = 0; i < 40; i++)
    peer_open (peer, ALS_CHANNEL_MEDIA, ALS_LANE_CONTROL);
  als_wait_until (peer->n_refused >= 20);
  g_assert_true (state_is (visit, ALS_VISIT_ACTIVE));
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, FALSE);
}

static void
test_consent_before_hello (void)
{
  Peer *peer;
  AlsVisit *visit = meet_joiner (&peer, 1u << ALS_PATH_SIGNAL_RELAY);

  peer_consent (peer, ALS_VISIT_SEE_SCREEN);
  assert_ends (visit, ALS_VISIT_ERROR_PEER_PROTOCOL);
  end_well (visit, peer, FALSE);
}

/* Each attempt costs the joiner an agent with its thread. */
static void
test_flood_of_attempts (void)
{
  Peer *peer;
  AlsVisit *visit = meet_joiner (&peer, ALS_PATH_ALL);

  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  for (guint i = 1; i <= 100; i++)
    peer_signal (peer, ALS_PEER_PATH_BEGIN, ALS_METHOD_ICE, i);
  als_wait_until (peer->n_path_failed >= 80);
  g_assert_true (state_is (visit, ALS_VISIT_ASKING));
  peer_consent (peer, ALS_VISIT_FILES_ONLY);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, FALSE);
}

/* A relay frame that is not from the partner ends the relay at the most: where there is no other path both
 * meet again, and the visit goes on. */
static void
test_foreign_relay_frame (void)
{
  Peer *peer;
  AlsVisit *visit = meet_joiner (&peer, 1u << ALS_PATH_SIGNAL_RELAY);
  uint8_t foreign[64] = { 0xa0 };
  const AlsPacket packet = { foreign, sizeof foreign };

  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  peer_consent (peer, ALS_VISIT_FILES_ONLY);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  g_assert_cmpuint (als_carrier_send (peer->relay, &packet, 1), ==, 1);
  als_wait_until (state_is (visit, ALS_VISIT_RECONNECTING));
  als_wait_until (peer->n_unpaired > 0);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, FALSE);
}

/* Who parts as soon as they have met is met no more often than now and then: each pairing brings a link, and
 * costs the server an answer. */
static void
test_meetings_have_a_rate (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);
  int64_t start_us;

  peer_hello (peer);
  als_wait_until (state_is (visit, ALS_VISIT_ASKING));
  als_visit_answer (visit, ALS_VISIT_FILES_ONLY);
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE));
  peer->parts_again = TRUE;
  als_signal_client_unpair (peer->client);
  peer_meet (peer);
  als_wait_until (peer->n_parted >= 1);
  start_us = g_get_monotonic_time ();
  als_wait_until (peer->n_parted >= 3);
  g_assert_cmpint (g_get_monotonic_time () - start_us, >, 3 * G_USEC_PER_SEC);
  /* Once they stay, it goes on. */
  peer->parts_again = FALSE;
  als_wait_until (state_is (visit, ALS_VISIT_ACTIVE) && als_visit_get_path_kind (visit) == ALS_PATH_SIGNAL_RELAY);
  als_visit_stop (visit);
  als_wait_until (state_is (visit, ALS_VISIT_ENDED));
  end_well (visit, peer, TRUE);
}

static void
test_never_hello (void)
{
  Peer *peer;
  AlsVisit *visit = meet_inviter (&peer);

  assert_ends (visit, ALS_VISIT_ERROR_PEER_LOST);
  end_well (visit, peer, TRUE);
}

int
main (int argc, char **argv)
{
  AlsTestServer *server;
  int status;

  g_test_init (&argc, &argv, NULL);
  server = als_test_server_start (ALS_TEST_SERVER_NO_LIMITS, NULL);
  server_uri = als_test_server_make_uri (server);
  g_test_add_func ("/hostile/rubbish-before-the-proof-costs-no-try", test_rubbish_before_the_proof);
  g_test_add_func ("/hostile/rubbish-instead-of-an-answer-ends-the-joiner", test_rubbish_instead_of_an_answer);
  g_test_add_func ("/hostile/guesses-come-to-an-end", test_guesses_come_to_an_end);
  g_test_add_func ("/hostile/sealed-rubbish-is-passed-over", test_sealed_rubbish);
  g_test_add_func ("/hostile/a-joiner-cannot-consent", test_joiner_consents);
  g_test_add_func ("/hostile/a-second-hello-ends-it", test_second_hello);
  g_test_add_func ("/hostile/another-version-is-told", test_other_version);
  g_test_add_func ("/hostile/malformed-visit-messages-end-it", test_malformed_visit_messages);
  g_test_add_func ("/hostile/the-visit-channel-cannot-be-taken-away", test_channel_taken_away);
  g_test_add_func ("/hostile/a-name-is-cleaned", test_name_is_cleaned);
  g_test_add_func ("/hostile/no-files-before-consent-and-no-screen-to-the-inviter", test_files_before_consent);
  g_test_add_func ("/hostile/no-screen-before-consent-and-none-beyond-it", test_screen_before_consent);
  g_test_add_func ("/hostile/screens-have-a-rate", test_screens_have_a_rate);
  g_test_add_func ("/hostile/no-consent-before-the-hello", test_consent_before_hello);
  g_test_add_func ("/hostile/attempts-have-a-rate", test_flood_of_attempts);
  g_test_add_func ("/hostile/a-foreign-relay-frame-ends-no-visit", test_foreign_relay_frame);
  g_test_add_func ("/hostile/meetings-have-a-rate", test_meetings_have_a_rate);
  g_test_add_func ("/hostile/never-a-hello-is-noticed", test_never_hello);
  status = g_test_run ();
  als_test_server_free (server);
  g_free (server_uri);
  return status;
}
