/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-crypto"

#include "config.h"

#include "crypto/als-handshake.h"

#include <sodium.h>
#include <string.h>

#include "base/als-bytes.h"
#include "crypto/als-cpace.h"

#define CHANNEL "alongside v1"
#define JOINER "joiner"
#define INVITER "inviter"

/* Domains of what is made from the intermediate session key. */
#define DOMAIN_TAG_KEY "alongside v1 tag key"
#define DOMAIN_TAG "alongside v1 tag"
#define DOMAIN_SECRET "alongside v1 session secret"
#define DOMAIN_MEETING "alongside v1 meeting id"

#define TAG_BYTES 32
#define SID_BYTES 6 /* the digits of the number */

/* First byte of a message. */
enum
{
  MESSAGE_SHARE = 1,  /* point */
  MESSAGE_TAG = 2,    /* tag */
  MESSAGE_REFUSE = 3, /* u8 reason; unauthenticated: it only tells sooner that nothing will come */
};

enum
{
  REFUSE_WRONG_CODE = 1,
  REFUSE_BURNT = 2,
};

typedef enum
{
  STATE_START,      /* joiner: nothing was sent */
  STATE_WAIT_SHARE,
  STATE_WAIT_TAG,
  STATE_DONE,
  STATE_OVER,
} State;

struct _AlsHandshake
{
  gboolean is_inviter;
  AlsTries *tries; /* borrowed */
  State state;
  uint8_t sid[SID_BYTES];
  uint8_t generator[ALS_CPACE_POINT_BYTES]; /* of the code, which is not kept */
  uint8_t scalar[ALS_CPACE_SCALAR_BYTES];
  uint8_t share[ALS_CPACE_POINT_BYTES];
  uint8_t peer_share[ALS_CPACE_POINT_BYTES];
  uint8_t tag_key[crypto_generichash_KEYBYTES];
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
};

G_DEFINE_QUARK (als-handshake-error-quark, als_handshake_error)

AlsHandshake *
als_handshake_new (gboolean is_inviter, const AlsCode *code, AlsTries *tries)
{
  /* lv_cat: what this is, the initiator, the responder */
  static const uint8_t ci[] = "\x0c" CHANNEL "\x06" JOINER "\x07" INVITER;
  AlsHandshake *self = g_new0 (AlsHandshake, 1);
  uint32_t number = code->number;

  self->is_inviter = is_inviter;
  self->tries = tries;
  self->state = is_inviter ? STATE_WAIT_SHARE : STATE_START;
  for (guint i = SID_BYTES; i > 0; i--, number /= 10)
    self->sid[i - 1] = (uint8_t) ('0' + number % 10);
  als_cpace_generator (code->secret, ci, sizeof ci - 1, self->sid, SID_BYTES, self->generator);
  return self;
}

void
als_handshake_free (AlsHandshake *self)
{
  if (self == NULL)
    return;
  sodium_memzero (self, sizeof *self);
  g_free (self);
}

/* Nothing is left to be learned from a handshake that is over. */
static void
end (AlsHandshake *self)
{
  self->state = STATE_OVER;
  sodium_memzero (self->generator, sizeof self->generator);
  sodium_memzero (self->scalar, sizeof self->scalar);
  sodium_memzero (self->tag_key, sizeof self->tag_key);
  sodium_memzero (self->secret, sizeof self->secret);
}

static gboolean
fail (AlsHandshake *self, AlsHandshakeError code, const char *text, GError **error)
{
  end (self);
  g_set_error_literal (error, ALS_HANDSHAKE_ERROR, code, text);
  return FALSE;
}

static GBytes *
make_message (uint8_t type, const uint8_t *payload, size_t len)
{
  uint8_t message[ALS_HANDSHAKE_MAX_MESSAGE];

  g_assert (len < sizeof message);
  message[0] = type;
  memcpy (message + 1, payload, len);
  return g_bytes_new (message, 1 + len);
}

static GBytes *
make_refusal (uint8_t reason)
{
  return make_message (MESSAGE_REFUSE, &reason, 1);
}

