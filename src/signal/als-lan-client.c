/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-client.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "signal/als-lan-connection.h"
#include "signal/als-lan-multicast.h"
#include "signal/als-relay-carrier.h"

/* As long as a rendezvous server would wait. */
#define JOIN_WAIT_US (30 * G_USEC_PER_SEC)
#define MEET_WAIT_US (600 * G_USEC_PER_SEC)
/* From the first connection attempt, or its acceptance, to the pairing. */
#define PROOF_LIMIT_US (5 * G_USEC_PER_SEC)
/* Accepted and unproved at the most. */
#define MAX_STRANGERS 8
/* A welcomed guest takes a connection within this time, or it is the next one's turn. */
#define GUEST_LIMIT_US G_USEC_PER_SEC
/* Somebody said BUSY, perhaps not whom we look for: that one may still answer. */
#define BUSY_GRACE_US G_USEC_PER_SEC
#define PING_INTERVAL_US (5 * G_USEC_PER_SEC)
#define SILENCE_LIMIT_US (12 * G_USEC_PER_SEC)
#define REOPEN_DELAY_US (2 * G_USEC_PER_SEC)

typedef enum
{
  NOTHING,
  WAIT,
  JOIN,
  MEET,
} Want;

typedef struct
{
  AlsLanClient *client; /* back pointer */
  AlsLanEndpoint local;
  int listener;         /* -1: closed */
  GSource *source;
} Family;

/* A connection that has not become the pairing. */
typedef struct
{
  AlsLanClient *client;
  AlsLanConnection *connection;
  int64_t give_up_us;
  uint8_t nonce[ALS_LAN_NONCE_BYTES];  /* ours on this connection */
  uint8_t theirs[ALS_LAN_NONCE_BYTES]; /* of their HELLO or WELCOME */
  gboolean is_greeted;                 /* joiner: HELLO said; inviter: HELLO heard */
  gboolean is_welcome;                 /* inviter: WELCOME said */
} Guest;

struct _AlsLanClient
{
  GObject parent_instance;

  GMainContext *context;
  gboolean loopback;
  guint generation;                    /* counts what was asked for */
  Want want;
  AlsLanSearch search;
  uint8_t nonce[ALS_LAN_NONCE_BYTES];  /* ours, of this search */
  int64_t give_up_us;
  int64_t busy_us;                     /* INT64_MAX: nobody said BUSY */
  int64_t reopen_us;                   /* INT64_MAX: sockets are open, or not wanted */
  Family families[2];
  AlsLanMulticast *multicast;
  AlsNetworkWatch *watch;
  GPtrArray *guests;                   /* (element-type Guest) */
  gboolean has_guest;                  /* inviter: somebody is welcome */
  uint8_t guest[ALS_LAN_NONCE_BYTES];
  int64_t guest_until_us;
  GSource *timer;

  AlsLanConnection *pair;              /* (nullable) */
  char *remote;
  int64_t next_ping_us, silent_until_us;
  AlsRelayCarrier *relay;
  gboolean relay_taken;
};

G_DEFINE_FINAL_TYPE (AlsLanClient, als_lan_client, G_TYPE_OBJECT)

