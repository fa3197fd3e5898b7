/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-plan.h"

#define ROUND_US (5 * G_USEC_PER_SEC)
#define MAX_ROUNDS 3
/* Rounds beside the present one, for endpoints that were learned since. */
#define MAX_GOS 12
#define GO_GAP_US (50 * 1000)
/* Without an answer to any ping the inviter goes ahead, with no head start for the joiner. */
#define RTT_PATIENCE_US G_USEC_PER_SEC
#define MAX_HALF_RTT_US G_USEC_PER_SEC
#define MAX_PINGS 4
#define N_SERIALS 16
/* A peer that says nothing, and one that began and then fell silent. */
#define FIRST_WORD_US (20 * G_USEC_PER_SEC)
#define NEXT_GO_US (10 * G_USEC_PER_SEC)
#define LAST_WORD_US (2 * G_USEC_PER_SEC)
/* 10 minutes of marks every 10 s, three times over. */
#define MAX_MARKS 180

/* Measured: with these, early sides of resetting NATs are through within 60 ms of the late side. */
#define REDIAL_MIN_US (15 * 1000)
#define REDIAL_MAX_US (45 * 1000)
/* Whoever resets for longer than this gets fewer. */
#define QUICK_REDIALS_US (2 * G_USEC_PER_SEC)
#define QUICK_REDIALS_PRIVATE 10
#define SLOW_REDIAL_MIN_US (150 * 1000)
#define SLOW_REDIAL_MAX_US (350 * 1000)
/* The way over the public address of one's own network: only after the short one. */
#define HAIRPIN_DELAY_US (100 * 1000)

/* What a peer can make us do: each target once a round, and again after so many refusals in all, whoever's
 * they are. Two endpoints refuse 200 a round at the most; marks go on for longer. */
#define MAX_TARGETS ALS_PUNCH_MAX_DIALS
#define MAX_REDIALS 1500
#define MAX_MARKED_REDIALS 12000
#define MAX_MESSAGES 96

/* A sequential NAT that others use meanwhile skips a few. */
#define N_PREDICTED 6

typedef enum
{
  TARGET_FREE,
  TARGET_IDLE,      /* until the next round */
  TARGET_DUE,
  TARGET_DIALLING,
  TARGET_CONNECTED,
} TargetState;

typedef struct
{
  TargetState state;
  AlsPunchEndpointKind kind;
  AlsStunAddress address;
  gboolean is_wanted;     /* in the peer's present list */
  gboolean must_drop;
  gboolean was_dialled;   /* ever: a NAT has a port for it */
  int64_t due_us;
  guint n_resets;         /* of this round */
} Target;

struct _AlsPunchPlan
{
  AlsPunchPlanConfig config;
  GRand *rand;
  int64_t started_us;
  gboolean is_over;

  AlsPunchSides sides;
  int64_t remote_since_us;
  uint16_t foretold_port; /* of a sequential NAT, as judged, */
  guint foretold_dials;   /* and how many dials had taken a port by then */
  GQueue out;             /* of GBytes */
  uint8_t serial;         /* of the last PING or GO */
  int64_t sent_us[N_SERIALS];
  guint n_pings;
  int64_t min_rtt_us;     /* 0: not known */

  gboolean wants_go;      /* inviter: endpoints have changed since the last one */
  guint n_gos;
  int64_t last_go_us;
  gboolean is_last_round;

  gboolean has_pending;   /* a round that begins at pending_us */
  gboolean pending_is_fresh;
  int64_t pending_us;
  guint n_rounds;         /* fresh ones that have begun */
  gboolean in_round;
  int64_t round_since_us, round_end_us;

  Target targets[MAX_TARGETS];
  guint n_tries, n_redials, n_resets, n_strangers, n_accepted, n_connected;
  guint n_public_resets;  /* from beyond the local network */
};

/* --- talking ---------------------------------------------------------------- */

static void
say (AlsPunchPlan *self, const AlsPunchMessage *message)
{
  GBytes *bytes = als_punch_message_encode (message);

  g_return_if_fail (bytes != NULL);
  g_queue_push_tail (&self->out, bytes);
}

