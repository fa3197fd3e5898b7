/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-turn-session.h"

#include <string.h>

#include "stun/als-stun-stream.h"
#include "stun/als-stun-transaction.h"

/* RFC 8656, 3.2: what a server grants that says nothing; and the most we believe. */
#define DEFAULT_LIFETIME_S 600
#define MAX_LIFETIME_S (24 * 3600)
/* Longer than a request may stay unanswered. */
#define REFRESH_AHEAD_S 60
/* RFC 8656, 9: a permission lives for 5 minutes. */
#define RENEW_PERMISSION_US ((int64_t) 240 * G_USEC_PER_SEC)
#define LEAVE_US ((int64_t) 2 * G_USEC_PER_SEC)

typedef struct
{
  uint16_t method;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  AlsStunTransaction timer;
  AlsStunAuthTry attempt;
  AlsStunAddress peer; /* CreatePermission and Connect */
} Request;

typedef struct
{
  AlsStunAddress peer;
  gboolean is_installed;
  gboolean is_asked;    /* somebody waits for PERMITTED */
  int64_t renew_us;     /* INT64_MAX: a request is under way */
} Permission;

struct _AlsTurnSession
{
  AlsTurnState state;
  AlsStunFamily family;
  AlsStunAuth *auth;
  AlsStunStream *stream;
  GPtrArray *requests;  /* (element-type Request): unanswered */
  GArray *permissions;  /* (element-type Permission) */
  GQueue output;        /* (element-type GBytes) */
  GQueue events;        /* (element-type AlsTurnEvent) */
  guint n_attempts;     /* incoming connections among the events */
  AlsStunAddress relayed, endpoint, alternate;
  int64_t refresh_us;   /* INT64_MAX: not due, or under way */
  int64_t leave_by_us;
};

void
als_turn_event_free (AlsTurnEvent *self)
{
  g_clear_error (&self->error);
  g_free (self);
}

static void
set_state (AlsTurnSession *self, AlsTurnState state)
{
  static const char *const names[]
      = { "idle", "allocating", "allocated", "refused", "leaving", "left", "failed" };

  if (self->state == state)
    return;
  g_debug ("turn session: %s to %s", names[self->state], names[state]);
  self->state = state;
}

/* ERROR: (transfer full) (nullable) */
static AlsTurnEvent *
tell (AlsTurnSession *self, AlsTurnEventType type, const AlsStunAddress *peer, GError *error)
{
  AlsTurnEvent *event = g_new0 (AlsTurnEvent, 1);

  event->type = type;
  if (peer != NULL)
    event->peer = *peer;
  event->error = error;
  g_queue_push_tail (&self->events, event);
  return event;
}

static void
forget_work (AlsTurnSession *self)
{
  g_ptr_array_set_size (self->requests, 0);
  g_array_set_size (self->permissions, 0);
  self->refresh_us = INT64_MAX;
}

/* ERROR: (transfer full) */
static void
fail (AlsTurnSession *self, GError *error)
{
  forget_work (self);
  g_queue_clear_full (&self->output, (GDestroyNotify) g_bytes_unref);
  set_state (self, ALS_TURN_STATE_FAILED);
  tell (self, ALS_TURN_EVENT_FAILED, NULL, error);
}

static void
finish_leaving (AlsTurnSession *self)
{
  forget_work (self);
  set_state (self, ALS_TURN_STATE_LEFT);
  tell (self, ALS_TURN_EVENT_LEFT, NULL, NULL);
}

static gboolean
is_over (const AlsTurnSession *self)
{
  return self->state == ALS_TURN_STATE_LEFT || self->state == ALS_TURN_STATE_FAILED;
}

/* --- requests --- */