enum
{
  PAIRED,
  MESSAGE,
  UNPAIRED,
  FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static const AlsLanConnectionEvents guest_events, pair_events;

static void update_timer (AlsLanClient *self);

static void
draw (uint8_t nonce[ALS_LAN_NONCE_BYTES])
{
  if (getrandom (nonce, ALS_LAN_NONCE_BYTES, 0) != ALS_LAN_NONCE_BYTES)
    g_error ("no random numbers: %s", g_strerror (errno));
}

static gboolean
is_inviter (AlsLanClient *self)
{
  return self->search.is_inviter;
}

static Family *
family_of (AlsLanClient *self, const AlsLanEndpoint *endpoint)
{
  return &self->families[endpoint->is_v6 ? 1 : 0];
}

/* --- guests ------------------------------------------------------------------- */

static void
guest_free (gpointer data)
{
  Guest *guest = data;

  g_clear_pointer (&guest->connection, als_lan_connection_close);
  g_free (guest);
}

/* What was said to it still leaves. */
static void
send_away (AlsLanClient *self, Guest *guest)
{
  als_lan_connection_leave (g_steal_pointer (&guest->connection));
  g_ptr_array_remove_fast (self->guests, guest);
}

static Guest *
add_guest (AlsLanClient *self, int64_t now_us)
{
  Guest *guest = g_new0 (Guest, 1);

  guest->client = self;
  guest->give_up_us = now_us + PROOF_LIMIT_US;
  draw (guest->nonce);
  g_ptr_array_add (self->guests, guest);
  return guest;
}

static void
greet (AlsLanClient *self, Guest *guest, AlsLanType type)
{
  AlsLanMessage message = { .type = type };
  const uint8_t *nonce = type == ALS_LAN_HELLO || type == ALS_LAN_TAKE ? self->nonce
                                                                       : guest->nonce;

  memcpy (message.nonce, nonce, sizeof message.nonce);
  als_lan_message_sign (&message, &self->search.topic,
                        type == ALS_LAN_HELLO ? NULL : guest->theirs);
  als_lan_connection_greet (guest->connection, &message);
}

/* Joiner: speaks first, but only to whom it has heard of. */
static void
say_hello (AlsLanClient *self, Guest *guest)
{
  if (is_inviter (self) || guest->is_greeted || !als_lan_connection_is_up (guest->connection)
      || als_lan_search_find (&self->search, als_lan_connection_get_remote (guest->connection)) < 0)
    return;
  guest->is_greeted = TRUE;
  greet (self, guest, ALS_LAN_HELLO);
}

/* Inviter: one at a time, over as many connections as it likes. */
static void
welcome (AlsLanClient *self, Guest *guest, int64_t now_us)
{
  if (self->has_guest && memcmp (self->guest, guest->theirs, sizeof self->guest) != 0)
    return;
  if (!self->has_guest)
    self->guest_until_us = now_us + GUEST_LIMIT_US;
  self->has_guest = TRUE;
  memcpy (self->guest, guest->theirs, sizeof self->guest);
  guest->is_welcome = TRUE;
  greet (self, guest, ALS_LAN_WELCOME);
}

static void
turn_away (AlsLanClient *self, Guest *guest)
{
  greet (self, guest, ALS_LAN_BUSY);
  send_away (self, guest);
}

/* The welcomed one did not come: the one who waits for longest is next. */
static void
next_guest (AlsLanClient *self, int64_t now_us)
{
  uint8_t gone[ALS_LAN_NONCE_BYTES];

  memcpy (gone, self->guest, sizeof gone);
  self->has_guest = FALSE;
  for (guint i = 0; i < self->guests->len; i++)
    {
      Guest *guest = g_ptr_array_index (self->guests, i);

      if (guest->is_greeted && !guest->is_welcome
          && memcmp (guest->theirs, gone, sizeof gone) != 0)
        welcome (self, guest, now_us);
    }
}

/* --- the pairing -------------------------------------------------------------- */

static void
end_relay (AlsLanClient *self, const char *reason)
{
  g_autoptr (AlsRelayCarrier) relay = g_steal_pointer (&self->relay);
  g_autoptr (GError) error = NULL;

  if (relay == NULL)
    return;
  error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, reason);
  als_relay_carrier_end (relay, error);
}

static gboolean
send_relay (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsLanClient *self = user_data;
  g_autoptr (GBytes) payload = g_bytes_new_static (data, len);
  AlsSignalMessage message = { .type = ALS_SIGNAL_RELAY, .payload = payload };

  return self->pair != NULL && als_lan_connection_send (self->pair, &message);
}

static void
send_plain (AlsLanClient *self, AlsSignalType type, uint64_t cookie)
{
  AlsSignalMessage message = { .type = type, .cookie = cookie };

  als_lan_connection_send (self->pair, &message);
}

/* Without a signal. */
static void
leave_pair (AlsLanClient *self, const char *reason)
{
  if (self->pair == NULL)
    return;
  send_plain (self, ALS_SIGNAL_UNPAIR, 0);
  als_lan_connection_leave (g_steal_pointer (&self->pair));
  end_relay (self, reason);
}

