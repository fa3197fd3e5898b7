/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-search.h"

#include <string.h>

#define MAX_MESSAGES 64
#define FIRST_WORD_US (20 * G_USEC_PER_SEC)
/* An own or a peer's STUN server that does not answer is waited for no longer. */
#define SETTLE_US (3 * G_USEC_PER_SEC)
/* All of a search: the known endpoints alone, and with guesses. */
#define PLAIN_US (10 * G_USEC_PER_SEC)
#define BIRTHDAY_US (19 * G_USEC_PER_SEC)
/* Of pasted invitations, where nobody knows how slow the other is. */
#define MARKED_US (30 * 60 * G_USEC_PER_SEC)

/* Known endpoints: at once, and then ever slower. */
#define MAX_TARGETS 40
#define PROBE_GAP_US (100 * 1000)
#define MAX_PROBE_GAP_US (500 * 1000)
/* Where it goes on for long, and the other side may be nobody we know. */
#define MAX_MARKED_PROBE_GAP_US (2 * G_USEC_PER_SEC)
#define HAIRPIN_DELAY_US (100 * 1000)

/* Guesses: 160 a second take 13 s for all, and meet with 99.97 %. */
#define MAX_GUESSES 2048
#define GUESS_GAP_US (G_USEC_PER_SEC / 160)
#define FIRST_PORT 1024
#define N_PORTS (G_MAXUINT16 + 1 - FIRST_PORT)
/* A sequential NAT's next ports come before guesses, and its many sockets after a while. */
#define N_FORETOLD 320
/* Of them as if they were known: so two sequential NATs meet, both taking them in order. */
#define N_AT_ONCE 6
#define FORETOLD_PATIENCE_US (500 * 1000)
#define MANY_GAP_US (G_USEC_PER_SEC / 200)
/* NATs forget a silent flow after 30 s at the earliest (RFC 4787, 4.3: 2 minutes). */
#define REFRESH_US (6 * G_USEC_PER_SEC)

/* Pairs of endpoints over which the other side was heard. */
#define MAX_PAIRS 16
#define ECHO_GAP_US (50 * 1000)
#define NOMINATE_GAP_US (100 * 1000)
#define MAX_NOMINATIONS 20

#define MAX_QUEUE 64

typedef struct
{
  guint socket;
  AlsStunAddress address;
  int64_t due_us;
  int64_t gap_us;
} Target;

typedef struct
{
  guint socket;
  AlsStunAddress address;
  uint64_t peer_nonce;
  gboolean works;           /* both ways */
  int64_t last_probe_us;    /* of ours, in turn for one of theirs */
  guint n_nominations;
} Pair;

typedef struct
{
  AlsPunchProbeType type;
  guint socket;
  AlsStunAddress address;
  uint64_t echo;
} Queued;

struct _AlsPunchSearch
{
  AlsPunchSearchConfig config;
  uint8_t cookie_key[ALS_PUNCH_SECRET_BYTES]; /* of our nonces; never leaves */
  uint8_t key[ALS_PUNCH_KEY_BYTES];
  GRand *rand;
  int64_t started_us;
  gboolean is_over;

  AlsPunchSides sides;
  GQueue out;               /* of GBytes */

  gboolean remote_has_public;

  int64_t both_known_us;    /* 0: not yet */
  int64_t began_us;         /* probing; 0: not yet */
  Target targets[MAX_TARGETS];
  guint n_targets;

  gboolean guesses;         /* we are the easy side of a hard one */
  uint16_t *ports;          /* being shuffled as they are used; NULL before */
  guint n_guesses;
  guint n_foretold;
  int64_t guess_due_us;

  gboolean opens_many;      /* we are the hard side of an easy one */
  guint n_many;
  guint next_refresh;
  int64_t many_due_us, refresh_due_us;

  Pair pairs[MAX_PAIRS];
  guint n_pairs;
  int nominated;            /* index; -1: none */
  int64_t nominate_due_us;
  Queued queue[MAX_QUEUE];
  guint n_queue;
  gboolean is_connected, must_tell_connected;
  Pair winner;

  guint n_tries, n_strangers;
};

/* --- packets ---------------------------------------------------------------- */

