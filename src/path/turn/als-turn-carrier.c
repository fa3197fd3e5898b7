/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-carrier.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/als-context-thread.h"
#include "base/als-deadline-source.h"
#include "path/als-stream-carrier.h"
#include "path/als-stream-socket.h"
#include "path/turn/als-turn-message.h"
#include "path/turn/als-turn-records.h"

#define HEADER_BYTES ALS_TURN_RECORD_HEADER_BYTES

/* What one relayed connection moves in a round trip is 64 KiB, and another takes about five to be made,
 * while what is sent doubles in each at first: so much asks for some more, or for all. */
#define SOME_BYTES (20 * 1024)
#define ALL_BYTES (48 * 1024)
/* What is sent is looked at once in a round trip, within these. */
#define MIN_WINDOW_US ((int64_t) 25 * 1000)
#define MAX_WINDOW_US ((int64_t) 250 * 1000)
/* Before a wish that was not granted is made again. */
#define WISH_US ((int64_t) 2 * G_USEC_PER_SEC)
/* Left in a stripe's own queue, where it can no longer take another. */
#define UNSENT_BYTES (64 * 1024)
#define PING_US ((int64_t) 1 * G_USEC_PER_SEC)
/* In a window, below which refusals are no sign of bulk, and messages stay together. */
#define BULK_BYTES (16 * 1024)
#define FIRST_WIDTH 4
/* From the end of one stream to that of all. */
#define GRACE_US ((int64_t) 300 * 1000)
/* Whoever asks for more answers than it takes gets none. */
#define MAX_OWED_BYTES 4096
/* Unacknowledged by the other side: what the reordering there can take, with a margin. */
#define BACKLOG_BYTES (4 * 1024 * 1024)

typedef struct
{
  AlsTurnCarrier *owner;
  AlsCarrier *carrier;
  guint index;
  GByteArray *owed;      /* small records that go before the next message */
  gboolean is_full;
  gboolean is_ended;     /* by the other side */
} Stripe;

struct _AlsTurnCarrier
{
  AlsCarrier parent_instance;

  AlsMailbox *notes;
  gboolean can_widen;
  gint n_streams;              /* atomic */
  GPtrArray *stripes;          /* (element-type Stripe) */
  guint next_stripe;
  uint8_t *record;             /* being sent */
  uint64_t next_out;
  AlsTurnRecords *incoming;
  gboolean is_listened_to;
  gboolean is_reading;
  gboolean is_over;            /* closed, or broken */
  gboolean is_refused;         /* the sender waits for room */
  GSource *grace;              /* (nullable): a stream has ended */
  /* whether more streams would help */
  int64_t window_us;           /* its beginning */
  uint64_t window_bytes;
  gboolean was_full;           /* in this window */
  gboolean is_bulk;            /* since the last one */
  int64_t min_rtt_us;          /* INT64_MAX: not known */
  int64_t ping_us;             /* the last one */
  int64_t wish_us;             /* the last one ... */
  guint wished;                /* ... and for how many streams */
};

G_DEFINE_FINAL_TYPE (AlsTurnCarrier, als_turn_carrier, ALS_TYPE_CARRIER)

static void
stripe_free (gpointer data)
{
  Stripe *self = data;

  als_carrier_close (self->carrier);
  g_object_unref (self->carrier);
  g_byte_array_unref (self->owed);
  g_free (self);
}

static void
tell (AlsTurnCarrier *self, guint wanted_stripes)
{
  AlsTurnCarrierNote *note = g_new0 (AlsTurnCarrierNote, 1);

  note->wanted_stripes = wanted_stripes;
  als_mailbox_post (self->notes, note);
}

/* ERROR: (transfer full) (nullable) */
static void
break_off (AlsTurnCarrier *self, GError *error)
{
  g_autoptr (GError) owned = error;

  if (self->is_over)
    return;
  self->is_over = TRUE;
  als_turn_records_stop (self->incoming);
  als_source_clear (&self->grace);
  g_debug ("turn carrier: it ends: %s", error != NULL ? error->message : "by the other side");
  tell (self, 0);
  /* The others are of no use now. They are freed later: one may be in a call of ours. */
  for (guint i = 0; i < self->stripes->len; i++)
    als_carrier_close (((Stripe *) g_ptr_array_index (self->stripes, i))->carrier);
  als_carrier_broke (ALS_CARRIER (self), error);
}

/* --- out --- */

static gboolean
stripe_give (Stripe *self, const uint8_t *data, size_t len)
{
  AlsPacket packet = { data, len };

  if (self->is_full || self->is_ended || als_carrier_send (self->carrier, &packet, 1) == 0)
    self->is_full = TRUE;
  return !self->is_full;
}