/* Draws our scalar and makes our share from it. */
static void
make_share (AlsHandshake *self)
{
  crypto_core_ristretto255_scalar_random (self->scalar);
  /* Neither a scalar below the order nor a hashed generator gives the identity. */
  if (!als_cpace_multiply (self->scalar, self->generator, self->share))
    g_error ("ristretto255 does not work here");
}

static void
derive (const uint8_t *key, size_t key_len, const char *domain, uint8_t *out, size_t len)
{
  crypto_generichash (out, len, (const uint8_t *) domain, strlen (domain), key, key_len);
}

/* With both shares known. FALSE: the peer's is no proper share. */
static gboolean
agree (AlsHandshake *self)
{
  AlsCpaceParty joiner = { self->is_inviter ? self->peer_share : self->share, JOINER };
  AlsCpaceParty inviter = { self->is_inviter ? self->share : self->peer_share, INVITER };
  uint8_t k[ALS_CPACE_POINT_BYTES];
  uint8_t isk[ALS_CPACE_ISK_BYTES];

  if (sodium_memcmp (self->share, self->peer_share, sizeof self->share) == 0
      || !als_cpace_multiply (self->scalar, self->peer_share, k))
    return FALSE;
  als_cpace_isk (self->sid, SID_BYTES, k, &joiner, &inviter, isk);
  derive (isk, sizeof isk, DOMAIN_TAG_KEY, self->tag_key, sizeof self->tag_key);
  derive (isk, sizeof isk, DOMAIN_SECRET, self->secret, sizeof self->secret);
  sodium_memzero (k, sizeof k);
  sodium_memzero (isk, sizeof isk);
  sodium_memzero (self->scalar, sizeof self->scalar);
  sodium_memzero (self->generator, sizeof self->generator);
  return TRUE;
}

/* Over the whole transcript and the role of who proves. */
static void
make_tag (const AlsHandshake *self, gboolean of_inviter, uint8_t tag[TAG_BYTES])
{
  const uint8_t *joiner_share = self->is_inviter ? self->peer_share : self->share;
  const uint8_t *inviter_share = self->is_inviter ? self->share : self->peer_share;
  uint8_t role = of_inviter ? 1 : 0;
  crypto_generichash_state state;

  crypto_generichash_init (&state, self->tag_key, sizeof self->tag_key, TAG_BYTES);
  crypto_generichash_update (&state, (const uint8_t *) DOMAIN_TAG, strlen (DOMAIN_TAG));
  crypto_generichash_update (&state, &role, 1);
  crypto_generichash_update (&state, self->sid, SID_BYTES);
  crypto_generichash_update (&state, joiner_share, ALS_CPACE_POINT_BYTES);
  crypto_generichash_update (&state, inviter_share, ALS_CPACE_POINT_BYTES);
  crypto_generichash_final (&state, tag, TAG_BYTES);
  sodium_memzero (&state, sizeof state);
}

static GBytes *
make_tag_message (const AlsHandshake *self)
{
  uint8_t tag[TAG_BYTES];

  make_tag (self, self->is_inviter, tag);
  return make_message (MESSAGE_TAG, tag, sizeof tag);
}

GBytes *
als_handshake_start (AlsHandshake *self, GError **error)
{
  if (self->is_inviter)
    return NULL;
  if (self->state != STATE_START)
    {
      fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "started twice", error);
      return NULL;
    }
  if (self->tries->spent >= ALS_HANDSHAKE_MAX_TRIES)
    {
      fail (self, ALS_HANDSHAKE_ERROR_BURNT, "no tries are left for this number", error);
      return NULL;
    }
  self->tries->spent++;
  make_share (self);
  self->state = STATE_WAIT_SHARE;
  return make_message (MESSAGE_SHARE, self->share, sizeof self->share);
}

