/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Each server is an Entry that makes rounds: its name is looked up, its
 * addresses are dialled, one family beside the other, and a proxy where that
 * leads nowhere or is late. What stands is a Member. One allocation for each
 * server; its other connections tell endpoints only. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-pool-controls.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "base/als-backoff.h"
#include "base/als-deadline-source.h"

/* Straight ways have so much of a start. */
#define PROXY_AFTER_US ((int64_t) 250 * 1000)
#define MAX_REDIRECTS 2
/* Of one server: two families, each sent on twice, and a proxy; more come of servers that change their mind. */
#define MAX_MEMBERS 8
#define MAX_SERVERS 16
#define MAX_ADDRESSES 4 /* of a family of a name */
#define MAX_PROXIES 4
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

typedef enum
{
  PROXY_NONE,    /* not known, or not needed */
  PROXY_WAITING, /* there is one; straight ways first */
  PROXY_DIALLING,
} ProxyState;

typedef struct
{
  AlsTurnPool *pool;         /* NULL once dropped: callbacks under way find it so */
  AlsPathServer *server;
  GPtrArray *members;        /* (element-type Member) */
  guint round;
  GCancellable *cancellable; /* of this round; NULL before the first */
  GSource *lookup_deadline;
  GSource *proxy_timer;
  GSource *retry;
  AlsBackoff backoff;
  gboolean is_looking_up;
  gboolean is_asking_proxies;
  guint n_dials;             /* straight ones and redirections */
  GQueue addresses[2];       /* (element-type GSocketAddress): IPv4 and IPv6, not yet dialled */
  ProxyState proxy;
  char **proxies;            /* (nullable) */
  guint next_proxy;
  gboolean was_settled;      /* a first round is over */
  gboolean was_refused;      /* the last allocation */
  guint n_tries;
  guint n_refusals;
} Entry;

/* Something asynchronous under way. */
typedef struct
{
  Entry *entry;      /* a reference */
  guint round;
  AlsTurnWay *way;   /* (nullable): of a dial */
  guint family;      /* index in addresses, or none: a redirection or a proxy */
  guint n_redirects;
  AlsStunFamily relayed; /* of the allocation to ask for; NONE: as the server likes */
} Attempt;

struct _AlsTurnPool
{
  GObject parent_instance;

  GPtrArray *servers;        /* (element-type AlsPathServer): until start */
  gboolean loopback;
  gboolean is_started;
  gboolean is_closed;
  uint16_t wanted_port;
  uint16_t local_port;
  GSocket *holders[2];       /* (nullable): bound, neither connected nor listening */
  GProxyResolver *proxies;
  GTlsDatabase *trust;       /* (nullable) */
  GPtrArray *entries;        /* (element-type Entry) */
  GArray *endpoints;         /* (element-type AlsTcpEndpoint) */
  GMainContext *context;
  GSource *changed;
};

G_DEFINE_FINAL_TYPE (AlsTurnPool, als_turn_pool, G_TYPE_OBJECT)

enum
{
  CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static void entry_begin (Entry *self);
static void entry_go_on (Entry *self);
static void dial_next   (Entry *self, guint family);
static void on_event    (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data);

/* --- the local port --- */

/* Ports of this process' pools: SO_REUSEPORT would let two of them have the same. */
static GMutex ports_mutex;
static GHashTable *ports;

static gboolean
claim_port (uint16_t port)
{
  gboolean ok;

  g_mutex_lock (&ports_mutex);
  if (ports == NULL)
    ports = g_hash_table_new (NULL, NULL);
  ok = g_hash_table_add (ports, GUINT_TO_POINTER (port));
  g_mutex_unlock (&ports_mutex);
  return ok;
}

static void
release_port (uint16_t port)
{
  g_mutex_lock (&ports_mutex);
  g_hash_table_remove (ports, GUINT_TO_POINTER (port));
  if (g_hash_table_size (ports) == 0)
    g_clear_pointer (&ports, g_hash_table_unref);
  g_mutex_unlock (&ports_mutex);
}

/* Of another process' sockets those that listen are in the way. */
static gboolean
is_port_free (uint16_t port, gboolean loopback)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GInetAddress) any = loopback ? g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4)
                                          : g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new (any, port);

  return socket != NULL && g_socket_bind (socket, local, TRUE, NULL);
}