static gboolean
stripe_flush (Stripe *self)
{
  if (self->owed->len > 0 && !stripe_give (self, self->owed->data, self->owed->len))
    return FALSE;
  g_byte_array_set_size (self->owed, 0);
  return TRUE;
}

static gboolean
stripe_send (Stripe *self, const uint8_t *data, size_t len)
{
  return stripe_flush (self) && stripe_give (self, data, len);
}

/* On the first stripe that takes it. */
static gboolean
send_record (AlsTurnCarrier *self, const uint8_t *data, size_t len)
{
  for (guint i = 0; i < self->stripes->len; i++)
    {
      guint index = (self->next_stripe + i) % self->stripes->len;

      if (stripe_send (g_ptr_array_index (self->stripes, index), data, len))
        {
          /* Single messages keep to one connection, bulk goes over all. */
          self->next_stripe = self->is_bulk ? index + 1 : index;
          return TRUE;
        }
    }
  return FALSE;
}

/* As soon as the stripe takes it. */
static void
send_small (Stripe *stripe, AlsTurnRecordType type, uint64_t number)
{
  uint8_t record[HEADER_BYTES];

  if (stripe->owed->len >= MAX_OWED_BYTES)
    return;
  als_turn_record_put (record, type, 0, number);
  g_byte_array_append (stripe->owed, record, sizeof record);
  stripe_flush (stripe);
}

static void
wish (AlsTurnCarrier *self, guint n, int64_t now_us)
{
  if (n <= self->stripes->len || (n <= self->wished && now_us - self->wish_us < WISH_US))
    return;
  self->wish_us = now_us;
  self->wished = n;
  g_debug ("turn carrier: %u streams would help", n);
  if (self->can_widen)
    tell (self, n);
  else
    send_small (g_ptr_array_index (self->stripes, 0), ALS_TURN_RECORD_WIDEN, n);
}

static int64_t
get_window_length (AlsTurnCarrier *self)
{
  return CLAMP (self->min_rtt_us, MIN_WINDOW_US, MAX_WINDOW_US);
}

/* At the end of a window: does it carry more than its streams can, or will it soon? */
static void
look_back (AlsTurnCarrier *self, int64_t now_us)
{
  int64_t took_us = now_us - self->window_us;
  double in_round_trip;

  if (took_us < get_window_length (self))
    return;
  in_round_trip = self->min_rtt_us == INT64_MAX
                      ? 0 : self->window_bytes * (double) self->min_rtt_us / (double) took_us;
  if (in_round_trip > ALL_BYTES || (self->was_full && self->window_bytes > BULK_BYTES))
    wish (self, ALS_TURN_MAX_STRIPES, now_us);
  else if (in_round_trip > SOME_BYTES)
    wish (self, FIRST_WIDTH, now_us);
  self->is_bulk = self->window_bytes > BULK_BYTES;
  self->window_us = now_us;
  self->window_bytes = 0;
  self->was_full = FALSE;
  if (now_us - self->ping_us >= PING_US)
    {
      self->ping_us = now_us;
      send_small (g_ptr_array_index (self->stripes, 0), ALS_TURN_RECORD_PING, (uint64_t) now_us);
    }
}

static guint
als_turn_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsTurnCarrier *self = ALS_TURN_CARRIER (carrier);
  guint done;

  if (self->is_over)
    return n;
  self->is_refused = self->stripes->len == 0;
  if (self->is_refused)
    return 0;
  look_back (self, g_get_monotonic_time ());
  for (done = 0; done < n; done++)
    {
      size_t len = packets[done].len;

      if (len > ALS_TURN_MAX_MESSAGE_BYTES)
        {
          g_warning ("a message of %" G_GSIZE_FORMAT " bytes cannot be sent", len);
          continue;
        }
      als_turn_record_put (self->record, ALS_TURN_RECORD_DATA, len, self->next_out);
      memcpy (self->record + HEADER_BYTES, packets[done].data, len);
      if (!send_record (self, self->record, HEADER_BYTES + len))
        {
          self->was_full = TRUE;
          self->is_refused = TRUE;
          break;
        }
      self->next_out++;
      self->window_bytes += len;
    }
  return done;
}

/* --- in --- */

static void
on_message (const uint8_t *data, size_t len, gpointer user_data)
{
  als_carrier_received (ALS_CARRIER (user_data), data, len);
}

static void
on_small (guint stripe, AlsTurnRecordType type, uint64_t number, gpointer user_data)
{
  AlsTurnCarrier *self = user_data;
  int64_t now_us = g_get_monotonic_time ();

  if (type == ALS_TURN_RECORD_PING)
    send_small (g_ptr_array_index (self->stripes, stripe), ALS_TURN_RECORD_PONG, number);
  else if (type == ALS_TURN_RECORD_PONG && number == (uint64_t) self->ping_us && now_us > self->ping_us)
    self->min_rtt_us = MIN (self->min_rtt_us, now_us - self->ping_us);
  else if (type == ALS_TURN_RECORD_WIDEN && self->can_widen && number <= ALS_TURN_MAX_STRIPES)
    wish (self, (guint) number, now_us);
}