/* Our nonce for a pair: whoever repeats it has heard us there. */
static uint64_t
make_nonce (AlsPunchSearch *self, guint socket, const AlsStunAddress *address)
{
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, self->cookie_key, sizeof self->cookie_key);
  uint16_t numbers[3] = { (uint16_t) socket, (uint16_t) address->family, address->port };
  uint8_t digest[32];
  size_t len = sizeof digest;
  uint64_t nonce;

  g_hmac_update (hmac, (const guchar *) numbers, sizeof numbers);
  g_hmac_update (hmac, address->ip, sizeof address->ip);
  g_hmac_get_digest (hmac, digest, &len);
  g_hmac_unref (hmac);
  memcpy (&nonce, digest, sizeof nonce);
  return nonce == 0 ? 1 : nonce;
}

static void
make_packet (AlsPunchSearch *self, const Queued *queued, uint8_t *packet)
{
  AlsPunchProbe probe = {
    .type = queued->type,
    .from_inviter = self->config.is_inviter,
    .nonce = make_nonce (self, queued->socket, &queued->address),
    .echo = queued->echo,
  };

  als_punch_probe_encode (&probe, self->key, packet);
}

/* What does not fit is a lost packet. */
static void
queue_packet (AlsPunchSearch *self, AlsPunchProbeType type, guint socket,
              const AlsStunAddress *address, uint64_t echo)
{
  if (self->n_queue < MAX_QUEUE)
    self->queue[self->n_queue++] = (Queued){ type, socket, *address, echo };
}

/* --- talking ---------------------------------------------------------------- */

static void
tell_endpoints (AlsPunchSearch *self, const AlsPunchEndpoint *next)
{
  AlsPunchMessage message = { .has_secret = TRUE };

  memcpy (message.secret, self->config.secret, sizeof message.secret);
  als_punch_sides_fill (&self->sides, next, &message);
  if (!als_punch_sides_has_told (&self->sides, &message))
    {
      GBytes *bytes = als_punch_message_encode (&message);

      g_return_if_fail (bytes != NULL);
      g_queue_push_tail (&self->out, bytes);
      self->sides.told = message;
      self->sides.has_told = TRUE;
    }
  explicit_bzero (&message, sizeof message);
}

/* --- targets ---------------------------------------------------------------- */

static void
add_target (AlsPunchSearch *self, const AlsStunAddress *address, int64_t due_us)
{
  for (guint i = 0; i < self->n_targets; i++)
    if (als_stun_address_equal (&self->targets[i].address, address))
      return;
  if (self->n_targets == MAX_TARGETS || als_punch_sides_is_own (&self->sides, address)
      || !als_punch_address_is_dialable (address, self->config.loopback))
    return;
  self->targets[self->n_targets++] = (Target){
    .socket = address->family == ALS_STUN_FAMILY_IPV6 ? ALS_PUNCH_SOCKET_IPV6
                                                      : ALS_PUNCH_SOCKET_IPV4,
    .address = *address,
    .gap_us = PROBE_GAP_US,
    .due_us = due_us,
  };
}

/* Those that are new; the others keep their time. */
static void
make_targets (AlsPunchSearch *self, int64_t now_us)
{
  gboolean is_same = als_punch_sides_share_public (&self->sides);

  for (guint i = 0; i < self->sides.remote.n_endpoints; i++)
    {
      const AlsPunchEndpoint *endpoint = &self->sides.remote.endpoints[i];
      guint n = endpoint->kind == ALS_PUNCH_PREDICTED ? N_AT_ONCE : 1;
      int64_t due_us = now_us;
      AlsStunAddress address;

      if (is_same && endpoint->kind != ALS_PUNCH_HOST)
        due_us += HAIRPIN_DELAY_US;
      for (guint j = 0; j < n; j++)
        if (als_punch_endpoint_foretell (endpoint, j, &address))
          add_target (self, &address, due_us);
    }
}

/* (nullable): where the other side's NAT is, to guess its ports or to greet it. */
static const AlsStunAddress *
find_public (AlsPunchSearch *self)
{
  for (guint i = 0; i < self->sides.remote.n_endpoints; i++)
    {
      const AlsPunchEndpoint *endpoint = &self->sides.remote.endpoints[i];

      if (endpoint->kind == ALS_PUNCH_PUBLIC && endpoint->address.family == ALS_STUN_FAMILY_IPV4
          && als_punch_address_is_dialable (&endpoint->address, self->config.loopback))
        return &endpoint->address;
    }
  return NULL;
}

/* --- the search -------------------------------------------------------------- */

/* Probing begins; INT64_MAX: not before something comes. Not before both have asked their servers, since
 * each probe takes a port of a sequential NAT. */