static void
unpaired (AlsLanClient *self, AlsSignalUnpairReason reason)
{
  guint generation = self->generation;

  g_debug ("unpaired: %s", reason == ALS_SIGNAL_UNPAIR_LEFT ? "the other side left" : "lost");
  als_lan_connection_close (g_steal_pointer (&self->pair));
  update_timer (self);
  end_relay (self, reason == ALS_SIGNAL_UNPAIR_LEFT ? "the other side left" : "connection lost");
  if (self->generation == generation && self->pair == NULL)
    g_signal_emit (self, signals[UNPAIRED], 0, (guint) reason);
}

static void
pair_message_cb (AlsLanConnection *connection, const AlsSignalMessage *message, gpointer user_data)
{
  g_autoptr (AlsLanClient) self = g_object_ref (user_data);

  self->silent_until_us = g_get_monotonic_time () + SILENCE_LIMIT_US;
  switch ((int) message->type)
    {
    case ALS_SIGNAL_PEER_MESSAGE:
      g_signal_emit (self, signals[MESSAGE], 0, message->payload);
      break;
    case ALS_SIGNAL_RELAY:
      if (self->relay != NULL)
        {
          g_autoptr (AlsCarrier) relay = g_object_ref (ALS_CARRIER (self->relay));
          size_t len;
          const uint8_t *data = g_bytes_get_data (message->payload, &len);

          als_carrier_received (relay, data, len);
        }
      break;
    case ALS_SIGNAL_PING:
      send_plain (self, ALS_SIGNAL_PONG, message->cookie);
      break;
    case ALS_SIGNAL_UNPAIR:
      unpaired (self, ALS_SIGNAL_UNPAIR_LEFT);
      break;
    default:
      break;
    }
}

static void
pair_writable_cb (AlsLanConnection *connection, gpointer user_data)
{
  AlsLanClient *self = user_data;
  g_autoptr (AlsCarrier) relay = self->relay != NULL ? g_object_ref (ALS_CARRIER (self->relay))
                                                     : NULL;

  if (relay != NULL)
    als_carrier_writable (relay);
}

static void
pair_ended_cb (AlsLanConnection *connection, int reason, gpointer user_data)
{
  g_autoptr (AlsLanClient) self = g_object_ref (user_data);

  g_debug ("the connection ended: %s", reason != 0 ? g_strerror (reason) : "closed");
  unpaired (self, ALS_SIGNAL_UNPAIR_LOST);
}

static void close_search (AlsLanClient *self);

/* This connection it is. */
static void
become_paired (AlsLanClient *self, Guest *guest)
{
  const AlsLanEndpoint *remote = als_lan_connection_get_remote (guest->connection);
  int64_t now_us = g_get_monotonic_time ();

  g_free (self->remote);
  self->remote = als_lan_endpoint_to_string (remote);
  self->pair = g_steal_pointer (&guest->connection);
  als_lan_connection_set_events (self->pair, &pair_events, self);
  als_lan_connection_open_stream (self->pair);
  g_ptr_array_remove_fast (self->guests, guest);
  self->next_ping_us = now_us + PING_INTERVAL_US;
  self->silent_until_us = now_us + SILENCE_LIMIT_US;
  self->has_guest = FALSE;
  /* The same guest's other connections end with its closing them, or by their limit. */
  for (guint i = self->guests->len; i > 0; i--)
    {
      Guest *other = g_ptr_array_index (self->guests, i - 1);

      if (is_inviter (self) && other->is_greeted && !other->is_welcome)
        turn_away (self, other);
    }
  self->relay_taken = FALSE;
  self->relay = als_relay_carrier_new (self->context, self->remote, TRUE, 0, 0, send_relay, self);
  if (self->want != WAIT)
    close_search (self);
  update_timer (self);
  g_debug ("paired");
  g_signal_emit (self, signals[PAIRED], 0);
}

/* --- what guests say ---------------------------------------------------------- */

