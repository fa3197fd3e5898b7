/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-sntp.h"

#include <errno.h>
#include <sys/random.h>
#include "base/als-deadline-source.h"
#include "signal/als-sntp-message.h"

#define LIMIT_US (3 * G_USEC_PER_SEC)
/* From then on one answer is enough. */
#define ENOUGH_US (900 * 1000)
#define N_SAMPLES 3
#define SAMPLE_INTERVAL_US (250 * 1000)
/* Datagrams read at one wake-up; the rest at the next. */
#define MAX_READS 16

typedef struct _Query Query;

typedef struct
{
  Query *query;
  GSocket *socket;            /* NULL: its name is being looked up, or it is done */
  GSource *source;
  gboolean is_done;
  guint n_asked;
  int64_t next_us;            /* the next question */
  uint64_t cookies[N_SAMPLES];
  int64_t sent_us[N_SAMPLES];
  gboolean is_answered[N_SAMPLES];
  guint n_answered;
  AlsSntpSample best;
  gboolean has_best;
} Server;

struct _Query
{
  GTask *task;                /* NULL once it is over; lookups may hold the query longer */
  int64_t began_us;
  GSource *timer;
  GSource *cancelled;
  GCancellable *lookups;
  Server servers[ALS_SNTP_MAX_SERVERS];
  guint n_servers;
};

AlsSntpTime
als_sntp_unchecked (void)
{
  return (AlsSntpTime) { .offset_us = g_get_real_time () - g_get_monotonic_time () };
}

int64_t
als_sntp_next_mark (const AlsSntpTime *time, int64_t now_us, int64_t step_us)
{
  int64_t utc_us = now_us + time->offset_us;
  int64_t late_us = utc_us % step_us;

  return late_us == 0 ? now_us : now_us + step_us - late_us;
}

static void
server_close (Server *server)
{
  als_source_clear (&server->source);
  g_clear_object (&server->socket);
  server->is_done = TRUE;
}

static void
query_clear (gpointer data)
{
  Query *query = data;

  g_clear_object (&query->lookups);
}

static void
query_unref (Query *query)
{
  g_rc_box_release_full (query, query_clear);
}

/* Whatever is known by now; CANCELLED: nothing. */
static void
finish (Query *query, gboolean cancelled)
{
  g_autoptr (GTask) task = g_steal_pointer (&query->task);
  AlsSntpSample samples[ALS_SNTP_MAX_SERVERS], chosen;
  guint n = 0;
  AlsSntpTime *time;

  if (task == NULL)
    return;
  als_source_clear (&query->timer);
  als_source_clear (&query->cancelled);
  g_cancellable_cancel (query->lookups);
  for (guint i = 0; i < query->n_servers; i++)
    {
      if (query->servers[i].has_best)
        samples[n++] = query->servers[i].best;
      server_close (&query->servers[i]);
    }
  if (cancelled)
    {
      g_task_return_error_if_cancelled (task);
      query_unref (query);
      return;
    }
  time = g_new (AlsSntpTime, 1);
  *time = als_sntp_unchecked ();
  if (als_sntp_choose (samples, n, &chosen))
    *time = (AlsSntpTime) { TRUE, chosen.offset_us, chosen.delay_us };
  g_debug ("%u of %u time servers answered", n, query->n_servers);
  query_unref (query);
  g_task_return_pointer (task, time, g_free);
}

/* The next question, or the end. */
static void
update (Query *query)
{
  int64_t now_us = g_get_monotonic_time ();
  int64_t deadline_us = query->began_us + LIMIT_US;
  gboolean all_done = TRUE, any_good = FALSE;

  for (guint i = 0; i < query->n_servers; i++)
    {
      Server *server = &query->servers[i];

      all_done &= server->is_done;
      any_good |= server->has_best;
      if (server->socket != NULL && server->n_asked < N_SAMPLES)
        deadline_us = MIN (deadline_us, server->next_us);
    }
  if (any_good)
    deadline_us = MIN (deadline_us, query->began_us + ENOUGH_US);
  if (all_done || now_us >= query->began_us + LIMIT_US
      || (any_good && now_us >= query->began_us + ENOUGH_US))
    finish (query, FALSE);
  else
    als_deadline_source_set (query->timer, deadline_us);
}

static void
ask (Server *server, int64_t now_us)
{
  uint8_t request[ALS_SNTP_MESSAGE_BYTES];
  uint64_t *cookie = &server->cookies[server->n_asked];

  if (getrandom (cookie, sizeof *cookie, 0) != sizeof *cookie)
    g_error ("no random numbers: %s", g_strerror (errno));
  als_sntp_make_request (*cookie, request);
  server->sent_us[server->n_asked++] = now_us;
  server->next_us = now_us + SAMPLE_INTERVAL_US;
  /* What does not leave is like what gets lost. */
  g_socket_send (server->socket, (const char *) request, sizeof request, NULL, NULL);
}

static gboolean
timer_cb (gpointer user_data)
{
  Query *query = user_data;
  int64_t now_us = g_get_monotonic_time ();

  for (guint i = 0; i < query->n_servers; i++)
    {
      Server *server = &query->servers[i];

      if (server->socket != NULL && server->n_asked < N_SAMPLES && now_us >= server->next_us)
        ask (server, now_us);
    }
  update (query);
  return G_SOURCE_CONTINUE;
}

