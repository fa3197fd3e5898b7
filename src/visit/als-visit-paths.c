/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-paths.h"

#include <sodium.h>
#include <string.h>

#include "base/als-deadline-source.h"
#include "base/als-token-bucket.h"
#include "path/als-path-race.h"
#include "visit/als-path-link.h"

/* An attempt that has neither a link nor failed by then is over; the joiner's half waits a little longer. */
#define ATTEMPT_LIMIT_US (20 * G_USEC_PER_SEC)
#define COSTLY_LIMIT_US (25 * G_USEC_PER_SEC)
#define JOINER_LIMIT_US (30 * G_USEC_PER_SEC)
/* Links of one attempt that have not proved themselves: more are strangers at the door. */
#define MAX_UNPROVED 16
/* Once one of its links is ready, the joiner waits so long for the others (design §5). */
#define REST_US (2 * G_USEC_PER_SEC)

/* Attempts that the inviter may ask of a joiner: each costs threads and sockets. A joiner that has moved
 * asks for all of them. */
#define ATTEMPTS_PER_S 0.5
#define ATTEMPTS_BURST 16
#define MOVE_COST 8

/* Within so long the session has chosen a path that is better. */
#define CHOICE_US (5 * G_USEC_PER_SEC)
/* How long two allocations stay beside a direct path that may yet prove to be none. */
#define SPARE_US (10 * G_USEC_PER_SEC)

#define JOINER_BIT 0x80000000u

/* One method: at most one attempt at a time. */
typedef struct
{
  AlsVisitPaths *paths;   /* back pointer */
  AlsPathMethod method;
  uint32_t number;        /* of the present attempt; grows */
  guint n_attempts;
  AlsPath *path;          /* NULL: none under way, or a link that needs none */
  gboolean is_adopted;    /* `path` began without the race, and without a word */
  gboolean path_failed;   /* but links of it may still prove themselves */
  AlsPathReport report;   /* of the last one that ended */
  guint strangers;        /* links of the present one that were not the other side */
  AlsPathLink *link;      /* borrowed from paths->links: the one that counts; NULL: none */
  int64_t linked_us;      /* since when there is `link` */
  GSource *limit;         /* joiner: of the present attempt */
  GSource *rest;          /* joiner: when unproved links are closed */
} Attempt;

/* A link and the attempt it came from. */
typedef struct
{
  Attempt *attempt;       /* NULL: that attempt is over, the link is on its way out */
  AlsPathLink *link;
} Held;

struct _AlsVisitPaths
{
  AlsVisitPathsConfig config;
  uint8_t secret[32];
  GMainContext *context;  /* the engine's */
  uint32_t next_path_id;
  GPtrArray *links;       /* (element-type Held) (owned) */
  Attempt attempts[ALS_N_METHODS];
  AlsPathRace race;       /* inviter: when what is tried */
  GSource *race_source;
  gboolean is_racing;     /* in race () */
  AlsTokenBucket allowance; /* of attempts that the other side asks for */
};

static void attempt_stop (Attempt *self);
static void attempt_failed (Attempt *self, AlsPathProblem problem);
static void race (AlsVisitPaths *self);

static GSource *
add_timeout (AlsVisitPaths *self, int64_t delay_us, const char *name, GSourceFunc func,
             gpointer user_data)
{
  GSource *source = g_timeout_source_new ((guint) (delay_us / 1000));

  g_source_set_static_name (source, name);
  g_source_set_callback (source, func, user_data, NULL);
  g_source_attach (source, self->context);
  return source;
}

static gboolean
is_inviter (AlsVisitPaths *self)
{
  return self->config.role == ALS_ROLE_INVITER;
}

static gboolean
send_peer (Attempt *self, AlsPeerMessageType type, AlsPathProblem problem, GBytes *payload)
{
  AlsPeerMessage message = { .type = type, .method = (uint8_t) self->method,
                             .attempt = self->number, .problem = (uint8_t) problem };
  g_autoptr (GBytes) bytes = NULL;

  if (payload != NULL)
    message.payload = g_bytes_get_data (payload, &message.payload_len);
  bytes = als_peer_message_encode (&message);
  return bytes != NULL
         && self->paths->config.send_peer (bytes, self->paths->config.user_data);
}

