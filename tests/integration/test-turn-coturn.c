/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The TURN machines and NAT discovery against a real coturn on loopback. */

#include "stun/als-nat-discovery.h"
#include "stun/als-turn-data.h"

#include <gio/gio.h>
#include <string.h>

#include "als-turn-server.h"

#define WAIT_US ((int64_t) 20 * G_USEC_PER_SEC)
#define SECOND_US ((int64_t) G_USEC_PER_SEC)

typedef struct
{
  GSocket *socket;
  AlsTurnSession *session;
} Control;

typedef struct
{
  GSocket *socket;
  AlsTurnData *data;
} Relayed;

/* --- the server --- */

static GSocket *
try_connect (uint16_t port)
{
  GSocket *socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);

  if (g_socket_connect (socket, address, NULL, NULL))
    {
      g_socket_set_blocking (socket, FALSE);
      return socket;
    }
  g_object_unref (socket);
  return NULL;
}

static void
server_init (AlsTurnServer *self)
{
  g_autofree char *options
      = g_strdup_printf ("listening-ip=127.0.0.2\nalt-listening-port=%u\n"
                         "denied-peer-ip=192.0.2.0-192.0.2.255\nuser-quota=2\n",
                         als_turn_server_find_port ());

  als_turn_server_init (self, options);
}

/* LIFE_S: negative ones have expired. SECRET: NULL: the right one. */
static AlsTurnSession *
make_session (const char *name, int life_s, const char *secret)
{
  g_autofree char *username = NULL;
  g_autofree char *password = NULL;

  als_turn_server_make_login (name, life_s, secret, &username, &password);
  return als_turn_session_new (username, password, ALS_STUN_FAMILY_NONE);
}

/* --- the performers --- */

static void
wait_readable (GSocket *socket)
{
  g_autoptr (GError) error = NULL;

  g_socket_condition_timed_wait (socket, G_IO_IN, WAIT_US, NULL, &error);
  g_assert_no_error (error);
}

static void
write_all (GSocket *socket, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;

  /* Small ones on a fresh socket: they go at once. */
  g_assert_cmpint (g_socket_send (socket, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                  NULL, &error), ==, g_bytes_get_size (bytes));
  g_assert_no_error (error);
}

static void
control_flush (Control *self)
{
  GBytes *bytes;

  while ((bytes = als_turn_session_take_output (self->session)) != NULL)
    {
      write_all (self->socket, bytes);
      g_bytes_unref (bytes);
    }
}

static void
control_read (Control *self)
{
  char buffer[4096];
  gssize len;

  wait_readable (self->socket);
  len = g_socket_receive (self->socket, buffer, sizeof buffer, NULL, NULL);
  if (len > 0)
    als_turn_session_feed (self->session, (const uint8_t *) buffer, (size_t) len,
                           g_get_monotonic_time ());
  else
    als_turn_session_close (self->session);
}

static AlsTurnEvent *
control_expect (Control *self, AlsTurnEventType type)
{
  for (;;)
    {
      AlsTurnEvent *event = als_turn_session_take_event (self->session);

      if (event != NULL)
        {
          if (event->type != type)
            g_error ("event %d instead of %d: %s", event->type, type,
                     event->error != NULL ? event->error->message : "no error");
          return event;
        }
      control_flush (self);
      control_read (self);
    }
}

static void
control_expect_plain (Control *self, AlsTurnEventType type)
{
  als_turn_event_free (control_expect (self, type));
}

static void
control_expect_error (Control *self, AlsTurnEventType type, AlsTurnError code)
{
  g_autoptr (AlsTurnEvent) event = control_expect (self, type);

  g_assert_error (event->error, ALS_TURN_ERROR, (int) code);
}

static void
control_init (Control *self, const AlsTurnServer *server, AlsTurnSession *session)
{
  self->socket = try_connect (server->port);
  g_assert_nonnull (self->socket);
  self->session = session;
  als_turn_session_start (session, g_get_monotonic_time ());
}

