/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-paths.h"

#include <sodium.h>
#include <string.h>

#include "base/als-backoff.h"
#include "base/als-deadline-source.h"
#include "base/als-token-bucket.h"
#include "path/ice/als-ice-path.h"
#include "protocol/als-peer-message.h"
#include "protocol/als-signal-message.h"
#include "transport/als-link-host.h"

#define RETRY_FIRST_US (2 * G_USEC_PER_SEC)
#define RETRY_MAX_US (60 * G_USEC_PER_SEC)
/* An attempt that has neither connected nor failed by then is over. */
#define ATTEMPT_LIMIT_S 20

/* Attempts that the inviter may ask of a joiner: each costs an agent with its thread and sockets. */
#define ATTEMPTS_PER_S 0.5
#define ATTEMPTS_BURST 10

#define JOINER_BIT 0x80000000u

/* One kind that comes about by ICE: at most one attempt and one link at a time. */
typedef struct
{
  AlsVisitPaths *paths;  /* back pointer */
  AlsPathKind kind;
  uint32_t attempt;      /* of `ice`; grows */
  AlsPath *ice;       /* NULL: none under way */
  AlsLink *link;         /* borrowed from paths->links; NULL: none */
  AlsBackoff backoff;
  GSource *retry;        /* the inviter's next attempt */
  GSource *limit;        /* of the present one */
} Attempt;

struct _AlsVisitPaths
{
  AlsVisitPathsConfig config;
  uint8_t secret[32];
  GMainContext *context;  /* the engine's */
  uint32_t next_path_id;
  gboolean is_paired;
  GPtrArray *servers;     /* (element-type AlsIceServer) (nullable) */
  GPtrArray *links;       /* (element-type AlsLink) (owned) */
  AlsLink *relay;         /* borrowed from links; NULL: none */
  Attempt attempts[2];    /* direct-udp, turn-udp */
  AlsTokenBucket allowance; /* joiner: of attempts */
};

static void attempt_begin (Attempt *self);

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
free_link_cb (gpointer user_data)
{
  als_link_free (user_data);
  return G_SOURCE_REMOVE;
}

static AlsLink *
add_link (AlsVisitPaths *self, AlsCarrier *carrier)
{
  AlsLinkConfig config = { 0 };
  AlsLink *link;

  config.role = self->config.role;
  config.speaks_first = self->config.role == ALS_ROLE_INVITER;
  config.path_id = config.speaks_first
                       ? self->next_path_id++ | (self->config.role == ALS_ROLE_JOINER ? JOINER_BIT : 0)
                       : 0;
  memcpy (config.session_secret, self->secret, sizeof self->secret);
  link = als_link_host_new (carrier, &config, self->context);
  sodium_memzero (&config, sizeof config);
  g_ptr_array_add (self->links, link);
  als_session_add_link (self->config.session, link);
  return link;
}

/* --- attempts --------------------------------------------------------------- */

static gboolean
attempt_is_allowed (Attempt *self)
{
  return self->paths->config.allowed_kinds & (1u << self->kind);
}

static void
send_peer (AlsVisitPaths *self, AlsPeerMessageType type, AlsPathKind kind, uint32_t attempt,
           GBytes *payload)
{
  AlsPeerMessage message = { type, (uint8_t) kind, attempt, NULL, 0 };
  g_autoptr (GBytes) bytes = NULL;

  if (payload != NULL)
    message.payload = g_bytes_get_data (payload, &message.payload_len);
  bytes = als_peer_message_encode (&message);
  if (bytes != NULL)
    self->config.send_peer (bytes, self->config.user_data);
}

/* Ends what is under way; a link that came of it is not touched. */
static void
attempt_stop (Attempt *self)
{
  als_source_clear (&self->limit);
  if (self->ice != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->ice, self);
      als_path_close (self->ice);
      g_clear_object (&self->ice);
    }
}

/* The session says LEAVE on it; als_visit_paths_link_gone () frees it. */
static void
attempt_leave_link (Attempt *self)
{
  AlsLink *link = g_steal_pointer (&self->link);

  if (link != NULL)
    als_session_remove_link (self->paths->config.session, link);
}

static gboolean
retry_cb (gpointer user_data)
{
  Attempt *self = user_data;

  als_source_clear (&self->retry);
  attempt_begin (self);
  return G_SOURCE_REMOVE;
}

/* The inviter tries again after a while; the joiner waits for it. */
static void
attempt_retry_later (Attempt *self)
{
  if (self->paths->config.role != ALS_ROLE_INVITER || self->retry != NULL)
    return;
  self->retry = add_timeout (self->paths, als_backoff_next (&self->backoff), "als-path-retry",
                             retry_cb, self);
}