/* Also once more, after a challenge: under a new transaction, since it is another request. */
static void
send_request (AlsTurnSession *self, Request *request, int64_t now_us)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, request->method, NULL);
  memcpy (request->transaction, builder.transaction, sizeof request->transaction);
  switch (request->method)
    {
    case ALS_STUN_ALLOCATE:
      als_stun_builder_add_u8 (&builder, ALS_STUN_REQUESTED_TRANSPORT, ALS_STUN_TRANSPORT_TCP);
      if (self->family != ALS_STUN_FAMILY_NONE)
        als_stun_builder_add_u8 (&builder, ALS_STUN_REQUESTED_ADDRESS_FAMILY,
                                 (uint8_t) self->family);
      break;
    case ALS_STUN_REFRESH:
      als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME,
                                self->state == ALS_TURN_STATE_LEAVING ? 0 : DEFAULT_LIFETIME_S);
      break;
    case ALS_STUN_CREATE_PERMISSION:
    case ALS_STUN_CONNECT:
      als_stun_builder_add_address (&builder, ALS_STUN_XOR_PEER_ADDRESS, &request->peer);
      break;
    default: /* Binding asks for nothing */
      break;
    }
  if (request->method != ALS_STUN_BINDING)
    als_stun_auth_sign (self->auth, &request->attempt, &builder);
  g_queue_push_tail (&self->output, als_stun_builder_finish (&builder));
  if (self->state == ALS_TURN_STATE_LEAVING)
    als_stun_transaction_init_custom (&request->timer, self->leave_by_us - now_us, 1, 1, now_us);
  else
    als_stun_transaction_init_tcp (&request->timer, now_us);
  als_stun_transaction_poll (&request->timer, now_us);
}

static void
start_request (AlsTurnSession *self, AlsStunMethod method, const AlsStunAddress *peer,
               int64_t now_us)
{
  Request *request = g_new0 (Request, 1);

  request->method = (uint16_t) method;
  if (peer != NULL)
    request->peer = *peer;
  g_ptr_array_add (self->requests, request);
  send_request (self, request, now_us);
}

static Permission *
find_permission (AlsTurnSession *self, const AlsStunAddress *peer, guint *index)
{
  for (guint i = 0; i < self->permissions->len; i++)
    {
      Permission *permission = &g_array_index (self->permissions, Permission, i);

      if (als_stun_address_same_ip (&permission->peer, peer))
        {
          if (index != NULL)
            *index = i;
          return permission;
        }
    }
  return NULL;
}

/* --- failures --- */

/* ENDS: the connection is of no more use. */
static void
refuse_allocation (AlsTurnSession *self, GError *error, gboolean ends, int64_t now_us)
{
  if (ends)
    {
      fail (self, error);
      return;
    }
  set_state (self, ALS_TURN_STATE_REFUSED);
  tell (self, ALS_TURN_EVENT_REFUSED, NULL, error);
  if (self->endpoint.family != ALS_STUN_FAMILY_NONE)
    tell (self, ALS_TURN_EVENT_ENDPOINT, NULL, NULL);
  else
    start_request (self, ALS_STUN_BINDING, NULL, now_us);
}

/* Takes REQUEST out of the list before. ERROR: (transfer full) */
static void
fail_request (AlsTurnSession *self, const Request *request, GError *error, int64_t now_us)
{
  gboolean ends = error->code == ALS_TURN_ERROR_TIMED_OUT
                  || error->code == ALS_TURN_ERROR_BAD_ANSWER;
  guint index;

  g_debug ("turn session: method %u failed: %s", request->method, error->message);
  switch (request->method)
    {
    case ALS_STUN_ALLOCATE:
      refuse_allocation (self, error, ends, now_us);
      break;
    case ALS_STUN_REFRESH:
      if (self->state == ALS_TURN_STATE_LEAVING)
        {
          g_error_free (error);
          finish_leaving (self);
        }
      else
        fail (self, error);
      break;
    case ALS_STUN_CREATE_PERMISSION:
      if (ends || error->code == ALS_TURN_ERROR_NO_ALLOCATION)
        {
          fail (self, error);
          break;
        }
      if (find_permission (self, &request->peer, &index) != NULL)
        g_array_remove_index (self->permissions, index);
      tell (self, ALS_TURN_EVENT_PERMISSION_REFUSED, &request->peer, error);
      break;
    case ALS_STUN_CONNECT:
      /* Unanswered ones as well: a server may wait for the peer longer than we for it. */
      tell (self, ALS_TURN_EVENT_CONNECT_REFUSED, &request->peer, error);
      break;
    default:
      tell (self, ALS_TURN_EVENT_NO_ENDPOINT, NULL, error);
      break;
    }
}

