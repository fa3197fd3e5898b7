/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Who waits for whom. A peer is in one state; holding a number is apart from
 * it: an inviter keeps its number while it is with somebody, and for a while
 * when its connection is gone. Waits of one kind last equally long, so each
 * kind is a queue whose head is due first. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-rendezvous.h"

#include "base/als-token-bucket.h"
#include "server/als-address-limits.h"

#include <string.h>

#define N_NUMBERS 1000000
#define DRAW_TRIES 1000
#define MAX_JOINS_WAITING_FOR_ONE 8
/* Everything but relayed frames: far above what a handshake with all its candidates takes. */
#define SIGNAL_RATE 200
#define SIGNAL_BURST 500
/* A partner who does not read is sent no more than this. */
#define MAX_SIGNAL_BACKLOG (256 * 1024)
/* Clocks and networks are not exact: who keeps to the stated figures never meets these. */
#define RELAY_RATE_SLACK 1.05
#define RELAY_BACKLOG_SLACK 1.25

typedef enum
{
  PEER_NEW, /* has not said HELLO */
  PEER_FREE,
  PEER_JOINING,
  PEER_MEETING,
  PEER_PAIRED,
  PEER_CLOSED, /* refused; waits for als_rendezvous_remove () */
} PeerState;

typedef struct
{
  uint32_t number;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  AlsRendezvousPeer *peer; /* NULL while away */
  int64_t expires_us;      /* while away */
  GList link;              /* in `away`, while away */
} Registration;

/* Lives as long as somebody waits at it or is paired through it. */
typedef struct
{
  uint8_t id[ALS_SIGNAL_MEETING_BYTES];
  AlsRendezvousPeer *peers[2]; /* by role */
} Meeting;

struct _AlsRendezvousPeer
{
  gpointer connection;
  char *address;
  char *origin;               /* (nullable) */
  gboolean takes_foreign_peers;
  PeerState state;
  gboolean was_paired;
  Registration *registration; /* (nullable) */
  AlsRendezvousPeer *partner; /* while PAIRED */
  Meeting *meeting;           /* while MEETING, or PAIRED through it */
  uint32_t join_number;       /* while JOINING */
  int64_t wait_until_us;      /* while JOINING or MEETING */
  GList wait_link;            /* in `joins` or `meets` then */
  gboolean relay_open;        /* while PAIRED */
  AlsTokenBucket relay_bucket;
  AlsTokenBucket signal_bucket;
  gboolean limit_told; /* RATE_LIMITED was said since the bucket last had something */
};

struct _AlsRendezvous
{
  AlsRendezvousOptions options;
  const AlsRendezvousEffects *effects;
  gpointer user_data;
  GHashTable *numbers;  /* number -> Registration, owned */
  GHashTable *tokens;   /* token -> Registration */
  GHashTable *waiting;  /* number -> GPtrArray of the peers JOINING it */
  GHashTable *meetings; /* id -> Meeting, owned */
  GQueue away;          /* of Registration */
  GQueue joins;         /* of peers */
  GQueue meets;         /* of peers */
  AlsAddressLimits *join_limits;
  AlsAddressLimits *turn_limits;
  guint n_peers;
  guint n_pairs;
};

void
als_rendezvous_options_init (AlsRendezvousOptions *options)
{
  *options = (AlsRendezvousOptions){
    .heartbeat_s = 20,
    .keep_s = 120,
    .join_wait_s = 30,
    .meet_wait_s = 600,
    .relay_rate = 1250000,
    .relay_backlog = 65536,
    .join_burst = 10,
    .join_interval_s = 3,
    .turn_burst = 30,
    .turn_interval_s = 10,
    .max_numbers = 500000,
  };
}

/* Tokens are random and ours. Meeting ids are chosen by clients, but a connection is at one at a
 * time: a pile-up in the table is bounded by what one client may open. */
static guint
hash_16_bytes (gconstpointer key)
{
  guint parts[4];

  memcpy (parts, key, sizeof parts);
  return parts[0] ^ (parts[1] * 31) ^ (parts[2] * 131) ^ (parts[3] * 1313);
}

