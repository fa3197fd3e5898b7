/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two halves. The host is the AlsLink of the engine's thread. The runner lives in
 * the carrier's: it owns the machine and the carrier, and is freed there. Each
 * posts to the other's mailbox; nothing else is shared but a count of what is under
 * way to the host, and nobody is called from within a call, not even where both live
 * in one thread.
 *
 * The count is the bound for a peer that is quicker than our engine: beyond it a
 * carrier of datagrams loses what comes, and any other is not read, so that the
 * peer's own window fills. */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-link-host.h"

#include <sodium.h>
#include <string.h>

#include "base/als-deadline-source.h"
#include "base/als-mailbox.h"
#include "transport/als-message-link.h"
#include "transport/als-udp-link.h"

/* How often the engine hears how the machine is: when room came or something was taken, and
 * otherwise while anything moves. */
#define URGENT_STATS_US (2 * 1000)
#define STATS_US (50 * 1000)

/* Datagrams under way to the carrier's thread, which drops what is too much by itself. */
#define MAX_DATAGRAMS_BYTES (256 * 1024)

/* Bytes under way to the engine, with what their items take: datagrams are lost from the first on, everything is held back from
 * the second until it is down to the first again. A carrier that goes on all the same ends at the
 * third. */
#define SOME_UNREAD_BYTES (4 * 1024 * 1024)
#define MAX_UNREAD_BYTES (8 * 1024 * 1024)
#define END_UNREAD_BYTES (32 * 1024 * 1024)

/* --- what crosses --- */

typedef struct
{
  gatomicrefcount refs;
  gint bytes;                     /* atomic: posted to the host, not yet handled, items and all */
  gint holding;                   /* atomic: the carrier is not read */
} Unread;

