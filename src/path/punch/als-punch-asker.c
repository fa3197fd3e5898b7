/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-asker.h"

#include <string.h>
#include "path/als-path-server.h"
#include "path/punch/als-punch-message.h"
#include "stun/als-stun-message.h"
#include "stun/als-stun-transaction.h"

#define MAX_SERVERS 4
/* Both families of each, and another address. */
#define MAX_QUESTIONS 10
/* Asked at 0, 0.3 and 0.9 s, given up at 1.5 s. */
#define RTO_US (300 * 1000)
#define N_SENDS 3
#define LAST_WAIT 2

typedef struct
{
  AlsStunAddress server;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  AlsStunTransaction timer;
  gboolean is_open;
  AlsStunAddress mapped;   /* NONE: none */
} Question;

struct _AlsPunchAsker
{
  AlsPunchAskerEvents events;
  gpointer user_data;
  gboolean loopback;
  GPtrArray *servers;      /* (element-type AlsPathServer), the path's */
  GCancellable *cancellable;
  guint n_lookups;         /* under way */
  Question questions[MAX_QUESTIONS];
  guint n_questions;
};

/* Whom a lookup that was begun for may have gone by its end. */
typedef struct
{
  AlsPunchAsker *self;
  uint16_t port;
} Lookup;

static void
ask (AlsPunchAsker *self, const AlsStunAddress *server, int64_t now_us)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  Question *question;

  if (self->n_questions == MAX_QUESTIONS || !als_punch_address_is_dialable (server, self->loopback))
    return;
  for (guint i = 0; i < self->n_questions; i++)
    if (als_stun_address_equal (&self->questions[i].server, server))
      return;
  question = &self->questions[self->n_questions++];
  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, NULL);
  *question = (Question){ .server = *server, .is_open = TRUE };
  memcpy (question->transaction, builder.transaction, sizeof question->transaction);
  als_stun_transaction_init_custom (&question->timer, RTO_US, N_SENDS, LAST_WAIT, now_us);
}

static void
send_question (AlsPunchAsker *self, Question *question)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  size_t len;
  const void *data;

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, question->transaction);
  als_stun_builder_add_fingerprint (&builder);
  bytes = als_stun_builder_finish (&builder);
  data = g_bytes_get_data (bytes, &len);
  if (!self->events.send (&question->server, data, len, self->user_data))
    question->is_open = FALSE;
}

/* One address of a server cannot tell how a NAT treats another; that it names strangers instead of itself
 * costs them three packets. */
static void
ask_other_address (AlsPunchAsker *self, const AlsStunMessage *message, const Question *question)
{
  AlsStunAddress other;

  for (guint i = 0; i < self->n_questions; i++)
    if (self->questions[i].server.family == question->server.family
        && !als_stun_address_same_ip (&self->questions[i].server, &question->server))
      return;
  if (als_stun_message_get_address (message, ALS_STUN_OTHER_ADDRESS, &other)
      && als_stun_address_may_name (&question->server, &other)
      && !als_stun_address_same_ip (&other, &question->server))
    ask (self, &other, g_get_monotonic_time ());
}

static void
lookup_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autofree Lookup *lookup = user_data;
  g_autoptr (GError) error = NULL;
  GList *addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (object), result, &error);
  AlsPunchAsker *self = lookup->self;
  gboolean has[3] = { FALSE };

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  self->n_lookups--;
  /* One address of each family. */
  for (GList *l = addresses; l != NULL; l = l->next)
    {
      g_autoptr (GSocketAddress) with_port = g_inet_socket_address_new (l->data, lookup->port);
      AlsStunAddress address;

      if (!als_stun_address_from_gio (&address, with_port) || has[address.family])
        continue;
      has[address.family] = TRUE;
      ask (self, &address, g_get_monotonic_time ());
    }
  g_resolver_free_addresses (addresses);
  self->events.changed (self->user_data);
}