static gboolean
equal_16_bytes (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, 16) == 0;
}

G_STATIC_ASSERT (ALS_SIGNAL_TOKEN_BYTES == 16 && ALS_SIGNAL_MEETING_BYTES == 16);

static void
registration_free (gpointer data)
{
  Registration *registration = data;

  explicit_bzero (registration->token, sizeof registration->token);
  g_free (registration);
}

AlsRendezvous *
als_rendezvous_new (const AlsRendezvousOptions *options,
                    const AlsRendezvousEffects *effects,
                    gpointer user_data,
                    int64_t now_us)
{
  AlsRendezvous *self = g_new0 (AlsRendezvous, 1);

  self->options = *options;
  self->effects = effects;
  self->user_data = user_data;
  self->numbers = g_hash_table_new_full (NULL, NULL, NULL, registration_free);
  self->tokens = g_hash_table_new (hash_16_bytes, equal_16_bytes);
  self->waiting = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)g_ptr_array_unref);
  self->meetings = g_hash_table_new_full (hash_16_bytes, equal_16_bytes, NULL, g_free);
  self->join_limits
      = als_address_limits_new (options->join_burst, options->join_interval_s, now_us);
  self->turn_limits
      = als_address_limits_new (options->turn_burst, options->turn_interval_s, now_us);
  return self;
}

void
als_rendezvous_free (AlsRendezvous *self)
{
  g_assert (self->n_peers == 0);
  g_hash_table_unref (self->tokens);
  g_hash_table_unref (self->numbers);
  g_hash_table_unref (self->waiting);
  g_hash_table_unref (self->meetings);
  als_address_limits_free (self->join_limits);
  als_address_limits_free (self->turn_limits);
  g_free (self);
}

static const char *
state_name (PeerState state)
{
  static const char *const names[] = { "new", "free", "joining", "meeting", "paired", "closed" };

  return names[state];
}

static void
set_state (AlsRendezvousPeer *peer, PeerState state)
{
  g_debug ("%p: %s -> %s", peer->connection, state_name (peer->state), state_name (state));
  peer->state = state;
}

static void
send_message (AlsRendezvous *self, AlsRendezvousPeer *peer, const AlsSignalMessage *message)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);

  if (bytes == NULL)
    {
      g_critical ("a message of type %d cannot be encoded", (int)message->type);
      return;
    }
  self->effects->send (peer->connection, ALS_LANE_SIGNAL, bytes, self->user_data);
}

static void
send_error (AlsRendezvous *self, AlsRendezvousPeer *peer, AlsSignalCode code, const char *text)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_ERROR);

  message->code = code;
  message->text = g_strdup (text);
  send_message (self, peer, message);
}

static void
send_unpair (AlsRendezvous *self, AlsRendezvousPeer *peer, AlsSignalUnpairReason reason)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_UNPAIR);

  message->reason = reason;
  send_message (self, peer, message);
}

static void
send_waiting (AlsRendezvous *self, AlsRendezvousPeer *peer, uint32_t keep_s)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_WAITING);

  message->keep_s = keep_s;
  send_message (self, peer, message);
}

static void
send_paired (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_PAIRED);
  gboolean with_turn = als_address_limits_take (self->turn_limits, peer->address, now_us);

  message->relay_rate = self->options.relay_rate;
  message->relay_backlog = self->options.relay_backlog;
  message->servers = self->effects->make_servers (with_turn, self->user_data);
  message->foreign_peers = self->options.foreign_peers && peer->takes_foreign_peers;
  message->text = g_strdup (peer->origin);
  send_message (self, peer, message);
}

/* Meetings. */

static int
role_in (const Meeting *meeting, const AlsRendezvousPeer *peer)
{
  return meeting->peers[1] == peer ? 1 : 0;
}

static void
leave_meeting (AlsRendezvous *self, AlsRendezvousPeer *peer)
{
  Meeting *meeting = g_steal_pointer (&peer->meeting);

  if (meeting == NULL)
    return;
  meeting->peers[role_in (meeting, peer)] = NULL;
  if (meeting->peers[0] == NULL && meeting->peers[1] == NULL)
    g_hash_table_remove (self->meetings, meeting->id);
}