static gboolean
is_marked (const AlsPunchPlan *self)
{
  return self->config.mark_us != 0;
}

static void
say_timed (AlsPunchPlan *self, AlsPunchMessage *message, int64_t now_us)
{
  self->serial++;
  self->sent_us[self->serial % N_SERIALS] = now_us;
  message->serial = self->serial;
  say (self, message);
}

static void
say_ping (AlsPunchPlan *self, int64_t now_us)
{
  AlsPunchMessage message = { .type = ALS_PUNCH_PING };

  if (!self->config.is_inviter || is_marked (self) || self->n_pings == MAX_PINGS)
    return;
  self->n_pings++;
  say_timed (self, &message, now_us);
}

static guint
count_translated_dials (AlsPunchPlan *self)
{
  guint n = 0;

  for (guint i = 0; i < MAX_TARGETS; i++)
    if (self->targets[i].was_dialled && self->targets[i].address.family == ALS_STUN_FAMILY_IPV4)
      n++;
  return n;
}

/* Where the next connection will come from. */
static void
correct_forecast (AlsPunchPlan *self, AlsPunchEndpoint *next)
{
  guint n_dials = count_translated_dials (self);
  int port;

  if (next->address.port != self->foretold_port)
    self->foretold_dials = n_dials;
  self->foretold_port = next->address.port;
  /* Each place that was dialled since took a port. */
  port = next->address.port + next->step * (int) (n_dials - self->foretold_dials);
  if (port <= G_MAXUINT16)
    next->address.port = (uint16_t) port;
}

/* TRUE if there are other endpoints than before. */
static gboolean
tell_endpoints (AlsPunchPlan *self, AlsPunchEndpoint *next)
{
  AlsPunchMessage message = { 0 };
  gboolean is_news;

  if (self->sides.local_nat == ALS_PUNCH_NAT_SEQUENTIAL)
    correct_forecast (self, next);
  als_punch_sides_fill (&self->sides, next, &message);
  if (als_punch_sides_has_told (&self->sides, &message))
    return FALSE;
  is_news = !self->sides.has_told || !als_punch_message_same_endpoints (&message, &self->sides.told);
  self->sides.told = message;
  self->sides.has_told = TRUE;
  say (self, &message);
  return is_news;
}

/* --- targets ---------------------------------------------------------------- */

static void
want (AlsPunchPlan *self, AlsPunchEndpointKind kind, const AlsStunAddress *address)
{
  Target *place = NULL;

  if (!als_punch_address_is_dialable (address, self->config.loopback)
      || als_punch_sides_is_own (&self->sides, address))
    return;
  for (guint i = 0; i < MAX_TARGETS; i++)
    {
      Target *target = &self->targets[i];

      if (target->state != TARGET_FREE && als_stun_address_equal (&target->address, address))
        {
          target->is_wanted = TRUE;
          target->kind = kind;
          return;
        }
      if (place == NULL
          && (target->state == TARGET_FREE
              || (!target->is_wanted && target->state == TARGET_IDLE && !target->must_drop)))
        place = target;
    }
  if (place == NULL)
    return;
  *place = (Target){ .state = TARGET_IDLE, .kind = kind, .address = *address, .is_wanted = TRUE };
}

static void
stop_target (Target *target)
{
  if (target->state == TARGET_DIALLING)
    target->must_drop = TRUE;
  if (target->state != TARGET_FREE)
    target->state = TARGET_IDLE;
}

static void
make_targets (AlsPunchPlan *self)
{
  for (guint i = 0; i < MAX_TARGETS; i++)
    self->targets[i].is_wanted = FALSE;
  for (guint i = 0; i < self->sides.remote.n_endpoints; i++)
    {
      const AlsPunchEndpoint *endpoint = &self->sides.remote.endpoints[i];

      if (endpoint->kind != ALS_PUNCH_PREDICTED)
        want (self, endpoint->kind, &endpoint->address);
      for (guint j = 0; endpoint->kind == ALS_PUNCH_PREDICTED && j < N_PREDICTED; j++)
        {
          AlsStunAddress address;

          if (als_punch_endpoint_foretell (endpoint, j, &address))
            want (self, endpoint->kind, &address);
        }
    }
}

