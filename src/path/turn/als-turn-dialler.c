/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Everything asynchronous is an Attempt, which knows its round: what belongs to
 * an earlier one comes to nothing. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-dialler.h"

#include <string.h>

#include "base/als-deadline-source.h"

/* Straight ways have so much of a start. */
#define PROXY_AFTER_US ((int64_t) 250 * 1000)
#define MAX_ADDRESSES 4 /* of a family of a name */
#define MAX_PROXIES 4

typedef enum
{
  PROXY_NONE,    /* not known, or not needed */
  PROXY_WAITING, /* there is one; straight ways first */
  PROXY_DIALLING,
} ProxyState;

struct _AlsTurnDialler
{
  const AlsTurnDiallerEvents *events; /* NULL once dropped: callbacks under way find it so */
  gpointer user_data;
  const AlsTurnDialMeans *means;
  char *host;
  uint16_t port;
  gboolean is_tls;
  guint round;
  GCancellable *cancellable; /* of this round; NULL before the first */
  GSource *lookup_deadline;
  GSource *proxy_timer;
  gboolean is_looking_up;
  gboolean is_asking_proxies;
  guint n_dials;             /* straight ones and redirections */
  GQueue addresses[2];       /* (element-type GSocketAddress): IPv4 and IPv6, not yet dialled */
  ProxyState proxy;
  char **proxies;            /* (nullable) */
  guint next_proxy;
  guint n_tries;
};

/* Something asynchronous under way. */
typedef struct
{
  AlsTurnDialler *dialler; /* a reference */
  guint round;
  AlsTurnWay *way;         /* (nullable): of a dial */
  guint family;            /* index in addresses, or none: a redirection or a proxy */
  guint n_redirects;
  AlsStunFamily relayed;
} Attempt;

static void dial_next (AlsTurnDialler *self, guint family);

/* --- lifecycle --- */

AlsTurnDialler *
als_turn_dialler_new (const AlsPathServer *server, const AlsTurnDialMeans *means,
                      const AlsTurnDiallerEvents *events, gpointer user_data)
{
  AlsTurnDialler *self = g_rc_box_new0 (AlsTurnDialler);

  self->events = events;
  self->user_data = user_data;
  self->means = means;
  self->host = g_strdup (server->host);
  self->port = server->port;
  self->is_tls = server->kind == ALS_PATH_SERVER_TURNS;
  return self;
}

static void
free_contents (gpointer data)
{
  AlsTurnDialler *self = data;

  g_free (self->host);
  g_clear_object (&self->cancellable);
  for (guint i = 0; i < 2; i++)
    g_queue_clear_full (&self->addresses[i], g_object_unref);
  g_strfreev (self->proxies);
}

static void
dialler_unref (AlsTurnDialler *self)
{
  g_rc_box_release_full (self, free_contents);
}

/* What is under way. */
static void
stop (AlsTurnDialler *self)
{
  als_source_clear (&self->lookup_deadline);
  als_source_clear (&self->proxy_timer);
  g_cancellable_cancel (self->cancellable);
}

void
als_turn_dialler_drop (AlsTurnDialler *self)
{
  stop (self);
  self->events = NULL;
  dialler_unref (self);
}

static Attempt *
attempt_new (AlsTurnDialler *dialler)
{
  Attempt *self = g_new0 (Attempt, 1);

  self->dialler = g_rc_box_acquire (dialler);
  self->round = dialler->round;
  return self;
}

static void
attempt_free (Attempt *self)
{
  als_turn_way_free (self->way);
  dialler_unref (self->dialler);
  g_free (self);
}

/* Its round goes on. */
static gboolean
attempt_counts (const Attempt *self)
{
  return self->dialler->events != NULL && self->round == self->dialler->round;
}

/* --- dialling --- */

/* STREAM: (nullable) */
static void
take_dialled (Attempt *attempt, GIOStream *stream)
{
  AlsTurnDialler *self = attempt->dialler;
  AlsTurnDialled how = { attempt->way, attempt->n_redirects, attempt->relayed };

  if (attempt->way->proxy != NULL && attempt->n_redirects == 0)
    self->proxy = stream == NULL && self->proxies[self->next_proxy] != NULL ? PROXY_WAITING
                                                                            : PROXY_NONE;
  else
    self->n_dials--;
  if (stream != NULL)
    self->events->dialled (stream, &how, self->user_data);
  else if (attempt->family < G_N_ELEMENTS (self->addresses))
    dial_next (self, attempt->family);
  self->events->moved (self->user_data);
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
dial (AlsTurnDialler *self, const AlsTurnDialled *how, guint family)
{
  Attempt *attempt = attempt_new (self);
  gboolean is_shared = how->way->proxy == NULL && !how->way->is_tls;

  attempt->way = als_turn_way_copy (how->way);
  attempt->family = family;
  attempt->n_redirects = how->n_redirects;
  attempt->relayed = how->relayed;
  self->n_tries++;
  als_turn_way_dial_async (how->way, is_shared ? self->means->local_port : 0, self->cancellable,
                           dialled_cb, attempt);
}

void
als_turn_dialler_add (AlsTurnDialler *self, const AlsTurnDialled *how)
{
  self->n_dials++;
  dial (self, how, G_MAXUINT);
}

static AlsTurnWay
make_way (AlsTurnDialler *self)
{
  return (AlsTurnWay){ .host = self->host,
                       .port = self->port,
                       .is_tls = self->is_tls,
                       .loopback = self->means->loopback,
                       .trust = self->means->trust };
}

static void
dial_next (AlsTurnDialler *self, guint family)
{
  AlsTurnWay way = make_way (self);
  g_autoptr (GSocketAddress) address = g_queue_pop_head (&self->addresses[family]);

  if (address == NULL)
    return;
  way.address = address;
  self->n_dials++;
  dial (self, &(AlsTurnDialled){ .way = &way }, family);
}

static void
dial_proxy (AlsTurnDialler *self)
{
  AlsTurnWay way = make_way (self);

  als_source_clear (&self->proxy_timer);
  way.loopback = FALSE;
  way.proxy = self->proxies[self->next_proxy++];
  self->proxy = PROXY_DIALLING;
  dial (self, &(AlsTurnDialled){ .way = &way }, G_MAXUINT);
}

/* --- its name --- */

static void
take_addresses (AlsTurnDialler *self, GList *addresses)
{
  for (GList *l = addresses; l != NULL; l = l->next)
    {
      GInetAddress *address = l->data;
      GQueue *queue
          = &self->addresses[g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6];

      if ((self->means->loopback && !g_inet_address_get_is_loopback (address))
          || queue->length == MAX_ADDRESSES)
        continue;
      g_queue_push_tail (queue, g_inet_socket_address_new (address, self->port));
    }
  for (guint i = 0; i < 2; i++)
    dial_next (self, i);
}

static void
looked_up_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  AlsTurnDialler *self = attempt->dialler;
  g_autoptr (GError) error = NULL;
  GList *addresses
      = g_resolver_lookup_by_name_finish (G_RESOLVER (object), result, &error);

  if (attempt_counts (attempt) && self->is_looking_up)
    {
      self->is_looking_up = FALSE;
      if (error != NULL)
        g_debug ("turn pool: %s: %s", self->host, error->message);
      take_addresses (self, addresses);
      self->events->moved (self->user_data);
    }
  g_resolver_free_addresses (addresses);
  attempt_free (attempt);
}