/* Pairs. */

static void
open_relay (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  double backlog = self->options.relay_backlog * RELAY_BACKLOG_SLACK;

  peer->relay_open = TRUE;
  als_token_bucket_init (&peer->relay_bucket, self->options.relay_rate * RELAY_RATE_SLACK,
                         backlog + ALS_SIGNAL_MAX_RELAY, now_us);
}

static void
pair (AlsRendezvous *self, AlsRendezvousPeer *a, AlsRendezvousPeer *b, int64_t now_us)
{
  AlsRendezvousPeer *both[2] = { a, b };

  for (guint i = 0; i < 2; i++)
    {
      both[i]->partner = both[1 - i];
      both[i]->was_paired = TRUE;
      set_state (both[i], PEER_PAIRED);
      open_relay (self, both[i], now_us);
      send_paired (self, both[i], now_us);
    }
  self->n_pairs++;
}

/* Both are free afterwards; PEER is told nothing. */
static void
unpair (AlsRendezvous *self, AlsRendezvousPeer *peer, AlsSignalUnpairReason reason)
{
  AlsRendezvousPeer *partner = peer->partner;

  leave_meeting (self, peer);
  leave_meeting (self, partner);
  peer->partner = NULL;
  partner->partner = NULL;
  set_state (peer, PEER_FREE);
  set_state (partner, PEER_FREE);
  self->n_pairs--;
  send_unpair (self, partner, reason);
}

/* Waiting. */

static void
start_waiting (
    AlsRendezvous *self, AlsRendezvousPeer *peer, PeerState state, uint32_t wait_s, int64_t now_us)
{
  set_state (peer, state);
  peer->wait_until_us = now_us + wait_s * G_USEC_PER_SEC;
  peer->wait_link.data = peer;
  g_queue_push_tail_link (state == PEER_JOINING ? &self->joins : &self->meets, &peer->wait_link);
  send_waiting (self, peer, wait_s);
}

/* A peer that joins or meets does so no longer. */
static void
stop_waiting (AlsRendezvous *self, AlsRendezvousPeer *peer)
{
  if (peer->state == PEER_JOINING)
    {
      gpointer key = GUINT_TO_POINTER (peer->join_number);
      GPtrArray *peers = g_hash_table_lookup (self->waiting, key);

      g_queue_unlink (&self->joins, &peer->wait_link);
      g_ptr_array_remove (peers, peer);
      if (peers->len == 0)
        g_hash_table_remove (self->waiting, key);
    }
  else if (peer->state == PEER_MEETING)
    {
      g_queue_unlink (&self->meets, &peer->wait_link);
      leave_meeting (self, peer);
    }
  else
    return;
  set_state (peer, PEER_FREE);
}

/* Numbers. */

static void
give_back_number (AlsRendezvous *self, Registration *registration)
{
  if (registration->peer != NULL)
    registration->peer->registration = NULL;
  else
    g_queue_unlink (&self->away, &registration->link);
  g_hash_table_remove (self->tokens, registration->token);
  g_hash_table_remove (self->numbers, GUINT_TO_POINTER (registration->number));
}

static void
leave_number (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  Registration *registration = g_steal_pointer (&peer->registration);

  if (registration == NULL)
    return;
  registration->peer = NULL;
  registration->expires_us = now_us + self->options.keep_s * G_USEC_PER_SEC;
  registration->link.data = registration;
  g_queue_push_tail_link (&self->away, &registration->link);
}

/* Nobody may come to be found under a number that somebody else is being waited for at. */
static gboolean
draw_number (AlsRendezvous *self, uint32_t *number)
{
  /* The largest multiple of N_NUMBERS: below it every number is equally likely. */
  const uint32_t fair = UINT32_MAX - UINT32_MAX % N_NUMBERS;

  if (g_hash_table_size (self->numbers) >= self->options.max_numbers)
    return FALSE;
  for (guint i = 0; i < DRAW_TRIES; i++)
    {
      uint32_t drawn;

      self->effects->random ((uint8_t *)&drawn, sizeof drawn, self->user_data);
      if (drawn >= fair)
        continue;
      *number = drawn % N_NUMBERS;
      if (!g_hash_table_contains (self->numbers, GUINT_TO_POINTER (*number))
          && !g_hash_table_contains (self->waiting, GUINT_TO_POINTER (*number)))
        return TRUE;
    }
  return FALSE;
}

