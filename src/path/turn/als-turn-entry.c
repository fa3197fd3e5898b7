/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The dialler makes rounds; each connection that stands is a Member. One
 * allocation for each server; its other connections tell endpoints only. A
 * server that was lost, or is full, is tried again, later and later. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-entry.h"

#include "base/als-backoff.h"
#include "base/als-deadline-source.h"

#define MAX_REDIRECTS 2
/* Two families, each sent on twice, and a proxy; more come of servers that change their mind. */
#define MAX_MEMBERS 8
#define FIRST_RETRY_US ((int64_t) 2 * G_USEC_PER_SEC)
#define MAX_RETRY_US ((int64_t) 60 * G_USEC_PER_SEC)

typedef struct
{
  AlsTurnControl *control;
  gulong event_id;
  guint n_redirects;
  gboolean has_answered;
  AlsStunFamily relayed; /* that was asked for */
} Member;

struct _AlsTurnEntry
{
  AlsPathServer *server;
  const AlsTurnDialMeans *means;
  AlsTurnEntryFunc changed;
  gpointer user_data;
  AlsTurnDialler *dialler;
  GPtrArray *members;        /* (element-type Member) */
  GSource *retry;
  AlsBackoff backoff;
  gboolean was_settled;      /* a first round is over */
  gboolean was_refused;      /* the last allocation */
  guint n_retries;           /* of allocations, on connections that stand */
  guint n_refusals;
};

static void go_on    (gpointer user_data);
static void on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data);

/* --- members --- */

static Member *
get_member (const AlsTurnEntry *self, guint i)
{
  return g_ptr_array_index (self->members, i);
}

static void
member_free (gpointer data)
{
  Member *self = data;

  g_signal_handler_disconnect (self->control, self->event_id);
  als_turn_control_leave (self->control);
  g_object_unref (self->control);
  g_free (self);
}

static Member *
find_member (const AlsTurnEntry *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->members->len; i++)
    if (get_member (self, i)->control == control)
      return get_member (self, i);
  return NULL;
}

static gboolean
member_is_straight (const Member *self)
{
  return als_turn_control_get_way (self->control)->proxy == NULL;
}

static gboolean
has_straight (const AlsTurnEntry *self)
{
  for (guint i = 0; i < self->members->len; i++)
    if (member_is_straight (get_member (self, i)))
      return TRUE;
  return FALSE;
}

static gboolean
is_busy (const AlsTurnEntry *self)
{
  if (als_turn_dialler_is_busy (self->dialler))
    return TRUE;
  for (guint i = 0; i < self->members->len; i++)
    if (!get_member (self, i)->has_answered)
      return TRUE;
  return FALSE;
}

static gboolean
wants_allocation (const AlsTurnEntry *self)
{
  return self->server->kind != ALS_PATH_SERVER_STUN && !als_turn_entry_has_allocation (self);
}

/* --- rounds --- */

static void
begin (AlsTurnEntry *self)
{
  als_source_clear (&self->retry);
  als_turn_dialler_begin (self->dialler);
}

static gboolean
retry_cb (gpointer user_data)
{
  AlsTurnEntry *self = user_data;

  als_source_clear (&self->retry);
  for (guint i = 0; i < self->members->len; i++)
    if (wants_allocation (self)
        && als_turn_control_allocate (get_member (self, i)->control, ALS_STUN_FAMILY_NONE))
      {
        self->n_retries++;
        return G_SOURCE_REMOVE;
      }
  if (self->members->len == 0)
    begin (self);
  return G_SOURCE_REMOVE;
}

static void
plan_retry (AlsTurnEntry *self)
{
  if (self->retry != NULL)
    return;
  self->retry = als_deadline_source_new (self->means->context, "als-turn-retry", retry_cb, self);
  als_deadline_source_set (self->retry, g_get_monotonic_time () + als_backoff_next (&self->backoff));
}

/* Whatever happened: what comes next, and is the round over? */
static void
go_on (gpointer user_data)
{
  AlsTurnEntry *self = user_data;

  als_turn_dialler_go_on (self->dialler, has_straight (self));
  if (is_busy (self))
    return;
  if (!self->was_settled)
    self->changed (self->user_data);
  self->was_settled = TRUE;
  if (self->members->len == 0)
    plan_retry (self);
}