static void
settle_candidate (AlsLanClient *self, Guest *guest, AlsLanDialResult result)
{
  int candidate = als_lan_search_find (&self->search,
                                       als_lan_connection_get_remote (guest->connection));

  if (candidate >= 0)
    als_lan_search_dialled (&self->search, (guint) candidate, result, g_get_monotonic_time ());
}

static void
drop_guest (AlsLanClient *self, Guest *guest, AlsLanDialResult result)
{
  settle_candidate (self, guest, result);
  g_ptr_array_remove_fast (self->guests, guest);
}

static void
guest_up_cb (AlsLanConnection *connection, gpointer user_data)
{
  Guest *guest = user_data;
  AlsLanClient *self = guest->client;

  settle_candidate (self, guest, ALS_LAN_DIAL_UP);
  say_hello (self, guest);
  update_timer (self);
}

static void
guest_ended_cb (AlsLanConnection *connection, int reason, gpointer user_data)
{
  Guest *guest = user_data;
  AlsLanClient *self = guest->client;

  g_debug ("%s did not become the pairing: %s",
           als_lan_connection_is_accepted (connection) ? "a connection that came" : "a dial",
           reason != 0 ? g_strerror (reason) : "closed");
  /* Once paired, the guest closes its other connections. */
  drop_guest (self, guest,
              als_lan_search_judge_end (reason, guest->is_welcome
                                                  || (reason == 0 && self->pair != NULL)));
  update_timer (self);
}

/* Inviter. FALSE: not what it should be. */
static gboolean
hear_joiner (AlsLanClient *self, Guest *guest, const AlsLanMessage *message)
{
  if (message->type == ALS_LAN_HELLO && !guest->is_greeted
      && als_lan_message_check (message, &self->search.topic, NULL))
    {
      guest->is_greeted = TRUE;
      memcpy (guest->theirs, message->nonce, sizeof guest->theirs);
      if (self->pair != NULL)
        turn_away (self, guest);
      else
        welcome (self, guest, g_get_monotonic_time ());
      return TRUE;
    }
  if (message->type == ALS_LAN_TAKE && guest->is_welcome
      && memcmp (message->nonce, guest->theirs, sizeof message->nonce) == 0
      && als_lan_message_check (message, &self->search.topic, guest->nonce))
    {
      /* Its turn may be over. */
      if (self->pair != NULL || !self->has_guest
          || memcmp (self->guest, guest->theirs, sizeof self->guest) != 0)
        turn_away (self, guest);
      else
        become_paired (self, guest);
      return TRUE;
    }
  return FALSE;
}

/* Joiner. FALSE: not what it should be. */
static gboolean
hear_inviter (AlsLanClient *self, Guest *guest, const AlsLanMessage *message)
{
  if (!guest->is_greeted || !als_lan_message_check (message, &self->search.topic, self->nonce))
    return FALSE;
  memcpy (guest->theirs, message->nonce, sizeof guest->theirs);
  if (message->type == ALS_LAN_WELCOME)
    {
      greet (self, guest, ALS_LAN_TAKE);
      become_paired (self, guest);
      return TRUE;
    }
  if (message->type == ALS_LAN_BUSY)
    {
      if (self->busy_us == INT64_MAX)
        self->busy_us = g_get_monotonic_time () + BUSY_GRACE_US;
      drop_guest (self, guest, ALS_LAN_DIAL_IN_VAIN);
      return TRUE;
    }
  return FALSE;
}

static void
guest_greeting_cb (AlsLanConnection *connection, const AlsLanMessage *message, gpointer user_data)
{
  Guest *guest = user_data;
  g_autoptr (AlsLanClient) self = g_object_ref (guest->client);

  if (!(is_inviter (self) ? hear_joiner (self, guest, message)
                          : hear_inviter (self, guest, message)))
    drop_guest (self, guest, ALS_LAN_DIAL_IN_VAIN);
  update_timer (self);
}

static const AlsLanConnectionEvents guest_events = { guest_up_cb, guest_greeting_cb, NULL, NULL,
                                                     guest_ended_cb };