static void
control_clear (Control *self)
{
  als_turn_session_free (self->session);
  g_object_unref (self->socket);
}

static void
control_allocate (Control *self, const AlsTurnServer *server, const char *name)
{
  control_init (self, server, make_session (name, 600, NULL));
  control_expect_plain (self, ALS_TURN_EVENT_ALLOCATED);
}

static void
control_permit (Control *self, const Control *other)
{
  g_assert_true (als_turn_session_permit (self->session,
                                          als_turn_session_get_relayed (other->session),
                                          g_get_monotonic_time ()));
  control_expect_plain (self, ALS_TURN_EVENT_PERMITTED);
}

static void
assert_own_endpoint (const Control *self)
{
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (self->socket, NULL);
  AlsStunAddress address;

  g_assert_true (als_stun_address_from_gio (&address, local));
  g_assert_true (als_stun_address_equal (&address, als_turn_session_get_endpoint (self->session)));
}

static void
relayed_init (Relayed *self, const AlsTurnServer *server, const Control *control,
              const AlsTurnEvent *event)
{
  self->socket = try_connect (server->port);
  g_assert_nonnull (self->socket);
  self->data = als_turn_data_new (als_turn_session_get_auth (control->session),
                                  event->connection_id, event->bind_by_us);
  als_turn_data_start (self->data, g_get_monotonic_time ());
}

static void
relayed_bind (Relayed *self)
{
  while (als_turn_data_get_state (self->data) == ALS_TURN_DATA_BINDING)
    {
      g_autoptr (GBytes) bytes = als_turn_data_take_output (self->data);
      char buffer[4096];
      gssize len;

      if (bytes != NULL)
        write_all (self->socket, bytes);
      wait_readable (self->socket);
      len = g_socket_receive (self->socket, buffer, sizeof buffer, NULL, NULL);
      g_assert_cmpint (len, >, 0);
      als_turn_data_feed (self->data, (const uint8_t *) buffer, (size_t) len,
                          g_get_monotonic_time ());
    }
  g_assert_no_error (als_turn_data_get_error (self->data));
  g_assert_cmpint (als_turn_data_get_state (self->data), ==, ALS_TURN_DATA_BOUND);
}

static void
relayed_clear (Relayed *self)
{
  als_turn_data_free (self->data);
  g_object_unref (self->socket);
}

static void
relayed_say (Relayed *from, Relayed *to, const char *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  g_autoptr (GBytes) rest = als_turn_data_take_rest (to->data);
  g_autoptr (GByteArray) got = g_byte_array_new ();

  if (rest != NULL)
    g_byte_array_append (got, g_bytes_get_data (rest, NULL), (guint) g_bytes_get_size (rest));
  write_all (from->socket, bytes);
  while (got->len < strlen (text))
    {
      char buffer[4096];
      gssize len;

      wait_readable (to->socket);
      len = g_socket_receive (to->socket, buffer, sizeof buffer, NULL, NULL);
      g_assert_cmpint (len, >, 0);
      g_byte_array_append (got, (const guint8 *) buffer, (guint) len);
    }
  g_assert_cmpmem (got->data, got->len, text, strlen (text));
}

/* Both connections of one relayed connection from A's allocation to B's. */
static void
join (const AlsTurnServer *server, Control *a, Control *b, Relayed *relayed_a, Relayed *relayed_b)
{
  g_autoptr (AlsTurnEvent) ours = NULL;
  g_autoptr (AlsTurnEvent) theirs = NULL;

  control_permit (a, b);
  control_permit (b, a);
  g_assert_true (als_turn_session_connect (a->session, als_turn_session_get_relayed (b->session),
                                           g_get_monotonic_time ()));
  control_flush (a);
  theirs = control_expect (b, ALS_TURN_EVENT_CONNECTION);
  ours = control_expect (a, ALS_TURN_EVENT_CONNECTION);
  g_assert_true (theirs->is_incoming);
  g_assert_false (ours->is_incoming);
  g_assert_true (als_stun_address_equal (&ours->peer, als_turn_session_get_relayed (b->session)));
  relayed_init (relayed_a, server, a, ours);
  relayed_bind (relayed_a);
  relayed_init (relayed_b, server, b, theirs);
  relayed_bind (relayed_b);
}