/* --- links ------------------------------------------------------------------ */

/* Comes with a pairing: nothing that could be tried. */
static gboolean
is_given (AlsPathMethod method)
{
  return method == ALS_METHOD_SIGNAL_RELAY || method == ALS_METHOD_LAN;
}

/* What two on a local network say to each other instead of a server ranks as a relay: the punched
 * connection is next. */
static AlsPathKind
method_kind (AlsPathMethod method)
{
  return method == ALS_METHOD_LAN ? ALS_PATH_SIGNAL_RELAY : als_path_method_get_kind (method);
}

/* Carriers, one after the other. */
static gboolean
yields_several (AlsPathMethod method)
{
  return method == ALS_METHOD_TCP_PUNCH;
}

static Held *
find_held (AlsVisitPaths *self, AlsLink *link)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      Held *held = g_ptr_array_index (self->links, i);

      if (als_path_link_get_link (held->link) == link)
        return held;
    }
  return NULL;
}

static guint
count_unproved (Attempt *self)
{
  guint n = 0;

  for (guint i = 0; i < self->paths->links->len; i++)
    {
      Held *held = g_ptr_array_index (self->paths->links, i);

      n += held->attempt == self && !als_path_link_is_proved (held->link);
    }
  return n;
}

/* What came out of an attempt that is over. UNPROVED_ONLY: of one that goes on. */
static void
attempt_leave_links (Attempt *self, gboolean unproved_only)
{
  for (guint i = self->paths->links->len; i > 0; i--)
    {
      Held *held = g_ptr_array_index (self->paths->links, i - 1);

      if (held->attempt != self)
        continue;
      if (!als_path_link_is_proved (held->link))
        {
          als_path_link_free_later (held->link);
          g_ptr_array_remove_index (self->paths->links, i - 1);
        }
      else if (!unproved_only)
        {
          /* The session says LEAVE; als_visit_paths_link_gone () frees it. */
          held->attempt = NULL;
          als_session_remove_link (self->paths->config.session,
                                   als_path_link_get_link (held->link));
        }
    }
  if (!unproved_only)
    self->link = NULL;
}

/* One that is no longer needed. */
static void
stop_adopted (Attempt *self)
{
  if (!self->is_adopted || self->link != NULL)
    return;
  attempt_stop (self);
  attempt_leave_links (self, FALSE);
}

static gboolean
rest_cb (gpointer user_data)
{
  Attempt *self = user_data;

  als_source_clear (&self->rest);
  attempt_leave_links (self, TRUE);
  return G_SOURCE_REMOVE;
}

/* LINK is the attempt's: the tries end. */
static void
attempt_take_link (Attempt *self, AlsPathLink *link)
{
  AlsVisitPaths *paths = self->paths;

  g_debug ("attempt %u at %s: a link", self->number, als_path_method_to_string (self->method));
  self->link = link;
  self->linked_us = g_get_monotonic_time ();
  als_source_clear (&self->limit);
  if (self->path != NULL)
    als_path_settle (self->path);
  if (self->method != ALS_METHOD_UDP_PUNCH && method_kind (self->method) >= ALS_PATH_DIRECT_UDP)
    stop_adopted (&paths->attempts[ALS_METHOD_UDP_PUNCH]);
  if (!is_inviter (paths))
    self->rest = add_timeout (paths, REST_US, "als-path-rest", rest_cb, self);
  als_path_race_connected (&paths->race, self->method, self->linked_us);
  race (paths);
}

