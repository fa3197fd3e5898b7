/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-wire.h"

#include <sodium.h>
#include <string.h>

#include "base/als-bytes.h"
#include "crypto/als-key-schedule.h"
#include "crypto/als-seal.h"

#define VERSION 1

#define GIVE_UP_US (10 * G_USEC_PER_SEC)
/* A stranger on a port has no place for longer. */
#define STREAM_GIVE_UP_US (5 * G_USEC_PER_SEC)
#define FIRST_REPEAT_US (100 * 1000)
#define MAX_REPEAT_US (1 * G_USEC_PER_SEC)
#define OLD_EPOCH_VALID_US (10 * G_USEC_PER_SEC)

#define DEFAULT_EPOCH_BYTES ((uint64_t) 64 << 30)
#define DEFAULT_EPOCH_US (3600 * (int64_t) G_USEC_PER_SEC)

/* Low bits of the epoch in a packet's first byte, and how many lost epochs they bridge. */
#define EPOCH_MASK 0x0f
#define MAX_EPOCHS_AHEAD 12

/* First byte. The upper half of the range is free of STUN and ChannelData. */
enum
{
  TYPE_HELLO = 0x90,
  TYPE_HELLO_REPLY = 0x91,
  TYPE_DATA = 0xa0,    /* and low epoch bits */
  TYPE_CONTROL = 0xb0, /* and low epoch bits */
};

/* First byte of a sealed TYPE_CONTROL; a token follows. */
enum
{
  CONTROL_ECHO = 1,
  CONTROL_ECHO_REPLY = 2,
};

#define MAC_BYTES 32
#define TOKEN_BYTES 8
#define HELLO_MACED_BYTES (1 + 1 + 1 + 4 + ALS_NONCE_BYTES)
#define HELLO_BYTES (HELLO_MACED_BYTES + MAC_BYTES)
#define REPLY_MACED_BYTES (1 + ALS_NONCE_BYTES)
#define REPLY_BYTES (REPLY_MACED_BYTES + MAC_BYTES)
#define CONTROL_BYTES (1 + TOKEN_BYTES)

G_STATIC_ASSERT (HELLO_BYTES <= ALS_WIRE_MAX_CLEAR && REPLY_BYTES <= ALS_WIRE_MAX_CLEAR);

/* 10 s of repeats. */
#define MAX_ECHOES 16
/* Echoes of the peer waiting for their reply; more at once are dropped. */
#define MAX_ECHO_REPLIES 4

typedef enum
{
  STATE_HELLO, /* speaker: waits for the reply; listener: for the hello */
  STATE_KEYED, /* an echo is under way */
  STATE_READY,
  STATE_FAILED,
} State;

typedef struct
{
  uint8_t token[TOKEN_BYTES];
  int64_t sent_us;
} Echo;

typedef struct
{
  gboolean valid;
  uint32_t epoch;
  AlsOpener opener;
} Inbound;

struct _AlsWire
{
  AlsLinkConfig config;
  gboolean may_lose;
  gboolean ordered;
  gboolean is_stream;
  gboolean speaks;         /* our hello counts, as far as we know */
  gboolean crossed;        /* the joiner's hello came although ours counts */
  State state;
  gboolean confirmed;      /* something sealed came: the peer has the keys */
  gboolean broken;
  int64_t give_up_us;
  uint32_t path_id;

  gboolean has_hello;
  uint8_t hello[HELLO_BYTES];  /* ours, or the one we answered */
  uint8_t reply[REPLY_BYTES];
  gboolean reply_due;
  uint8_t own_nonce[ALS_NONCE_BYTES];
  uint8_t peer_nonce[ALS_NONCE_BYTES];
  int64_t hello_due_us;    /* INT64_MAX: not due */
  int64_t hello_repeat_us;

  Echo echoes[MAX_ECHOES];
  guint n_echoes;
  int64_t echo_due_us;     /* INT64_MAX: not due */
  int64_t echo_repeat_us;
  uint8_t echo_replies[MAX_ECHO_REPLIES][TOKEN_BYTES];
  guint n_echo_replies;
  int64_t rtt_us;