static const AlsLanConnectionEvents pair_events = { NULL, NULL, pair_message_cb, pair_writable_cb,
                                                    pair_ended_cb };

/* --- how guests come ---------------------------------------------------------- */

static Guest *
find_guest (AlsLanClient *self, const AlsLanEndpoint *remote)
{
  for (guint i = 0; i < self->guests->len; i++)
    {
      Guest *guest = g_ptr_array_index (self->guests, i);

      if (als_lan_endpoint_equal (als_lan_connection_get_remote (guest->connection), remote))
        return guest;
    }
  return NULL;
}

static void
dial (AlsLanClient *self, guint candidate, int64_t now_us)
{
  AlsLanEndpoint to = self->search.candidates[candidate].endpoint;
  Family *family = family_of (self, &to);
  Guest *guest = find_guest (self, &to);

  /* The other side was quicker: its connection has the same two endpoints. */
  if (guest != NULL)
    {
      als_lan_search_dialled (&self->search, candidate, ALS_LAN_DIAL_UP, now_us);
      say_hello (self, guest);
      return;
    }
  if (family->listener < 0)
    {
      als_lan_search_dialled (&self->search, candidate, ALS_LAN_DIAL_IN_VAIN, now_us);
      return;
    }
  guest = add_guest (self, now_us);
  guest->connection = als_lan_connection_dial (&family->local, &to, &guest_events, guest);
  if (guest->connection == NULL)
    {
      /* Also where a connection of the same two endpoints waits to be accepted. */
      g_debug ("not dialled: %s", g_strerror (errno));
      g_ptr_array_remove_fast (self->guests, guest);
      als_lan_search_dialled (&self->search, candidate, ALS_LAN_DIAL_REFUSED, now_us);
    }
}

/* FALSE: nobody gives way to one more. */
static gboolean
make_place (AlsLanClient *self, const AlsLanEndpoint *from)
{
  Guest *oldest = NULL;
  guint n = 0;

  for (guint i = 0; i < self->guests->len; i++)
    {
      Guest *guest = g_ptr_array_index (self->guests, i);

      if (!als_lan_connection_is_accepted (guest->connection))
        continue;
      n++;
      if (!guest->is_greeted && (oldest == NULL || guest->give_up_us < oldest->give_up_us)
          && als_lan_search_find (&self->search,
                                  als_lan_connection_get_remote (guest->connection)) < 0)
        oldest = guest;
    }
  if (n < MAX_STRANGERS)
    return TRUE;
  if (oldest == NULL || als_lan_search_find (&self->search, from) < 0)
    return FALSE;
  g_ptr_array_remove_fast (self->guests, oldest);
  return TRUE;
}

