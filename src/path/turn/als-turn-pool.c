/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The pool has the port and the list; each server is an AlsTurnEntry. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-pool-controls.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include "base/als-deadline-source.h"
#include "path/turn/als-turn-entry.h"
#include "path/turn/als-turn-port.h"

#define MAX_SERVERS 16

struct _AlsTurnPool
{
  GObject parent_instance;

  GPtrArray *servers;        /* (element-type AlsPathServer): until start */
  gboolean is_started;
  gboolean is_closed;
  uint16_t wanted_port;
  AlsTurnPort *port;         /* (nullable): from start to close */
  AlsTurnDialMeans means;    /* its objects are ours */
  GPtrArray *entries;        /* (element-type AlsTurnEntry) */
  GArray *endpoints;         /* (element-type AlsTcpEndpoint) */
  GSource *changed;
};

G_DEFINE_FINAL_TYPE (AlsTurnPool, als_turn_pool, G_TYPE_OBJECT)

enum
{
  CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* --- changed --- */

static gboolean
changed_cb (gpointer user_data)
{
  g_autoptr (AlsTurnPool) self = g_object_ref (user_data);

  g_signal_emit (self, signals[CHANGED], 0);
  return G_SOURCE_CONTINUE;
}

static void
tell_changed (gpointer user_data)
{
  AlsTurnPool *self = user_data;

  if (self->changed != NULL)
    als_deadline_source_set (self->changed, 0);
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
  g_clear_object (&self->means.proxies);
  g_clear_object (&self->means.trust);
  g_main_context_unref (self->means.context);
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
  self->means.context = g_main_context_ref_thread_default ();
  self->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) als_turn_entry_free);
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
  self->means.loopback = config->loopback;
  self->means.proxies = g_object_ref (config->proxies != NULL ? config->proxies
                                                              : g_proxy_resolver_get_default ());
  g_set_object (&self->means.trust, config->trust);
  return self;
}

static AlsTurnEntry *
get_entry (AlsTurnPool *self, guint i)
{
  return g_ptr_array_index (self->entries, i);
}

/* Whatever the login. */
static gboolean
is_same_server (const AlsPathServer *a, const AlsPathServer *b)
{
  return a->kind == b->kind && a->port == b->port && g_str_equal (a->host, b->host);
}

static AlsTurnEntry *
find_entry (AlsTurnPool *self, const AlsPathServer *server)
{
  for (guint i = 0; i < self->entries->len; i++)
    if (is_same_server (als_turn_entry_get_server (get_entry (self, i)), server))
      return get_entry (self, i);
  return NULL;
}

static void
add_entry (AlsTurnPool *self, const AlsPathServer *server)
{
  if (find_entry (self, server) == NULL)
    g_ptr_array_add (self->entries, als_turn_entry_new (server, &self->means, tell_changed, self));
}

void
als_turn_pool_start (AlsTurnPool *self)
{
  g_autoptr (GPtrArray) servers = g_steal_pointer (&self->servers);

  g_return_if_fail (!self->is_started);
  if (self->is_closed)
    return;
  self->is_started = TRUE;
  self->changed = als_deadline_source_new (self->means.context, "als-turn-changed", changed_cb, self);
  self->port = als_turn_port_take (self->wanted_port, self->means.loopback);
  if (self->port != NULL)
    self->means.local_port = als_turn_port_get_number (self->port);
  else
    g_warning ("no local TCP port can be had");
  for (guint i = 0; i < servers->len; i++)
    add_entry (self, g_ptr_array_index (servers, i));
  tell_changed (self);
}

static gboolean
is_listed (GPtrArray *servers, const AlsPathServer *server)
{
  for (guint i = 0; i < servers->len; i++)
    if (is_same_server (g_ptr_array_index (servers, i), server))
      return TRUE;
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
      AlsTurnEntry *entry = get_entry (self, i);

      if (!is_listed (copy, als_turn_entry_get_server (entry))
          && !als_turn_entry_has_allocation (entry))
        g_ptr_array_remove_index (self->entries, i);
    }
  for (guint i = 0; i < copy->len; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (copy, i);
      AlsTurnEntry *entry = find_entry (self, server);

      if (entry != NULL)
        als_turn_entry_renew (entry, server);
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

void
als_turn_pool_network_changed (AlsTurnPool *self)
{
  g_autoptr (GArray) addresses = list_addresses ();

  if (!self->is_started || self->is_closed)
    return;
  for (guint i = 0; i < self->entries->len; i++)
    als_turn_entry_network_changed (get_entry (self, i), addresses);
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
  g_clear_pointer (&self->port, als_turn_port_release);
}

gboolean
als_turn_pool_is_settled (AlsTurnPool *self)
{
  if (!self->is_started)
    return FALSE;
  for (guint i = 0; i < self->entries->len; i++)
    if (!als_turn_entry_is_settled (get_entry (self, i)))
      return FALSE;
  return TRUE;
}

uint16_t
als_turn_pool_get_local_port (AlsTurnPool *self)
{
  return self->means.local_port;
}

GArray *
als_turn_pool_get_endpoints (AlsTurnPool *self)
{
  g_array_set_size (self->endpoints, 0);
  for (guint i = 0; i < self->entries->len; i++)
    als_turn_entry_list_endpoints (get_entry (self, i), self->endpoints);
  return self->endpoints;
}

gboolean
als_turn_pool_uses_proxy (AlsTurnPool *self)
{
  for (guint i = 0; i < self->entries->len; i++)
    if (als_turn_entry_needs_proxy (get_entry (self, i)))
      return TRUE;
  return FALSE;
}

/* --- for turn-tcp --- */

GPtrArray *
als_turn_pool_list_allocated (AlsTurnPool *self)
{
  GPtrArray *controls = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->entries->len; i++)
    als_turn_entry_list_allocated (get_entry (self, i), controls);
  return controls;
}

const AlsPathServer *
als_turn_pool_find_server (AlsTurnPool *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->entries->len; i++)
    if (als_turn_entry_has_control (get_entry (self, i), control))
      return als_turn_entry_get_server (get_entry (self, i));
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
      AlsTurnEntry *entry = get_entry (self, i);

      if (als_turn_entry_get_server (entry)->kind == ALS_PATH_SERVER_STUN)
        continue;
      has_turn = TRUE;
      *tries += als_turn_entry_get_tries (entry);
      *refusals += als_turn_entry_get_refusals (entry);
      is_refused |= als_turn_entry_was_refused (entry);
      is_allocated |= als_turn_entry_has_allocation (entry);
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
  return self->means.loopback;
}