static void
hear (Server *server, const uint8_t *data, size_t len, int64_t now_us)
{
  for (guint i = 0; i < server->n_asked; i++)
    {
      AlsSntpSample sample;

      if (server->is_answered[i])
        continue;
      switch (als_sntp_read_response (data, len, server->cookies[i], server->sent_us[i], now_us,
                                      &sample))
        {
        case ALS_SNTP_NOT_OURS:
          continue;
        case ALS_SNTP_KISS:
        case ALS_SNTP_UNSYNCHRONISED:
          server_close (server);
          return;
        case ALS_SNTP_GOOD:
          break;
        }
      server->is_answered[i] = TRUE;
      if (!server->has_best || sample.delay_us < server->best.delay_us)
        server->best = sample;
      server->has_best = TRUE;
      if (++server->n_answered == N_SAMPLES)
        server_close (server);
      return;
    }
}

static gboolean
readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Server *server = user_data;
  g_autoptr (GSocket) keep = g_object_ref (socket);

  for (guint i = 0; i < MAX_READS && server->socket != NULL; i++)
    {
      uint8_t data[ALS_SNTP_MAX_MESSAGE_BYTES + 1];
      g_autoptr (GError) error = NULL;
      gssize len = g_socket_receive (socket, (char *) data, sizeof data, NULL, &error);

      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        break;
      /* Nobody is there: told by ICMP. */
      if (len < 0)
        server_close (server);
      else
        hear (server, data, (size_t) len, g_get_monotonic_time ());
    }
  update (server->query);
  return G_SOURCE_CONTINUE;
}

static void
start_server (Server *server, GSocketAddress *address)
{
  g_autoptr (GSocket) socket = g_socket_new (g_socket_address_get_family (address),
                                             G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);

  if (socket == NULL)
    {
      server->is_done = TRUE;
      return;
    }
  g_socket_set_blocking (socket, FALSE);
  /* Connected: others' datagrams do not come in, and refusals do. */
  if (!g_socket_connect (socket, address, NULL, NULL))
    {
      server->is_done = TRUE;
      return;
    }
  server->socket = g_steal_pointer (&socket);
  server->source = g_socket_create_source (server->socket, G_IO_IN, NULL);
  g_source_set_static_name (server->source, "als-sntp");
  g_source_set_callback (server->source, G_SOURCE_FUNC (readable_cb), server, NULL);
  g_source_attach (server->source, g_main_context_get_thread_default ());
  ask (server, g_get_monotonic_time ());
}

static void
looked_up_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Server *server = user_data;
  Query *query = server->query;
  g_autoptr (GSocketAddress) address
    = g_socket_address_enumerator_next_finish (G_SOCKET_ADDRESS_ENUMERATOR (object), result, NULL);

  if (query->task != NULL)
    {
      if (address != NULL)
        start_server (server, address);
      else
        server->is_done = TRUE;
      update (query);
    }
  query_unref (query);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  finish (user_data, TRUE);
  return G_SOURCE_REMOVE;
}

void
als_sntp_ask_async (const char *const *servers, GCancellable *cancellable,
                    GAsyncReadyCallback callback, gpointer user_data)
{
  Query *query = g_rc_box_new0 (Query);

  query->task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (query->task, als_sntp_ask_async);
  query->began_us = g_get_monotonic_time ();
  query->lookups = g_cancellable_new ();
  query->timer = als_deadline_source_new (g_main_context_get_thread_default (), "als-sntp-timer",
                                          timer_cb, query);
  if (cancellable != NULL)
    {
      query->cancelled = g_cancellable_source_new (cancellable);
      g_source_set_callback (query->cancelled, G_SOURCE_FUNC (cancelled_cb), query, NULL);
      g_source_attach (query->cancelled, g_main_context_get_thread_default ());
    }
  for (guint i = 0; servers != NULL && servers[i] != NULL && i < ALS_SNTP_MAX_SERVERS; i++)
    {
      g_autoptr (GSocketConnectable) where
        = g_network_address_parse (servers[i], ALS_SNTP_PORT, NULL);
      g_autoptr (GSocketAddressEnumerator) addresses = NULL;
      Server *server = &query->servers[query->n_servers];

      if (where == NULL)
        continue;
      query->n_servers++;
      server->query = query;
      addresses = g_socket_connectable_enumerate (where);
      g_rc_box_acquire (query);
      g_socket_address_enumerator_next_async (addresses, query->lookups, looked_up_cb, server);
    }
  /* At the next turn of the loop if nobody is to be asked. */
  als_deadline_source_set (query->timer, query->n_servers == 0 ? 0 : query->began_us + LIMIT_US);
}

gboolean
als_sntp_ask_finish (GAsyncResult *result, AlsSntpTime *time, GError **error)
{
  g_autofree AlsSntpTime *known = g_task_propagate_pointer (G_TASK (result), error);

  if (known == NULL)
    return FALSE;
  *time = *known;
  return TRUE;
}