static void
dialled (GIOStream *stream, const AlsTurnDialled *how, gpointer user_data)
{
  AlsTurnEntry *self = user_data;
  Member *member;

  /* A proxy that was overtaken is not needed. */
  if (self->members->len == MAX_MEMBERS || (how->way->proxy != NULL && has_straight (self)))
    return;
  member = g_new0 (Member, 1);
  member->control = als_turn_control_new (stream, how->way, self->server->username,
                                          self->server->password, wants_allocation (self),
                                          how->relayed);
  member->n_redirects = how->n_redirects;
  member->relayed = how->relayed;
  member->event_id = g_signal_connect (member->control, "event", G_CALLBACK (on_event), self);
  g_ptr_array_add (self->members, member);
}

/* --- what the server says --- */

/* Where the server itself is, nobody knows behind a proxy. */
static gboolean
may_name (Member *member, const AlsStunAddress *address)
{
  AlsStunAddress internet;

  if (member_is_straight (member))
    return als_stun_address_may_name (als_turn_control_get_server (member->control), address);
  als_stun_address_parse (&internet, address->family == ALS_STUN_FAMILY_IPV6 ? "2000::1" : "192.0.2.1", 9);
  return als_stun_address_may_name (&internet, address);
}

static void
follow_redirection (AlsTurnEntry *self, Member *member)
{
  AlsTurnSession *session = als_turn_control_get_session (member->control);
  const AlsStunAddress *alternate = als_turn_session_get_alternate (session);
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (alternate);
  AlsTurnWay way = *als_turn_control_get_way (member->control);

  if (address == NULL || member->n_redirects == MAX_REDIRECTS || !may_name (member, alternate))
    {
      g_debug ("turn pool: %s sends us round", self->server->host);
      return;
    }
  way.address = address;
  als_turn_dialler_add (self->dialler, &(AlsTurnDialled){ .way = &way,
                                                          .n_redirects = member->n_redirects + 1 });
}

static void
take_refusal (AlsTurnEntry *self, Member *member, const GError *error)
{
  AlsTurnDialled ipv6 = { als_turn_control_get_way (member->control), member->n_redirects + 1,
                          ALS_STUN_FAMILY_IPV6 };

  self->n_refusals++;
  self->was_refused = TRUE;
  g_info ("TURN server %s: no relay: %s", self->server->host, error->message);
  switch ((AlsTurnError) error->code)
    {
    case ALS_TURN_ERROR_ALTERNATE_SERVER:
      follow_redirection (self, member);
      break;
    case ALS_TURN_ERROR_FAMILY:
      /* It may relay IPv6 only. Asked again over the same connection, coturn grants an allocation
       * without an address. */
      if (member->relayed == ALS_STUN_FAMILY_NONE)
        als_turn_dialler_add (self->dialler, &ipv6);
      break;
    case ALS_TURN_ERROR_QUOTA:
    case ALS_TURN_ERROR_SERVER:
    case ALS_TURN_ERROR_FULL:
      plan_retry (self);
      break;
    default:
      break;
    }
}

static void
lose_member (AlsTurnEntry *self, Member *member, const GError *error)
{
  gboolean had_allocation = als_turn_session_get_relayed (
      als_turn_control_get_session (member->control))->family != ALS_STUN_FAMILY_NONE;

  g_info ("TURN server %s: %s", self->server->host, error->message);
  if (g_error_matches (error, ALS_TURN_ERROR, ALS_TURN_ERROR_WRONG_CREDENTIALS))
    self->was_refused = TRUE;
  g_ptr_array_remove (self->members, member);
  if (had_allocation)
    als_backoff_reset (&self->backoff);
  for (guint i = 0; i < self->members->len && wants_allocation (self); i++)
    als_turn_control_allocate (get_member (self, i)->control, ALS_STUN_FAMILY_NONE);
}

static void
on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  AlsTurnEntry *self = user_data;
  Member *member = find_member (self, control);

  switch (event->type)
    {
    case ALS_TURN_EVENT_ALLOCATED:
      member->has_answered = TRUE;
      self->was_refused = FALSE;
      als_backoff_reset (&self->backoff);
      break;
    case ALS_TURN_EVENT_ENDPOINT:
    case ALS_TURN_EVENT_NO_ENDPOINT:
      member->has_answered = TRUE;
      break;
    case ALS_TURN_EVENT_REFUSED:
      take_refusal (self, member, event->error);
      break;
    case ALS_TURN_EVENT_FAILED:
      lose_member (self, member, event->error);
      break;
    default:
      return;
    }
  self->changed (self->user_data);
  go_on (self);
}

/* --- lifecycle --- */

static const AlsTurnDiallerEvents dialler_events = {
  .dialled = dialled,
  .moved = go_on,
};