  AlsSealer sealer;
  uint32_t epoch;          /* of what we seal */
  int64_t epoch_start_us;
  uint64_t epoch_sealed_bytes;

  Inbound current;
  Inbound previous;        /* unordered: stragglers */
  int64_t previous_until_us;
  Inbound coming;          /* derived for a packet that claims a later epoch */

  uint8_t *plain;          /* ALS_WIRE_MAX_PLAIN */
};

static gboolean
is_inviter (const AlsWire *self)
{
  return self->config.role == ALS_ROLE_INVITER;
}

static void
set_state (AlsWire *self, State state)
{
  static const char *const names[] = { "hello", "keyed", "ready", "failed" };

  if (self->state == state)
    return;
  g_debug ("wire of path %u: %s to %s", self->path_id, names[self->state], names[state]);
  self->state = state;
}

/* --- keys --- */

static void
make_mac (AlsWire *self, gboolean from_inviter, uint32_t path_id, const uint8_t *first,
          size_t first_len, const uint8_t *second, size_t second_len, uint8_t mac[MAC_BYTES])
{
  AlsKeyContext context = { .purpose = ALS_KEY_PURPOSE_HELLO, .path_id = path_id,
                            .carrier = (uint8_t) self->config.carrier,
                            .from_inviter = from_inviter };
  crypto_generichash_state state;
  uint8_t key[ALS_KEY_BYTES];

  als_key_derive (self->config.session_secret, &context, key);
  crypto_generichash_init (&state, key, sizeof key, MAC_BYTES);
  crypto_generichash_update (&state, first, first_len);
  crypto_generichash_update (&state, second, second_len);
  crypto_generichash_final (&state, mac, MAC_BYTES);
  sodium_memzero (key, sizeof key);
  sodium_memzero (&state, sizeof state);
}

static void
derive_key (AlsWire *self, gboolean own_direction, uint32_t epoch, uint8_t key[ALS_KEY_BYTES])
{
  AlsKeyContext context = { .purpose = ALS_KEY_PURPOSE_SEAL, .path_id = self->path_id,
                            .carrier = (uint8_t) self->config.carrier,
                            .from_inviter = own_direction == is_inviter (self), .epoch = epoch };

  memcpy (context.inviter_nonce, is_inviter (self) ? self->own_nonce : self->peer_nonce,
          ALS_NONCE_BYTES);
  memcpy (context.joiner_nonce, is_inviter (self) ? self->peer_nonce : self->own_nonce,
          ALS_NONCE_BYTES);
  als_key_derive (self->config.session_secret, &context, key);
}

static void
start_sealing (AlsWire *self, uint32_t epoch, int64_t now_us)
{
  uint64_t counter = epoch == 0 ? 0 : self->sealer.counter;
  uint8_t key[ALS_KEY_BYTES];

  derive_key (self, TRUE, epoch, key);
  als_sealer_init (&self->sealer, key);
  self->sealer.counter = counter;
  self->epoch = epoch;
  self->epoch_start_us = now_us;
  self->epoch_sealed_bytes = 0;
  sodium_memzero (key, sizeof key);
}

static void
start_opening (AlsWire *self, Inbound *inbound, uint32_t epoch)
{
  uint8_t key[ALS_KEY_BYTES];

  derive_key (self, FALSE, epoch, key);
  als_opener_init (&inbound->opener, key, self->ordered);
  inbound->epoch = epoch;
  inbound->valid = TRUE;
  sodium_memzero (key, sizeof key);
}

static void
drop_inbound (Inbound *inbound)
{
  als_opener_clear (&inbound->opener);
  inbound->valid = FALSE;
}

static void
wipe_keys (AlsWire *self)
{
  als_sealer_clear (&self->sealer);
  drop_inbound (&self->current);
  drop_inbound (&self->previous);
  drop_inbound (&self->coming);
}