static void
proved_cb (AlsPathLink *link, gpointer user_data)
{
  AlsVisitPaths *self = user_data;
  Held *held = find_held (self, als_path_link_get_link (link));
  Attempt *attempt;

  if (held == NULL)
    return;
  attempt = held->attempt;
  als_session_add_link (self->config.session, als_path_link_get_link (link));
  if (attempt->link == NULL)
    attempt_take_link (attempt, link);
  else if (is_inviter (self))
    {
      /* Two winners: only the inviter chooses between them. */
      Held *loser = held;

      if (als_path_link_is_lan (link) && !als_path_link_is_lan (attempt->link))
        {
          loser = find_held (self, als_path_link_get_link (attempt->link));
          attempt->link = link;
        }
      loser->attempt = NULL;
      als_session_remove_link (self->config.session, als_path_link_get_link (loser->link));
    }
}

static void
disproved_cb (AlsPathLink *link, AlsLinkEnd end, gpointer user_data)
{
  AlsVisitPaths *self = user_data;
  Held *held = find_held (self, als_path_link_get_link (link));
  Attempt *attempt;

  if (held == NULL)
    return;
  attempt = held->attempt;
  g_ptr_array_remove (self->links, held);
  attempt->strangers += end == ALS_LINK_END_HELLO_FAILED || end == ALS_LINK_END_PROTOCOL;
  if (attempt->link == NULL && count_unproved (attempt) == 0
      && (attempt->path_failed || !yields_several (attempt->method)))
    attempt_failed (attempt, ALS_PATH_PROBLEM_STRANGERS);
}

static const AlsPathLinkEvents path_link_events = { proved_cb, disproved_cb };

static void
attempt_add_link (Attempt *self, AlsCarrier *carrier)
{
  AlsVisitPaths *paths = self->paths;
  AlsLinkConfig config = { 0 };
  Held *held = g_new0 (Held, 1);

  config.role = paths->config.role;
  config.speaks_first = als_carrier_get_carrier_type (carrier) == ALS_CARRIER_STREAM
                            ? als_carrier_is_initiated (carrier)
                            : is_inviter (paths);
  config.path_id = config.speaks_first
                       ? paths->next_path_id++ | (is_inviter (paths) ? 0 : JOINER_BIT)
                       : 0;
  memcpy (config.session_secret, paths->secret, sizeof paths->secret);
  held->attempt = self;
  held->link = als_path_link_new (carrier, &config, paths->context, &path_link_events, paths);
  sodium_memzero (&config, sizeof config);
  g_ptr_array_add (paths->links, held);
}

/* --- attempts --------------------------------------------------------------- */

static gboolean
attempt_is_allowed (Attempt *self)
{
  return self->paths->config.allowed_kinds & (1u << method_kind (self->method));
}

/* It works, it is of a better kind than what the session chose, and the session had time to choose it. */
static gboolean
is_much_worse (Attempt *self, AlsPathKind in_use, int64_t now_us)
{
  return method_kind (self->method) > in_use && in_use != ALS_PATH_NONE
         && now_us > self->linked_us + CHOICE_US;
}

/* Ends what is under way; links that came of it are not touched. */
static void
attempt_stop (Attempt *self)
{
  als_source_clear (&self->limit);
  als_source_clear (&self->rest);
  if (self->path != NULL)
    {
      als_path_get_report (self->path, &self->report);
      self->report.strangers += self->strangers;
      g_signal_handlers_disconnect_by_data (self->path, self);
      als_path_close (self->path);
      g_clear_object (&self->path);
    }
  self->is_adopted = FALSE;
  self->path_failed = FALSE;
  self->strangers = 0;
}

static void
attempt_failed (Attempt *self, AlsPathProblem problem)
{
  g_debug ("attempt %u at %s failed: %s", self->number, als_path_method_to_string (self->method),
           als_path_problem_to_string (problem));
  attempt_stop (self);
  attempt_leave_links (self, FALSE);
  self->report.problem = problem;
  if (!is_inviter (self->paths) && !is_given (self->method))
    send_peer (self, ALS_PEER_PATH_FAILED, problem, NULL);
  als_path_race_failed (&self->paths->race, self->method, g_get_monotonic_time ());
  race (self->paths);
}

static gboolean
limit_cb (gpointer user_data)
{
  Attempt *self = user_data;

  als_source_clear (&self->limit);
  attempt_failed (self, ALS_PATH_PROBLEM_SILENCE);
  return G_SOURCE_REMOVE;
}