static Unread *
unread_new (void)
{
  Unread *self = g_new0 (Unread, 1);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

static Unread *
unread_ref (Unread *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
unread_unref (Unread *self)
{
  if (g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}

/* TRUE, to one caller alone: reading may go on. */
static gboolean
unread_let_go (Unread *self)
{
  return g_atomic_int_get (&self->bytes) <= SOME_UNREAD_BYTES
         && g_atomic_int_compare_and_exchange (&self->holding, TRUE, FALSE);
}

typedef enum
{
  ITEM_START,    /* to the runner */
  ITEM_CLOSE,
  ITEM_READ,
  ITEM_FREE,
  ITEM_READY,    /* to the host */
  ITEM_STATS,
  ITEM_CLOSED,
  ITEM_FRAME,    /* both ways */
  ITEM_DATAGRAM,
} ItemType;

/* The machine as the engine is to see it. */
typedef struct
{
  AlsLinkStats stats;
  size_t room[ALS_N_LANES];
  uint64_t taken[ALS_N_LANES];    /* bytes of the host's frames that the machine took, ever */
  uint64_t taken_datagrams;       /* bytes of datagrams dealt with, ever */
  gboolean ready;
} View;

typedef struct
{
  ItemType type;
  union
  {
    View view;                    /* READY, STATS */
    AlsLinkEnd end;               /* CLOSED */
    struct
    {
      AlsLane lane;               /* FRAME */
      size_t len;
      uint8_t data[];
    };
  };
} Item;

static Item *
item_new (ItemType type)
{
  Item *item = g_malloc0 (sizeof *item);

  item->type = type;
  return item;
}

static Item *
item_new_bytes (ItemType type, AlsLane lane, const uint8_t *data, size_t len)
{
  Item *item = g_malloc (MAX (sizeof *item, G_STRUCT_OFFSET (Item, data) + len));

  item->type = type;
  item->lane = lane;
  item->len = len;
  memcpy (item->data, data, len);
  return item;
}

/* Of what waits for the engine: a byte on the wire can be a frame of its own. */
static gint
item_cost (size_t len)
{
  return (gint) (sizeof (Item) + len);
}

/* --- the runner: carrier's thread --- */

typedef struct
{
  AlsCarrier *carrier;            /* owned */
  AlsLinkConfig config;           /* its secret is wiped once the machine has it */
  AlsMailbox *inbox;              /* owned */
  AlsMailbox *to_host;            /* owned */
  Unread *unread;                 /* owned, shared with the host */
  AlsLink *machine;               /* NULL before START and after the end */
  GSource *deadline;              /* NULL likewise */
  GQueue waiting[ALS_N_LANES];    /* (element-type Item): frames that the machine has no room for */
  uint64_t taken[ALS_N_LANES];
  uint64_t taken_datagrams;
  gboolean busy;                  /* within the machine */
  gboolean over;                  /* it ended, or its carrier did */
  AlsLinkEnd end;
  gboolean ready;
  gboolean room_came;
  gboolean stats_urgent;
  int64_t stats_us;               /* last posted */
  gboolean stats_wanted;          /* something moved since */
} Runner;

static guint
runner_output (const AlsPacket *packets, guint n, gpointer user_data)
{
  Runner *self = user_data;

  return als_carrier_send (self->carrier, packets, n);
}

static Item *
runner_make_view (Runner *self, ItemType type)
{
  Item *item = item_new (type);
  View *view = &item->view;

  als_link_get_stats (self->machine, &view->stats);
  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    {
      /* Where frames wait already, the next would wait behind them. */
      view->room[lane] = g_queue_is_empty (&self->waiting[lane])
                           ? als_link_get_room (self->machine, lane) : 0;
      view->taken[lane] = self->taken[lane];
    }
  view->taken_datagrams = self->taken_datagrams;
  als_carrier_get_loss (self->carrier, &view->stats.sent_packets, &view->stats.lost_packets);
  view->ready = self->ready;
  return item;
}

static void
runner_post_stats (Runner *self, ItemType type, int64_t now_us)
{
  Item *item = runner_make_view (self, type);

  self->stats_us = now_us;
  self->stats_urgent = self->room_came = FALSE;
  /* While something waits here, time alone changes what there is to tell. */
  self->stats_wanted = item->view.stats.queued_bytes > 0;
  als_mailbox_post (self->to_host, item);
}

static void
on_machine_ready (AlsLink *link, gpointer user_data)
{
  Runner *self = user_data;

  self->ready = TRUE;
  runner_post_stats (self, ITEM_READY, g_get_monotonic_time ());
}

static void
on_machine_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  Runner *self = user_data;

  g_atomic_int_add (&self->unread->bytes, item_cost (len));
  als_mailbox_post (self->to_host, item_new_bytes (ITEM_FRAME, lane, data, len));
}

static void
on_machine_datagram (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  Runner *self = user_data;

  if (g_atomic_int_get (&self->unread->bytes) > SOME_UNREAD_BYTES)
    return;
  g_atomic_int_add (&self->unread->bytes, item_cost (len));
  als_mailbox_post (self->to_host, item_new_bytes (ITEM_DATAGRAM, 0, data, len));
}

static void
on_machine_room (AlsLink *link, gpointer user_data)
{
  ((Runner *) user_data)->room_came = TRUE;
}

static void
on_machine_closed (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  Runner *self = user_data;

  self->over = TRUE;
  self->end = end;
}

static const AlsLinkEvents machine_events = { on_machine_ready, on_machine_frame,
                                              on_machine_datagram, on_machine_room,
                                              on_machine_closed };

/* Everything but the mailboxes and the carrier object, which its own code may be about to use. */
static void
runner_end (Runner *self)
{
  als_carrier_close (self->carrier);
  g_clear_pointer (&self->machine, als_link_free);
  if (self->deadline != NULL)
    {
      g_source_destroy (self->deadline);
      g_clear_pointer (&self->deadline, g_source_unref);
    }
  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    g_queue_clear_full (&self->waiting[lane], g_free);
}

/* TRUE: the machine took some. */
static gboolean
runner_give_waiting (Runner *self)
{
  gboolean some = FALSE;

  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    {
      Item *item;

      while ((item = g_queue_peek_head (&self->waiting[lane])) != NULL
             && als_link_get_room (self->machine, lane) > 0
             && als_link_send_frame (self->machine, lane, item->data, item->len))
        {
          self->taken[lane] += item->len;
          self->stats_urgent = some = TRUE;
          g_free (g_queue_pop_head (&self->waiting[lane]));
        }
    }
  return some;
}

static void
runner_poll (Runner *self, int64_t now_us)
{
  self->busy = TRUE;
  als_link_poll (self->machine, now_us);
  self->busy = FALSE;
}

static void
runner_tell_end (Runner *self, AlsLinkEnd end)
{
  Item *item = item_new (ITEM_CLOSED);

  item->end = end;
  runner_end (self);
  als_mailbox_post (self->to_host, item);
}

/* After anything happened to the machine. */
static void
runner_step (Runner *self)
{
  int64_t now_us = g_get_monotonic_time (), stats_due_us = INT64_MAX;

  runner_poll (self, now_us);
  if (self->room_came && !self->over && runner_give_waiting (self))
    runner_poll (self, now_us);
  if (self->over)
    {
      runner_tell_end (self, self->end);
      return;
    }
  if (self->ready && (self->stats_wanted || self->stats_urgent || self->room_came))
    {
      stats_due_us = self->stats_us
                     + (self->stats_urgent || self->room_came ? URGENT_STATS_US : STATS_US);
      if (now_us >= stats_due_us)
        {
          runner_post_stats (self, ITEM_STATS, now_us);
          stats_due_us = self->stats_wanted ? now_us + STATS_US : INT64_MAX;
        }
    }
  als_deadline_source_set (self->deadline,
                           MIN (als_link_get_deadline (self->machine), stats_due_us));
}

static gboolean
on_deadline (gpointer user_data)
{
  runner_step (user_data);
  return G_SOURCE_CONTINUE;
}

/* After something came. */
static void
runner_bound_unread (Runner *self)
{
  gint bytes = g_atomic_int_get (&self->unread->bytes);

  if (self->config.carrier == ALS_CARRIER_DATAGRAMS || bytes <= MAX_UNREAD_BYTES)
    return;
  if (bytes > END_UNREAD_BYTES && !self->over)
    {
      self->over = TRUE;
      self->end = ALS_LINK_END_CARRIER;
    }
  if (!g_atomic_int_compare_and_exchange (&self->unread->holding, FALSE, TRUE))
    return;
  als_carrier_set_reading (self->carrier, FALSE);
  /* The host may have come to its end before it could know. */
  if (unread_let_go (self->unread))
    als_carrier_set_reading (self->carrier, TRUE);
}

static void
on_carrier_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Runner *self = user_data;

  g_return_if_fail (!self->busy); /* no carrier delivers from within its send */
  if (self->machine == NULL)
    return;
  if (self->config.carrier == ALS_CARRIER_DATAGRAMS
      && g_atomic_int_get (&self->unread->bytes) > MAX_UNREAD_BYTES)
    return;
  self->busy = TRUE;
  als_link_receive (self->machine, data, len, g_get_monotonic_time ());
  self->busy = FALSE;
  runner_bound_unread (self);
  self->stats_wanted = TRUE;
  runner_step (self);
}

static void
on_carrier_writable (AlsCarrier *carrier, gpointer user_data)
{
  Runner *self = user_data;

  if (self->machine != NULL && !self->busy)
    runner_step (self);
}

static void
on_carrier_closed (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  Runner *self = user_data;

  g_debug ("the carrier of path %u broke: %s", self->config.path_id,
           error != NULL ? error->message : "no reason given");
  if (self->machine == NULL || self->over)
    return;
  self->over = TRUE;
  self->end = ALS_LINK_END_CARRIER;
  if (!self->busy)
    runner_step (self);
}

static void
on_carrier_widened (AlsCarrier *carrier, gpointer user_data)
{
  Runner *self = user_data;

  if (self->machine != NULL)
    als_link_widened (self->machine);
}

static const AlsCarrierEvents carrier_events = { on_carrier_received, on_carrier_writable,
                                                 on_carrier_closed, on_carrier_widened };

static void
runner_start (Runner *self)
{
  int64_t now_us = g_get_monotonic_time ();

  switch (self->config.carrier)
    {
    case ALS_CARRIER_DATAGRAMS:
      self->machine = als_udp_link_new (&self->config, runner_output, self, now_us);
      break;
    case ALS_CARRIER_MESSAGES:
    case ALS_CARRIER_STREAM:
      self->machine = als_message_link_new (&self->config, runner_output, self, now_us);
      break;
    }
  sodium_memzero (self->config.session_secret, sizeof self->config.session_secret);
  als_link_set_events (self->machine, &machine_events, self);
  self->deadline = als_deadline_source_new (als_carrier_get_context (self->carrier),
                                            "als-link-host", on_deadline, self);
  als_carrier_set_events (self->carrier, &carrier_events, self);
}

static void
runner_free (Runner *self)
{
  runner_end (self);
  als_mailbox_close (self->inbox);
  als_mailbox_unref (self->inbox);
  als_mailbox_unref (self->to_host);
  unread_unref (self->unread);
  g_object_unref (self->carrier);
  sodium_memzero (self, sizeof *self);
  g_free (self);
}

static void
runner_handle (Runner *self, Item *item)
{
  if (item->type == ITEM_START)
    runner_start (self);
  if (self->machine == NULL)
    {
      g_free (item);
      return;
    }
  switch (item->type)
    {
    case ITEM_CLOSE:
      runner_give_waiting (self);
      als_link_close (self->machine);
      break;
    case ITEM_READ:
      als_carrier_set_reading (self->carrier, TRUE);
      break;
    case ITEM_FRAME:
      g_queue_push_tail (&self->waiting[item->lane], item);
      self->stats_wanted = TRUE;
      return;
    case ITEM_DATAGRAM:
      als_link_send_datagram (self->machine, item->data, item->len);
      self->taken_datagrams += item->len;
      self->stats_urgent = TRUE;
      break;
    default:
      break;
    }
  g_free (item);
}

static void
on_runner_items (GPtrArray *items, gpointer user_data)
{
  Runner *self = user_data;
  Item *last = g_ptr_array_index (items, items->len - 1);
  gboolean free_it = last->type == ITEM_FREE;

  /* The machine's clock is set before it is given anything. */
  if (self->machine != NULL && !free_it)
    runner_poll (self, g_get_monotonic_time ());
  for (guint i = 0; i < items->len; i++)
    runner_handle (self, g_ptr_array_index (items, i));
  if (free_it)
    {
      runner_free (self);
      return;
    }
  if (self->machine == NULL)
    return;
  runner_give_waiting (self);
  runner_step (self);
}

/* --- the host: engine's thread --- */

typedef struct
{
  AlsLink parent;
  Runner *runner;                 /* not ours to touch but in als_link_free () */
  AlsMailbox *to_runner;          /* owned */
  AlsMailbox *inbox;              /* owned */
  Unread *unread;                 /* owned, shared with the runner */
  GMainContext *runner_context;   /* owned */
  char *remote;
  AlsLinkConfig config;           /* without its secret */
  View view;                      /* last heard */
  uint64_t handed[ALS_N_LANES];   /* bytes of frames, ever */
  uint64_t handed_datagrams;
} AlsLinkHost;

static uint64_t
host_get_under_way (AlsLinkHost *self, AlsLane lane)
{
  return self->handed[lane] - self->view.taken[lane];
}

static size_t
host_get_room (AlsLink *link, AlsLane lane)
{
  AlsLinkHost *self = (AlsLinkHost *) link;
  uint64_t under_way = host_get_under_way (self, ALS_LANE_CONTROL);

  if (!self->view.ready)
    return 0;
  /* Nothing of the other lanes is in the way of control. */
  if (lane != ALS_LANE_CONTROL)
    under_way += host_get_under_way (self, ALS_LANE_CHAT) + host_get_under_way (self, ALS_LANE_BULK);
  return self->view.room[lane] > under_way ? self->view.room[lane] - (size_t) under_way : 0;
}

static gboolean
host_send_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len)
{
  AlsLinkHost *self = (AlsLinkHost *) link;

  if (host_get_room (link, lane) == 0)
    return FALSE;
  self->handed[lane] += len;
  als_mailbox_post (self->to_runner, item_new_bytes (ITEM_FRAME, lane, data, len));
  return TRUE;
}