static Registration *
new_registration (AlsRendezvous *self)
{
  Registration *registration;
  uint32_t number;

  if (!draw_number (self, &number))
    return NULL;
  registration = g_new0 (Registration, 1);
  registration->number = number;
  self->effects->random (registration->token, sizeof registration->token, self->user_data);
  g_hash_table_insert (self->numbers, GUINT_TO_POINTER (number), registration);
  g_hash_table_insert (self->tokens, registration->token, registration);
  return registration;
}

/* Endings. */

/* PEER has no partner, number or wait any more. */
static void
detach (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  if (peer->state == PEER_PAIRED)
    unpair (self, peer, ALS_SIGNAL_UNPAIR_LOST);
  stop_waiting (self, peer);
  leave_number (self, peer, now_us);
}

void
als_rendezvous_refuse (AlsRendezvous *self,
                       AlsRendezvousPeer *peer,
                       AlsSignalCode code,
                       const char *text,
                       int64_t now_us)
{
  if (peer->state == PEER_CLOSED)
    return;
  g_debug ("%p: refused: %s", peer->connection, text);
  detach (self, peer, now_us);
  set_state (peer, PEER_CLOSED);
  send_error (self, peer, code, text);
  self->effects->close (peer->connection, self->user_data);
}

AlsRendezvousPeer *
als_rendezvous_add (AlsRendezvous *self, gpointer connection, const char *address, int64_t now_us)
{
  AlsRendezvousPeer *peer = g_new0 (AlsRendezvousPeer, 1);

  peer->connection = connection;
  peer->address = g_strdup (address);
  als_token_bucket_init (&peer->signal_bucket, SIGNAL_RATE, SIGNAL_BURST, now_us);
  self->n_peers++;
  return peer;
}

void
als_rendezvous_remove (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  detach (self, peer, now_us);
  self->n_peers--;
  g_free (peer->address);
  g_free (peer->origin);
  g_free (peer);
}

void
als_rendezvous_set_origin (AlsRendezvousPeer *peer, const char *address)
{
  g_free (peer->origin);
  peer->origin = g_strdup (address);
}

/* What peers say. */

static void
handle_hello (AlsRendezvous *self,
              AlsRendezvousPeer *peer,
              const AlsSignalMessage *hello,
              int64_t now_us)
{
  g_autoptr (AlsSignalMessage) welcome = NULL;

  if (hello->version != ALS_SIGNAL_PROTOCOL_VERSION)
    {
      als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_VERSION,
                             "this server speaks version 1", now_us);
      return;
    }
  set_state (peer, PEER_FREE);
  peer->takes_foreign_peers = als_signal_hello_has_word (hello->text, ALS_SIGNAL_TAKES_FOREIGN_PEERS);
  welcome = als_signal_message_new (ALS_SIGNAL_WELCOME);
  welcome->version = ALS_SIGNAL_PROTOCOL_VERSION;
  welcome->heartbeat_s = self->options.heartbeat_s;
  if (als_signal_hello_has_word (hello->text, ALS_SIGNAL_TAKES_SERVERS))
    welcome->servers = self->effects->make_servers (FALSE, self->user_data);
  send_message (self, peer, welcome);
}

