/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A record: u8 type, u32 bytes that follow, u64 number, bytes.
 *
 *   DATA   number: the message's, from 0
 *   PING   number: anything; comes back as PONG
 *   END    number: how many messages there were. Half-close is not relayed
 *   WIDEN  number: how many streams would help the sender
 */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-carrier.h"

#include <string.h>

#include "base/als-bytes.h"
#include "path/als-stream-carrier.h"
#include "path/turn/als-turn-message.h"

#define HEADER_BYTES (1 + 4 + 8)

/* What one relayed connection moves in a round trip is 64 KiB: more than so much asks for another. */
#define STRIPE_BYTES (40 * 1024)
#define WINDOW_US ((int64_t) 250 * 1000)
/* Between two wishes: connections take a while. */
#define WISH_US ((int64_t) 2 * G_USEC_PER_SEC)
#define PING_US ((int64_t) 1 * G_USEC_PER_SEC)
/* In a window, below which refusals are no sign of bulk. */
#define BULK_BYTES (64 * 1024)
#define FIRST_WIDTH 4
/* Whoever asks for more answers than it takes gets none. */
#define MAX_OWED_BYTES 4096
/* Unacknowledged by the other side: what the reordering there can take, with a margin. */
#define BACKLOG_BYTES (4 * 1024 * 1024)

enum
{
  RECORD_DATA = 1,
  RECORD_PING = 2,
  RECORD_PONG = 3,
  RECORD_END = 4,
  RECORD_WIDEN = 5,
};

typedef struct
{
  AlsTurnCarrier *owner;
  AlsCarrier *carrier;
  GByteArray *partial;   /* the beginning of a record */
  GByteArray *owed;      /* small records that go before the next message */
  gboolean is_full;
  gboolean is_ended;     /* by the other side */
} Stripe;

typedef struct
{
  uint64_t number;       /* first: the key */
  GBytes *bytes;
} Waiting;

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
  uint64_t next_in;
  GHashTable *waiting;         /* (element-type Waiting): came before their turn */
  size_t waiting_bytes;
  uint64_t end_in;             /* UINT64_MAX: no end in sight */
  gboolean is_listened_to;
  gboolean is_reading;
  gboolean is_over;            /* closed, or broken */
  gboolean is_refused;         /* the sender waits for room */
  /* whether more streams would help */
  int64_t window_us;           /* its beginning */
  uint64_t window_bytes;
  gboolean was_full;           /* in this window */
  int64_t min_rtt_us;          /* INT64_MAX: not known */
  int64_t ping_us;             /* the last one */
  int64_t wish_us;             /* the last one */
};

G_DEFINE_FINAL_TYPE (AlsTurnCarrier, als_turn_carrier, ALS_TYPE_CARRIER)

static void
waiting_free (gpointer data)
{
  Waiting *self = data;

  g_bytes_unref (self->bytes);
  g_free (self);
}

static void
stripe_free (gpointer data)
{
  Stripe *self = data;

  als_carrier_close (self->carrier);
  g_object_unref (self->carrier);
  g_byte_array_unref (self->partial);
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
  g_debug ("turn carrier: it ends: %s", error != NULL ? error->message : "by the other side");
  tell (self, 0);
  /* The others are of no use now. They are freed later: one may be in a call of ours. */
  for (guint i = 0; i < self->stripes->len; i++)
    als_carrier_close (((Stripe *) g_ptr_array_index (self->stripes, i))->carrier);
  als_carrier_broke (ALS_CARRIER (self), error);
}

static void
break_protocol (AlsTurnCarrier *self, const char *message)
{
  break_off (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_DATA, message));
}

/* --- out --- */

static size_t
put_header (uint8_t *out, uint8_t type, uint32_t len, uint64_t number)
{
  uint32_t len_be = GUINT32_TO_BE (len);
  uint64_t number_be = GUINT64_TO_BE (number);

  out[0] = type;
  memcpy (out + 1, &len_be, sizeof len_be);
  memcpy (out + 5, &number_be, sizeof number_be);
  return HEADER_BYTES;
}

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
          self->next_stripe = self->window_bytes > BULK_BYTES ? index + 1 : index;
          return TRUE;
        }
    }
  return FALSE;
}

/* As soon as the stripe takes it. */
static void
send_small (Stripe *stripe, uint8_t type, uint64_t number)
{
  uint8_t record[HEADER_BYTES];

  if (stripe->owed->len >= MAX_OWED_BYTES)
    return;
  put_header (record, type, 0, number);
  g_byte_array_append (stripe->owed, record, sizeof record);
  stripe_flush (stripe);
}