static gboolean
host_send_datagram (AlsLink *link, const uint8_t *data, size_t len)
{
  AlsLinkHost *self = (AlsLinkHost *) link;

  if (!self->view.ready
      || self->handed_datagrams - self->view.taken_datagrams + len > MAX_DATAGRAMS_BYTES)
    return FALSE;
  self->handed_datagrams += len;
  als_mailbox_post (self->to_runner, item_new_bytes (ITEM_DATAGRAM, 0, data, len));
  return TRUE;
}

static void
host_get_stats (AlsLink *link, AlsLinkStats *stats)
{
  AlsLinkHost *self = (AlsLinkHost *) link;
  uint64_t ahead = self->handed_datagrams - self->view.taken_datagrams
                   + host_get_under_way (self, ALS_LANE_CONTROL);

  *stats = self->view.stats;
  stats->queued_bytes += ahead + host_get_under_way (self, ALS_LANE_CHAT)
                         + host_get_under_way (self, ALS_LANE_BULK);
  if (stats->rate > 0)
    stats->queue_delay_us += (int64_t) (ahead * (double) G_USEC_PER_SEC / stats->rate);
}

static void
host_close (AlsLink *link)
{
  AlsLinkHost *self = (AlsLinkHost *) link;

  als_mailbox_post (self->to_runner, item_new (ITEM_CLOSE));
}