static GError *
bad_answer (const char *message)
{
  return g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_BAD_ANSWER, message);
}

/* --- successes; each returns what is wrong with the answer, or NULL --- */

static gboolean
plan_refresh (AlsTurnSession *self, const AlsStunMessage *response, int64_t now_us)
{
  uint32_t lifetime_s = DEFAULT_LIFETIME_S;

  if (als_stun_message_find (response, ALS_STUN_LIFETIME) != NULL
      && (!als_stun_message_get_u32 (response, ALS_STUN_LIFETIME, &lifetime_s) || lifetime_s == 0))
    return FALSE;
  lifetime_s = MIN (lifetime_s, MAX_LIFETIME_S);
  self->refresh_us = now_us
                     + (lifetime_s > 2 * REFRESH_AHEAD_S
                            ? (int64_t) (lifetime_s - REFRESH_AHEAD_S) * G_USEC_PER_SEC
                            : (int64_t) lifetime_s * G_USEC_PER_SEC / 2);
  return TRUE;
}

static GError *
take_allocation (AlsTurnSession *self, const AlsStunMessage *response, int64_t now_us)
{
  AlsStunAddress relayed;

  if (!als_stun_message_get_address (response, ALS_STUN_XOR_RELAYED_ADDRESS, &relayed)
      || !als_stun_address_is_usable (&relayed))
    return bad_answer ("an allocation without a relayed address");
  if (!plan_refresh (self, response, now_us))
    return bad_answer ("an allocation without a lifetime");
  self->relayed = relayed;
  als_stun_message_get_mapped (response, &self->endpoint);
  set_state (self, ALS_TURN_STATE_ALLOCATED);
  tell (self, ALS_TURN_EVENT_ALLOCATED, NULL, NULL);
  return NULL;
}

static GError *
take_refresh (AlsTurnSession *self, const AlsStunMessage *response, int64_t now_us)
{
  if (self->state == ALS_TURN_STATE_LEAVING)
    {
      finish_leaving (self);
      return NULL;
    }
  return plan_refresh (self, response, now_us) ? NULL : bad_answer ("a refresh without a lifetime");
}

static GError *
take_permission (AlsTurnSession *self, const Request *request, int64_t now_us)
{
  Permission *permission = find_permission (self, &request->peer, NULL);

  if (permission == NULL)
    return NULL;
  permission->is_installed = TRUE;
  permission->renew_us = now_us + RENEW_PERMISSION_US;
  if (permission->is_asked)
    tell (self, ALS_TURN_EVENT_PERMITTED, &request->peer, NULL);
  permission->is_asked = FALSE;
  return NULL;
}

static void
tell_connection (AlsTurnSession *self, const AlsStunAddress *peer, uint32_t connection_id,
                 gboolean is_incoming, int64_t now_us)
{
  AlsTurnEvent *event = tell (self, ALS_TURN_EVENT_CONNECTION, peer, NULL);

  event->connection_id = connection_id;
  event->bind_by_us = now_us + ALS_TURN_BIND_US;
  event->is_incoming = is_incoming;
}

static GError *
take_connection (AlsTurnSession *self, const Request *request, const AlsStunMessage *response,
                 int64_t now_us)
{
  uint32_t connection_id;

  if (!als_stun_message_get_u32 (response, ALS_STUN_CONNECTION_ID, &connection_id))
    return bad_answer ("a connection without an id");
  tell_connection (self, &request->peer, connection_id, FALSE, now_us);
  return NULL;
}

static GError *
take_endpoint (AlsTurnSession *self, const AlsStunMessage *response)
{
  if (!als_stun_message_get_mapped (response, &self->endpoint)
      || !als_stun_address_is_usable (&self->endpoint))
    {
      memset (&self->endpoint, 0, sizeof self->endpoint);
      return bad_answer ("a binding without an address");
    }
  tell (self, ALS_TURN_EVENT_ENDPOINT, NULL, NULL);
  return NULL;
}