static gboolean
take_port (AlsTurnPool *self, uint16_t port)
{
  g_autoptr (GSocket) ipv4 = NULL;
  g_autoptr (GSocketAddress) bound = NULL;

  if (port != 0 && !is_port_free (port, self->loopback))
    return FALSE;
  ipv4 = als_turn_way_bind_socket (G_SOCKET_FAMILY_IPV4, self->loopback, port, NULL);
  if (ipv4 == NULL || (bound = g_socket_get_local_address (ipv4, NULL)) == NULL)
    return FALSE;
  port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  if (!claim_port (port))
    return FALSE;
  self->local_port = port;
  self->holders[0] = g_steal_pointer (&ipv4);
  /* NULL without IPv6. */
  self->holders[1] = als_turn_way_bind_socket (G_SOCKET_FAMILY_IPV6, self->loopback, port, NULL);
  return TRUE;
}

/* --- members --- */

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
find_member (Entry *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->members->len; i++)
    {
      Member *member = g_ptr_array_index (self->members, i);

      if (member->control == control)
        return member;
    }
  return NULL;
}

static gboolean
member_is_straight (const Member *self)
{
  return als_turn_control_get_way (self->control)->proxy == NULL;
}

/* An allocation is there or on its way. */
static gboolean
entry_has_allocation (Entry *self)
{
  for (guint i = 0; i < self->members->len; i++)
    {
      Member *member = g_ptr_array_index (self->members, i);
      AlsTurnState state
          = als_turn_session_get_state (als_turn_control_get_session (member->control));

      if (state == ALS_TURN_STATE_ALLOCATING || state == ALS_TURN_STATE_ALLOCATED)
        return TRUE;
    }
  return FALSE;
}

static gboolean
entry_has_straight (Entry *self)
{
  for (guint i = 0; i < self->members->len; i++)
    if (member_is_straight (g_ptr_array_index (self->members, i)))
      return TRUE;
  return FALSE;
}

static gboolean
entry_is_busy (Entry *self)
{
  if (self->is_looking_up || self->is_asking_proxies || self->n_dials > 0
      || self->proxy != PROXY_NONE)
    return TRUE;
  for (guint i = 0; i < self->members->len; i++)
    if (!((Member *) g_ptr_array_index (self->members, i))->has_answered)
      return TRUE;
  return FALSE;
}

static gboolean
entry_wants_allocation (Entry *self)
{
  return self->server->kind != ALS_PATH_SERVER_STUN && !entry_has_allocation (self);
}

/* --- changed --- */

static gboolean
changed_cb (gpointer user_data)
{
  g_autoptr (AlsTurnPool) self = g_object_ref (user_data);

  g_signal_emit (self, signals[CHANGED], 0);
  return G_SOURCE_CONTINUE;
}

static void
tell_changed (AlsTurnPool *self)
{
  if (self->changed != NULL)
    als_deadline_source_set (self->changed, 0);
}

/* --- dialling --- */

static void
entry_free_contents (gpointer data)
{
  Entry *self = data;

  als_path_server_free (self->server);
  g_ptr_array_unref (self->members);
  g_clear_object (&self->cancellable);
  for (guint i = 0; i < 2; i++)
    g_queue_clear_full (&self->addresses[i], g_object_unref);
  g_strfreev (self->proxies);
}

static void
entry_unref (gpointer entry)
{
  g_rc_box_release_full (entry, entry_free_contents);
}

/* Stops what is under way; members stay. */
static void
entry_stop (Entry *self)
{
  als_source_clear (&self->lookup_deadline);
  als_source_clear (&self->proxy_timer);
  als_source_clear (&self->retry);
  g_cancellable_cancel (self->cancellable);
}

static void
entry_drop (gpointer data)
{
  Entry *self = data;

  entry_stop (self);
  self->pool = NULL;
  g_ptr_array_set_size (self->members, 0);
  entry_unref (self);
}

static void
add_member (Entry *self, GIOStream *stream, const Attempt *attempt)
{
  Member *member = g_new0 (Member, 1);
  gboolean allocate = entry_wants_allocation (self);

  member->control
      = als_turn_control_new (stream, attempt->way, self->server->username, self->server->password,
                              allocate, attempt->relayed);
  member->n_redirects = attempt->n_redirects;
  member->relayed = attempt->relayed;
  member->event_id = g_signal_connect (member->control, "event", G_CALLBACK (on_event), self);
  g_ptr_array_add (self->members, member);
}