static int64_t
begin_time (const AlsPunchSearch *self)
{
  if (self->began_us != 0 || self->both_known_us == 0)
    return INT64_MAX;
  return MAX (self->both_known_us
                  + (als_punch_sides_are_settled (&self->sides) ? 0 : SETTLE_US),
              self->config.mark_us);
}

static int64_t
guess_time (const AlsPunchSearch *self)
{
  if (self->began_us == 0 || self->guesses || self->opens_many)
    return INT64_MAX;
  if (als_punch_nat_is_hard (self->sides.local_nat)
          == als_punch_nat_is_hard (self->sides.remote.nat)
      || !self->remote_has_public)
    return INT64_MAX;
  return self->began_us;
}

static void
begin_guessing (AlsPunchSearch *self, int64_t now_us)
{
  if (als_punch_nat_is_hard (self->sides.local_nat))
    {
      self->opens_many = TRUE;
      self->many_due_us = now_us;
      if (self->sides.local_nat == ALS_PUNCH_NAT_SEQUENTIAL)
        self->many_due_us += FORETOLD_PATIENCE_US;
      self->refresh_due_us = self->many_due_us + REFRESH_US;
      g_debug ("punch: our NAT's ports are not to be foretold: opening many sockets");
      return;
    }
  self->guesses = TRUE;
  self->guess_due_us = now_us;
  self->ports = g_new (uint16_t, N_PORTS);
  for (guint i = 0; i < N_PORTS; i++)
    self->ports[i] = (uint16_t) (FIRST_PORT + i);
  g_debug ("punch: the other NAT's ports are not to be foretold: guessing");
}

static gboolean
has_public_ipv6 (const AlsPunchEndpoint *endpoints, guint n)
{
  for (guint i = 0; i < n; i++)
    if (endpoints[i].address.family == ALS_STUN_FAMILY_IPV6
        && !als_punch_address_is_private (&endpoints[i].address))
      return TRUE;
  return FALSE;
}

/* Both choose ports that nobody can foretell, or one does and the other has too many of its own; and
 * no way leads past the two NATs. */
static gboolean
is_hopeless (const AlsPunchSearch *self)
{
  if (als_punch_sides_share_public (&self->sides)
      || (has_public_ipv6 (self->sides.local, self->sides.n_local)
          && has_public_ipv6 (self->sides.remote.endpoints, self->sides.remote.n_endpoints)))
    return FALSE;
  return self->sides.has_local && self->sides.has_remote && als_punch_sides_are_settled (&self->sides)
         && als_punch_sides_are_unpredictable (&self->sides);
}

static int64_t
failure_time (const AlsPunchSearch *self)
{
  gboolean is_birthday = self->guesses || self->opens_many;

  if (self->is_connected)
    return INT64_MAX;
  if (is_hopeless (self))
    return 0;
  if (self->config.mark_us != 0)
    return self->config.mark_us + MARKED_US;
  if (self->began_us == 0)
    return self->started_us + FIRST_WORD_US;
  return self->began_us + (is_birthday ? BIRTHDAY_US : PLAIN_US);
}

static AlsPathProblem
judge_problem (const AlsPunchSearch *self)
{
  if (is_hopeless (self))
    return ALS_PATH_PROBLEM_UNPREDICTABLE;
  if (self->sides.has_local && self->sides.n_local == 0)
    return ALS_PATH_PROBLEM_NO_ENDPOINT;
  if (self->sides.has_remote && self->n_targets == 0 && self->began_us != 0)
    return ALS_PATH_PROBLEM_PEER_ENDPOINT;
  return ALS_PATH_PROBLEM_SILENCE;
}

static void
advance (AlsPunchSearch *self, int64_t now_us)
{
  if (self->both_known_us == 0 && self->sides.has_local && self->sides.has_remote)
    self->both_known_us = MAX (now_us, 1);
  if (now_us >= begin_time (self))
    {
      self->began_us = now_us;
      make_targets (self, now_us);
    }
  if (now_us >= guess_time (self))
    begin_guessing (self, now_us);
}

/* --- what is sent when ------------------------------------------------------- */

static gboolean
take_target (AlsPunchSearch *self, int64_t now_us, Queued *queued)
{
  for (guint i = 0; i < self->n_targets; i++)
    {
      Target *target = &self->targets[i];

      if (now_us < target->due_us)
        continue;
      target->due_us = now_us + target->gap_us;
      target->gap_us = MIN (target->gap_us * 2, self->config.mark_us != 0 ? MAX_MARKED_PROBE_GAP_US
                                                                          : MAX_PROBE_GAP_US);
      *queued = (Queued){ ALS_PUNCH_PROBE, target->socket, target->address, 0 };
      return TRUE;
    }
  return FALSE;
}