static void
host_free (AlsLink *link)
{
  AlsLinkHost *self = (AlsLinkHost *) link;

  als_mailbox_close (self->inbox);
  als_mailbox_unref (self->inbox);
  /* A thread owns its context while it lives. Ours to take: it is this thread's own, or the other
   * one has ended, and nobody would read what is posted to it. */
  if (g_main_context_acquire (self->runner_context))
    {
      runner_free (self->runner);
      g_main_context_release (self->runner_context);
    }
  else
    {
      als_mailbox_post (self->to_runner, item_new (ITEM_FREE));
    }
  als_mailbox_unref (self->to_runner);
  unread_unref (self->unread);
  g_main_context_unref (self->runner_context);
  g_free (self->remote);
  g_free (self);
}

static const AlsLinkClass host_class = {
  .free = host_free,
  .get_room = host_get_room,
  .send_frame = host_send_frame,
  .send_datagram = host_send_datagram,
  .get_stats = host_get_stats,
  .close = host_close,
};

static void
host_closed (AlsLinkHost *self, AlsLinkEnd end)
{
  const AlsLinkEvents *events = g_steal_pointer (&self->parent.events);

  self->view.ready = FALSE;
  if (events != NULL)
    events->closed (&self->parent, end, self->parent.events_data);
}