static Attempt *
attempt_new (Entry *entry)
{
  Attempt *self = g_new0 (Attempt, 1);

  self->entry = g_rc_box_acquire (entry);
  self->round = entry->round;
  return self;
}

static void
attempt_free (Attempt *self)
{
  als_turn_way_free (self->way);
  entry_unref (self->entry);
  g_free (self);
}

/* Its round goes on. */
static gboolean
attempt_counts (const Attempt *self)
{
  return self->entry->pool != NULL && self->round == self->entry->round;
}

/* STREAM: (nullable) */
static void
take_dialled (Attempt *attempt, GIOStream *stream)
{
  Entry *entry = attempt->entry;
  gboolean is_straight = attempt->way->proxy == NULL;

  if (!is_straight && attempt->n_redirects == 0)
    entry->proxy = stream == NULL && entry->proxies[entry->next_proxy] != NULL ? PROXY_WAITING
                                                                              : PROXY_NONE;
  else
    entry->n_dials--;
  /* A proxy that was overtaken is not needed. */
  if (stream != NULL && entry->members->len < MAX_MEMBERS
      && (is_straight || !entry_has_straight (entry)))
    add_member (entry, stream, attempt);
  else if (stream == NULL && attempt->family < G_N_ELEMENTS (entry->addresses))
    dial_next (entry, attempt->family);
  entry_go_on (entry);
}

static void
dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);
  g_autofree char *way = als_turn_way_to_string (attempt->way);

  g_debug ("turn pool: %s: %s", way, error != NULL ? error->message : "connected");
  if (attempt_counts (attempt))
    take_dialled (attempt, stream);
  attempt_free (attempt);
}

static void
dial (Entry *self, const AlsTurnWay *way, guint family, guint n_redirects, AlsStunFamily relayed)
{
  Attempt *attempt = attempt_new (self);
  gboolean is_shared = way->proxy == NULL && !way->is_tls;

  attempt->way = als_turn_way_copy (way);
  attempt->family = family;
  attempt->n_redirects = n_redirects;
  attempt->relayed = relayed;
  self->n_tries++;
  als_turn_way_dial_async (way, is_shared ? self->pool->local_port : 0, self->cancellable,
                           dialled_cb, attempt);
}

static AlsTurnWay
entry_make_way (Entry *self)
{
  return (AlsTurnWay){ .host = self->server->host,
                       .port = self->server->port,
                       .is_tls = self->server->kind == ALS_PATH_SERVER_TURNS,
                       .loopback = self->pool->loopback,
                       .trust = self->pool->trust };
}

static void
dial_next (Entry *self, guint family)
{
  AlsTurnWay way = entry_make_way (self);
  g_autoptr (GSocketAddress) address = g_queue_pop_head (&self->addresses[family]);

  if (address == NULL)
    return;
  way.address = address;
  self->n_dials++;
  dial (self, &way, family, 0, ALS_STUN_FAMILY_NONE);
}

static void
dial_proxy (Entry *self)
{
  AlsTurnWay way = entry_make_way (self);

  als_source_clear (&self->proxy_timer);
  way.loopback = FALSE;
  way.proxy = self->proxies[self->next_proxy++];
  self->proxy = PROXY_DIALLING;
  dial (self, &way, G_MAXUINT, 0, ALS_STUN_FAMILY_NONE);
}

