/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "als-fake-link.h"

#define CONTROL_EXTRA (4 * 1024)
#define N_QUEUES (ALS_N_LANES + 1)
#define DATAGRAM_QUEUE 0 /* first: nothing waits less */

typedef struct
{
  GBytes *bytes;
  guint queue;
  int64_t at_us;
} Item;

typedef struct
{
  AlsLink parent;
  AlsFakeLinkConfig config;
  AlsLink *peer;         /* NULL once that end was freed */
  GQueue out[N_QUEUES];  /* Item: not yet sent */
  size_t queued;
  size_t queued_above[N_QUEUES];
  GQueue in;             /* Item: under way to us, in order of arrival */
  int64_t now_us;
  int64_t busy_until_us; /* the line, in our direction */
  gboolean silent;
  gboolean broken, closing, told;
  gboolean orphan;       /* the peer's end is gone: broken after what is under way */
  uint64_t sent_bytes;
  guint n_datagrams;
} FakeLink;

static void
item_free (Item *item)
{
  g_bytes_unref (item->bytes);
  g_free (item);
}

static void
clear_queue (GQueue *queue)
{
  Item *item;

  while ((item = g_queue_pop_head (queue)) != NULL)
    item_free (item);
}

static size_t
get_limit (const FakeLink *self)
{
  return self->config.rate * ALS_LINK_QUEUE_US / G_USEC_PER_SEC + 1;
}

static size_t
fake_get_room (AlsLink *link, AlsLane lane)
{
  FakeLink *self = (FakeLink *) link;
  size_t limit = get_limit (self) + (lane == ALS_LANE_BULK ? 0 : CONTROL_EXTRA);
  size_t used = 0;

  if (self->broken || self->closing)
    return 0;
  for (guint i = 0; i <= 1 + (guint) lane; i++)
    used += self->queued_above[i];
  return used < limit ? limit - used : 0;
}

static void
put (FakeLink *self, guint queue, const void *data, size_t len)
{
  Item *item = g_new0 (Item, 1);

  item->bytes = g_bytes_new (data, len);
  item->queue = queue;
  g_queue_push_tail (&self->out[queue], item);
  self->queued_above[queue] += len;
  self->queued += len;
}

static gboolean
fake_send_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len)
{
  FakeLink *self = (FakeLink *) link;

  if (fake_get_room (link, lane) == 0)
    return FALSE;
  put (self, 1 + lane, data, len);
  return TRUE;
}

static gboolean
fake_send_datagram (AlsLink *link, const uint8_t *data, size_t len)
{
  FakeLink *self = (FakeLink *) link;

  if (self->broken || self->closing || self->queued_above[DATAGRAM_QUEUE] > get_limit (self))
    return FALSE;
  self->n_datagrams++;
  put (self, DATAGRAM_QUEUE, data, len);
  return TRUE;
}

static void
transmit (FakeLink *self)
{
  while (self->busy_until_us <= self->now_us)
    {
      Item *item = NULL;

      for (guint i = 0; i < N_QUEUES && item == NULL; i++)
        item = g_queue_pop_head (&self->out[i]);
      if (item == NULL)
        return;
      self->queued -= g_bytes_get_size (item->bytes);
      self->queued_above[item->queue] -= g_bytes_get_size (item->bytes);
      self->sent_bytes += g_bytes_get_size (item->bytes);
      self->busy_until_us = MAX (self->busy_until_us, self->now_us)
                            + (int64_t) (g_bytes_get_size (item->bytes) * G_USEC_PER_SEC
                                         / self->config.rate) + 1;
      item->at_us = self->busy_until_us + self->config.delay_us;
      if (self->peer != NULL && !self->silent)
        g_queue_push_tail (&((FakeLink *) self->peer)->in, item);
      else
        item_free (item);
    }
}

static void
fake_poll (AlsLink *link, int64_t now_us)
{
  FakeLink *self = (FakeLink *) link;
  gboolean had_room = self->queued == 0;
  Item *item;

  self->now_us = now_us;
  while (!self->broken && (item = g_queue_peek_head (&self->in)) != NULL && item->at_us <= now_us)
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (item->bytes, &len);

      g_queue_pop_head (&self->in);
      if (link->events != NULL && item->queue == DATAGRAM_QUEUE)
        link->events->datagram (link, data, len, link->events_data);
      else if (link->events != NULL)
        link->events->frame (link, (AlsLane) (item->queue - 1), data, len, link->events_data);
      item_free (item);
    }
  self->broken |= self->orphan && g_queue_is_empty (&self->in);
  if (!self->broken)
    transmit (self);
  if (!had_room && link->events != NULL && fake_get_room (link, ALS_LANE_BULK) > 0)
    link->events->room (link, link->events_data);
  if ((self->broken || (self->closing && self->queued == 0)) && !self->told)
    {
      self->told = TRUE;
      if (link->events != NULL)
        link->events->closed (link, self->broken ? ALS_LINK_END_CARRIER : ALS_LINK_END_CLOSED,
                              link->events_data);
    }
}