static gboolean
accept_cb (int listener, GIOCondition condition, gpointer user_data)
{
  AlsLanClient *self = ((Family *) user_data)->client;
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  int fd = accept4 (listener, (struct sockaddr *) &address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
  AlsLanEndpoint from;
  Guest *guest;

  if (fd < 0)
    return G_SOURCE_CONTINUE;
  if (!als_lan_endpoint_from_native (&from, &address) || !make_place (self, &from))
    {
      close (fd);
      return G_SOURCE_CONTINUE;
    }
  guest = add_guest (self, g_get_monotonic_time ());
  guest->connection = als_lan_connection_accept (fd, &from, &guest_events, guest);
  settle_candidate (self, guest, ALS_LAN_DIAL_UP);
  say_hello (self, guest);
  update_timer (self);
  return G_SOURCE_CONTINUE;
}

static void
make_datagram (AlsLanClient *self, gboolean is_v6, uint8_t out[ALS_LAN_MESSAGE_BYTES])
{
  AlsLanMessage message = { .type = is_inviter (self) ? ALS_LAN_ANNOUNCE : ALS_LAN_ASK,
                            .port = self->families[is_v6 ? 1 : 0].local.port };

  draw (message.nonce);
  als_lan_message_sign (&message, &self->search.topic, NULL);
  als_lan_message_encode (&message, out);
}

static void
say (AlsLanClient *self)
{
  als_lan_multicast_refresh (self->multicast);
  for (guint f = 0; f < 2; f++)
    if (self->families[f].listener >= 0)
      {
        uint8_t data[ALS_LAN_MESSAGE_BYTES];

        make_datagram (self, f == 1, data);
        als_lan_multicast_say (self->multicast, f == 1, data, sizeof data);
      }
}

static void
datagram_cb (const uint8_t *data, size_t len, const AlsLanEndpoint *from, guint interface,
             gpointer user_data)
{
  AlsLanClient *self = user_data;
  int64_t now_us = g_get_monotonic_time ();
  AlsLanMessage message;
  int candidate;

  if (!als_lan_message_decode (&message, data, len) || family_of (self, from)->listener < 0)
    return;
  if (als_lan_search_hear (&self->search, &message, from, now_us))
    {
      uint8_t answer[ALS_LAN_MESSAGE_BYTES];

      make_datagram (self, from->is_v6, answer);
      als_lan_multicast_answer (self->multicast, from, interface, answer, sizeof answer);
    }
  while ((candidate = als_lan_search_take_dial (&self->search, now_us)) >= 0)
    dial (self, (guint) candidate, now_us);
  update_timer (self);
}

static void
network_changed_cb (AlsNetworkWatch *watch, AlsLanClient *self)
{
  als_lan_search_restart (&self->search, g_get_monotonic_time ());
  update_timer (self);
}

/* --- time --------------------------------------------------------------------- */

static int64_t
get_deadline (AlsLanClient *self)
{
  int64_t deadline_us = MIN (als_lan_search_get_deadline (&self->search),
                             MIN (self->give_up_us, MIN (self->busy_us, self->reopen_us)));

  if (self->multicast == NULL)
    deadline_us = MIN (self->give_up_us, self->reopen_us);
  for (guint i = 0; i < self->guests->len; i++)
    deadline_us = MIN (deadline_us,
                       ((Guest *) g_ptr_array_index (self->guests, i))->give_up_us);
  if (self->has_guest)
    deadline_us = MIN (deadline_us, self->guest_until_us);
  if (self->pair != NULL)
    deadline_us = MIN (deadline_us, MIN (self->next_ping_us, self->silent_until_us));
  return deadline_us;
}

static void
update_timer (AlsLanClient *self)
{
  als_deadline_source_set (self->timer, get_deadline (self));
}

static void open_search (AlsLanClient *self);

static void
end_want (AlsLanClient *self, AlsSignalError code, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, (int) code, message);

  close_search (self);
  update_timer (self);
  g_signal_emit (self, signals[FAILED], 0, error);
}

static void
poll_guests (AlsLanClient *self, int64_t now_us)
{
  for (guint i = self->guests->len; i > 0; i--)
    {
      Guest *guest = g_ptr_array_index (self->guests, i - 1);

      if (now_us >= guest->give_up_us)
        drop_guest (self, guest, ALS_LAN_DIAL_IN_VAIN);
    }
  if (self->has_guest && now_us >= self->guest_until_us)
    next_guest (self, now_us);
}

static void
poll_pair (AlsLanClient *self, int64_t now_us)
{
  if (self->pair == NULL)
    return;
  if (now_us >= self->silent_until_us)
    {
      unpaired (self, ALS_SIGNAL_UNPAIR_LOST);
      return;
    }
  if (now_us >= self->next_ping_us)
    {
      send_plain (self, ALS_SIGNAL_PING, 1);
      self->next_ping_us = now_us + PING_INTERVAL_US;
    }
}