static gboolean
proxy_timer_cb (gpointer user_data)
{
  Entry *self = user_data;

  if (self->proxy == PROXY_WAITING)
    dial_proxy (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
retry_cb (gpointer user_data)
{
  Entry *self = user_data;

  als_source_clear (&self->retry);
  for (guint i = 0; i < self->members->len; i++)
    {
      Member *member = g_ptr_array_index (self->members, i);

      if (entry_wants_allocation (self)
          && als_turn_control_allocate (member->control, ALS_STUN_FAMILY_NONE))
        {
          self->n_tries++;
          return G_SOURCE_REMOVE;
        }
    }
  if (self->members->len == 0)
    entry_begin (self);
  return G_SOURCE_REMOVE;
}

static void
plan_retry (Entry *self)
{
  if (self->retry != NULL)
    return;
  self->retry = als_deadline_source_new (self->pool->context, "als-turn-retry", retry_cb, self);
  als_deadline_source_set (self->retry, g_get_monotonic_time () + als_backoff_next (&self->backoff));
}

/* Whatever happened: what comes next, and is the round over? */
static void
entry_go_on (Entry *self)
{
  if (!self->is_looking_up && !self->is_asking_proxies)
    als_source_clear (&self->lookup_deadline);
  if (self->proxy == PROXY_WAITING && entry_has_straight (self))
    self->proxy = PROXY_NONE;
  if (self->proxy == PROXY_WAITING && !self->is_looking_up && self->n_dials == 0)
    dial_proxy (self);
  if (!entry_is_busy (self))
    {
      if (!self->was_settled)
        tell_changed (self->pool);
      self->was_settled = TRUE;
      if (self->members->len == 0)
        plan_retry (self);
    }
}

static void
take_addresses (Entry *self, GList *addresses)
{
  for (GList *l = addresses; l != NULL; l = l->next)
    {
      GInetAddress *address = l->data;
      GQueue *queue
          = &self->addresses[g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6];

      if ((self->pool->loopback && !g_inet_address_get_is_loopback (address))
          || queue->length == MAX_ADDRESSES)
        continue;
      g_queue_push_tail (queue, g_inet_socket_address_new (address, self->server->port));
    }
  for (guint i = 0; i < 2; i++)
    dial_next (self, i);
}

static void
looked_up_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  Entry *self = attempt->entry;
  g_autoptr (GError) error = NULL;
  GList *addresses
      = g_resolver_lookup_by_name_finish (G_RESOLVER (object), result, &error);

  if (attempt_counts (attempt) && self->is_looking_up)
    {
      self->is_looking_up = FALSE;
      if (error != NULL)
        g_debug ("turn pool: %s: %s", self->server->host, error->message);
      take_addresses (self, addresses);
      entry_go_on (self);
    }
  g_resolver_free_addresses (addresses);
  attempt_free (attempt);
}

static gboolean
lookup_deadline_cb (gpointer user_data)
{
  Entry *self = user_data;

  g_debug ("turn pool: %s: its name or the proxies are not found in time", self->server->host);
  self->is_looking_up = FALSE;
  self->is_asking_proxies = FALSE;
  als_source_clear (&self->lookup_deadline);
  entry_go_on (self);
  return G_SOURCE_REMOVE;
}

/* A proxy for us is one that is named before "direct". */
static void
take_proxies (Entry *self, char **proxies)
{
  g_autoptr (GPtrArray) ours = g_ptr_array_new ();

  for (guint i = 0; proxies != NULL && proxies[i] != NULL && ours->len < MAX_PROXIES; i++)
    if (!g_str_has_prefix (proxies[i], "direct:"))
      g_ptr_array_add (ours, g_strdup (proxies[i]));
  if (ours->len == 0)
    return;
  g_ptr_array_add (ours, NULL);
  g_strfreev (self->proxies);
  self->proxies = (char **) g_ptr_array_steal (ours, NULL);
  self->next_proxy = 0;
  self->proxy = PROXY_WAITING;
  self->proxy_timer = als_deadline_source_new (self->pool->context, "als-turn-proxy",
                                               proxy_timer_cb, self);
  als_deadline_source_set (self->proxy_timer, g_get_monotonic_time () + PROXY_AFTER_US);
}

static void
proxies_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  Entry *self = attempt->entry;
  g_auto (GStrv) proxies
      = g_proxy_resolver_lookup_finish (G_PROXY_RESOLVER (object), result, NULL);

  if (attempt_counts (attempt) && self->is_asking_proxies)
    {
      self->is_asking_proxies = FALSE;
      take_proxies (self, proxies);
      entry_go_on (self);
    }
  attempt_free (attempt);
}

static void
ask_proxies (Entry *self)
{
  g_autofree char *host = strchr (self->server->host, ':') != NULL
                              ? g_strdup_printf ("[%s]", self->server->host)
                              : g_strdup (self->server->host);
  /* What a browser would do for the same end: a CONNECT, a SOCKS, or nothing. */
  g_autofree char *uri = g_strdup_printf ("https://%s:%u/", host, self->server->port);

  self->is_asking_proxies = TRUE;
  g_proxy_resolver_lookup_async (self->pool->proxies, uri, self->cancellable, proxies_cb,
                                 attempt_new (self));
}