static void
local_message_cb (AlsPath *path, GBytes *message, Attempt *self)
{
  send_peer (self, ALS_PEER_PATH, ALS_PATH_PROBLEM_NONE, message);
}

static void
connected_cb (AlsPath *path, AlsCarrier *carrier, Attempt *self)
{
  if (count_unproved (self) < MAX_UNPROVED)
    attempt_add_link (self, carrier);
  else
    {
      self->strangers++;
      als_carrier_close (carrier);
    }
}

static void
failed_cb (AlsPath *path, const GError *error, Attempt *self)
{
  self->path_failed = TRUE;
  /* A link tells its own end; and one of these may be the other side. */
  if (self->link == NULL && count_unproved (self) == 0)
    attempt_failed (self, (AlsPathProblem) error->code);
}

static void
attempt_use (Attempt *self, AlsPath *path)
{
  self->n_attempts++;
  self->path = path;
  g_signal_connect (self->path, "local-message", G_CALLBACK (local_message_cb), self);
  g_signal_connect (self->path, "connected", G_CALLBACK (connected_cb), self);
  g_signal_connect (self->path, "failed", G_CALLBACK (failed_cb), self);
}

static void
attempt_start (Attempt *self)
{
  attempt_use (self, als_visit_means_make_path (self->paths->config.means, self->method));
  if (!is_inviter (self->paths))
    self->limit = add_timeout (self->paths, JOINER_LIMIT_US, "als-path-limit", limit_cb, self);
  als_path_start (self->path);
}

/* The inviter's. */
static void
attempt_begin (Attempt *self)
{
  attempt_stop (self);
  self->number++;
  g_debug ("attempt %u at %s begins", self->number, als_path_method_to_string (self->method));
  if (send_peer (self, ALS_PEER_PATH_BEGIN, ALS_PATH_PROBLEM_NONE, NULL))
    attempt_start (self);
  else
    als_path_race_failed (&self->paths->race, self->method, g_get_monotonic_time ());
}

/* The joiner's half: the inviter has begun anew, so that what was is over on its side. */
static void
attempt_follow (Attempt *self, uint32_t number)
{
  AlsVisitPaths *paths = self->paths;
  AlsPathProblem problem = ALS_PATH_PROBLEM_NOT_ALLOWED;

  attempt_stop (self);
  attempt_leave_links (self, FALSE);
  self->number = number;
  if (!attempt_is_allowed (self)
      || !als_visit_means_can (paths->config.means, self->method, &problem))
    send_peer (self, ALS_PEER_PATH_FAILED, problem, NULL);
  else if (!als_token_bucket_take (&paths->allowance, 1, g_get_monotonic_time ()))
    send_peer (self, ALS_PEER_PATH_FAILED, ALS_PATH_PROBLEM_INTERNAL, NULL);
  else
    attempt_start (self);
}

/* --- the race --------------------------------------------------------------- */

/* Performs what the race decides. Always empty-handed at the joiner, where it never starts. */
static void
race (AlsVisitPaths *self)
{
  if (self->is_racing)
    return;
  self->is_racing = TRUE;
  for (;;)
    {
      AlsRaceStep step = als_path_race_poll (&self->race, g_get_monotonic_time ());
      Attempt *attempt = &self->attempts[step.method];

      if (step.action == ALS_RACE_WAIT)
        break;
      if (step.action == ALS_RACE_BEGIN)
        attempt_begin (attempt);
      else
        {
          /* It was stopped for its time, or for something better. */
          attempt_stop (attempt);
          attempt_leave_links (attempt, FALSE);
          if (attempt->report.problem == ALS_PATH_PROBLEM_NONE)
            attempt->report.problem = attempt->report.strangers > 0 ? ALS_PATH_PROBLEM_STRANGERS
                                                                    : ALS_PATH_PROBLEM_SILENCE;
        }
    }
  self->is_racing = FALSE;
  als_deadline_source_set (self->race_source, als_path_race_get_deadline (&self->race));
}

static gboolean
race_cb (gpointer user_data)
{
  race (user_data);
  return G_SOURCE_CONTINUE;
}