static gboolean
lookup_deadline_cb (gpointer user_data)
{
  AlsTurnDialler *self = user_data;

  g_debug ("turn pool: %s: its name or the proxies are not found in time", self->host);
  self->is_looking_up = FALSE;
  self->is_asking_proxies = FALSE;
  als_source_clear (&self->lookup_deadline);
  self->events->moved (self->user_data);
  return G_SOURCE_REMOVE;
}

/* --- proxies --- */

static gboolean
proxy_timer_cb (gpointer user_data)
{
  AlsTurnDialler *self = user_data;

  if (self->proxy == PROXY_WAITING)
    dial_proxy (self);
  return G_SOURCE_CONTINUE;
}

/* A proxy for us is one that is named before "direct". */
static void
take_proxies (AlsTurnDialler *self, char **proxies)
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
  self->proxy_timer = als_deadline_source_new (self->means->context, "als-turn-proxy",
                                               proxy_timer_cb, self);
  als_deadline_source_set (self->proxy_timer, g_get_monotonic_time () + PROXY_AFTER_US);
}

static void
proxies_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  AlsTurnDialler *self = attempt->dialler;
  g_auto (GStrv) proxies
      = g_proxy_resolver_lookup_finish (G_PROXY_RESOLVER (object), result, NULL);

  if (attempt_counts (attempt) && self->is_asking_proxies)
    {
      self->is_asking_proxies = FALSE;
      take_proxies (self, proxies);
      self->events->moved (self->user_data);
    }
  attempt_free (attempt);
}

static void
ask_proxies (AlsTurnDialler *self)
{
  g_autofree char *host = strchr (self->host, ':') != NULL ? g_strdup_printf ("[%s]", self->host)
                                                           : g_strdup (self->host);
  /* What a browser would do for the same end: a CONNECT, a SOCKS, or nothing. */
  g_autofree char *uri = g_strdup_printf ("https://%s:%u/", host, self->port);

  self->is_asking_proxies = TRUE;
  g_proxy_resolver_lookup_async (self->means->proxies, uri, self->cancellable, proxies_cb,
                                 attempt_new (self));
}

/* --- rounds --- */

void
als_turn_dialler_begin (AlsTurnDialler *self)
{
  g_autoptr (GInetAddress) literal = g_inet_address_new_from_string (self->host);

  stop (self);
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  self->round++;
  self->n_dials = 0;
  self->proxy = PROXY_NONE;
  for (guint i = 0; i < 2; i++)
    g_queue_clear_full (&self->addresses[i], g_object_unref);
  self->lookup_deadline = als_deadline_source_new (self->means->context, "als-turn-lookup",
                                                   lookup_deadline_cb, self);
  als_deadline_source_set (self->lookup_deadline, g_get_monotonic_time () + ALS_TURN_WAIT_US);
  ask_proxies (self);
  self->is_looking_up = literal == NULL;
  if (literal != NULL)
    take_addresses (self, &(GList){ .data = literal });
  else
    {
      g_autoptr (GResolver) resolver = g_resolver_get_default ();

      g_resolver_lookup_by_name_async (resolver, self->host, self->cancellable, looked_up_cb,
                                       attempt_new (self));
    }
}

void
als_turn_dialler_go_on (AlsTurnDialler *self, gboolean has_straight)
{
  if (!self->is_looking_up && !self->is_asking_proxies)
    als_source_clear (&self->lookup_deadline);
  if (self->proxy == PROXY_WAITING && has_straight)
    self->proxy = PROXY_NONE;
  if (self->proxy == PROXY_WAITING && !self->is_looking_up && self->n_dials == 0)
    dial_proxy (self);
}

gboolean
als_turn_dialler_is_busy (const AlsTurnDialler *self)
{
  return self->is_looking_up || self->is_asking_proxies || self->n_dials > 0
         || self->proxy != PROXY_NONE;
}

guint
als_turn_dialler_get_tries (const AlsTurnDialler *self)
{
  return self->n_tries;
}