/* What is to be dialled first of all that is due: public endpoints where we are behind a NAT that
 * takes the next port each time, since the other side reckons with that; else the nearest. Of one
 * rank in the order they were told in: foretold ones first. */
static guint
rank_target (AlsPunchPlan *self, const Target *target)
{
  gboolean is_near = target->kind == ALS_PUNCH_HOST;

  if (als_punch_nat_is_hard (self->sides.local_nat) && !als_punch_sides_share_public (&self->sides))
    is_near = !is_near;
  return (is_near ? 0 : 2) + (target->address.family == ALS_STUN_FAMILY_IPV6 ? 0 : 1);
}

static void
schedule_targets (AlsPunchPlan *self, int64_t at_us)
{
  gboolean is_same = als_punch_sides_share_public (&self->sides);

  for (guint i = 0; i < MAX_TARGETS; i++)
    {
      Target *target = &self->targets[i];

      if (target->state != TARGET_IDLE || !target->is_wanted)
        continue;
      target->state = TARGET_DUE;
      target->n_resets = 0;
      target->due_us = at_us;
      if (is_same && target->kind != ALS_PUNCH_HOST && target->address.family == ALS_STUN_FAMILY_IPV4)
        target->due_us += HAIRPIN_DELAY_US;
    }
}

/* --- rounds ----------------------------------------------------------------- */

static int64_t
next_mark (const AlsPunchPlan *self, int64_t now_us)
{
  int64_t n;

  if (now_us < self->config.mark_us)
    return self->config.mark_us;
  n = (now_us - self->config.mark_us) / self->config.mark_step_us + 1;
  return self->config.mark_us + n * self->config.mark_step_us;
}

static void
set_pending (AlsPunchPlan *self, int64_t at_us, gboolean is_fresh)
{
  /* What was to be fresh stays so. */
  self->pending_is_fresh = is_fresh || (self->has_pending && self->pending_is_fresh);
  self->has_pending = TRUE;
  self->pending_us = at_us;
}

static void
begin_round (AlsPunchPlan *self, int64_t now_us)
{
  gboolean is_fresh = self->pending_is_fresh || !self->in_round;

  self->has_pending = FALSE;
  make_targets (self);
  for (guint i = 0; i < MAX_TARGETS; i++)
    if (is_fresh || !self->targets[i].is_wanted)
      stop_target (&self->targets[i]);
  if (is_fresh)
    {
      self->n_rounds++;
      self->round_since_us = now_us;
    }
  self->in_round = TRUE;
  self->round_end_us = is_marked (self) ? next_mark (self, now_us) : now_us + ROUND_US;
  schedule_targets (self, now_us);
  g_debug ("punch: round %u%s", self->n_rounds, is_fresh ? "" : ", more endpoints");
}

/* Reaches beyond its own network. */
static gboolean
has_public (const AlsPunchEndpoint *endpoints, guint n)
{
  for (guint i = 0; i < n; i++)
    if (endpoints[i].kind != ALS_PUNCH_HOST || !als_punch_address_is_private (&endpoints[i].address))
      return TRUE;
  return FALSE;
}

/* Another round can bring what the first one did not. */
static gboolean
is_hopeful (AlsPunchPlan *self)
{
  return has_public (self->sides.local, self->sides.n_local)
         && has_public (self->sides.remote.endpoints, self->sides.remote.n_endpoints)
         && !als_punch_sides_are_unpredictable (&self->sides);
}

static void
say_go (AlsPunchPlan *self, gboolean is_fresh, int64_t now_us)
{
  AlsPunchMessage message = { .type = ALS_PUNCH_GO, .is_fresh = is_fresh };

  self->is_last_round = self->n_rounds + (is_fresh ? 1 : 0) >= MAX_ROUNDS
                        || (als_punch_sides_are_settled (&self->sides) && !is_hopeful (self));
  message.is_last = self->is_last_round;
  say_timed (self, &message, now_us);
  self->wants_go = FALSE;
  self->n_gos++;
  self->last_go_us = now_us;
  set_pending (self, now_us + MIN (self->min_rtt_us / 2, MAX_HALF_RTT_US), is_fresh);
}