/* Both nonces are known. */
static void
agree (AlsWire *self, int64_t now_us)
{
  wipe_keys (self);
  start_sealing (self, 0, now_us);
  start_opening (self, &self->current, 0);
  self->n_echoes = 0;
  self->n_echo_replies = 0;
  self->echo_due_us = now_us;
  self->echo_repeat_us = FIRST_REPEAT_US;
  set_state (self, STATE_KEYED);
}

/* --- lifecycle --- */

static void
make_hello (AlsWire *self)
{
  uint8_t *at = self->hello;

  *at++ = TYPE_HELLO;
  *at++ = VERSION;
  *at++ = (uint8_t) self->config.carrier;
  for (guint i = 0; i < 4; i++)
    *at++ = (uint8_t) (self->path_id >> (24 - 8 * i));
  memcpy (at, self->own_nonce, ALS_NONCE_BYTES);
  make_mac (self, is_inviter (self), self->path_id, self->hello, HELLO_MACED_BYTES, NULL, 0,
            self->hello + HELLO_MACED_BYTES);
  self->has_hello = TRUE;
}

AlsWire *
als_wire_new (const AlsLinkConfig *config, int64_t now_us)
{
  AlsWire *self = g_new0 (AlsWire, 1);

  self->config = *config;
  if (self->config.epoch_bytes == 0)
    self->config.epoch_bytes = DEFAULT_EPOCH_BYTES;
  if (self->config.epoch_us == 0)
    self->config.epoch_us = DEFAULT_EPOCH_US;
  self->may_lose = config->carrier == ALS_CARRIER_DATAGRAMS;
  self->ordered = config->carrier != ALS_CARRIER_DATAGRAMS;
  self->is_stream = config->carrier == ALS_CARRIER_STREAM;
  self->path_id = config->path_id;
  self->speaks = config->speaks_first;
  self->give_up_us = now_us + (self->is_stream ? STREAM_GIVE_UP_US : GIVE_UP_US);
  self->hello_due_us = self->echo_due_us = INT64_MAX;
  self->plain = g_malloc (ALS_WIRE_MAX_PLAIN);
  randombytes_buf (self->own_nonce, ALS_NONCE_BYTES);
  if (config->speaks_first)
    {
      make_hello (self);
      self->hello_due_us = now_us;
      self->hello_repeat_us = FIRST_REPEAT_US;
    }
  return self;
}

void
als_wire_free (AlsWire *self)
{
  if (self == NULL)
    return;
  sodium_memzero (self->plain, ALS_WIRE_MAX_PLAIN);
  g_free (self->plain);
  sodium_memzero (self, sizeof *self);
  g_free (self);
}

/* --- receiving --- */

/* A hello of the peer's; its nonce is next in READER. */
static gboolean
verify_hello (AlsWire *self, const uint8_t *data, size_t len, AlsReader *reader, uint32_t *path_id)
{
  uint8_t mac[MAC_BYTES];

  if (len != HELLO_BYTES)
    return FALSE;
  als_reader_init (reader, data, len);
  als_reader_u8 (reader);
  if (als_reader_u8 (reader) != VERSION || als_reader_u8 (reader) != self->config.carrier)
    return FALSE;
  *path_id = als_reader_u32 (reader);
  make_mac (self, !is_inviter (self), *path_id, data, HELLO_MACED_BYTES, NULL, 0, mac);
  return sodium_memcmp (mac, data + HELLO_MACED_BYTES, MAC_BYTES) == 0;
}