static void
attempt_failed (Attempt *self)
{
  g_debug ("attempt %u at %s failed", self->attempt, als_path_kind_to_string (self->kind));
  attempt_stop (self);
  attempt_leave_link (self);
  if (self->paths->config.role == ALS_ROLE_JOINER)
    send_peer (self->paths, ALS_PEER_PATH_FAILED, self->kind, self->attempt, NULL);
  else
    attempt_retry_later (self);
}

static gboolean
limit_cb (gpointer user_data)
{
  Attempt *self = user_data;

  als_source_clear (&self->limit);
  if (self->link == NULL)
    attempt_failed (self);
  return G_SOURCE_REMOVE;
}

static void
local_message_cb (AlsPath *ice, GBytes *message, Attempt *self)
{
  send_peer (self->paths, ALS_PEER_PATH, self->kind, self->attempt, message);
}

static void
connected_cb (AlsPath *ice, AlsCarrier *carrier, Attempt *self)
{
  g_debug ("attempt %u at %s connected", self->attempt, als_path_kind_to_string (self->kind));
  als_source_clear (&self->limit);
  if (self->link == NULL)
    self->link = add_link (self->paths, carrier);
}

static void
failed_cb (AlsPath *ice, const GError *error, Attempt *self)
{
  attempt_failed (self);
}

/* (element-type AlsPathServer) (transfer full) */
static GPtrArray *
make_servers (AlsVisitPaths *self)
{
  static const AlsPathServerKind kinds[] = {
    [ALS_ICE_SERVER_STUN] = ALS_PATH_SERVER_STUN,
    [ALS_ICE_SERVER_TURN] = ALS_PATH_SERVER_TURN,
    [ALS_ICE_SERVER_TURNS] = ALS_PATH_SERVER_TURNS,
  };
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);

  for (guint i = 0; self->servers != NULL && i < self->servers->len; i++)
    {
      const AlsIceServer *from = g_ptr_array_index (self->servers, i);
      AlsPathServer *server = als_path_server_new (kinds[from->kind], from->host, from->port,
                                                   from->username, from->credential);

      if (server != NULL)
        g_ptr_array_add (servers, server);
    }
  return servers;
}

static void
attempt_start_ice (Attempt *self)
{
  g_autoptr (GPtrArray) servers = make_servers (self->paths);
  AlsIcePathConfig config = {
    .is_controlling = self->paths->config.role == ALS_ROLE_INVITER,
    .force_relay = self->kind == ALS_PATH_TURN_UDP,
    .loopback = self->paths->config.loopback,
    .upnp = FALSE,
    .servers = servers,
  };

  self->ice = als_ice_path_new (&config);
  g_signal_connect (self->ice, "local-message", G_CALLBACK (local_message_cb), self);
  g_signal_connect (self->ice, "connected", G_CALLBACK (connected_cb), self);
  g_signal_connect (self->ice, "failed", G_CALLBACK (failed_cb), self);
  self->limit = add_timeout (self->paths, ATTEMPT_LIMIT_S * G_USEC_PER_SEC, "als-path-limit",
                             limit_cb, self);
  als_path_start (self->ice);
}

static gboolean
has_turn_server (AlsVisitPaths *self)
{
  for (guint i = 0; self->servers != NULL && i < self->servers->len; i++)
    if (((AlsIceServer *) g_ptr_array_index (self->servers, i))->kind != ALS_ICE_SERVER_STUN)
      return TRUE;
  return FALSE;
}

/* The inviter's next attempt, if one is wanted and possible. */
static void
attempt_begin (Attempt *self)
{
  AlsVisitPaths *paths = self->paths;

  if (paths->config.role != ALS_ROLE_INVITER || !paths->is_paired || self->ice != NULL
      || self->link != NULL || !attempt_is_allowed (self))
    return;
  if (self->kind == ALS_PATH_TURN_UDP && !has_turn_server (paths))
    return;
  als_source_clear (&self->retry);
  self->attempt++;
  g_debug ("attempt %u at %s begins", self->attempt, als_path_kind_to_string (self->kind));
  attempt_start_ice (self);
}

static Attempt *
find_attempt (AlsVisitPaths *self, AlsPathKind kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    if (self->attempts[i].kind == kind)
      return &self->attempts[i];
  return NULL;
}

/* --- public ----------------------------------------------------------------- */