/* The next port of the other side to try; 0: there is none. */
static uint16_t
choose_port (AlsPunchSearch *self)
{
  guint pick;
  uint16_t port;

  for (guint i = 0; i < self->sides.remote.n_endpoints && self->n_foretold < N_FORETOLD; i++)
    {
      const AlsPunchEndpoint *endpoint = &self->sides.remote.endpoints[i];

      AlsStunAddress address;

      if (endpoint->kind == ALS_PUNCH_PREDICTED
          && als_punch_endpoint_foretell (endpoint, self->n_foretold++, &address))
        return address.port;
    }
  if (self->n_guesses == MAX_GUESSES)
    return 0;
  /* Each port once, in an order that nobody knows. */
  pick = (guint) g_rand_int_range (self->rand, (gint32) self->n_guesses, N_PORTS);
  port = self->ports[pick];
  self->ports[pick] = self->ports[self->n_guesses];
  self->ports[self->n_guesses++] = port;
  return port;
}

static gboolean
take_guess (AlsPunchSearch *self, int64_t now_us, Queued *queued)
{
  const AlsStunAddress *public = find_public (self);

  if (!self->guesses || now_us < self->guess_due_us)
    return FALSE;
  *queued = (Queued){ ALS_PUNCH_PROBE, ALS_PUNCH_SOCKET_IPV4, { 0 }, 0 };
  if (public != NULL)
    queued->address = *public;
  queued->address.port = public != NULL ? choose_port (self) : 0;
  /* After a pause of ours the rate stays what it is. */
  self->guess_due_us = MAX (self->guess_due_us, now_us - 4 * GUESS_GAP_US) + GUESS_GAP_US;
  if (queued->address.port != 0)
    return TRUE;
  self->guess_due_us = INT64_MAX;
  return FALSE;
}

static gboolean
take_one_of_many (AlsPunchSearch *self, int64_t now_us, Queued *queued)
{
  const AlsStunAddress *public = find_public (self);

  if (!self->opens_many)
    return FALSE;
  if (public == NULL)
    {
      self->opens_many = FALSE;
      return FALSE;
    }
  if (self->n_many < ALS_PUNCH_N_MANY && now_us >= self->many_due_us)
    {
      *queued = (Queued){ ALS_PUNCH_PROBE, ALS_PUNCH_FIRST_OF_MANY + self->n_many++, *public, 0 };
      self->many_due_us = MAX (self->many_due_us, now_us - 4 * MANY_GAP_US) + MANY_GAP_US;
      return TRUE;
    }
  if (now_us < self->refresh_due_us || self->n_many == 0)
    return FALSE;
  *queued = (Queued){ ALS_PUNCH_PROBE, ALS_PUNCH_FIRST_OF_MANY + self->next_refresh, *public, 0 };
  self->next_refresh = (self->next_refresh + 1) % self->n_many;
  self->refresh_due_us = now_us + REFRESH_US / ALS_PUNCH_N_MANY;
  return TRUE;
}

static gboolean
take_nomination (AlsPunchSearch *self, int64_t now_us, Queued *queued)
{
  Pair *pair;

  if (self->nominated < 0 || now_us < self->nominate_due_us)
    return FALSE;
  pair = &self->pairs[self->nominated];
  if (pair->n_nominations == MAX_NOMINATIONS)
    {
      /* It worked, and works no more. */
      pair->works = FALSE;
      pair->n_nominations = 0;
      self->nominated = -1;
      return FALSE;
    }
  pair->n_nominations++;
  self->nominate_due_us = now_us + NOMINATE_GAP_US;
  *queued = (Queued){ ALS_PUNCH_NOMINATE, pair->socket, pair->address, pair->peer_nonce };
  return TRUE;
}

/* --- what comes ------------------------------------------------------------- */

static Pair *
get_pair (AlsPunchSearch *self, guint socket, const AlsStunAddress *address)
{
  Pair *pair;

  for (guint i = 0; i < self->n_pairs; i++)
    if (self->pairs[i].socket == socket && als_stun_address_equal (&self->pairs[i].address, address))
      return &self->pairs[i];
  if (self->n_pairs == MAX_PAIRS)
    return NULL;
  pair = &self->pairs[self->n_pairs++];
  *pair = (Pair){ .socket = socket, .address = *address };
  return pair;
}