/* HELLO is the one to answer. */
static void
answer_hello (AlsWire *self, const uint8_t *hello, uint32_t path_id, AlsReader *reader,
              int64_t now_us)
{
  memcpy (self->hello, hello, HELLO_BYTES);
  self->has_hello = TRUE;
  self->path_id = path_id;
  als_reader_copy (reader, self->peer_nonce, ALS_NONCE_BYTES);
  randombytes_buf (self->own_nonce, ALS_NONCE_BYTES);
  self->reply[0] = TYPE_HELLO_REPLY;
  memcpy (self->reply + 1, self->own_nonce, ALS_NONCE_BYTES);
  make_mac (self, is_inviter (self), path_id, self->hello, HELLO_BYTES, self->reply,
            REPLY_MACED_BYTES, self->reply + REPLY_MACED_BYTES);
  self->reply_due = TRUE;
  agree (self, now_us);
}

/* The listener's side. Silent to whatever does not verify. */
static void
receive_hello (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsReader reader;
  uint32_t path_id;

  if (self->has_hello && len == HELLO_BYTES && sodium_memcmp (data, self->hello, HELLO_BYTES) == 0)
    {
      self->reply_due = TRUE;
      return;
    }
  if (self->confirmed || !verify_hello (self, data, len, &reader, &path_id))
    return;
  /* A path's id is never used again, and a later one is larger: no replay takes a true one's place. */
  if (!self->has_hello || path_id > self->path_id)
    answer_hello (self, data, path_id, &reader, now_us);
}

/* On a stream there is one from either side at the most. FALSE: not a hello that fits. */
static gboolean
receive_stream_hello (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsReader reader;
  uint32_t path_id;

  if (self->state != STATE_HELLO || self->crossed
      || !verify_hello (self, data, len, &reader, &path_id))
    return FALSE;
  self->crossed = self->speaks;
  if (self->speaks && is_inviter (self))
    return TRUE;
  self->speaks = FALSE;
  self->hello_due_us = INT64_MAX;
  answer_hello (self, data, path_id, &reader, now_us);
  return TRUE;
}

/* The speaker's side. */
static gboolean
receive_reply (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us)
{
  uint8_t mac[MAC_BYTES];

  if (self->state != STATE_HELLO || len != REPLY_BYTES)
    return FALSE;
  make_mac (self, !is_inviter (self), self->path_id, self->hello, HELLO_BYTES, data,
            REPLY_MACED_BYTES, mac);
  if (sodium_memcmp (mac, data + REPLY_MACED_BYTES, MAC_BYTES) != 0)
    return FALSE;
  memcpy (self->peer_nonce, data + 1, ALS_NONCE_BYTES);
  self->hello_due_us = INT64_MAX;
  agree (self, now_us);
  return TRUE;
}

static void
receive_control (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us)
{
  if (len != CONTROL_BYTES)
    return;
  if (data[0] == CONTROL_ECHO && self->n_echo_replies < MAX_ECHO_REPLIES)
    memcpy (self->echo_replies[self->n_echo_replies++], data + 1, TOKEN_BYTES);
  if (data[0] != CONTROL_ECHO_REPLY || self->state != STATE_KEYED)
    return;
  for (guint i = 0; i < self->n_echoes; i++)
    if (memcmp (self->echoes[i].token, data + 1, TOKEN_BYTES) == 0)
      {
        self->rtt_us = MAX (now_us - self->echoes[i].sent_us, 1);
        self->echo_due_us = INT64_MAX;
        set_state (self, STATE_READY);
        return;
      }
}

/* The opener for the epoch whose low bits are LOW; NULL for an epoch that cannot be. */
static Inbound *
find_inbound (AlsWire *self, guint low, int64_t now_us)
{
  guint ahead = (low - self->current.epoch) & EPOCH_MASK;

  if (ahead == 0)
    return &self->current;
  if (ahead == EPOCH_MASK)
    return self->previous.valid && now_us < self->previous_until_us
                   && self->previous.epoch == self->current.epoch - 1
             ? &self->previous : NULL;
  if (ahead > (self->ordered ? 1 : MAX_EPOCHS_AHEAD))
    return NULL;
  if (!self->coming.valid || self->coming.epoch != self->current.epoch + ahead)
    start_opening (self, &self->coming, self->current.epoch + ahead);
  if (self->ordered)
    self->coming.opener.next = self->current.opener.next;
  return &self->coming;
}