static GError *
take_success (AlsTurnSession *self, const Request *request, const AlsStunMessage *response,
              int64_t now_us)
{
  switch (request->method)
    {
    case ALS_STUN_ALLOCATE:
      return take_allocation (self, response, now_us);
    case ALS_STUN_REFRESH:
      return take_refresh (self, response, now_us);
    case ALS_STUN_CREATE_PERMISSION:
      return take_permission (self, request, now_us);
    case ALS_STUN_CONNECT:
      return take_connection (self, request, response, now_us);
    default:
      return take_endpoint (self, response);
    }
}

/* --- what comes --- */

/* What the response means for us, or NULL if it is a success. */
static GError *
judge (AlsTurnSession *self, Request *request, const AlsStunMessage *response, gboolean *again)
{
  AlsStunAuthVerdict verdict = ALS_STUN_AUTH_ACCEPTED;

  *again = FALSE;
  if (als_stun_message_find_unknown (response) != 0)
    return bad_answer ("an answer with attributes beyond us");
  /* A Binding is unsigned; a challenge to it is just a refusal. */
  if (request->method != ALS_STUN_BINDING)
    verdict = als_stun_auth_judge (self->auth, &request->attempt, response);
  switch (verdict)
    {
    case ALS_STUN_AUTH_AGAIN:
      *again = TRUE;
      return NULL;
    case ALS_STUN_AUTH_FORGED:
      return bad_answer ("an answer that cannot be trusted");
    case ALS_STUN_AUTH_ACCEPTED:
    case ALS_STUN_AUTH_REFUSED:
    case ALS_STUN_AUTH_STALE:
    default:
      break;
    }
  return response->kind == ALS_STUN_FAILURE ? als_turn_error_from_response (response) : NULL;
}

static void
handle_response (AlsTurnSession *self, Request *request, const AlsStunMessage *response,
                 int64_t now_us)
{
  gboolean again;
  GError *error = judge (self, request, response, &again);
  g_autofree Request *answered = NULL;
  guint index;

  if (again)
    {
      send_request (self, request, now_us);
      return;
    }
  if (g_ptr_array_find (self->requests, request, &index))
    answered = g_ptr_array_steal_index_fast (self->requests, index);
  if (error == NULL)
    error = take_success (self, request, response, now_us);
  else if (error->code == ALS_TURN_ERROR_ALTERNATE_SERVER
           && (!als_stun_message_get_address (response, ALS_STUN_ALTERNATE_SERVER, &self->alternate)
               || !als_stun_address_is_usable (&self->alternate)))
    {
      memset (&self->alternate, 0, sizeof self->alternate);
      g_error_free (error);
      error = bad_answer ("another server without its address");
    }
  if (error != NULL)
    fail_request (self, request, error, now_us);
}

static void
handle_attempt (AlsTurnSession *self, const AlsStunMessage *message, int64_t now_us)
{
  AlsStunAddress peer;
  uint32_t connection_id;

  if (self->state != ALS_TURN_STATE_ALLOCATED
      || !als_stun_message_get_address (message, ALS_STUN_XOR_PEER_ADDRESS, &peer)
      || !als_stun_message_get_u32 (message, ALS_STUN_CONNECTION_ID, &connection_id)
      || find_permission (self, &peer, NULL) == NULL
      || self->n_attempts == ALS_TURN_MAX_ATTEMPTS)
    {
      g_debug ("turn session: a connection attempt dropped");
      return;
    }
  self->n_attempts++;
  tell_connection (self, &peer, connection_id, TRUE, now_us);
}

static void
handle_message (AlsTurnSession *self, const AlsStunMessage *message, int64_t now_us)
{
  if (message->kind == ALS_STUN_INDICATION && message->method == ALS_STUN_CONNECTION_ATTEMPT)
    handle_attempt (self, message, now_us);
  if (message->kind != ALS_STUN_SUCCESS && message->kind != ALS_STUN_FAILURE)
    return;
  for (guint i = 0; i < self->requests->len; i++)
    {
      Request *request = g_ptr_array_index (self->requests, i);

      if (request->method == message->method
          && memcmp (request->transaction, message->transaction, sizeof request->transaction) == 0)
        {
          handle_response (self, request, message, now_us);
          return;
        }
    }
}