static void
connect_pair (AlsPunchSearch *self, const Pair *pair)
{
  if (self->is_connected)
    return;
  self->is_connected = TRUE;
  self->must_tell_connected = TRUE;
  self->winner = *pair;
}

static void
take_packet (AlsPunchSearch *self, Pair *pair, const AlsPunchProbe *probe, int64_t now_us)
{
  gboolean is_echo = probe->echo == make_nonce (self, pair->socket, &pair->address);

  pair->peer_nonce = probe->nonce;
  pair->works |= is_echo;
  switch (probe->type)
    {
    case ALS_PUNCH_PROBE:
      queue_packet (self, ALS_PUNCH_ANSWER, pair->socket, &pair->address, probe->nonce);
      if (!pair->works && (pair->last_probe_us == 0 || now_us - pair->last_probe_us >= ECHO_GAP_US))
        {
          pair->last_probe_us = now_us;
          self->n_tries++;
          queue_packet (self, ALS_PUNCH_PROBE, pair->socket, &pair->address, probe->nonce);
        }
      break;
    case ALS_PUNCH_ANSWER:
      break;
    case ALS_PUNCH_NOMINATE:
      if (is_echo && !self->config.is_inviter)
        {
          queue_packet (self, ALS_PUNCH_ACCEPT, pair->socket, &pair->address, probe->nonce);
          connect_pair (self, pair);
        }
      break;
    case ALS_PUNCH_ACCEPT:
      if (is_echo && self->config.is_inviter && self->nominated >= 0
          && pair == &self->pairs[self->nominated])
        connect_pair (self, pair);
      break;
    }
  if (self->config.is_inviter && pair->works && self->nominated < 0 && !self->is_connected)
    {
      self->nominated = (int) (pair - self->pairs);
      self->nominate_due_us = now_us;
    }
}

/* --- public ----------------------------------------------------------------- */

AlsPunchSearch *
als_punch_search_new (const AlsPunchSearchConfig *config, int64_t now_us)
{
  AlsPunchSearch *self = g_new0 (AlsPunchSearch, 1);
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, config->secret, sizeof config->secret);
  static const char purpose[] = "nonces";
  size_t len = sizeof self->cookie_key;

  self->config = *config;
  g_hmac_update (hmac, (const guchar *) purpose, sizeof purpose);
  g_hmac_get_digest (hmac, self->cookie_key, &len);
  g_hmac_unref (hmac);
  self->rand = g_rand_new_with_seed (config->seed);
  self->started_us = now_us;
  self->nominated = -1;
  g_queue_init (&self->out);
  return self;
}

void
als_punch_search_free (AlsPunchSearch *self)
{
  g_queue_clear_full (&self->out, (GDestroyNotify) g_bytes_unref);
  g_rand_free (self->rand);
  g_free (self->ports);
  explicit_bzero (self, sizeof *self);
  g_free (self);
}

void
als_punch_search_set_local (AlsPunchSearch *self, const AlsPunchEndpoint *endpoints, guint n,
                            gboolean is_settled, int64_t now_us)
{
  AlsPunchEndpoint next;

  als_punch_sides_set_local (&self->sides, endpoints, n, is_settled, &next);
  tell_endpoints (self, &next);
}

void
als_punch_search_receive (AlsPunchSearch *self, const uint8_t *data, size_t len, int64_t now_us)
{
  const uint8_t *ours = self->config.secret;
  AlsPunchMessage message;

  if (self->is_over || !als_punch_sides_read (&self->sides, MAX_MESSAGES, data, len, &message))
    return;
  if (message.type != ALS_PUNCH_ENDPOINTS || !message.has_secret)
    return;
  if (self->sides.has_remote
      && memcmp (message.secret, self->sides.remote.secret, sizeof message.secret) != 0)
    return;
  self->sides.remote = message;
  if (!self->sides.has_remote)
    als_punch_probe_make_key (self->config.is_inviter ? ours : message.secret,
                              self->config.is_inviter ? message.secret : ours, self->key);
  self->sides.has_remote = TRUE;
  self->remote_has_public = find_public (self) != NULL;
  if (self->began_us != 0)
    make_targets (self, now_us);
}