/* A free inviter has come (back) to its number: the first who waits gets it. */
static void
serve_waiting (AlsRendezvous *self, Registration *registration, int64_t now_us)
{
  gpointer key = GUINT_TO_POINTER (registration->number);
  GPtrArray *peers;

  while ((peers = g_hash_table_lookup (self->waiting, key)) != NULL)
    {
      AlsRendezvousPeer *joiner = g_ptr_array_index (peers, 0);

      stop_waiting (self, joiner);
      if (joiner == registration->peer)
        send_error (self, joiner, ALS_SIGNAL_CODE_NO_SUCH_NUMBER, "that is your own number");
      else if (registration->peer->state == PEER_FREE)
        pair (self, registration->peer, joiner, now_us);
      else
        send_error (self, joiner, ALS_SIGNAL_CODE_BUSY, "somebody else is there");
    }
}

static void
handle_register (AlsRendezvous *self,
                 AlsRendezvousPeer *peer,
                 const AlsSignalMessage *message,
                 int64_t now_us)
{
  g_autoptr (AlsSignalMessage) registered = NULL;
  Registration *registration = NULL;

  if (message->has_token)
    registration = g_hash_table_lookup (self->tokens, message->token);
  if (peer->registration != NULL && peer->registration != registration)
    give_back_number (self, peer->registration);
  if (registration != NULL && registration->peer == NULL)
    g_queue_unlink (&self->away, &registration->link);
  else if (registration != NULL && registration->peer != peer)
    {
      /* Whoever holds the token is the inviter; the old connection has not noticed its end yet. */
      AlsRendezvousPeer *old = registration->peer;

      registration->peer = NULL;
      old->registration = NULL;
      als_rendezvous_refuse (self, old, ALS_SIGNAL_CODE_IDLE, "replaced by a newer connection",
                             now_us);
    }
  if (registration == NULL)
    registration = new_registration (self);
  if (registration == NULL)
    {
      als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_FULL, "no number is free", now_us);
      return;
    }
  registration->peer = peer;
  peer->registration = registration;
  registered = als_signal_message_new (ALS_SIGNAL_REGISTERED);
  registered->number = registration->number;
  registered->has_token = TRUE;
  memcpy (registered->token, registration->token, sizeof registered->token);
  registered->keep_s = self->options.keep_s;
  send_message (self, peer, registered);
  serve_waiting (self, registration, now_us);
}

/* TRUE: PEER may ask for a partner now. */
static gboolean
may_ask (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  stop_waiting (self, peer);
  if (peer->state == PEER_FREE)
    return TRUE;
  /* Somebody may have joined an inviter in the same moment: that is nobody's fault. */
  if (peer->registration != NULL)
    send_error (self, peer, ALS_SIGNAL_CODE_BUSY, "you are with somebody already");
  else
    als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_STATE, "you are with somebody already",
                           now_us);
  return FALSE;
}

static void
handle_join (AlsRendezvous *self, AlsRendezvousPeer *peer, uint32_t number, int64_t now_us)
{
  gpointer key = GUINT_TO_POINTER (number);
  Registration *registration = g_hash_table_lookup (self->numbers, key);
  AlsRendezvousPeer *inviter = registration != NULL ? registration->peer : NULL;
  GPtrArray *peers;

  if (!may_ask (self, peer, now_us))
    return;
  if (!als_address_limits_take (self->join_limits, peer->address, now_us))
    {
      send_error (self, peer, ALS_SIGNAL_CODE_RATE_LIMITED, "too many tries; wait a little");
      return;
    }
  if (inviter == peer)
    {
      send_error (self, peer, ALS_SIGNAL_CODE_NO_SUCH_NUMBER, "that is your own number");
      return;
    }
  if (inviter != NULL && inviter->state == PEER_FREE)
    {
      pair (self, inviter, peer, now_us);
      return;
    }
  peers = g_hash_table_lookup (self->waiting, key);
  if (inviter != NULL || (peers != NULL && peers->len >= MAX_JOINS_WAITING_FOR_ONE))
    {
      send_error (self, peer, ALS_SIGNAL_CODE_BUSY, "somebody else is there");
      return;
    }
  if (peers == NULL)
    {
      peers = g_ptr_array_new ();
      g_hash_table_insert (self->waiting, key, peers);
    }
  g_ptr_array_add (peers, peer);
  peer->join_number = number;
  start_waiting (self, peer, PEER_JOINING, self->options.join_wait_s, now_us);
}