static void
entry_begin (Entry *self)
{
  g_autoptr (GInetAddress) literal = g_inet_address_new_from_string (self->server->host);

  entry_stop (self);
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  self->round++;
  self->n_dials = 0;
  self->proxy = PROXY_NONE;
  for (guint i = 0; i < 2; i++)
    g_queue_clear_full (&self->addresses[i], g_object_unref);
  self->lookup_deadline = als_deadline_source_new (self->pool->context, "als-turn-lookup",
                                                   lookup_deadline_cb, self);
  als_deadline_source_set (self->lookup_deadline, g_get_monotonic_time () + ALS_TURN_WAIT_US);
  ask_proxies (self);
  self->is_looking_up = literal == NULL;
  if (literal != NULL)
    take_addresses (self, &(GList){ .data = literal });
  else
    {
      g_autoptr (GResolver) resolver = g_resolver_get_default ();

      g_resolver_lookup_by_name_async (resolver, self->server->host, self->cancellable,
                                       looked_up_cb, attempt_new (self));
    }
}

static Entry *
entry_new (AlsTurnPool *pool, const AlsPathServer *server)
{
  Entry *self = g_rc_box_new0 (Entry);

  self->pool = pool;
  self->server = als_path_server_copy (server);
  self->members = g_ptr_array_new_with_free_func (member_free);
  als_backoff_init (&self->backoff, FIRST_RETRY_US, MAX_RETRY_US);
  return self;
}

/* --- what servers say --- */

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
follow_redirection (Entry *self, Member *member)
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
  self->n_dials++;
  dial (self, &way, G_MAXUINT, member->n_redirects + 1, ALS_STUN_FAMILY_NONE);
}

static void
take_refusal (Entry *self, Member *member, const GError *error)
{
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
        {
          self->n_dials++;
          dial (self, als_turn_control_get_way (member->control), G_MAXUINT, member->n_redirects + 1,
                ALS_STUN_FAMILY_IPV6);
        }
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
lose_member (Entry *self, Member *member, const GError *error)
{
  gboolean had_allocation = als_turn_session_get_relayed (
      als_turn_control_get_session (member->control))->family != ALS_STUN_FAMILY_NONE;

  g_info ("TURN server %s: %s", self->server->host, error->message);
  if (g_error_matches (error, ALS_TURN_ERROR, ALS_TURN_ERROR_WRONG_CREDENTIALS))
    self->was_refused = TRUE;
  g_ptr_array_remove (self->members, member);
  if (had_allocation)
    als_backoff_reset (&self->backoff);
  for (guint i = 0; i < self->members->len && entry_wants_allocation (self); i++)
    als_turn_control_allocate (((Member *) g_ptr_array_index (self->members, i))->control,
                               ALS_STUN_FAMILY_NONE);
}

static void
on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  Entry *self = user_data;
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
  tell_changed (self->pool);
  entry_go_on (self);
}

/* --- lifecycle --- */

static void
als_turn_pool_dispose (GObject *object)
{
  AlsTurnPool *self = ALS_TURN_POOL (object);

  als_turn_pool_close (self);
  G_OBJECT_CLASS (als_turn_pool_parent_class)->dispose (object);
}

static void
als_turn_pool_finalize (GObject *object)
{
  AlsTurnPool *self = ALS_TURN_POOL (object);

  g_ptr_array_unref (self->entries);
  g_array_unref (self->endpoints);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_clear_object (&self->proxies);
  g_clear_object (&self->trust);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (als_turn_pool_parent_class)->finalize (object);
}

static void
als_turn_pool_class_init (AlsTurnPoolClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = als_turn_pool_dispose;
  G_OBJECT_CLASS (klass)->finalize = als_turn_pool_finalize;
  signals[CHANGED] = g_signal_new ("changed", ALS_TYPE_TURN_POOL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
}

static void
als_turn_pool_init (AlsTurnPool *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->entries = g_ptr_array_new_with_free_func (entry_drop);
  self->endpoints = g_array_new (FALSE, FALSE, sizeof (AlsTcpEndpoint));
}

static GPtrArray *
copy_servers (GPtrArray *servers)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);

  for (guint i = 0; servers != NULL && i < MIN (servers->len, MAX_SERVERS); i++)
    g_ptr_array_add (copy, als_path_server_copy (g_ptr_array_index (servers, i)));
  return copy;
}