static void
update_possible (AlsVisitPaths *self)
{
  for (guint i = 0; i < ALS_N_METHODS; i++)
    {
      AlsPathProblem problem;

      als_path_race_set_possible (&self->race, i,
                                  !is_given (i)
                                      && attempt_is_allowed (&self->attempts[i])
                                      && als_visit_means_can (self->config.means, i, &problem),
                                  g_get_monotonic_time ());
    }
}

static void
init_race (AlsVisitPaths *self)
{
  AlsRaceMethod methods[ALS_N_METHODS] = { 0 };

  for (guint i = 0; i < ALS_N_METHODS; i++)
    {
      AlsPathKind kind = method_kind (i);

      methods[i].rank = kind;
      methods[i].is_relay = kind < ALS_PATH_DIRECT_UDP;
      methods[i].limit_us = ATTEMPT_LIMIT_US;
    }
  methods[ALS_METHOD_UDP_PUNCH].after = 1u << ALS_METHOD_ICE | 1u << ALS_METHOD_TCP_PUNCH;
  methods[ALS_METHOD_UDP_PUNCH].limit_us = COSTLY_LIMIT_US;
  als_path_race_init (&self->race, methods, ALS_N_METHODS, ALS_N_METHODS);
  self->race_source = als_deadline_source_new (self->context, "als-path-race", race_cb, self);
}

/* --- public ----------------------------------------------------------------- */

AlsVisitPaths *
als_visit_paths_new (const AlsVisitPathsConfig *config)
{
  AlsVisitPaths *self = g_new0 (AlsVisitPaths, 1);

  self->config = *config;
  self->config.session_secret = NULL;
  memcpy (self->secret, config->session_secret, sizeof self->secret);
  self->context = g_main_context_ref_thread_default ();
  self->next_path_id = 1;
  als_token_bucket_init (&self->allowance, ATTEMPTS_PER_S, ATTEMPTS_BURST,
                         g_get_monotonic_time ());
  self->links = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < ALS_N_METHODS; i++)
    {
      self->attempts[i].paths = self;
      self->attempts[i].method = i;
    }
  init_race (self);
  return self;
}

void
als_visit_paths_free (AlsVisitPaths *self)
{
  for (guint i = 0; i < ALS_N_METHODS; i++)
    attempt_stop (&self->attempts[i]);
  als_source_clear (&self->race_source);
  for (guint i = 0; i < self->links->len; i++)
    als_path_link_free (((Held *) g_ptr_array_index (self->links, i))->link);
  g_ptr_array_unref (self->links);
  g_main_context_unref (self->context);
  sodium_memzero (self->secret, sizeof self->secret);
  g_free (self);
}

void
als_visit_paths_paired (AlsVisitPaths *self, AlsPathMethod method, AlsCarrier *relay)
{
  Attempt *at_relay = &self->attempts[method];
  gboolean had_relay;

  attempt_leave_links (at_relay, FALSE);
  had_relay = als_visit_paths_has_relay (self);
  at_relay->n_attempts++;
  at_relay->report = (AlsPathReport){ .problem = ALS_PATH_PROBLEM_SERVER_REFUSED };
  if (relay != NULL)
    {
      at_relay->report.problem = ALS_PATH_PROBLEM_NONE;
      attempt_add_link (at_relay, relay);
      g_object_unref (relay);
    }
  /* What is under way may have lost messages with the last pairing; not with a second one. */
  if (!had_relay)
    als_path_race_pause (&self->race, TRUE, g_get_monotonic_time ());
  als_visit_paths_reachable (self);
}

void
als_visit_paths_reachable (AlsVisitPaths *self)
{
  update_possible (self);
  if (is_inviter (self) && !self->race.is_running)
    als_path_race_start (&self->race, g_get_monotonic_time ());
  race (self);
}

void
als_visit_paths_pause (AlsVisitPaths *self)
{
  als_path_race_pause (&self->race, FALSE, g_get_monotonic_time ());
}