static void
replace_in_meeting (AlsRendezvous *self, AlsRendezvousPeer *old, int64_t now_us)
{
  if (old->state == PEER_PAIRED)
    /* Its connection broke without a sign; the partner hears of it and comes again. */
    als_rendezvous_refuse (self, old, ALS_SIGNAL_CODE_IDLE, "replaced by a newer connection",
                           now_us);
  else
    {
      stop_waiting (self, old);
      send_error (self, old, ALS_SIGNAL_CODE_BUSY, "replaced by a newer connection");
    }
}

static void
handle_meet (AlsRendezvous *self,
             AlsRendezvousPeer *peer,
             const AlsSignalMessage *message,
             int64_t now_us)
{
  int role = message->is_inviter ? 1 : 0;
  Meeting *meeting;

  if (!may_ask (self, peer, now_us))
    return;
  meeting = g_hash_table_lookup (self->meetings, message->meeting_id);
  if (meeting != NULL && meeting->peers[role] != NULL)
    {
      replace_in_meeting (self, meeting->peers[role], now_us);
      /* It may have gone with the one who left. */
      meeting = g_hash_table_lookup (self->meetings, message->meeting_id);
    }
  if (meeting == NULL)
    {
      meeting = g_new0 (Meeting, 1);
      memcpy (meeting->id, message->meeting_id, sizeof meeting->id);
      g_hash_table_insert (self->meetings, meeting->id, meeting);
    }
  meeting->peers[role] = peer;
  if (meeting->peers[1 - role] != NULL)
    {
      AlsRendezvousPeer *other = meeting->peers[1 - role];

      /* Paired through the meeting, it stays known: a newer connection can replace either. */
      g_queue_unlink (&self->meets, &other->wait_link);
      peer->meeting = meeting;
      pair (self, other, peer, now_us);
      return;
    }
  peer->meeting = meeting;
  start_waiting (self, peer, PEER_MEETING, self->options.meet_wait_s, now_us);
}

static void
forward_signal (AlsRendezvous *self, AlsRendezvousPeer *peer, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) message = NULL;

  if (self->effects->get_backlog (peer->partner->connection, ALS_LANE_SIGNAL, self->user_data) + len
      > MAX_SIGNAL_BACKLOG)
    {
      send_error (self, peer, ALS_SIGNAL_CODE_RATE_LIMITED, "the other side does not keep up");
      return;
    }
  message = g_bytes_new (data, len);
  self->effects->send (peer->partner->connection, ALS_LANE_SIGNAL, message, self->user_data);
}

static void
forward_relay (
    AlsRendezvous *self, AlsRendezvousPeer *peer, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsRendezvousPeer *partner = peer->partner;
  double limit = self->options.relay_backlog * RELAY_BACKLOG_SLACK;
  g_autoptr (GBytes) message = NULL;

  if (!peer->relay_open)
    return;
  if (!als_token_bucket_take (&peer->relay_bucket, len, now_us)
      || self->effects->get_backlog (partner->connection, ALS_LANE_RELAY, self->user_data) + len
             > limit)
    {
      peer->relay_open = FALSE;
      partner->relay_open = FALSE;
      send_unpair (self, peer, ALS_SIGNAL_UNPAIR_RELAY_ABUSE);
      send_unpair (self, partner, ALS_SIGNAL_UNPAIR_RELAY_ABUSE);
      return;
    }
  message = g_bytes_new (data, len);
  self->effects->send (partner->connection, ALS_LANE_RELAY, message, self->user_data);
}

/* TRUE: PEER says too much; this one is dropped, and that is said once in a row. */
static gboolean
is_flooding (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us)
{
  if (als_token_bucket_take (&peer->signal_bucket, 1, now_us))
    {
      peer->limit_told = FALSE;
      return FALSE;
    }
  if (!peer->limit_told)
    send_error (self, peer, ALS_SIGNAL_CODE_RATE_LIMITED, "too many messages");
  peer->limit_told = TRUE;
  return TRUE;
}