/* --- the tests; all share a server but the one that kills it --- */

static void
test_allocate (gconstpointer user_data)
{
  const AlsTurnServer *server = user_data;
  Control control;
  int64_t refresh_us;

  control_allocate (&control, server, "alice");
  assert_own_endpoint (&control);
  refresh_us = als_turn_session_get_deadline (control.session);
  g_assert_cmpint (refresh_us - g_get_monotonic_time (), >, 530 * SECOND_US);
  als_turn_session_poll (control.session, refresh_us);
  control_flush (&control);
  /* The answer plans the next one. */
  while (als_turn_session_get_deadline (control.session) < g_get_monotonic_time () + 530 * SECOND_US
         || als_turn_session_get_deadline (control.session) == INT64_MAX
         || als_turn_session_get_deadline (control.session) == refresh_us + 39500 * 1000)
    control_read (&control);
  g_assert_cmpint (als_turn_session_get_state (control.session), ==, ALS_TURN_STATE_ALLOCATED);
  g_assert_null (als_turn_session_take_event (control.session));
  als_turn_session_leave (control.session, g_get_monotonic_time ());
  control_expect_plain (&control, ALS_TURN_EVENT_LEFT);
  control_clear (&control);
}

static void
test_wrong_password (gconstpointer user_data)
{
  Control control;

  control_init (&control, user_data, make_session ("bob", 600, "guess"));
  control_expect_error (&control, ALS_TURN_EVENT_REFUSED, ALS_TURN_ERROR_WRONG_CREDENTIALS);
  control_expect_plain (&control, ALS_TURN_EVENT_ENDPOINT);
  assert_own_endpoint (&control);
  control_clear (&control);
}

static void
test_expired (gconstpointer user_data)
{
  Control control;

  control_init (&control, user_data, make_session ("carol", -60, NULL));
  control_expect_error (&control, ALS_TURN_EVENT_REFUSED, ALS_TURN_ERROR_WRONG_CREDENTIALS);
  control_expect_plain (&control, ALS_TURN_EVENT_ENDPOINT);
  control_clear (&control);
}

static void
test_quota (gconstpointer user_data)
{
  const AlsTurnServer *server = user_data;
  int64_t end_us = g_get_monotonic_time () + WAIT_US;
  Control controls[3];
  gboolean has_room = FALSE;

  control_allocate (&controls[0], server, "dave");
  control_allocate (&controls[1], server, "dave");
  control_init (&controls[2], server, make_session ("dave", 600, NULL));
  control_expect_error (&controls[2], ALS_TURN_EVENT_REFUSED, ALS_TURN_ERROR_QUOTA);
  control_expect_plain (&controls[2], ALS_TURN_EVENT_ENDPOINT);
  assert_own_endpoint (&controls[2]);
  als_turn_session_leave (controls[0].session, g_get_monotonic_time ());
  control_expect_plain (&controls[0], ALS_TURN_EVENT_LEFT);
  for (guint i = 0; i < G_N_ELEMENTS (controls); i++)
    control_clear (&controls[i]);
  /* coturn counts an allocation until it has seen its connection end. */
  while (!has_room)
    {
      Control again;
      AlsTurnEvent *event;

      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      control_init (&again, server, make_session ("dave", 600, NULL));
      while ((event = als_turn_session_take_event (again.session)) == NULL)
        {
          control_flush (&again);
          control_read (&again);
        }
      has_room = event->type == ALS_TURN_EVENT_ALLOCATED;
      als_turn_event_free (event);
      control_clear (&again);
    }
}