static void
wish (AlsTurnCarrier *self, guint n, int64_t now_us)
{
  n = MIN (n, ALS_TURN_MAX_STRIPES);
  if (n <= self->stripes->len || now_us - self->wish_us < WISH_US)
    return;
  self->wish_us = now_us;
  g_debug ("turn carrier: %u streams would help", n);
  if (self->can_widen)
    tell (self, n);
  else
    send_small (g_ptr_array_index (self->stripes, 0), RECORD_WIDEN, n);
}

/* At the end of a window: did it carry more than its streams can? */
static void
look_back (AlsTurnCarrier *self, int64_t now_us)
{
  int64_t took_us = now_us - self->window_us;
  guint wanted = 1;

  if (took_us < WINDOW_US)
    return;
  if (self->min_rtt_us != INT64_MAX)
    wanted += (guint) MIN (self->window_bytes * (double) self->min_rtt_us / (double) took_us
                               / STRIPE_BYTES,
                           ALS_TURN_MAX_STRIPES);
  if (self->was_full && self->window_bytes > BULK_BYTES)
    wanted = MAX (wanted, self->stripes->len + 1);
  if (wanted > self->stripes->len)
    wish (self, wanted > FIRST_WIDTH ? ALS_TURN_MAX_STRIPES : FIRST_WIDTH, now_us);
  self->window_us = now_us;
  self->window_bytes = 0;
  self->was_full = FALSE;
  if (now_us - self->ping_us >= PING_US)
    {
      self->ping_us = now_us;
      send_small (g_ptr_array_index (self->stripes, 0), RECORD_PING, (uint64_t) now_us);
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

      if (len > ALS_TURN_CARRIER_MAX_BYTES)
        {
          g_warning ("a message of %" G_GSIZE_FORMAT " bytes cannot be sent", len);
          continue;
        }
      put_header (self->record, RECORD_DATA, (uint32_t) len, self->next_out);
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
deliver (AlsTurnCarrier *self, const uint8_t *data, size_t len)
{
  self->next_in++;
  als_carrier_received (ALS_CARRIER (self), data, len);
}

/* Those whose turn has come. A callback may close us, or stop the reading: what is here already
 * is delivered all the same. */
static void
deliver_waiting (AlsTurnCarrier *self)
{
  Waiting *waiting;

  while (!self->is_over && (waiting = g_hash_table_lookup (self->waiting, &self->next_in)) != NULL)
    {
      g_autoptr (GBytes) bytes = g_bytes_ref (waiting->bytes);
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      self->waiting_bytes -= len;
      g_hash_table_remove (self->waiting, &self->next_in);
      deliver (self, data, len);
    }
  if (!self->is_over && self->next_in == self->end_in)
    break_off (self, NULL);
}

static void
take_data (AlsTurnCarrier *self, uint64_t number, const uint8_t *data, size_t len)
{
  Waiting *waiting;

  if (number == self->next_in)
    {
      deliver (self, data, len);
      deliver_waiting (self);
      return;
    }
  if (number < self->next_in || g_hash_table_contains (self->waiting, &number))
    {
      break_protocol (self, "a record came twice");
      return;
    }
  /* An empty one costs memory, too. */
  if (self->waiting_bytes + len > ALS_TURN_CARRIER_MAX_REORDER_BYTES
      || g_hash_table_size (self->waiting) >= ALS_TURN_CARRIER_MAX_REORDER_BYTES / 256)
    {
      break_protocol (self, "too much waits for a record that does not come");
      return;
    }
  waiting = g_new0 (Waiting, 1);
  waiting->number = number;
  waiting->bytes = g_bytes_new (data, len);
  self->waiting_bytes += len;
  g_hash_table_insert (self->waiting, &waiting->number, waiting);
}

static void
take_record (Stripe *stripe, uint8_t type, uint64_t number, const uint8_t *data, size_t len)
{
  AlsTurnCarrier *self = stripe->owner;
  int64_t now_us = g_get_monotonic_time ();

  if (type != RECORD_DATA && len > 0)
    {
      break_protocol (self, "a record with bytes that it cannot have");
      return;
    }
  switch (type)
    {
    case RECORD_DATA:
      take_data (self, number, data, len);
      break;
    case RECORD_PING:
      send_small (stripe, RECORD_PONG, number);
      break;
    case RECORD_PONG:
      if (number != (uint64_t) self->ping_us || now_us <= self->ping_us)
        break;
      self->min_rtt_us = MIN (self->min_rtt_us, now_us - self->ping_us);
      break;
    case RECORD_END:
      if (number < self->next_in)
        break_protocol (self, "an end before what has come");
      self->end_in = number;
      deliver_waiting (self);
      break;
    case RECORD_WIDEN:
      if (self->can_widen && number <= ALS_TURN_MAX_STRIPES && number > self->stripes->len)
        tell (self, (guint) number);
      break;
    default:
      break_protocol (self, "an unknown record");
      break;
    }
}

/* Takes one whole record from DATA: how many bytes it was, 0 if it is not whole, or nothing more
 * is to be taken. */
static size_t
take_whole (Stripe *stripe, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint8_t type;
  uint32_t bytes;
  uint64_t number;
  const uint8_t *content;

  als_reader_init (&reader, data, len);
  type = als_reader_u8 (&reader);
  bytes = als_reader_u32 (&reader);
  number = als_reader_u64 (&reader);
  if (reader.failed)
    return 0;
  if (bytes > ALS_TURN_CARRIER_MAX_BYTES)
    {
      break_protocol (stripe->owner, "a record beyond the limit");
      return 0;
    }
  content = als_reader_bytes (&reader, bytes);
  if (reader.failed)
    return 0;
  take_record (stripe, type, number, content, bytes);
  return HEADER_BYTES + bytes;
}

/* How many bytes of it the record that was begun still needs; at least 1. */
static size_t
get_missing (const Stripe *stripe)
{
  uint32_t bytes;

  if (stripe->partial->len < HEADER_BYTES)
    return HEADER_BYTES - stripe->partial->len;
  memcpy (&bytes, stripe->partial->data + 1, sizeof bytes);
  return HEADER_BYTES + (size_t) GUINT32_FROM_BE (bytes) - stripe->partial->len;
}

static void
on_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Stripe *stripe = user_data;
  g_autoptr (AlsTurnCarrier) self = g_object_ref (stripe->owner);

  while (len > 0 && !self->is_over)
    {
      size_t taken = 0;

      if (stripe->partial->len == 0)
        taken = take_whole (stripe, data, len);
      if (self->is_over)
        return; /* perhaps without the stripe */
      if (taken == 0)
        {
          taken = MIN (get_missing (stripe), len);
          g_byte_array_append (stripe->partial, data, (guint) taken);
          if (take_whole (stripe, stripe->partial->data, stripe->partial->len) > 0
              && !self->is_over)
            g_byte_array_set_size (stripe->partial, 0);
        }
      data += taken;
      len -= taken;
    }
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

/* After the end mark the streams end one by one; before it one is as bad as all. */
static void
on_closed (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  Stripe *stripe = user_data;
  AlsTurnCarrier *self = stripe->owner;

  stripe->is_ended = TRUE;
  for (guint i = 0; i < self->stripes->len && self->end_in != UINT64_MAX; i++)
    if (!((Stripe *) g_ptr_array_index (self->stripes, i))->is_ended)
      return;
  break_off (self, error != NULL ? g_error_copy (error) : NULL);
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
  send_small (stripe, RECORD_PING, (uint64_t) self->ping_us);
}

static void
add_stripe (AlsTurnCarrier *self, AlsCarrier *carrier)
{
  Stripe *stripe = g_new0 (Stripe, 1);

  stripe->owner = self;
  stripe->carrier = g_object_ref (carrier);
  stripe->partial = g_byte_array_new ();
  stripe->owed = g_byte_array_new ();
  g_ptr_array_add (self->stripes, stripe);
  g_atomic_int_inc (&self->n_streams);
  /* Nothing is read before somebody listens. */
  if (self->is_listened_to)
    listen_to_stripe (self, stripe);
  if (self->is_refused && !self->is_over)
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

  if (order->stream == NULL)
    {
      break_off (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "the path was closed"));
      if (!self->is_listened_to)
        als_carrier_close (ALS_CARRIER (self));
      return G_SOURCE_REMOVE;
    }
  carrier = als_stream_carrier_new (order->stream, ALS_PATH_TURN_TCP, NULL, FALSE, FALSE,
                                    order->early);
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
  g_main_context_invoke_full (als_stream_carrier_get_thread_context (), G_PRIORITY_DEFAULT,
                              order_cb, order, order_free);
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

/* The stripes are freed later: a caller may still look at what one of them received. */
static void
als_turn_carrier_close (AlsCarrier *carrier)
{
  AlsTurnCarrier *self = ALS_TURN_CARRIER (carrier);
  gboolean was_over = self->is_over;

  self->is_over = TRUE;
  for (guint i = 0; i < self->stripes->len; i++)
    {
      Stripe *stripe = g_ptr_array_index (self->stripes, i);

      if (!was_over)
        send_small (stripe, RECORD_END, self->next_out);
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
  g_hash_table_unref (self->waiting);
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
  self->record = g_malloc (HEADER_BYTES + ALS_TURN_CARRIER_MAX_BYTES);
  self->waiting = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, waiting_free);
  self->end_in = UINT64_MAX;
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