AlsTurnPool *
als_turn_pool_new (const AlsTurnPoolConfig *config)
{
  AlsTurnPool *self = g_object_new (ALS_TYPE_TURN_POOL, NULL);

  self->servers = copy_servers (config->servers);
  self->wanted_port = config->local_port;
  self->loopback = config->loopback;
  self->proxies = g_object_ref (config->proxies != NULL ? config->proxies
                                                        : g_proxy_resolver_get_default ());
  g_set_object (&self->trust, config->trust);
  return self;
}

static Entry *
find_entry (AlsTurnPool *self, const AlsPathServer *server)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry->server->kind == server->kind && entry->server->port == server->port
          && g_str_equal (entry->server->host, server->host))
        return entry;
    }
  return NULL;
}

static void
add_entry (AlsTurnPool *self, const AlsPathServer *server)
{
  Entry *entry;

  if (find_entry (self, server) != NULL)
    return;
  entry = entry_new (self, server);
  g_ptr_array_add (self->entries, entry);
  entry_begin (entry);
}

void
als_turn_pool_start (AlsTurnPool *self)
{
  g_autoptr (GPtrArray) servers = g_steal_pointer (&self->servers);

  g_return_if_fail (!self->is_started);
  if (self->is_closed)
    return;
  self->is_started = TRUE;
  self->changed = als_deadline_source_new (self->context, "als-turn-changed", changed_cb, self);
  if ((self->wanted_port == 0 || !take_port (self, self->wanted_port)) && !take_port (self, 0))
    g_warning ("no local TCP port can be had");
  for (guint i = 0; i < servers->len; i++)
    add_entry (self, g_ptr_array_index (servers, i));
  tell_changed (self);
}

/* The same server with another login. What was allocated goes on under the old one. */
static void
entry_renew (Entry *self, const AlsPathServer *server)
{
  if (g_strcmp0 (self->server->username, server->username) == 0
      && g_strcmp0 (self->server->password, server->password) == 0)
    return;
  als_path_server_free (self->server);
  self->server = als_path_server_copy (server);
  als_backoff_reset (&self->backoff);
  if (entry_has_allocation (self))
    return;
  self->was_refused = FALSE;
  g_ptr_array_set_size (self->members, 0);
  entry_begin (self);
}

static gboolean
is_listed (GPtrArray *servers, const AlsPathServer *server)
{
  for (guint i = 0; i < servers->len; i++)
    {
      const AlsPathServer *other = g_ptr_array_index (servers, i);

      if (other->kind == server->kind && other->port == server->port
          && g_str_equal (other->host, server->host))
        return TRUE;
    }
  return FALSE;
}

void
als_turn_pool_set_servers (AlsTurnPool *self, GPtrArray *servers)
{
  g_autoptr (GPtrArray) copy = copy_servers (servers);

  if (self->is_closed)
    return;
  if (!self->is_started)
    {
      g_clear_pointer (&self->servers, g_ptr_array_unref);
      self->servers = g_steal_pointer (&copy);
      return;
    }
  for (guint i = self->entries->len; i-- > 0;)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (!is_listed (copy, entry->server) && !entry_has_allocation (entry))
        g_ptr_array_remove_index (self->entries, i);
    }
  for (guint i = 0; i < copy->len; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (copy, i);
      Entry *entry = find_entry (self, server);

      if (entry != NULL)
        entry_renew (entry, server);
      else if (self->entries->len < 2 * MAX_SERVERS)
        add_entry (self, server);
    }
  tell_changed (self);
}