void
als_visit_paths_part (AlsVisitPaths *self)
{
  als_path_race_pause (&self->race, TRUE, g_get_monotonic_time ());
  race (self);
}

void
als_visit_paths_adopt (AlsVisitPaths *self, AlsPathMethod method, AlsPath *path)
{
  Attempt *attempt = &self->attempts[method];

  attempt_stop (attempt);
  attempt_leave_links (attempt, FALSE);
  attempt_use (attempt, path);
  attempt->is_adopted = TRUE;
}

/* A direct path has been the session's for a while: of the relays that allocate something at a server one
 * stays. */
static void
leave_spare_relay (AlsVisitPaths *self, AlsPathKind in_use, int64_t now_us)
{
  Attempt *udp = &self->attempts[ALS_METHOD_TURN_UDP];
  Attempt *tcp = &self->attempts[ALS_METHOD_TURN_TCP];

  if (in_use < ALS_PATH_DIRECT_UDP || udp->link == NULL || tcp->link == NULL
      || now_us < MAX (udp->linked_us, tcp->linked_us) + SPARE_US)
    return;
  g_debug ("one relay is enough");
  als_session_remove_link (self->config.session, als_path_link_get_link (tcp->link));
}

void
als_visit_paths_tick (AlsVisitPaths *self, AlsPathKind in_use)
{
  int64_t now_us = g_get_monotonic_time ();

  for (guint i = 0; i < ALS_N_METHODS; i++)
    {
      Attempt *attempt = &self->attempts[i];

      if (attempt->link != NULL)
        als_path_race_set_good (&self->race, i, !is_much_worse (attempt, in_use, now_us), now_us);
    }
  if (is_inviter (self))
    leave_spare_relay (self, in_use, now_us);
  race (self);
}

void
als_visit_paths_network_changed (AlsVisitPaths *self)
{
  als_path_race_network_changed (&self->race, g_get_monotonic_time ());
  race (self);
}

void
als_visit_paths_message (AlsVisitPaths *self, const AlsPeerMessage *message)
{
  Attempt *attempt;

  if (message->type == ALS_PEER_MOVED)
    {
      if (is_inviter (self)
          && als_token_bucket_take (&self->allowance, MOVE_COST, g_get_monotonic_time ()))
        als_visit_paths_network_changed (self);
      return;
    }
  if (message->method >= ALS_N_METHODS || is_given (message->method))
    return;
  attempt = &self->attempts[message->method];
  if (is_inviter (self))
    {
      if (message->type == ALS_PEER_PATH_BEGIN || message->attempt != attempt->number)
        return;
      if (message->type == ALS_PEER_PATH_FAILED && attempt->path != NULL && attempt->link == NULL)
        attempt_failed (attempt, message->problem == ALS_PATH_PROBLEM_NOT_ALLOWED
                                     ? ALS_PATH_PROBLEM_NOT_ALLOWED
                                     : ALS_PATH_PROBLEM_PEER_GAVE_UP);
    }
  else if (message->type == ALS_PEER_PATH_FAILED)
    return;
  else if (message->attempt > attempt->number)
    attempt_follow (attempt, message->attempt);
  if (message->type == ALS_PEER_PATH && attempt->path != NULL
      && message->attempt == attempt->number)
    als_path_remote_message (attempt->path, message->payload, message->payload_len);
}

void
als_visit_paths_set_allowed (AlsVisitPaths *self, guint kinds)
{
  self->config.allowed_kinds = kinds;
  als_session_set_allowed_kinds (self->config.session, kinds);
  update_possible (self);
  race (self);
}

gboolean
als_visit_paths_has_relay (AlsVisitPaths *self)
{
  Attempt *server = &self->attempts[ALS_METHOD_SIGNAL_RELAY];
  Attempt *lan = &self->attempts[ALS_METHOD_LAN];

  return server->link != NULL || lan->link != NULL || count_unproved (server) > 0
         || count_unproved (lan) > 0;
}

gboolean
als_visit_paths_has_link (AlsVisitPaths *self)
{
  for (guint i = 0; i < self->links->len; i++)
    if (als_path_link_is_proved (((Held *) g_ptr_array_index (self->links, i))->link))
      return TRUE;
  return FALSE;
}