AlsVisitPaths *
als_visit_paths_new (const AlsVisitPathsConfig *config)
{
  static const AlsPathKind kinds[] = { ALS_PATH_DIRECT_UDP, ALS_PATH_TURN_UDP };
  AlsVisitPaths *self = g_new0 (AlsVisitPaths, 1);

  self->config = *config;
  self->config.session_secret = NULL;
  memcpy (self->secret, config->session_secret, sizeof self->secret);
  self->context = g_main_context_ref_thread_default ();
  self->next_path_id = 1;
  als_token_bucket_init (&self->allowance, ATTEMPTS_PER_S, ATTEMPTS_BURST,
                         g_get_monotonic_time ());
  self->links = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    {
      self->attempts[i].paths = self;
      self->attempts[i].kind = kinds[i];
      als_backoff_init (&self->attempts[i].backoff, RETRY_FIRST_US, RETRY_MAX_US);
    }
  return self;
}

void
als_visit_paths_free (AlsVisitPaths *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    {
      attempt_stop (&self->attempts[i]);
      als_source_clear (&self->attempts[i].retry);
    }
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_ptr_array_unref (self->links);
  g_main_context_unref (self->context);
  sodium_memzero (self->secret, sizeof self->secret);
  g_free (self);
}

void
als_visit_paths_paired (AlsVisitPaths *self, AlsCarrier *relay, GPtrArray *servers)
{
  self->is_paired = TRUE;
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  self->servers = servers != NULL ? g_ptr_array_ref (servers) : NULL;
  if (self->relay != NULL)
    als_session_remove_link (self->config.session, self->relay);
  if (relay != NULL)
    {
      self->relay = add_link (self, relay);
      g_object_unref (relay);
    }
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    {
      als_backoff_reset (&self->attempts[i].backoff);
      attempt_begin (&self->attempts[i]);
    }
}

void
als_visit_paths_unpaired (AlsVisitPaths *self)
{
  self->is_paired = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    if (self->attempts[i].link == NULL)
      attempt_stop (&self->attempts[i]);
}

void
als_visit_paths_message (AlsVisitPaths *self, AlsPathKind kind, uint32_t attempt,
                         const uint8_t *payload, size_t len)
{
  Attempt *at = find_attempt (self, kind);

  if (at == NULL)
    return;
  if (!attempt_is_allowed (at))
    {
      /* Once an attempt, or the other side would wait for its limit. */
      if (self->config.role == ALS_ROLE_JOINER && attempt > at->attempt)
        {
          at->attempt = attempt;
          send_peer (self, ALS_PEER_PATH_FAILED, kind, attempt, NULL);
        }
      return;
    }
  if (self->config.role == ALS_ROLE_JOINER && attempt > at->attempt)
    {
      /* The inviter has begun anew: what was, is over on its side. */
      attempt_stop (at);
      attempt_leave_link (at);
      at->attempt = attempt;
      if (als_token_bucket_take (&self->allowance, 1, g_get_monotonic_time ()))
        attempt_start_ice (at);
      else
        send_peer (self, ALS_PEER_PATH_FAILED, kind, attempt, NULL);
    }
  if (at->ice != NULL && attempt == at->attempt)
    als_path_remote_message (at->ice, payload, len);
}

void
als_visit_paths_peer_failed (AlsVisitPaths *self, AlsPathKind kind, uint32_t attempt)
{
  Attempt *at = find_attempt (self, kind);

  if (at != NULL && self->config.role == ALS_ROLE_INVITER && attempt == at->attempt
      && at->link == NULL && at->ice != NULL)
    attempt_failed (at);
}

void
als_visit_paths_set_allowed (AlsVisitPaths *self, guint kinds)
{
  self->config.allowed_kinds = kinds;
  als_session_set_allowed_kinds (self->config.session, kinds);
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    attempt_begin (&self->attempts[i]);
}

gboolean
als_visit_paths_has_relay (AlsVisitPaths *self)
{
  return self->relay != NULL;
}

const char *
als_visit_paths_get_remote (AlsVisitPaths *self, AlsLink *link)
{
  return g_ptr_array_find (self->links, link, NULL) ? als_link_host_get_remote (link) : NULL;
}

void
als_visit_paths_link_gone (AlsVisitPaths *self, AlsLink *link)
{
  g_autoptr (GSource) idle = NULL;
  guint index;

  if (!g_ptr_array_find (self->links, link, &index))
    return;
  if (self->relay == link)
    self->relay = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (self->attempts); i++)
    if (self->attempts[i].link == link)
      {
        self->attempts[i].link = NULL;
        attempt_stop (&self->attempts[i]);
        als_backoff_reset (&self->attempts[i].backoff);
        attempt_retry_later (&self->attempts[i]);
      }
  /* The session is still on the stack with this link. */
  g_ptr_array_steal_index (self->links, index);
  idle = g_idle_source_new ();
  g_source_set_callback (idle, free_link_cb, link, NULL);
  g_source_attach (idle, self->context);
}