AlsTurnEntry *
als_turn_entry_new (const AlsPathServer *server, const AlsTurnDialMeans *means,
                    AlsTurnEntryFunc changed, gpointer user_data)
{
  AlsTurnEntry *self = g_new0 (AlsTurnEntry, 1);

  self->server = als_path_server_copy (server);
  self->means = means;
  self->changed = changed;
  self->user_data = user_data;
  self->dialler = als_turn_dialler_new (server, means, &dialler_events, self);
  self->members = g_ptr_array_new_with_free_func (member_free);
  als_backoff_init (&self->backoff, FIRST_RETRY_US, MAX_RETRY_US);
  begin (self);
  return self;
}

void
als_turn_entry_free (AlsTurnEntry *self)
{
  als_source_clear (&self->retry);
  als_turn_dialler_drop (self->dialler);
  g_ptr_array_unref (self->members);
  als_path_server_free (self->server);
  g_free (self);
}

void
als_turn_entry_renew (AlsTurnEntry *self, const AlsPathServer *server)
{
  if (g_strcmp0 (self->server->username, server->username) == 0
      && g_strcmp0 (self->server->password, server->password) == 0)
    return;
  als_path_server_free (self->server);
  self->server = als_path_server_copy (server);
  als_backoff_reset (&self->backoff);
  if (als_turn_entry_has_allocation (self))
    return;
  self->was_refused = FALSE;
  g_ptr_array_set_size (self->members, 0);
  begin (self);
}

static gboolean
is_here (GArray *addresses, const AlsStunAddress *local)
{
  for (guint i = 0; i < addresses->len; i++)
    if (als_stun_address_same_ip (&g_array_index (addresses, AlsStunAddress, i), local))
      return TRUE;
  return FALSE;
}

void
als_turn_entry_network_changed (AlsTurnEntry *self, GArray *addresses)
{
  gboolean lost = self->members->len == 0;

  for (guint i = self->members->len; i-- > 0;)
    if (!is_here (addresses, als_turn_control_get_local (get_member (self, i)->control)))
      {
        g_ptr_array_remove_index (self->members, i);
        lost = TRUE;
      }
  als_backoff_reset (&self->backoff);
  if (lost)
    begin (self);
}

/* --- questions --- */

const AlsPathServer *
als_turn_entry_get_server (const AlsTurnEntry *self)
{
  return self->server;
}

gboolean
als_turn_entry_is_settled (const AlsTurnEntry *self)
{
  return self->was_settled;
}

gboolean
als_turn_entry_has_allocation (const AlsTurnEntry *self)
{
  for (guint i = 0; i < self->members->len; i++)
    {
      AlsTurnState state = als_turn_session_get_state (
          als_turn_control_get_session (get_member (self, i)->control));

      if (state == ALS_TURN_STATE_ALLOCATING || state == ALS_TURN_STATE_ALLOCATED)
        return TRUE;
    }
  return FALSE;
}

gboolean
als_turn_entry_was_refused (const AlsTurnEntry *self)
{
  return self->was_refused;
}

gboolean
als_turn_entry_needs_proxy (const AlsTurnEntry *self)
{
  return self->members->len > 0 && !has_straight (self);
}

gboolean
als_turn_entry_has_control (const AlsTurnEntry *self, AlsTurnControl *control)
{
  return find_member (self, control) != NULL;
}

guint
als_turn_entry_get_tries (const AlsTurnEntry *self)
{
  return als_turn_dialler_get_tries (self->dialler) + self->n_retries;
}

guint
als_turn_entry_get_refusals (const AlsTurnEntry *self)
{
  return self->n_refusals;
}

void
als_turn_entry_list_endpoints (const AlsTurnEntry *self, GArray *endpoints)
{
  for (guint i = 0; i < self->members->len; i++)
    {
      Member *member = get_member (self, i);
      AlsTcpEndpoint endpoint
          = { *als_turn_control_get_server (member->control),
              *als_turn_control_get_local (member->control),
              *als_turn_session_get_endpoint (als_turn_control_get_session (member->control)) };

      if (member_is_straight (member) && !als_turn_control_get_way (member->control)->is_tls
          && endpoint.local.port == self->means->local_port
          && als_stun_address_is_usable (&endpoint.mapped))
        g_array_append_val (endpoints, endpoint);
    }
}

void
als_turn_entry_list_allocated (const AlsTurnEntry *self, GPtrArray *controls)
{
  for (guint i = 0; i < self->members->len; i++)
    if (als_turn_control_is_allocated (get_member (self, i)->control))
      g_ptr_array_add (controls, g_object_ref (get_member (self, i)->control));
}