static AlsPathProblem
judge_problem (AlsPunchPlan *self)
{
  if (self->n_connected > 0 || self->n_accepted > 0)
    return ALS_PATH_PROBLEM_STRANGERS;
  if (!self->sides.has_remote)
    return ALS_PATH_PROBLEM_SILENCE;
  if (als_punch_sides_are_unpredictable (&self->sides))
    return ALS_PATH_PROBLEM_UNPREDICTABLE;
  if (!has_public (self->sides.local, self->sides.n_local))
    return ALS_PATH_PROBLEM_NO_ENDPOINT;
  if (!has_public (self->sides.remote.endpoints, self->sides.remote.n_endpoints))
    return ALS_PATH_PROBLEM_PEER_ENDPOINT;
  return self->n_public_resets > 0 ? ALS_PATH_PROBLEM_RESETS : ALS_PATH_PROBLEM_SILENCE;
}

/* When the inviter may say GO; INT64_MAX: not before something comes. */
static int64_t
go_time (const AlsPunchPlan *self)
{
  int64_t at_us;

  if (!self->config.is_inviter || is_marked (self) || !self->wants_go || !self->sides.has_local
      || !self->sides.has_remote || self->has_pending || self->n_gos == MAX_GOS)
    return INT64_MAX;
  at_us = self->n_gos > 0 ? self->last_go_us + GO_GAP_US : self->started_us;
  if (self->min_rtt_us == 0)
    at_us = MAX (at_us, self->remote_since_us + RTT_PATIENCE_US);
  return at_us;
}

/* When there is nothing more to hope for; INT64_MAX while a round runs. */
static int64_t
failure_time (const AlsPunchPlan *self)
{
  if (is_marked (self))
    return self->n_rounds > MAX_MARKS ? self->round_end_us : INT64_MAX;
  if (self->n_rounds == 0 && !self->has_pending)
    return self->started_us + FIRST_WORD_US;
  if (self->in_round || self->has_pending)
    return INT64_MAX;
  return self->round_end_us + (self->is_last_round ? LAST_WORD_US : NEXT_GO_US);
}

static void
end_round (AlsPunchPlan *self, int64_t now_us)
{
  self->in_round = FALSE;
  for (guint i = 0; i < MAX_TARGETS; i++)
    stop_target (&self->targets[i]);
  if (is_marked (self) || !self->config.is_inviter || self->is_last_round)
    return;
  if (als_punch_sides_are_settled (&self->sides) && !is_hopeful (self))
    {
      self->is_last_round = TRUE;
      return;
    }
  say_go (self, TRUE, now_us);
}

static void
advance (AlsPunchPlan *self, int64_t now_us)
{
  if (self->is_over || !self->sides.has_local)
    return;
  if (is_marked (self) && self->sides.has_remote && !self->has_pending && self->n_rounds <= MAX_MARKS)
    set_pending (self, next_mark (self, now_us), TRUE);
  if (now_us >= go_time (self))
    say_go (self, FALSE, now_us);
  if (self->has_pending && now_us >= self->pending_us)
    begin_round (self, now_us);
  if (self->in_round && now_us >= self->round_end_us && !self->has_pending)
    end_round (self, now_us);
}

/* --- public ----------------------------------------------------------------- */

AlsPunchPlan *
als_punch_plan_new (const AlsPunchPlanConfig *config, int64_t now_us)
{
  AlsPunchPlan *self = g_new0 (AlsPunchPlan, 1);

  self->config = *config;
  if (self->config.mark_step_us <= 0)
    self->config.mark_step_us = 2 * ROUND_US;
  self->rand = g_rand_new_with_seed (config->seed);
  self->started_us = now_us;
  g_queue_init (&self->out);
  return self;
}

void
als_punch_plan_free (AlsPunchPlan *self)
{
  g_queue_clear_full (&self->out, (GDestroyNotify) g_bytes_unref);
  g_rand_free (self->rand);
  g_free (self);
}