static int64_t
fake_get_deadline (AlsLink *link)
{
  FakeLink *self = (FakeLink *) link;
  int64_t deadline_us = INT64_MAX;
  Item *item = g_queue_peek_head (&self->in);

  if (self->told)
    return INT64_MAX;
  if (self->broken || (self->orphan && item == NULL) || (self->closing && self->queued == 0))
    return self->now_us;
  if (item != NULL)
    deadline_us = item->at_us;
  if (self->queued > 0)
    deadline_us = MIN (deadline_us, self->busy_until_us);
  return deadline_us;
}

static void
fake_get_stats (AlsLink *link, AlsLinkStats *stats)
{
  FakeLink *self = (FakeLink *) link;

  *stats = (AlsLinkStats){
    .kind = self->config.kind,
    .lan = self->config.lan,
    .path_id = self->config.path_id,
    .rtt_us = 2 * self->config.delay_us,
    .min_rtt_us = 2 * self->config.delay_us,
    .rate = self->config.rate,
    .queue_delay_us = (int64_t) (self->queued * G_USEC_PER_SEC / self->config.rate),
    .queued_bytes = self->queued,
    .acked_bytes = self->sent_bytes,
  };
}

static void
fake_close (AlsLink *link)
{
  ((FakeLink *) link)->closing = TRUE;
}

static void
fake_free (AlsLink *link)
{
  FakeLink *self = (FakeLink *) link;

  if (self->peer != NULL)
    {
      ((FakeLink *) self->peer)->peer = NULL;
      ((FakeLink *) self->peer)->orphan = TRUE;
    }
  for (guint i = 0; i < N_QUEUES; i++)
    clear_queue (&self->out[i]);
  clear_queue (&self->in);
  g_free (self);
}

static const AlsLinkClass fake_class = {
  .free = fake_free,
  .poll = fake_poll,
  .get_deadline = fake_get_deadline,
  .get_room = fake_get_room,
  .send_frame = fake_send_frame,
  .send_datagram = fake_send_datagram,
  .get_stats = fake_get_stats,
  .close = fake_close,
};

void
als_fake_link_new_pair (const AlsFakeLinkConfig *config, AlsLink *ends[2])
{
  for (guint i = 0; i < 2; i++)
    {
      FakeLink *self = g_new0 (FakeLink, 1);

      self->parent.klass = &fake_class;
      self->config = *config;
      for (guint j = 0; j < N_QUEUES; j++)
        g_queue_init (&self->out[j]);
      g_queue_init (&self->in);
      ends[i] = &self->parent;
    }
  ((FakeLink *) ends[0])->peer = ends[1];
  ((FakeLink *) ends[1])->peer = ends[0];
}

void
als_fake_link_set_silent (AlsLink *end, gboolean silent)
{
  FakeLink *self = (FakeLink *) end;

  self->silent = silent;
  if (silent && self->peer != NULL)
    clear_queue (&((FakeLink *) self->peer)->in);
}

void
als_fake_link_break (AlsLink *end)
{
  FakeLink *self = (FakeLink *) end;

  self->broken = TRUE;
  if (self->peer != NULL)
    ((FakeLink *) self->peer)->broken = TRUE;
}

void
als_fake_link_set_delay (AlsLink *end, int64_t delay_us)
{
  ((FakeLink *) end)->config.delay_us = delay_us;
}

void
als_fake_link_set_rate (AlsLink *end, uint64_t rate)
{
  ((FakeLink *) end)->config.rate = rate;
}

void
als_fake_link_inject (AlsLink *end, AlsLane lane, const void *data, size_t len)
{
  FakeLink *self = (FakeLink *) end;
  Item *item = g_new0 (Item, 1);

  item->bytes = g_bytes_new (data, len);
  item->queue = 1 + lane;
  item->at_us = self->now_us;
  g_queue_push_head (&((FakeLink *) self->peer)->in, item);
}

guint
als_fake_link_get_n_datagrams (AlsLink *end)
{
  return ((FakeLink *) end)->n_datagrams;
}