gboolean
als_visit_paths_is_trying (AlsVisitPaths *self, AlsPathMethod method)
{
  Attempt *attempt = &self->attempts[method];

  return attempt->path != NULL || attempt->link != NULL || count_unproved (attempt) > 0;
}

const char *
als_visit_paths_get_remote (AlsVisitPaths *self, AlsLink *link)
{
  Held *held = find_held (self, link);

  return held != NULL ? als_path_link_get_remote (held->link) : NULL;
}

/* Joiner: the inviter has left the one that counted, for another. */
static AlsPathLink *
find_other (Attempt *self)
{
  for (guint i = 0; i < self->paths->links->len; i++)
    {
      Held *held = g_ptr_array_index (self->paths->links, i);

      if (held->attempt == self && als_path_link_is_proved (held->link))
        return held->link;
    }
  return NULL;
}

void
als_visit_paths_link_gone (AlsVisitPaths *self, AlsLink *link)
{
  Held *held = find_held (self, link);
  Attempt *attempt;

  if (held == NULL)
    return;
  attempt = held->attempt;
  /* The session is still on the stack with this link. */
  als_path_link_free_later (held->link);
  if (attempt != NULL && attempt->link == held->link)
    attempt->link = NULL;
  else
    attempt = NULL;
  g_ptr_array_remove (self->links, held);
  if (attempt == NULL)
    return;
  attempt->link = find_other (attempt);
  if (attempt->link != NULL)
    return;
  attempt_stop (attempt);
  attempt_leave_links (attempt, FALSE);
  attempt->report.problem = ALS_PATH_PROBLEM_DIED;
  als_path_race_failed (&self->race, attempt->method, g_get_monotonic_time ());
  race (self);
}

/* --- report ------------------------------------------------------------------- */

static void
attempt_report (Attempt *self, AlsLink *current, AlsPathKind in_use, AlsConnectionAttempt *out)
{
  AlsPathProblem problem = ALS_PATH_PROBLEM_NOT_ALLOWED;
  gboolean can = attempt_is_allowed (self)
                 && (self->path != NULL || (is_given (self->method) && self->n_attempts > 0)
                     || als_visit_means_can (self->paths->config.means, self->method, &problem));

  *out = (AlsConnectionAttempt){ .method = self->method, .n_attempts = self->n_attempts };
  out->report = self->report;
  if (self->path != NULL)
    {
      als_path_get_report (self->path, &out->report);
      out->report.strangers += self->strangers;
    }
  if (self->link != NULL)
    {
      AlsLink *link = als_path_link_get_link (self->link);
      AlsLinkStats stats;

      als_link_get_stats (link, &stats);
      out->state = link == current ? ALS_ATTEMPT_IN_USE : ALS_ATTEMPT_STANDBY;
      out->report.problem = is_much_worse (self, in_use, g_get_monotonic_time ())
                                ? ALS_PATH_PROBLEM_MUCH_WORSE : ALS_PATH_PROBLEM_NONE;
      out->is_lan = stats.lan;
      out->rtt_us = stats.rtt_us;
      out->rate = stats.rate;
      out->mtu = stats.mtu;
    }
  else if (!can)
    {
      out->state = ALS_ATTEMPT_OFF;
      out->report.problem = problem;
    }
  else if (self->path != NULL || count_unproved (self) > 0 || self->n_attempts == 0)
    out->state = ALS_ATTEMPT_TRYING;
  else
    out->state = ALS_ATTEMPT_FAILED;
}

void
als_visit_paths_report (AlsVisitPaths *self, AlsLink *current, AlsPathKind in_use,
                        AlsConnectionReport *report)
{
  report->n_attempts = 0;
  for (guint i = ALS_N_METHODS; i > 0; i--)
    if (i - 1 != ALS_METHOD_LAN || self->attempts[i - 1].n_attempts > 0)
      attempt_report (&self->attempts[i - 1], current, in_use,
                      &report->attempts[report->n_attempts++]);
}