static gboolean
timer_cb (gpointer user_data)
{
  g_autoptr (AlsLanClient) self = g_object_ref (user_data);
  int64_t now_us = g_get_monotonic_time ();
  guint generation = self->generation;
  int candidate;

  if (now_us >= self->reopen_us)
    open_search (self);
  if (self->generation != generation)
    return G_SOURCE_CONTINUE;
  poll_guests (self, now_us);
  if (self->multicast != NULL)
    {
      if (als_lan_search_take_say (&self->search, now_us))
        say (self);
      while ((candidate = als_lan_search_take_dial (&self->search, now_us)) >= 0)
        dial (self, (guint) candidate, now_us);
    }
  update_timer (self);
  if (now_us >= self->busy_us)
    end_want (self, ALS_SIGNAL_ERROR_BUSY, "somebody else is there");
  else if (now_us >= self->give_up_us)
    end_want (self, ALS_SIGNAL_ERROR_NO_SUCH_NUMBER, "nobody answers on this network");
  else
    poll_pair (self, now_us);
  return G_SOURCE_CONTINUE;
}

/* --- opening and closing ------------------------------------------------------ */

static void
close_sockets (AlsLanClient *self)
{
  g_clear_pointer (&self->multicast, als_lan_multicast_free);
  for (guint f = 0; f < 2; f++)
    {
      als_source_clear (&self->families[f].source);
      if (self->families[f].listener >= 0)
        close (self->families[f].listener);
      self->families[f].listener = -1;
    }
}

/* Nothing is asked for any more; a pairing stays. */
static void
close_search (AlsLanClient *self)
{
  self->generation++;
  self->want = NOTHING;
  self->give_up_us = self->busy_us = self->reopen_us = INT64_MAX;
  self->has_guest = FALSE;
  /* Somebody might have been told something just now. */
  while (self->guests->len > 0)
    send_away (self, g_ptr_array_index (self->guests, self->guests->len - 1));
  als_lan_search_stop (&self->search);
  close_sockets (self);
}

static gboolean
open_listener (AlsLanClient *self, gboolean is_v6)
{
  Family *family = &self->families[is_v6 ? 1 : 0];

  family->local = (AlsLanEndpoint) { .is_v6 = is_v6 };
  if (self->loopback && is_v6)
    family->local.ip[15] = 1;
  else if (self->loopback)
    memcpy (family->local.ip, ((const uint8_t[]) { 127, 0, 0, 1 }), 4);
  family->listener = als_lan_listen (&family->local);
  if (family->listener < 0)
    return FALSE;
  family->source = g_unix_fd_source_new (family->listener, G_IO_IN);
  g_source_set_static_name (family->source, "als-lan-accept");
  g_source_set_callback (family->source, G_SOURCE_FUNC (accept_cb), family, NULL);
  g_source_attach (family->source, self->context);
  return TRUE;
}

/* The sockets of a search, or a later try at them. */
static void
open_search (AlsLanClient *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) failure = NULL;

  self->reopen_us = INT64_MAX;
  self->multicast = als_lan_multicast_new (self->loopback, datagram_cb, self, &error);
  if (self->multicast != NULL)
    {
      gboolean has_v4 = open_listener (self, FALSE), has_v6 = open_listener (self, TRUE);

      if (has_v4 || has_v6)
        return;
      error = g_error_new (G_IO_ERROR, (int) g_io_error_from_errno (errno), "no listener: %s",
                           g_strerror (errno));
    }
  close_sockets (self);
  self->reopen_us = g_get_monotonic_time () + REOPEN_DELAY_US;
  update_timer (self);
  failure = g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_UNREACHABLE,
                                 error->message);
  g_signal_emit (self, signals[FAILED], 0, failure);
}

static void
start_search (AlsLanClient *self, Want want, const AlsLanTopic *topic, gboolean inviter,
              int64_t limit_us)
{
  int64_t now_us = g_get_monotonic_time ();

  close_search (self);
  self->want = want;
  draw (self->nonce);
  als_lan_search_start (&self->search, topic, inviter, want == WAIT, now_us);
  self->give_up_us = limit_us != INT64_MAX ? now_us + limit_us : INT64_MAX;
  /* Sockets and their failures come with the next turn of the loop. */
  self->reopen_us = now_us;
  update_timer (self);
}

void
als_lan_client_wait (AlsLanClient *self, guint number)
{
  AlsLanTopic topic;

  als_lan_topic_from_number (&topic, number);
  if (self->want == WAIT && memcmp (&topic, &self->search.topic, sizeof topic) == 0)
    return;
  start_search (self, WAIT, &topic, TRUE, INT64_MAX);
}