static gboolean
receive_share (AlsHandshake *self, AlsReader *reader, GBytes **reply, GError **error)
{
  als_reader_copy (reader, self->peer_share, sizeof self->peer_share);
  if (!als_reader_done (reader) || self->state != STATE_WAIT_SHARE)
    return fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "a share was malformed or out of turn", error);
  if (self->is_inviter)
    {
      if (self->tries->spent >= ALS_HANDSHAKE_MAX_TRIES)
        {
          *reply = make_refusal (REFUSE_BURNT);
          return fail (self, ALS_HANDSHAKE_ERROR_BURNT, "no tries are left for this code", error);
        }
      make_share (self);
    }
  if (!agree (self))
    return fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "a share was no proper one", error);
  if (self->is_inviter)
    {
      /* From here on somebody can check one guess. */
      self->tries->spent++;
      *reply = make_message (MESSAGE_SHARE, self->share, sizeof self->share);
    }
  else
    {
      *reply = make_tag_message (self);
    }
  self->state = STATE_WAIT_TAG;
  return TRUE;
}

static gboolean
receive_tag (AlsHandshake *self, AlsReader *reader, GBytes **reply, GError **error)
{
  uint8_t tag[TAG_BYTES], expected[TAG_BYTES];
  gboolean agrees;

  als_reader_copy (reader, tag, sizeof tag);
  if (!als_reader_done (reader) || self->state != STATE_WAIT_TAG)
    return fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "a tag was malformed or out of turn", error);
  make_tag (self, !self->is_inviter, expected);
  agrees = sodium_memcmp (tag, expected, sizeof tag) == 0;
  sodium_memzero (expected, sizeof expected);
  if (!agrees)
    {
      if (self->is_inviter)
        *reply = make_refusal (REFUSE_WRONG_CODE);
      return fail (self, ALS_HANDSHAKE_ERROR_WRONG_CODE, "the codes differ", error);
    }
  if (self->is_inviter)
    *reply = make_tag_message (self);
  if (self->tries->spent > 0)
    self->tries->spent--;
  self->state = STATE_DONE;
  sodium_memzero (self->tag_key, sizeof self->tag_key);
  return TRUE;
}

static gboolean
receive_refusal (AlsHandshake *self, AlsReader *reader, GError **error)
{
  uint8_t reason = als_reader_u8 (reader);

  if (als_reader_done (reader) && !self->is_inviter)
    {
      if (reason == REFUSE_WRONG_CODE && self->state == STATE_WAIT_TAG)
        return fail (self, ALS_HANDSHAKE_ERROR_WRONG_CODE, "the inviter says: wrong code", error);
      if (reason == REFUSE_BURNT && self->state == STATE_WAIT_SHARE)
        return fail (self, ALS_HANDSHAKE_ERROR_BURNT, "the inviter says: no tries left", error);
    }
  return fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "a refusal was malformed or out of turn", error);
}

gboolean
als_handshake_receive (AlsHandshake *self, const uint8_t *data, size_t len, GBytes **reply,
                       GError **error)
{
  AlsReader reader;

  *reply = NULL;
  als_reader_init (&reader, data, len);
  switch (als_reader_u8 (&reader))
    {
    case MESSAGE_SHARE:
      return receive_share (self, &reader, reply, error);
    case MESSAGE_TAG:
      return receive_tag (self, &reader, reply, error);
    case MESSAGE_REFUSE:
      return receive_refusal (self, &reader, error);
    default:
      return fail (self, ALS_HANDSHAKE_ERROR_PROTOCOL, "an unknown message", error);
    }
}

gboolean
als_handshake_is_done (const AlsHandshake *self)
{
  return self->state == STATE_DONE;
}

void
als_handshake_get_secret (const AlsHandshake *self, uint8_t *secret)
{
  g_return_if_fail (self->state == STATE_DONE);
  memcpy (secret, self->secret, sizeof self->secret);
}

void
als_session_secret_to_meeting_id (const uint8_t *secret, uint8_t *meeting_id)
{
  derive (secret, ALS_SESSION_SECRET_BYTES, DOMAIN_MEETING, meeting_id, ALS_MEETING_ID_BYTES);
}