static const AlsTurnRecordsEvents incoming_events = { on_message, on_small };

/* A callback may close us. */
static void
on_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Stripe *stripe = user_data;
  g_autoptr (AlsTurnCarrier) self = g_object_ref (stripe->owner);
  GError *error = NULL;

  if (!als_turn_records_feed (self->incoming, stripe->index, data, len, &error))
    break_off (self, error);
  else if (als_turn_records_is_ended (self->incoming))
    break_off (self, NULL);
}

static void
on_writable (AlsCarrier *carrier, gpointer user_data)
{
  Stripe *stripe = user_data;
  AlsTurnCarrier *self = stripe->owner;

  stripe->is_full = FALSE;
  if (!stripe_flush (stripe))
    return;
  if (!self->is_refused || self->is_over)
    return;
  self->is_refused = FALSE;
  als_carrier_writable (ALS_CARRIER (self));
}

static gboolean
grace_cb (gpointer user_data)
{
  g_autoptr (AlsTurnCarrier) self = g_object_ref (user_data);

  als_source_clear (&self->grace);
  break_off (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                        "a connection was closed before the end"));
  return G_SOURCE_REMOVE;
}

static gboolean
is_any_open (AlsTurnCarrier *self)
{
  for (guint i = 0; i < self->stripes->len; i++)
    if (!((Stripe *) g_ptr_array_index (self->stripes, i))->is_ended)
      return TRUE;
  return FALSE;
}

/* Streams end one by one, and the end mark may be on its way on another. */
static void
on_closed (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  Stripe *stripe = user_data;
  AlsTurnCarrier *self = stripe->owner;

  stripe->is_ended = TRUE;
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED) || !is_any_open (self))
    {
      break_off (self, error != NULL ? g_error_copy (error) : NULL);
      return;
    }
  if (self->grace != NULL)
    return;
  self->grace = als_deadline_source_new (als_carrier_get_context (ALS_CARRIER (self)),
                                         "als-turn-grace", grace_cb, self);
  als_deadline_source_set (self->grace, g_get_monotonic_time () + GRACE_US);
}

static const AlsCarrierEvents stripe_events = { on_received, on_writable, on_closed };

/* --- streams --- */

typedef struct
{
  AlsTurnCarrier *owner;
  GIOStream *stream; /* (nullable): NULL: it shall end */
  GBytes *early;     /* (nullable) */
} Order;

static void
order_free (gpointer data)
{
  Order *self = data;

  g_object_unref (self->owner);
  g_clear_object (&self->stream);
  g_clear_pointer (&self->early, g_bytes_unref);
  g_free (self);
}

static void
listen_to_stripe (AlsTurnCarrier *self, Stripe *stripe)
{
  als_carrier_set_events (stripe->carrier, &stripe_events, stripe);
  if (self->is_over)
    return;
  als_carrier_set_reading (stripe->carrier, self->is_reading);
  self->ping_us = g_get_monotonic_time ();
  send_small (stripe, ALS_TURN_RECORD_PING, (uint64_t) self->ping_us);
}

static void
add_stripe (AlsTurnCarrier *self, AlsCarrier *carrier)
{
  Stripe *stripe = g_new0 (Stripe, 1);

  stripe->owner = self;
  stripe->carrier = g_object_ref (carrier);
  stripe->index = self->stripes->len;
  stripe->owed = g_byte_array_new ();
  g_ptr_array_add (self->stripes, stripe);
  g_atomic_int_inc (&self->n_streams);
  /* Nothing is read before somebody listens. */
  if (self->is_listened_to)
    listen_to_stripe (self, stripe);
  if (self->is_over)
    return;
  if (stripe->index > 0)
    als_carrier_widened (ALS_CARRIER (self));
  if (self->is_refused)
    {
      self->is_refused = FALSE;
      als_carrier_writable (ALS_CARRIER (self));
    }
}

static gboolean
order_cb (gpointer user_data)
{
  Order *order = user_data;
  AlsTurnCarrier *self = order->owner;
  g_autoptr (AlsCarrier) carrier = NULL;
  GSocket *below;

  if (order->stream == NULL)
    {
      break_off (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "the path was closed"));
      if (!self->is_listened_to)
        als_carrier_close (ALS_CARRIER (self));
      return G_SOURCE_REMOVE;
    }
  below = als_stream_get_socket (order->stream);
  carrier = als_stream_carrier_new (order->stream, ALS_PATH_TURN_TCP, NULL, FALSE, FALSE,
                                    order->early);
  if (below != NULL)
    g_socket_set_option (below, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES, NULL);
  if (self->is_over || self->stripes->len == ALS_TURN_MAX_STRIPES)
    als_carrier_close (carrier);
  else
    add_stripe (self, carrier);
  return G_SOURCE_REMOVE;
}