void
als_lan_client_unwait (AlsLanClient *self)
{
  if (self->want != WAIT)
    return;
  close_search (self);
  update_timer (self);
}

void
als_lan_client_join (AlsLanClient *self, guint number)
{
  AlsLanTopic topic;

  als_lan_topic_from_number (&topic, number);
  start_search (self, JOIN, &topic, FALSE, JOIN_WAIT_US);
  leave_pair (self, "left for another");
}

void
als_lan_client_meet (AlsLanClient *self, const uint8_t *meeting_id, gboolean inviter)
{
  AlsLanTopic topic;

  als_lan_topic_from_meeting (&topic, meeting_id);
  start_search (self, MEET, &topic, inviter, MEET_WAIT_US);
  leave_pair (self, "left for another");
}

void
als_lan_client_cancel (AlsLanClient *self)
{
  if (self->want != JOIN && self->want != MEET)
    return;
  close_search (self);
  update_timer (self);
}

void
als_lan_client_unpair (AlsLanClient *self)
{
  leave_pair (self, "unpaired");
  update_timer (self);
}

gboolean
als_lan_client_is_paired (AlsLanClient *self)
{
  return self->pair != NULL;
}

gboolean
als_lan_client_send (AlsLanClient *self, GBytes *payload)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_PEER_MESSAGE, .payload = payload };

  return self->pair != NULL && als_lan_connection_send (self->pair, &message);
}

const char *
als_lan_client_get_remote (AlsLanClient *self)
{
  return self->pair != NULL ? self->remote : NULL;
}

AlsCarrier *
als_lan_client_take_relay (AlsLanClient *self)
{
  if (self->relay == NULL || self->relay_taken)
    return NULL;
  self->relay_taken = TRUE;
  return ALS_CARRIER (g_object_ref (self->relay));
}

void
als_lan_client_stop (AlsLanClient *self)
{
  close_search (self);
  leave_pair (self, "stopped");
  update_timer (self);
}

static void
als_lan_client_dispose (GObject *object)
{
  AlsLanClient *self = ALS_LAN_CLIENT (object);

  als_lan_client_stop (self);
  if (self->watch != NULL)
    g_signal_handlers_disconnect_by_data (self->watch, self);
  g_clear_object (&self->watch);
  G_OBJECT_CLASS (als_lan_client_parent_class)->dispose (object);
}

static void
als_lan_client_finalize (GObject *object)
{
  AlsLanClient *self = ALS_LAN_CLIENT (object);

  als_source_clear (&self->timer);
  g_ptr_array_unref (self->guests);
  g_free (self->remote);
  explicit_bzero (&self->search, sizeof self->search);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (als_lan_client_parent_class)->finalize (object);
}

static void
als_lan_client_class_init (AlsLanClientClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = als_lan_client_dispose;
  object_class->finalize = als_lan_client_finalize;
  signals[PAIRED] = g_signal_new ("paired", ALS_TYPE_LAN_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 0);
  signals[MESSAGE] = g_signal_new ("message", ALS_TYPE_LAN_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);
  signals[UNPAIRED] = g_signal_new ("unpaired", ALS_TYPE_LAN_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[FAILED] = g_signal_new ("failed", ALS_TYPE_LAN_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
als_lan_client_init (AlsLanClient *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->timer = als_deadline_source_new (self->context, "als-lan-timer", timer_cb, self);
  self->guests = g_ptr_array_new_with_free_func (guest_free);
  self->give_up_us = self->busy_us = self->reopen_us = INT64_MAX;
  for (guint f = 0; f < 2; f++)
    self->families[f] = (Family) { .client = self, .listener = -1 };
  self->watch = als_network_watch_new ();
  g_signal_connect (self->watch, "changed", G_CALLBACK (network_changed_cb), self);
}

AlsLanClient *
als_lan_client_new (gboolean loopback)
{
  AlsLanClient *self = g_object_new (ALS_TYPE_LAN_CLIENT, NULL);

  self->loopback = loopback;
  return self;
}