static void
test_forbidden (gconstpointer user_data)
{
  Control control;
  AlsStunAddress peer;

  control_allocate (&control, user_data, "erin");
  g_assert_true (als_stun_address_parse (&peer, "192.0.2.5", 80));
  g_assert_true (als_turn_session_permit (control.session, &peer, g_get_monotonic_time ()));
  control_expect_error (&control, ALS_TURN_EVENT_PERMISSION_REFUSED, ALS_TURN_ERROR_FORBIDDEN);
  control_clear (&control);
}

static void
test_unreachable (gconstpointer user_data)
{
  Control control;
  AlsStunAddress peer;

  control_allocate (&control, user_data, "frank");
  g_assert_true (als_stun_address_parse (&peer, "127.0.0.1", als_turn_server_find_port ()));
  g_assert_true (als_turn_session_connect (control.session, &peer, g_get_monotonic_time ()));
  control_expect_error (&control, ALS_TURN_EVENT_CONNECT_REFUSED, ALS_TURN_ERROR_PEER_UNREACHABLE);
  control_clear (&control);
}

static void
test_relay (gconstpointer user_data)
{
  const AlsTurnServer *server = user_data;
  Control a, b;
  Relayed relayed_a, relayed_b;

  control_allocate (&a, server, "grace");
  control_allocate (&b, server, "heidi");
  join (server, &a, &b, &relayed_a, &relayed_b);
  relayed_say (&relayed_a, &relayed_b, "from the one that connected");
  relayed_say (&relayed_b, &relayed_a, "and back");
  relayed_say (&relayed_a, &relayed_b, "and again");
  /* One connection of a pair is all there can be. */
  g_assert_true (als_turn_session_connect (a.session, als_turn_session_get_relayed (b.session),
                                           g_get_monotonic_time ()));
  control_expect_error (&a, ALS_TURN_EVENT_CONNECT_REFUSED, ALS_TURN_ERROR_CONNECTION_EXISTS);
  relayed_clear (&relayed_a);
  relayed_clear (&relayed_b);
  control_clear (&a);
  control_clear (&b);
}

static void
test_unknown_connection (gconstpointer user_data)
{
  const AlsTurnServer *server = user_data;
  Control control;
  Relayed relayed;
  AlsTurnEvent event = { .connection_id = 0x12345678,
                         .bind_by_us = g_get_monotonic_time () + WAIT_US };

  control_allocate (&control, server, "ivan");
  relayed_init (&relayed, server, &control, &event);
  while (als_turn_data_get_state (relayed.data) == ALS_TURN_DATA_BINDING)
    {
      g_autoptr (GBytes) bytes = als_turn_data_take_output (relayed.data);
      char buffer[4096];
      gssize len;

      if (bytes != NULL)
        write_all (relayed.socket, bytes);
      wait_readable (relayed.socket);
      len = g_socket_receive (relayed.socket, buffer, sizeof buffer, NULL, NULL);
      if (len > 0)
        als_turn_data_feed (relayed.data, (const uint8_t *) buffer, (size_t) len,
                            g_get_monotonic_time ());
      else
        als_turn_data_close (relayed.data);
    }
  g_assert_cmpint (als_turn_data_get_state (relayed.data), ==, ALS_TURN_DATA_FAILED);
  g_assert_nonnull (als_turn_data_get_error (relayed.data));
  relayed_clear (&relayed);
  control_clear (&control);
}

static void
test_killed (void)
{
  AlsTurnServer server;
  Control a, b;
  Relayed relayed_a, relayed_b;

  server_init (&server);
  control_allocate (&a, &server, "judy");
  control_allocate (&b, &server, "mallory");
  join (&server, &a, &b, &relayed_a, &relayed_b);
  relayed_say (&relayed_a, &relayed_b, "still here");
  g_subprocess_force_exit (server.process);
  control_expect_error (&a, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_CLOSED);
  control_expect_error (&b, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_CLOSED);
  relayed_clear (&relayed_a);
  relayed_clear (&relayed_b);
  control_clear (&a);
  control_clear (&b);
  als_turn_server_clear (&server);
}