void
als_punch_plan_set_local (AlsPunchPlan *self, const AlsPunchEndpoint *endpoints, guint n,
                          gboolean is_settled, int64_t now_us)
{
  gboolean is_first = !self->sides.has_local;
  AlsPunchEndpoint next;

  als_punch_sides_set_local (&self->sides, endpoints, n, is_settled, &next);
  if (tell_endpoints (self, &next))
    self->wants_go = TRUE;
  if (is_first)
    say_ping (self, now_us);
}

static void
take_endpoints (AlsPunchPlan *self, const AlsPunchMessage *message, int64_t now_us)
{
  if (!self->sides.has_remote || !als_punch_message_same_endpoints (message, &self->sides.remote))
    self->wants_go = TRUE;
  if (!self->sides.has_remote)
    self->remote_since_us = now_us;
  self->sides.remote = *message;
  self->sides.has_remote = TRUE;
}

static void
answer (AlsPunchPlan *self, const AlsPunchMessage *message)
{
  AlsPunchMessage pong = { .type = ALS_PUNCH_PONG, .serial = message->serial };

  say (self, &pong);
}

static void
take_pong (AlsPunchPlan *self, const AlsPunchMessage *message, int64_t now_us)
{
  int64_t *sent_us = &self->sent_us[message->serial % N_SERIALS];
  int64_t rtt_us = MAX (now_us - *sent_us, 1);

  if (*sent_us == 0 || (uint8_t) (self->serial - message->serial) >= N_SERIALS)
    return;
  *sent_us = 0;
  if (self->min_rtt_us == 0 || rtt_us < self->min_rtt_us)
    self->min_rtt_us = rtt_us;
  say_ping (self, now_us);
}

void
als_punch_plan_receive (AlsPunchPlan *self, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsPunchMessage message;

  if (self->is_over || !als_punch_sides_read (&self->sides, MAX_MESSAGES, data, len, &message))
    return;
  switch (message.type)
    {
    case ALS_PUNCH_ENDPOINTS:
      take_endpoints (self, &message, now_us);
      break;
    case ALS_PUNCH_PING:
      answer (self, &message);
      break;
    case ALS_PUNCH_PONG:
      if (self->config.is_inviter)
        take_pong (self, &message, now_us);
      break;
    case ALS_PUNCH_GO:
      if (self->config.is_inviter || is_marked (self) || self->n_gos == MAX_GOS + MAX_ROUNDS)
        break;
      self->n_gos++;
      answer (self, &message);
      self->is_last_round = message.is_last;
      set_pending (self, now_us, message.is_fresh);
      break;
    }
}

/* It said no, and may not the next time. */
static void
redial (AlsPunchPlan *self, Target *target, int64_t now_us, int32_t min_us, int32_t max_us)
{
  target->state = TARGET_IDLE;
  if (self->n_redials == (is_marked (self) ? MAX_MARKED_REDIALS : MAX_REDIALS))
    return;
  self->n_redials++;
  target->state = TARGET_DUE;
  target->due_us = now_us + g_rand_int_range (self->rand, min_us, max_us + 1);
}

void
als_punch_plan_dialled (AlsPunchPlan *self, guint dial, AlsPunchResult result, int64_t now_us)
{
  Target *target;
  gboolean is_private, is_quick;

  g_return_if_fail (dial < MAX_TARGETS);
  target = &self->targets[dial];
  if (target->state != TARGET_DIALLING)
    return;
  is_private = als_punch_address_is_private (&target->address);
  switch (result)
    {
    case ALS_PUNCH_CONNECTED:
      self->n_connected++;
      target->state = TARGET_CONNECTED;
      break;
    case ALS_PUNCH_REFUSED:
      self->n_resets++;
      if (!is_private)
        self->n_public_resets++;
      target->n_resets++;
      is_quick = now_us - self->round_since_us < QUICK_REDIALS_US
                 && (!is_private || target->n_resets <= QUICK_REDIALS_PRIVATE);
      if (is_quick)
        redial (self, target, now_us, REDIAL_MIN_US, REDIAL_MAX_US);
      else
        redial (self, target, now_us, SLOW_REDIAL_MIN_US, SLOW_REDIAL_MAX_US);
      break;
    case ALS_PUNCH_BUSY:
      redial (self, target, now_us, SLOW_REDIAL_MIN_US, SLOW_REDIAL_MAX_US);
      break;
    case ALS_PUNCH_NO_ROUTE:
      target->state = TARGET_IDLE;
      break;
    }
}