/* The first packet of a later epoch verified. */
static void
enter_coming (AlsWire *self, int64_t now_us)
{
  if (!self->ordered)
    {
      self->previous = self->current;
      self->previous_until_us = now_us + OLD_EPOCH_VALID_US;
    }
  self->current = self->coming;
  drop_inbound (&self->coming);
}

static AlsWireResult
receive_sealed (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us,
                const uint8_t **plain, size_t *plain_len)
{
  size_t sealed_len;
  const uint8_t *sealed;
  AlsReader reader;
  Inbound *inbound;
  uint64_t counter;
  uint8_t type;

  if (self->state != STATE_KEYED && self->state != STATE_READY)
    {
      self->broken |= self->is_stream;
      return ALS_WIRE_NOTHING;
    }
  als_reader_init (&reader, data, len);
  type = als_reader_u8 (&reader);
  counter = als_reader_u64 (&reader);
  sealed = als_reader_rest (&reader, &sealed_len);
  inbound = find_inbound (self, type & EPOCH_MASK, now_us);
  if (sealed == NULL || inbound == NULL
      || sealed_len > ALS_WIRE_MAX_PLAIN + ALS_SEAL_TAG_BYTES
      || !als_opener_open (&inbound->opener, &type, 1, counter, sealed, sealed_len, self->plain))
    {
      self->broken |= self->ordered;
      return ALS_WIRE_NOTHING;
    }
  if (inbound == &self->coming)
    enter_coming (self, now_us);
  self->confirmed = TRUE;
  if ((type & ~EPOCH_MASK) == TYPE_CONTROL)
    {
      receive_control (self, self->plain, sealed_len - ALS_SEAL_TAG_BYTES, now_us);
      return ALS_WIRE_NOTHING;
    }
  *plain = self->plain;
  *plain_len = sealed_len - ALS_SEAL_TAG_BYTES;
  return ALS_WIRE_PLAIN;
}

AlsWireResult
als_wire_receive (AlsWire *self, const uint8_t *data, size_t len, int64_t now_us,
                  const uint8_t **plain, size_t *plain_len)
{
  gboolean fits = FALSE;

  *plain = NULL;
  *plain_len = 0;
  if (len == 0 || self->state == STATE_FAILED)
    return ALS_WIRE_NOTHING;
  switch (data[0] & ~EPOCH_MASK)
    {
    case TYPE_DATA:
    case TYPE_CONTROL:
      return receive_sealed (self, data, len, now_us, plain, plain_len);
    default:
      break;
    }
  if (data[0] == TYPE_HELLO && self->is_stream)
    fits = receive_stream_hello (self, data, len, now_us);
  else if (data[0] == TYPE_HELLO && !self->speaks)
    receive_hello (self, data, len, now_us);
  else if (data[0] == TYPE_HELLO_REPLY && self->speaks)
    fits = receive_reply (self, data, len, now_us);
  self->broken |= self->is_stream && !fits;
  return ALS_WIRE_NOTHING;
}

/* --- sending --- */

static size_t
seal (AlsWire *self, uint8_t type, const uint8_t *plain, size_t len, uint8_t *out, int64_t now_us)
{
  uint64_t counter;

  if (self->epoch_sealed_bytes > 0
      && (now_us - self->epoch_start_us >= self->config.epoch_us
          || self->epoch_sealed_bytes + len > self->config.epoch_bytes))
    start_sealing (self, self->epoch + 1, now_us);
  self->epoch_sealed_bytes += len + ALS_WIRE_OVERHEAD;
  out[0] = (uint8_t) (type | (self->epoch & EPOCH_MASK));
  als_sealer_seal (&self->sealer, out, 1, plain, len, out + 9, &counter);
  for (guint i = 0; i < 8; i++)
    out[1 + i] = (uint8_t) (counter >> (56 - 8 * i));
  return len + ALS_WIRE_OVERHEAD;
}