/* *ROOM: somebody may wait for what this brought. */
static void
host_handle (AlsLinkHost *self, Item *item, gboolean *room)
{
  const AlsLinkEvents *events = self->parent.events;
  gpointer data = self->parent.events_data;

  switch (item->type)
    {
    case ITEM_READY:
      self->view = item->view;
      if (events != NULL)
        events->ready (&self->parent, data);
      break;
    case ITEM_STATS:
      self->view = item->view;
      *room = TRUE;
      break;
    case ITEM_CLOSED:
      host_closed (self, item->end);
      break;
    case ITEM_FRAME:
      g_atomic_int_add (&self->unread->bytes, -item_cost (item->len));
      if (events != NULL)
        events->frame (&self->parent, item->lane, item->data, item->len, data);
      break;
    case ITEM_DATAGRAM:
      g_atomic_int_add (&self->unread->bytes, -item_cost (item->len));
      if (events != NULL)
        events->datagram (&self->parent, item->data, item->len, data);
      break;
    default:
      break;
    }
  g_free (item);
}

static void
on_host_items (GPtrArray *items, gpointer user_data)
{
  AlsLinkHost *self = user_data;
  gboolean room = FALSE;

  for (guint i = 0; i < items->len; i++)
    host_handle (self, g_ptr_array_index (items, i), &room);
  if (unread_let_go (self->unread))
    als_mailbox_post (self->to_runner, item_new (ITEM_READ));
  if (room && self->parent.events != NULL && host_get_room (&self->parent, ALS_LANE_CONTROL) > 0)
    self->parent.events->room (&self->parent, self->parent.events_data);
}

AlsLink *
als_link_host_new (AlsCarrier *carrier, const AlsLinkConfig *config, GMainContext *engine)
{
  AlsLinkHost *self = g_new0 (AlsLinkHost, 1);
  Runner *runner = g_new0 (Runner, 1);

  self->parent.klass = &host_class;
  self->runner = runner;
  self->runner_context = g_main_context_ref (als_carrier_get_context (carrier));
  self->remote = g_strdup (als_carrier_get_remote (carrier));
  self->inbox = als_mailbox_new (engine, "als-link-host-in", on_host_items, self, g_free);
  self->to_runner = als_mailbox_new (self->runner_context, "als-link-host-out", on_runner_items,
                                     runner, g_free);

  runner->carrier = g_object_ref (carrier);
  runner->inbox = als_mailbox_ref (self->to_runner);
  runner->to_host = als_mailbox_ref (self->inbox);
  self->unread = unread_new ();
  runner->unread = unread_ref (self->unread);
  runner->config = *config;
  runner->config.carrier = als_carrier_get_carrier_type (carrier);
  runner->config.kind = als_carrier_get_kind (carrier);
  runner->config.lan = als_carrier_is_lan (carrier);
  runner->config.rate_limit = als_carrier_get_rate_limit (carrier);
  runner->config.backlog_limit = als_carrier_get_backlog_limit (carrier);
  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    g_queue_init (&runner->waiting[lane]);

  /* What is known before the machine says anything. */
  self->view.stats = (AlsLinkStats){ .kind = runner->config.kind, .lan = runner->config.lan,
                                     .path_id = config->path_id };
  als_mailbox_post (self->to_runner, item_new (ITEM_START));
  return &self->parent;
}

const char *
als_link_host_get_remote (AlsLink *link)
{
  g_return_val_if_fail (link->klass == &host_class, NULL);
  return ((AlsLinkHost *) link)->remote;
}