/* --- lifecycle --- */

AlsTurnSession *
als_turn_session_new (const char *username, const char *password, AlsStunFamily family)
{
  AlsTurnSession *self = g_new0 (AlsTurnSession, 1);

  self->family = family;
  self->auth = als_stun_auth_new (username, password);
  self->stream = als_stun_stream_new ();
  self->requests = g_ptr_array_new_with_free_func (g_free);
  self->permissions = g_array_new (FALSE, FALSE, sizeof (Permission));
  g_queue_init (&self->output);
  g_queue_init (&self->events);
  self->refresh_us = INT64_MAX;
  return self;
}

void
als_turn_session_free (AlsTurnSession *self)
{
  if (self == NULL)
    return;
  als_stun_auth_free (self->auth);
  als_stun_stream_free (self->stream);
  g_ptr_array_unref (self->requests);
  g_array_unref (self->permissions);
  g_queue_clear_full (&self->output, (GDestroyNotify) g_bytes_unref);
  g_queue_clear_full (&self->events, (GDestroyNotify) als_turn_event_free);
  g_free (self);
}

void
als_turn_session_start (AlsTurnSession *self, int64_t now_us)
{
  if (self->state != ALS_TURN_STATE_IDLE)
    return;
  set_state (self, ALS_TURN_STATE_ALLOCATING);
  start_request (self, ALS_STUN_ALLOCATE, NULL, now_us);
}

void
als_turn_session_start_binding (AlsTurnSession *self, int64_t now_us)
{
  if (self->state != ALS_TURN_STATE_IDLE)
    return;
  set_state (self, ALS_TURN_STATE_REFUSED);
  start_request (self, ALS_STUN_BINDING, NULL, now_us);
}

gboolean
als_turn_session_allocate (AlsTurnSession *self, AlsStunFamily family, int64_t now_us)
{
  if (self->state != ALS_TURN_STATE_REFUSED)
    return FALSE;
  self->family = family;
  set_state (self, ALS_TURN_STATE_ALLOCATING);
  start_request (self, ALS_STUN_ALLOCATE, NULL, now_us);
  return TRUE;
}

void
als_turn_session_feed (AlsTurnSession *self, const uint8_t *data, size_t len, int64_t now_us)
{
  if (is_over (self) || self->state == ALS_TURN_STATE_IDLE)
    return;
  als_stun_stream_feed (self->stream, data, len);
  while (!is_over (self))
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AlsStunMessage) message = als_stun_stream_next (self->stream, &error);

      if (message != NULL)
        handle_message (self, message, now_us);
      else if (error != NULL)
        fail (self, bad_answer (error->message));
      else
        return;
    }
}

void
als_turn_session_close (AlsTurnSession *self)
{
  if (self->state == ALS_TURN_STATE_LEAVING)
    finish_leaving (self);
  else if (!is_over (self))
    fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_CLOSED,
                                     "the server ended the connection"));
}

void
als_turn_session_give_up (AlsTurnSession *self)
{
  if (!is_over (self))
    fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_TIMED_OUT,
                                     "the server does not answer"));
}

void
als_turn_session_poll (AlsTurnSession *self, int64_t now_us)
{
  for (guint i = 0; i < self->requests->len;)
    {
      Request *request = g_ptr_array_index (self->requests, i);

      if (als_stun_transaction_poll (&request->timer, now_us) == ALS_STUN_STEP_GIVE_UP)
        {
          g_autofree Request *unanswered = g_ptr_array_steal_index_fast (self->requests, i);

          fail_request (self, unanswered,
                        g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_TIMED_OUT,
                                             "the server does not answer"),
                        now_us);
          i = 0;
        }
      else
        i++;
    }
  if (self->state != ALS_TURN_STATE_ALLOCATED)
    return;
  if (self->refresh_us <= now_us)
    {
      self->refresh_us = INT64_MAX;
      start_request (self, ALS_STUN_REFRESH, NULL, now_us);
    }
  for (guint i = 0; i < self->permissions->len; i++)
    {
      Permission *permission = &g_array_index (self->permissions, Permission, i);

      if (permission->renew_us <= now_us)
        {
          permission->renew_us = INT64_MAX;
          start_request (self, ALS_STUN_CREATE_PERMISSION, &permission->peer, now_us);
        }
    }
}