gboolean
als_punch_search_packet (AlsPunchSearch *self, guint socket, const AlsStunAddress *from,
                         const uint8_t *data, size_t len, int64_t now_us)
{
  AlsPunchProbe probe;
  Pair *pair;

  if (self->is_over || !self->sides.has_remote)
    return FALSE;
  if (!als_punch_probe_decode (&probe, self->key, data, len)
      || probe.from_inviter == self->config.is_inviter)
    {
      self->n_strangers++;
      return FALSE;
    }
  pair = get_pair (self, socket, from);
  if (pair != NULL)
    take_packet (self, pair, &probe, now_us);
  return TRUE;
}

static void
fill_probe (AlsPunchSearch *self, const Queued *queued, AlsPunchSearchAction *action)
{
  action->type = ALS_PUNCH_SEARCH_PROBE;
  action->socket = queued->socket;
  action->address = queued->address;
  make_packet (self, queued, action->packet);
}

gboolean
als_punch_search_take_action (AlsPunchSearch *self, int64_t now_us, AlsPunchSearchAction *action)
{
  Queued queued;

  *action = (AlsPunchSearchAction){ 0 };
  if (!g_queue_is_empty (&self->out))
    {
      action->type = ALS_PUNCH_SEARCH_SEND;
      action->message = g_queue_pop_head (&self->out);
      return TRUE;
    }
  if (self->is_over)
    return FALSE;
  advance (self, now_us);
  if (self->n_queue > 0)
    {
      fill_probe (self, &self->queue[0], action);
      self->n_queue--;
      memmove (&self->queue[0], &self->queue[1], self->n_queue * sizeof self->queue[0]);
      return TRUE;
    }
  if (self->must_tell_connected)
    {
      self->must_tell_connected = FALSE;
      self->is_over = TRUE;
      action->type = ALS_PUNCH_SEARCH_CONNECTED;
      action->socket = self->winner.socket;
      action->address = self->winner.address;
      return TRUE;
    }
  if (now_us >= failure_time (self))
    {
      self->is_over = TRUE;
      action->type = ALS_PUNCH_SEARCH_FAIL;
      action->problem = judge_problem (self);
      return TRUE;
    }
  if (take_nomination (self, now_us, &queued))
    {
      fill_probe (self, &queued, action);
      return TRUE;
    }
  if (self->began_us != 0 && self->nominated < 0
      && (take_target (self, now_us, &queued) || take_guess (self, now_us, &queued)
          || take_one_of_many (self, now_us, &queued)))
    {
      self->n_tries++;
      fill_probe (self, &queued, action);
      return TRUE;
    }
  return FALSE;
}

int64_t
als_punch_search_get_deadline (const AlsPunchSearch *self)
{
  int64_t deadline_us;

  if (self->is_over)
    return INT64_MAX;
  deadline_us = MIN (MIN (begin_time (self), guess_time (self)), failure_time (self));
  if (self->nominated >= 0)
    return MIN (deadline_us, self->nominate_due_us);
  if (self->began_us == 0)
    return deadline_us;
  for (guint i = 0; i < self->n_targets; i++)
    deadline_us = MIN (deadline_us, self->targets[i].due_us);
  if (self->guesses)
    deadline_us = MIN (deadline_us, self->guess_due_us);
  if (self->opens_many)
    deadline_us = MIN (deadline_us, self->n_many < ALS_PUNCH_N_MANY ? self->many_due_us
                                                                    : self->refresh_due_us);
  return deadline_us;
}

void
als_punch_search_get_report (const AlsPunchSearch *self, AlsPathReport *report)
{
  report->tries = self->n_tries;
  report->strangers = self->n_strangers;
}

gboolean
als_punch_search_is_lan (const AlsPunchSearch *self, const AlsStunAddress *local,
                         const AlsStunAddress *remote)
{
  return als_punch_sides_is_lan (&self->sides, local, remote);
}

void
als_punch_search_get_parting (const AlsPunchSearch *self, uint8_t *key, uint8_t *accept)
{
  Queued queued = { ALS_PUNCH_ACCEPT, self->winner.socket, self->winner.address,
                    self->winner.peer_nonce };

  memcpy (key, self->key, ALS_PUNCH_KEY_BYTES);
  make_packet ((AlsPunchSearch *) self, &queued, accept);
}

AlsPunchNat
als_punch_search_get_nat (const AlsPunchSearch *self, gboolean of_peer)
{
  return of_peer ? self->sides.remote.nat : self->sides.local_nat;
}