void
als_rendezvous_receive (
    AlsRendezvous *self, AlsRendezvousPeer *peer, const uint8_t *data, size_t len, int64_t now_us)
{
  g_autoptr (AlsSignalMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  if (peer->state == PEER_CLOSED)
    return;
  message = als_signal_message_decode (data, len, &error);
  if (message == NULL)
    {
      als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_MESSAGE, error->message, now_us);
      return;
    }
  if ((message->type == ALS_SIGNAL_HELLO) != (peer->state == PEER_NEW))
    {
      als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_STATE, "HELLO comes once, and first",
                             now_us);
      return;
    }
  if (message->type != ALS_SIGNAL_RELAY && is_flooding (self, peer, now_us))
    return;

  switch (message->type)
    {
    case ALS_SIGNAL_HELLO:
      handle_hello (self, peer, message, now_us);
      break;
    case ALS_SIGNAL_REGISTER:
      handle_register (self, peer, message, now_us);
      break;
    case ALS_SIGNAL_UNREGISTER:
      if (peer->registration != NULL)
        give_back_number (self, peer->registration);
      break;
    case ALS_SIGNAL_JOIN:
      handle_join (self, peer, message->number, now_us);
      break;
    case ALS_SIGNAL_MEET:
      handle_meet (self, peer, message, now_us);
      break;
    case ALS_SIGNAL_PEER_MESSAGE:
    case ALS_SIGNAL_RELAY:
      /* What crosses the partner's goodbye is dropped. */
      if (peer->state == PEER_PAIRED && message->type == ALS_SIGNAL_RELAY)
        forward_relay (self, peer, data, len, now_us);
      else if (peer->state == PEER_PAIRED)
        forward_signal (self, peer, data, len);
      else if (!peer->was_paired)
        als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_STATE, "there is no partner",
                               now_us);
      break;
    case ALS_SIGNAL_UNPAIR:
      if (peer->state == PEER_PAIRED)
        unpair (self, peer, ALS_SIGNAL_UNPAIR_LEFT);
      else
        stop_waiting (self, peer);
      break;
    case ALS_SIGNAL_PING:
      message->type = ALS_SIGNAL_PONG;
      send_message (self, peer, message);
      break;
    case ALS_SIGNAL_PONG:
      break;
    case ALS_SIGNAL_WELCOME:
    case ALS_SIGNAL_REGISTERED:
    case ALS_SIGNAL_WAITING:
    case ALS_SIGNAL_PAIRED:
    case ALS_SIGNAL_ERROR:
    default:
      als_rendezvous_refuse (self, peer, ALS_SIGNAL_CODE_BAD_STATE, "only a server says that",
                             now_us);
    }
}

/* Time. */

static int64_t
head_deadline (const GQueue *peers)
{
  return peers->head != NULL ? ((AlsRendezvousPeer *)peers->head->data)->wait_until_us : INT64_MAX;
}

static int64_t
away_deadline (AlsRendezvous *self)
{
  return self->away.head != NULL ? ((Registration *)self->away.head->data)->expires_us : INT64_MAX;
}

int64_t
als_rendezvous_get_deadline (AlsRendezvous *self)
{
  return MIN (MIN (head_deadline (&self->joins), head_deadline (&self->meets)),
              away_deadline (self));
}

static void
end_waits (AlsRendezvous *self, GQueue *peers, int64_t now_us)
{
  while (head_deadline (peers) <= now_us)
    {
      AlsRendezvousPeer *peer = peers->head->data;

      stop_waiting (self, peer);
      send_error (self, peer, ALS_SIGNAL_CODE_NO_SUCH_NUMBER, "nobody came");
    }
}

void
als_rendezvous_poll (AlsRendezvous *self, int64_t now_us)
{
  end_waits (self, &self->joins, now_us);
  end_waits (self, &self->meets, now_us);
  while (away_deadline (self) <= now_us)
    give_back_number (self, self->away.head->data);
}

guint
als_rendezvous_get_n_numbers (AlsRendezvous *self)
{
  return g_hash_table_size (self->numbers);
}

guint
als_rendezvous_get_n_pairs (AlsRendezvous *self)
{
  return self->n_pairs;
}