int64_t
als_turn_session_get_deadline (const AlsTurnSession *self)
{
  int64_t deadline_us = self->refresh_us;

  for (guint i = 0; i < self->requests->len; i++)
    {
      const Request *request = g_ptr_array_index (self->requests, i);

      deadline_us = MIN (deadline_us, als_stun_transaction_get_deadline (&request->timer));
    }
  for (guint i = 0; i < self->permissions->len; i++)
    deadline_us = MIN (deadline_us, g_array_index (self->permissions, Permission, i).renew_us);
  return deadline_us;
}

GBytes *
als_turn_session_take_output (AlsTurnSession *self)
{
  return g_queue_pop_head (&self->output);
}

AlsTurnEvent *
als_turn_session_take_event (AlsTurnSession *self)
{
  AlsTurnEvent *event = g_queue_pop_head (&self->events);

  if (event != NULL && event->is_incoming)
    self->n_attempts--;
  return event;
}

gboolean
als_turn_session_permit (AlsTurnSession *self, const AlsStunAddress *peer, int64_t now_us)
{
  Permission *permission = find_permission (self, peer, NULL);

  if (self->state != ALS_TURN_STATE_ALLOCATED || !als_stun_address_is_usable (peer))
    return FALSE;
  if (permission != NULL && permission->is_installed)
    tell (self, ALS_TURN_EVENT_PERMITTED, peer, NULL);
  if (permission != NULL)
    return TRUE;
  if (self->permissions->len == ALS_TURN_MAX_PERMISSIONS)
    return FALSE;
  g_array_append_vals (self->permissions,
                       &(Permission){ .peer = *peer, .is_asked = TRUE, .renew_us = INT64_MAX }, 1);
  start_request (self, ALS_STUN_CREATE_PERMISSION, peer, now_us);
  return TRUE;
}

gboolean
als_turn_session_connect (AlsTurnSession *self, const AlsStunAddress *peer, int64_t now_us)
{
  guint n = 0;

  for (guint i = 0; i < self->requests->len; i++)
    n += ((Request *) g_ptr_array_index (self->requests, i))->method == ALS_STUN_CONNECT;
  if (self->state != ALS_TURN_STATE_ALLOCATED || !als_stun_address_is_usable (peer)
      || n == ALS_TURN_MAX_CONNECTS)
    return FALSE;
  start_request (self, ALS_STUN_CONNECT, peer, now_us);
  return TRUE;
}

void
als_turn_session_leave (AlsTurnSession *self, int64_t now_us)
{
  if (is_over (self) || self->state == ALS_TURN_STATE_LEAVING)
    return;
  if (self->state != ALS_TURN_STATE_ALLOCATED)
    {
      /* What may have been allocated meanwhile goes with the connection. */
      finish_leaving (self);
      return;
    }
  forget_work (self);
  set_state (self, ALS_TURN_STATE_LEAVING);
  self->leave_by_us = now_us + LEAVE_US;
  start_request (self, ALS_STUN_REFRESH, NULL, now_us);
}

AlsTurnState
als_turn_session_get_state (const AlsTurnSession *self)
{
  return self->state;
}

const AlsStunAddress *
als_turn_session_get_relayed (const AlsTurnSession *self)
{
  return &self->relayed;
}

const AlsStunAddress *
als_turn_session_get_endpoint (const AlsTurnSession *self)
{
  return &self->endpoint;
}

const AlsStunAddress *
als_turn_session_get_alternate (const AlsTurnSession *self)
{
  return &self->alternate;
}

const AlsStunAuth *
als_turn_session_get_auth (const AlsTurnSession *self)
{
  return self->auth;
}