size_t
als_wire_seal (AlsWire *self, const uint8_t *plain, size_t len, uint8_t *out, int64_t now_us)
{
  g_return_val_if_fail (len <= ALS_WIRE_MAX_PLAIN, 0);
  if (!als_wire_is_keyed (self))
    return 0;
  return seal (self, TYPE_DATA, plain, len, out, now_us);
}

static size_t
seal_control (AlsWire *self, uint8_t kind, const uint8_t *token, uint8_t *out, int64_t now_us)
{
  uint8_t plain[CONTROL_BYTES];

  plain[0] = kind;
  memcpy (plain + 1, token, TOKEN_BYTES);
  return seal (self, TYPE_CONTROL, plain, sizeof plain, out, now_us);
}

/* The time of the next repeat; *INTERVAL_US doubles. */
static int64_t
next_repeat (int64_t *interval_us, int64_t now_us)
{
  int64_t due_us = now_us + *interval_us;

  *interval_us = MIN (*interval_us * 2, MAX_REPEAT_US);
  return due_us;
}

static size_t
send_echo (AlsWire *self, uint8_t *out, int64_t now_us)
{
  Echo *echo = &self->echoes[self->n_echoes++];

  randombytes_buf (echo->token, TOKEN_BYTES);
  echo->sent_us = now_us;
  self->echo_due_us = self->may_lose && self->n_echoes < MAX_ECHOES
                        ? next_repeat (&self->echo_repeat_us, now_us) : INT64_MAX;
  return seal_control (self, CONTROL_ECHO, echo->token, out, now_us);
}

size_t
als_wire_poll (AlsWire *self, uint8_t *out, int64_t now_us)
{
  if (self->previous.valid && now_us >= self->previous_until_us)
    drop_inbound (&self->previous);
  if (self->state <= STATE_KEYED && now_us >= self->give_up_us)
    {
      set_state (self, STATE_FAILED);
      wipe_keys (self);
    }
  if (self->state == STATE_FAILED)
    return 0;
  if (now_us >= self->hello_due_us)
    {
      self->hello_due_us = !self->is_stream
                             ? next_repeat (&self->hello_repeat_us, now_us) : INT64_MAX;
      memcpy (out, self->hello, HELLO_BYTES);
      return HELLO_BYTES;
    }
  if (self->reply_due)
    {
      self->reply_due = FALSE;
      memcpy (out, self->reply, REPLY_BYTES);
      return REPLY_BYTES;
    }
  if (self->n_echo_replies > 0)
    return seal_control (self, CONTROL_ECHO_REPLY, self->echo_replies[--self->n_echo_replies], out,
                         now_us);
  if (now_us >= self->echo_due_us)
    return send_echo (self, out, now_us);
  return 0;
}

int64_t
als_wire_get_deadline (const AlsWire *self)
{
  int64_t deadline_us = INT64_MAX;

  if (self->previous.valid)
    deadline_us = self->previous_until_us;
  if (self->state == STATE_FAILED)
    return INT64_MAX;
  if (self->reply_due || self->n_echo_replies > 0)
    return 0;
  if (self->state <= STATE_KEYED)
    deadline_us = MIN (deadline_us, self->give_up_us);
  return MIN (deadline_us, MIN (self->hello_due_us, self->echo_due_us));
}

gboolean
als_wire_is_keyed (const AlsWire *self)
{
  return self->state == STATE_KEYED || self->state == STATE_READY;
}

gboolean
als_wire_is_ready (const AlsWire *self)
{
  return self->state == STATE_READY;
}

gboolean
als_wire_has_failed (const AlsWire *self)
{
  return self->state == STATE_FAILED;
}

gboolean
als_wire_is_broken (const AlsWire *self)
{
  return self->broken;
}

uint32_t
als_wire_get_path_id (const AlsWire *self)
{
  return self->path_id;
}

int64_t
als_wire_get_rtt (const AlsWire *self)
{
  return self->rtt_us;
}