AlsPunchAsker *
als_punch_asker_new (GPtrArray *servers, gboolean loopback, const AlsPunchAskerEvents *events,
                     gpointer user_data)
{
  AlsPunchAsker *self = g_new0 (AlsPunchAsker, 1);

  self->events = *events;
  self->user_data = user_data;
  self->loopback = loopback;
  self->servers = g_ptr_array_ref (servers);
  self->cancellable = g_cancellable_new ();
  return self;
}

void
als_punch_asker_free (AlsPunchAsker *self)
{
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->cancellable);
  g_ptr_array_unref (self->servers);
  g_free (self);
}

void
als_punch_asker_start (AlsPunchAsker *self)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();

  for (guint i = 0; i < MIN (self->servers->len, MAX_SERVERS); i++)
    {
      const AlsPathServer *server = g_ptr_array_index (self->servers, i);
      AlsStunAddress address;
      Lookup *lookup;

      if (server->kind == ALS_PATH_SERVER_TURNS)
        continue;
      if (als_stun_address_parse (&address, server->host, server->port))
        {
          ask (self, &address, g_get_monotonic_time ());
          continue;
        }
      lookup = g_new0 (Lookup, 1);
      lookup->self = self;
      lookup->port = server->port;
      self->n_lookups++;
      g_resolver_lookup_by_name_async (resolver, server->host, self->cancellable, lookup_cb, lookup);
    }
}

gboolean
als_punch_asker_receive (AlsPunchAsker *self, const AlsStunAddress *from, const uint8_t *data,
                         size_t len)
{
  g_autoptr (AlsStunMessage) message = NULL;

  /* The first two bits of STUN are zero (RFC 8489, 5); probes have others. */
  if (len < ALS_STUN_HEADER_BYTES || data[0] > 3)
    return FALSE;
  message = als_stun_message_decode (data, len, NULL);
  if (message == NULL || message->method != ALS_STUN_BINDING)
    return FALSE;
  for (guint i = 0; i < self->n_questions; i++)
    {
      Question *question = &self->questions[i];

      if (!question->is_open || !als_stun_address_equal (&question->server, from)
          || memcmp (question->transaction, message->transaction, sizeof message->transaction) != 0)
        continue;
      question->is_open = FALSE;
      if (message->kind != ALS_STUN_SUCCESS || als_stun_message_find_unknown (message) != 0
          || !als_stun_message_get_mapped (message, &question->mapped))
        memset (&question->mapped, 0, sizeof question->mapped);
      else
        ask_other_address (self, message, question);
      self->events.changed (self->user_data);
      return TRUE;
    }
  return FALSE;
}

void
als_punch_asker_poll (AlsPunchAsker *self, int64_t now_us)
{
  gboolean was_settled = als_punch_asker_is_settled (self);

  for (guint i = 0; i < self->n_questions; i++)
    {
      Question *question = &self->questions[i];

      while (question->is_open)
        {
          AlsStunStep step = als_stun_transaction_poll (&question->timer, now_us);

          if (step == ALS_STUN_STEP_SEND)
            send_question (self, question);
          else if (step == ALS_STUN_STEP_GIVE_UP)
            question->is_open = FALSE;
          else
            break;
        }
    }
  if (!was_settled && als_punch_asker_is_settled (self))
    self->events.changed (self->user_data);
}

int64_t
als_punch_asker_get_deadline (const AlsPunchAsker *self)
{
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < self->n_questions; i++)
    if (self->questions[i].is_open)
      deadline_us = MIN (deadline_us, als_stun_transaction_get_deadline (&self->questions[i].timer));
  return deadline_us;
}

gboolean
als_punch_asker_is_settled (const AlsPunchAsker *self)
{
  for (guint i = 0; i < self->n_questions; i++)
    if (self->questions[i].is_open)
      return FALSE;
  return self->n_lookups == 0;
}

const AlsStunAddress *
als_punch_asker_get_mapped (const AlsPunchAsker *self, guint n)
{
  for (guint i = 0; i < self->n_questions; i++)
    if (self->questions[i].mapped.family != ALS_STUN_FAMILY_NONE && n-- == 0)
      return &self->questions[i].mapped;
  return NULL;
}