void
als_punch_plan_accepted (AlsPunchPlan *self, gboolean was_turned_away)
{
  self->n_accepted++;
  if (was_turned_away)
    self->n_strangers++;
}

static Target *
find_due (AlsPunchPlan *self, int64_t now_us)
{
  Target *best = NULL;

  if (!self->in_round)
    return NULL;
  for (guint i = 0; i < MAX_TARGETS; i++)
    {
      Target *target = &self->targets[i];

      if (target->state == TARGET_DUE && now_us >= target->due_us
          && (best == NULL || rank_target (self, target) < rank_target (self, best)))
        best = target;
    }
  return best;
}

gboolean
als_punch_plan_take_action (AlsPunchPlan *self, int64_t now_us, AlsPunchAction *action)
{
  Target *target;

  *action = (AlsPunchAction){ 0 };
  advance (self, now_us);
  if (!g_queue_is_empty (&self->out))
    {
      action->type = ALS_PUNCH_DO_SEND;
      action->message = g_queue_pop_head (&self->out);
      return TRUE;
    }
  for (guint i = 0; i < MAX_TARGETS; i++)
    if (self->targets[i].must_drop)
      {
        self->targets[i].must_drop = FALSE;
        action->type = ALS_PUNCH_DO_DROP;
        action->dial = i;
        return TRUE;
      }
  target = find_due (self, now_us);
  if (target != NULL)
    {
      self->n_tries++;
      target->state = TARGET_DIALLING;
      target->was_dialled = TRUE;
      action->type = ALS_PUNCH_DO_DIAL;
      action->dial = (guint) (target - self->targets);
      action->address = target->address;
      return TRUE;
    }
  if (!self->is_over && now_us >= failure_time (self))
    {
      self->is_over = TRUE;
      action->type = ALS_PUNCH_DO_FAIL;
      action->problem = judge_problem (self);
      return TRUE;
    }
  return FALSE;
}

int64_t
als_punch_plan_get_deadline (const AlsPunchPlan *self)
{
  int64_t deadline_us;

  if (self->is_over || !self->sides.has_local)
    return INT64_MAX;
  deadline_us = MIN (go_time (self), failure_time (self));
  if (self->has_pending)
    deadline_us = MIN (deadline_us, self->pending_us);
  if (!self->in_round)
    return deadline_us;
  if (!self->has_pending)
    deadline_us = MIN (deadline_us, self->round_end_us);
  for (guint i = 0; i < MAX_TARGETS; i++)
    if (self->targets[i].state == TARGET_DUE)
      deadline_us = MIN (deadline_us, self->targets[i].due_us);
  return deadline_us;
}

void
als_punch_plan_get_report (const AlsPunchPlan *self, AlsPathReport *report)
{
  report->tries = self->n_tries;
  report->resets = self->n_resets;
  report->strangers = self->n_strangers;
}

gboolean
als_punch_plan_knows (const AlsPunchPlan *self, const AlsStunAddress *address)
{
  for (guint i = 0; i < self->sides.remote.n_endpoints; i++)
    if (als_stun_address_same_ip (&self->sides.remote.endpoints[i].address, address))
      return TRUE;
  return FALSE;
}

gboolean
als_punch_plan_is_lan (const AlsPunchPlan *self, const AlsStunAddress *local,
                       const AlsStunAddress *remote)
{
  return als_punch_sides_is_lan (&self->sides, local, remote);
}

AlsPunchNat
als_punch_plan_get_nat (const AlsPunchPlan *self, gboolean of_peer)
{
  return of_peer ? self->sides.remote.nat : self->sides.local_nat;
}

guint
als_punch_plan_get_n_rounds (const AlsPunchPlan *self)
{
  return self->n_rounds;
}