/* (element-type AlsStunAddress): of this machine. */
static GArray *
list_addresses (void)
{
  GArray *addresses = g_array_new (FALSE, FALSE, sizeof (AlsStunAddress));
  struct ifaddrs *interfaces = NULL;

  if (getifaddrs (&interfaces) != 0)
    return addresses;
  for (struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next)
    {
      g_autoptr (GSocketAddress) address = NULL;
      AlsStunAddress own;

      if (i->ifa_addr == NULL
          || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
        continue;
      address = g_socket_address_new_from_native (i->ifa_addr,
                                                  i->ifa_addr->sa_family == AF_INET
                                                      ? sizeof (struct sockaddr_in)
                                                      : sizeof (struct sockaddr_in6));
      if (address != NULL && als_stun_address_from_gio (&own, address))
        g_array_append_val (addresses, own);
    }
  freeifaddrs (interfaces);
  return addresses;
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
als_turn_pool_network_changed (AlsTurnPool *self)
{
  g_autoptr (GArray) addresses = list_addresses ();

  if (!self->is_started || self->is_closed)
    return;
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);
      gboolean lost = entry->members->len == 0;

      for (guint j = entry->members->len; j-- > 0;)
        {
          Member *member = g_ptr_array_index (entry->members, j);

          if (!is_here (addresses, als_turn_control_get_local (member->control)))
            {
              g_ptr_array_remove_index (entry->members, j);
              lost = TRUE;
            }
        }
      als_backoff_reset (&entry->backoff);
      if (lost)
        entry_begin (entry);
    }
  tell_changed (self);
}

void
als_turn_pool_close (AlsTurnPool *self)
{
  if (self->is_closed)
    return;
  self->is_closed = TRUE;
  als_source_clear (&self->changed);
  g_ptr_array_set_size (self->entries, 0);
  g_clear_object (&self->holders[0]);
  g_clear_object (&self->holders[1]);
  if (self->local_port != 0)
    release_port (self->local_port);
}

gboolean
als_turn_pool_is_settled (AlsTurnPool *self)
{
  if (!self->is_started)
    return FALSE;
  for (guint i = 0; i < self->entries->len; i++)
    if (!((Entry *) g_ptr_array_index (self->entries, i))->was_settled)
      return FALSE;
  return TRUE;
}

uint16_t
als_turn_pool_get_local_port (AlsTurnPool *self)
{
  return self->local_port;
}

GArray *
als_turn_pool_get_endpoints (AlsTurnPool *self)
{
  g_array_set_size (self->endpoints, 0);
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      for (guint j = 0; j < entry->members->len; j++)
        {
          Member *member = g_ptr_array_index (entry->members, j);
          AlsTcpEndpoint endpoint
              = { *als_turn_control_get_server (member->control),
                  *als_turn_control_get_local (member->control),
                  *als_turn_session_get_endpoint (als_turn_control_get_session (member->control)) };

          if (member_is_straight (member) && !als_turn_control_get_way (member->control)->is_tls
              && endpoint.local.port == self->local_port
              && als_stun_address_is_usable (&endpoint.mapped))
            g_array_append_val (self->endpoints, endpoint);
        }
    }
  return self->endpoints;
}

gboolean
als_turn_pool_uses_proxy (AlsTurnPool *self)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry->members->len > 0 && !entry_has_straight (entry))
        return TRUE;
    }
  return FALSE;
}

/* --- for turn-tcp --- */

GPtrArray *
als_turn_pool_list_allocated (AlsTurnPool *self)
{
  GPtrArray *controls = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      for (guint j = 0; j < entry->members->len; j++)
        {
          Member *member = g_ptr_array_index (entry->members, j);

          if (als_turn_control_is_allocated (member->control))
            g_ptr_array_add (controls, g_object_ref (member->control));
        }
    }
  return controls;
}

const AlsPathServer *
als_turn_pool_find_server (AlsTurnPool *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (find_member (entry, control) != NULL)
        return entry->server;
    }
  return NULL;
}

AlsPathProblem
als_turn_pool_get_problem (AlsTurnPool *self, guint *tries, guint *refusals)
{
  gboolean has_turn = FALSE, is_refused = FALSE, is_allocated = FALSE;

  *tries = 0;
  *refusals = 0;
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry->server->kind == ALS_PATH_SERVER_STUN)
        continue;
      has_turn = TRUE;
      *tries += entry->n_tries;
      *refusals += entry->n_refusals;
      is_refused |= entry->was_refused;
      is_allocated |= entry_has_allocation (entry);
    }
  if (is_allocated || !als_turn_pool_is_settled (self))
    return ALS_PATH_PROBLEM_NONE;
  if (!has_turn)
    return ALS_PATH_PROBLEM_NO_SERVER;
  return is_refused ? ALS_PATH_PROBLEM_SERVER_REFUSED : ALS_PATH_PROBLEM_SERVER_UNREACHABLE;
}

gboolean
als_turn_pool_is_loopback (AlsTurnPool *self)
{
  return self->loopback;
}