static void
give_order (AlsTurnCarrier *self, GIOStream *stream, GBytes *early)
{
  Order *order = g_new0 (Order, 1);

  order->owner = g_object_ref (self);
  order->stream = stream != NULL ? g_object_ref (stream) : NULL;
  order->early = early != NULL ? g_bytes_ref (early) : NULL;
  als_context_invoke (als_stream_carrier_get_thread_context (), order_cb, order, order_free);
}

void
als_turn_carrier_add_stream (AlsTurnCarrier *self, GIOStream *stream, GBytes *early)
{
  give_order (self, stream, early);
}

void
als_turn_carrier_end (AlsTurnCarrier *self)
{
  give_order (self, NULL, NULL);
}

guint
als_turn_carrier_count_streams (AlsTurnCarrier *self)
{
  return (guint) g_atomic_int_get (&self->n_streams);
}

/* --- lifecycle --- */

static void
als_turn_carrier_set_reading (AlsCarrier *carrier, gboolean reading)
{
  AlsTurnCarrier *self = ALS_TURN_CARRIER (carrier);
  gboolean is_first = !self->is_listened_to;

  self->is_reading = reading;
  self->is_listened_to = TRUE;
  for (guint i = 0; i < self->stripes->len && !self->is_over; i++)
    {
      Stripe *stripe = g_ptr_array_index (self->stripes, i);

      if (is_first)
        listen_to_stripe (self, stripe);
      else
        als_carrier_set_reading (stripe->carrier, reading);
    }
}

/* A full stripe takes it, too: without a mark the other side would know of no end. */
static void
say_end (Stripe *stripe, uint64_t number)
{
  uint8_t record[HEADER_BYTES];

  als_turn_record_put (record, ALS_TURN_RECORD_END, 0, number);
  g_byte_array_append (stripe->owed, record, sizeof record);
  als_stream_carrier_add_last (ALS_STREAM_CARRIER (stripe->carrier), stripe->owed->data,
                               stripe->owed->len);
  g_byte_array_set_size (stripe->owed, 0);
}

/* The stripes are freed later: a caller may still look at what one of them received. */
static void
als_turn_carrier_close (AlsCarrier *carrier)
{
  AlsTurnCarrier *self = ALS_TURN_CARRIER (carrier);
  gboolean was_over = self->is_over;

  self->is_over = TRUE;
  als_turn_records_stop (self->incoming);
  als_source_clear (&self->grace);
  for (guint i = 0; i < self->stripes->len; i++)
    {
      Stripe *stripe = g_ptr_array_index (self->stripes, i);

      if (!was_over)
        say_end (stripe, self->next_out);
      als_carrier_close (stripe->carrier);
    }
  if (!was_over)
    tell (self, 0);
}

static void
als_turn_carrier_finalize (GObject *object)
{
  AlsTurnCarrier *self = ALS_TURN_CARRIER (object);

  g_ptr_array_unref (self->stripes);
  als_turn_records_free (self->incoming);
  g_free (self->record);
  als_mailbox_unref (self->notes);
  G_OBJECT_CLASS (als_turn_carrier_parent_class)->finalize (object);
}

static void
als_turn_carrier_class_init (AlsTurnCarrierClass *klass)
{
  AlsCarrierClass *carrier_class = ALS_CARRIER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_turn_carrier_finalize;
  carrier_class->send = als_turn_carrier_send;
  carrier_class->close = als_turn_carrier_close;
  carrier_class->set_reading = als_turn_carrier_set_reading;
}

static void
als_turn_carrier_init (AlsTurnCarrier *self)
{
  self->stripes = g_ptr_array_new_with_free_func (stripe_free);
  self->record = g_malloc (HEADER_BYTES + ALS_TURN_MAX_MESSAGE_BYTES);
  self->incoming = als_turn_records_new (&incoming_events, self);
  self->min_rtt_us = INT64_MAX;
}

AlsTurnCarrier *
als_turn_carrier_new (const char *remote, gboolean can_widen, AlsMailbox *notes)
{
  AlsTurnCarrier *self = g_object_new (ALS_TYPE_TURN_CARRIER, NULL);

  als_carrier_setup (ALS_CARRIER (self), ALS_CARRIER_MESSAGES, ALS_PATH_TURN_TCP,
                     als_stream_carrier_get_thread_context (), remote, FALSE);
  als_carrier_set_limits (ALS_CARRIER (self), 0, BACKLOG_BYTES);
  als_carrier_set_initiated (ALS_CARRIER (self), can_widen);
  self->can_widen = can_widen;
  self->notes = als_mailbox_ref (notes);
  return self;
}