static void
test_discovery (gconstpointer user_data)
{
  const AlsTurnServer *server = user_data;
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (AlsNatDiscovery) discovery = NULL;
  const AlsNatBehaviour *result;
  AlsStunAddress local, to;

  g_assert_true (g_socket_bind (socket, any, FALSE, NULL));
  bound = g_socket_get_local_address (socket, NULL);
  g_assert_true (als_stun_address_from_gio (&local, bound));
  g_assert_true (als_stun_address_parse (&to, "127.0.0.1", server->port));
  discovery = als_nat_discovery_new (&local, &to, g_get_monotonic_time ());
  while ((result = als_nat_discovery_get_result (discovery)) == NULL)
    {
      g_autoptr (GSocketAddress) from = NULL;
      AlsNatProbe probe;
      char buffer[2048];
      gssize len;

      while (als_nat_discovery_take_probe (discovery, &probe))
        {
          g_autoptr (GBytes) bytes = probe.bytes;
          g_autoptr (GSocketAddress) address = als_stun_address_to_gio (&probe.to);

          g_socket_send_to (socket, address, g_bytes_get_data (bytes, NULL),
                            g_bytes_get_size (bytes), NULL, NULL);
        }
      if (g_socket_condition_timed_wait (
              socket, G_IO_IN,
              MAX (als_nat_discovery_get_deadline (discovery) - g_get_monotonic_time (), 0), NULL,
              NULL))
        {
          len = g_socket_receive_from (socket, &from, buffer, sizeof buffer, NULL, NULL);
          if (len > 0 && als_stun_address_from_gio (&to, from))
            als_nat_discovery_receive (discovery, &to, (const uint8_t *) buffer, (size_t) len,
                                       g_get_monotonic_time ());
        }
      als_nat_discovery_poll (discovery, g_get_monotonic_time ());
    }
  g_assert_cmpstr (als_nat_behaviour_get_old_name (result), ==, "open internet");
  g_assert_true (als_stun_address_equal (&result->endpoints[2], &local));
}

int
main (int argc, char **argv)
{
  g_autofree char *program = g_find_program_in_path ("turnserver");
  AlsTurnServer server;
  int status;

  g_test_init (&argc, &argv, NULL);
  if (program == NULL)
    {
      g_print ("1..0 # SKIP turnserver is missing (package coturn)\n");
      return 0;
    }
  server_init (&server);
  g_test_add_data_func ("/turn/coturn/allocates-refreshes-and-leaves", &server, test_allocate);
  g_test_add_data_func ("/turn/coturn/wrong-password-still-tells-the-endpoint", &server,
                        test_wrong_password);
  g_test_add_data_func ("/turn/coturn/expired-credentials-are-refused", &server, test_expired);
  g_test_add_data_func ("/turn/coturn/quota-is-named-and-free-again-after-leaving", &server, test_quota);
  g_test_add_data_func ("/turn/coturn/a-forbidden-peer-is-named", &server, test_forbidden);
  g_test_add_data_func ("/turn/coturn/an-unreachable-peer-is-named", &server, test_unreachable);
  g_test_add_data_func ("/turn/coturn/relays-both-ways-between-two-allocations", &server,
                        test_relay);
  g_test_add_data_func ("/turn/coturn/an-unknown-connection-cannot-be-bound", &server,
                        test_unknown_connection);
  g_test_add_data_func ("/nat/coturn/loopback-is-open-internet", &server, test_discovery);
  g_test_add_func ("/turn/coturn/a-killed-server-is-noticed-by-both", test_killed);
  status = g_test_run ();
  als_turn_server_clear (&server);
  return status;
}
