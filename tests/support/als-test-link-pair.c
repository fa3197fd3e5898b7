/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-test-link-pair.h"

#include <string.h>

#define START_US (100 * G_USEC_PER_SEC)
#define CONTROL_BYTES 40
#define DATAGRAM_BYTES 1100
#define ECHO 0x80

/* A frame: a byte of flags, its number in its lane, the time, then a pattern. */
typedef struct
{
  uint8_t flags;
  uint64_t number;
  int64_t sent_us;
} Head;

static void
fill (uint8_t *data, size_t len, const Head *head)
{
  memset (data, (int) (head->number * 37 + 11), len);
  memcpy (data, head, MIN (len, sizeof *head));
}

static gboolean
send_frame (AlsTestEnd *end, AlsLane lane, size_t len, uint8_t flags, int64_t sent_us)
{
  uint8_t data[ALS_FRAME_MAX];
  Head head;

  memset (&head, 0, sizeof head);
  head.flags = flags;
  head.number = end->frames_sent[lane];
  head.sent_us = sent_us;
  fill (data, len, &head);
  if (!als_link_send_frame (end->link, lane, data, len))
    return FALSE;
  end->frames_sent[lane]++;
  end->bytes_sent[lane] += len;
  return TRUE;
}

static void
fill_bulk (AlsTestEnd *end)
{
  if (end->bulk_frame == 0 || !end->ready || end->closed)
    return;
  while (als_link_get_room (end->link, ALS_LANE_BULK) > 0
         && (end->bulk_limit == 0 || end->bytes_sent[ALS_LANE_BULK] < end->bulk_limit))
    if (!send_frame (end, ALS_LANE_BULK, end->bulk_frame, 0, end->pair->now_us))
      break;
}

static void
ready_cb (AlsLink *link, gpointer user_data)
{
  AlsTestEnd *end = user_data;

  g_assert_false (end->ready);
  end->ready = TRUE;
  end->ready_us = end->pair->now_us;
}

static void
frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsTestEnd *end = user_data;
  Head head;

  g_assert_true (end->ready);
  memset (&head, 0, sizeof head);
  memcpy (&head, data, MIN (len, sizeof head));
  if (len >= sizeof head)
    {
      uint8_t expected[ALS_FRAME_MAX];

      g_assert_cmpuint (head.number, ==, end->frames_got[lane]);
      fill (expected, len, &head);
      g_assert_true (memcmp (data, expected, len) == 0);
    }
  end->frames_got[lane]++;
  end->bytes_got[lane] += len;
  if (lane != ALS_LANE_CONTROL || len < sizeof head)
    return;
  if (head.flags & ECHO)
    {
      int64_t took_us = end->pair->now_us - head.sent_us;

      g_array_append_val (end->control_us, took_us);
      g_array_append_val (end->control_sent_us, head.sent_us);
    }
  else
    {
      send_frame (end, lane, len, ECHO, head.sent_us);
    }
}

static void
datagram_cb (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsTestEnd *end = user_data;
  uint8_t expected[ALS_DATAGRAM_MAX];
  Head head;

  g_assert_cmpuint (len, ==, DATAGRAM_BYTES);
  memcpy (&head, data, sizeof head);
  fill (expected, len, &head);
  g_assert_true (memcmp (data, expected, len) == 0);
  end->datagrams_got++;
  end->datagram_max_us = MAX (end->datagram_max_us, end->pair->now_us - head.sent_us);
}

static void
room_cb (AlsLink *link, gpointer user_data)
{
  fill_bulk (user_data);
}

static void
closed_cb (AlsLink *link, AlsLinkEnd reason, gpointer user_data)
{
  AlsTestEnd *end = user_data;

  g_assert_false (end->closed);
  end->closed = TRUE;
  end->end = reason;
}

static const AlsLinkEvents events = { ready_cb, frame_cb, datagram_cb, room_cb, closed_cb };

static guint
output_cb (const AlsPacket *packets, guint n, gpointer user_data)
{
  AlsTestEnd *end = user_data;
  AlsTestLinkPair *self = end->pair;

  if (self->capacity > 0)
    n = MIN (n, self->capacity);
  for (guint i = 0; i < n; i++)
    als_test_net_send (self->net, end->index, packets[i].data, packets[i].len, self->now_us);
  end->packets += n;
  return n;
}

AlsTestLinkPair *
als_test_link_pair_new (AlsTestLinkNew link_new, AlsCarrierType carrier, guint32 seed)
{
  AlsTestLinkPair *self = g_new0 (AlsTestLinkPair, 1);

  self->net = als_test_net_new (seed);
  self->now_us = START_US;
  self->timer_step_us = 1000;
  for (guint i = 0; i < 2; i++)
    {
      AlsTestEnd *end = &self->ends[i];
      AlsLinkConfig config = {
        .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
        .carrier = carrier,
        .kind = ALS_PATH_DIRECT_UDP,
        .session_secret = { 1, 2, 3 },
        .path_id = 2,
        .speaks_first = i == 0,
      };

      end->pair = self;
      end->index = i;
      end->wake_us = INT64_MAX;
      end->control_us = g_array_new (FALSE, FALSE, sizeof (int64_t));
      end->control_sent_us = g_array_new (FALSE, FALSE, sizeof (int64_t));
      end->link = link_new (&config, output_cb, end, self->now_us);
      als_link_set_events (end->link, &events, end);
    }
  return self;
}

void
als_test_link_pair_free (AlsTestLinkPair *self)
{
  for (guint i = 0; i < 2; i++)
    {
      als_link_free (self->ends[i].link);
      g_array_unref (self->ends[i].control_us);
      g_array_unref (self->ends[i].control_sent_us);
    }
  als_test_net_free (self->net);
  g_free (self);
}

static void
work (AlsTestEnd *end)
{
  int64_t now_us = end->pair->now_us;

  if (!end->ready || end->closed)
    return;
  if (end->control_every_us > 0 && now_us >= end->next_control_us)
    {
      send_frame (end, ALS_LANE_CONTROL, CONTROL_BYTES, 0, now_us);
      end->next_control_us = MAX (end->next_control_us, now_us - end->control_every_us)
                             + end->control_every_us;
    }
  while (end->datagram_every_us > 0 && now_us >= end->next_datagram_us)
    {
      uint8_t data[DATAGRAM_BYTES];
      Head head;

      memset (&head, 0, sizeof head);
      head.number = end->datagrams_sent;
      head.sent_us = now_us;
      fill (data, sizeof data, &head);
      if (als_link_send_datagram (end->link, data, sizeof data))
        end->datagrams_sent++;
      else
        end->datagrams_refused++;
      end->next_datagram_us = MAX (end->next_datagram_us, now_us - end->datagram_every_us)
                              + end->datagram_every_us;
    }
  fill_bulk (end);
}

static int64_t
get_work_deadline (const AlsTestEnd *end)
{
  int64_t deadline_us = INT64_MAX;

  if (!end->ready || end->closed)
    return INT64_MAX;
  if (end->control_every_us > 0)
    deadline_us = MIN (deadline_us, end->next_control_us);
  if (end->datagram_every_us > 0)
    deadline_us = MIN (deadline_us, end->next_datagram_us);
  return deadline_us;
}

static void
poll_end (AlsTestEnd *end)
{
  AlsTestLinkPair *self = end->pair;
  int64_t deadline_us;

  end->polls++;
  als_link_poll (end->link, self->now_us);
  deadline_us = als_link_get_deadline (end->link);
  end->wake_us = deadline_us;
  /* A poll() waits whole milliseconds. */
  if (deadline_us > self->now_us && deadline_us != INT64_MAX)
    end->wake_us = self->now_us + (deadline_us - self->now_us + self->timer_step_us - 1)
                                      / self->timer_step_us * self->timer_step_us;
}

void
als_test_link_pair_run (AlsTestLinkPair *self, int64_t duration_us)
{
  int64_t end_us = self->now_us + duration_us;
  guint stuck = 0;

  for (guint i = 0; i < 2; i++)
    {
      work (&self->ends[i]);
      poll_end (&self->ends[i]);
    }
  while (TRUE)
    {
      int64_t next_us = als_test_net_get_next (self->net);
      gboolean touched[2] = { FALSE, FALSE };
      GBytes *bytes;
      guint to;

      for (guint i = 0; i < 2; i++)
        {
          next_us = MIN (next_us, self->ends[i].wake_us);
          next_us = MIN (next_us, get_work_deadline (&self->ends[i]));
        }
      if (next_us > end_us)
        break;
      /* A machine that asks to be called again and again for nothing. */
      stuck = next_us > self->now_us ? 0 : stuck + 1;
      g_assert_cmpuint (stuck, <, 10000);
      self->now_us = MAX (self->now_us, next_us);
      while ((bytes = als_test_net_take (self->net, self->now_us, &to)) != NULL)
        {
          AlsTestEnd *end = &self->ends[to];

          als_link_receive (end->link, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                            self->now_us);
          g_bytes_unref (bytes);
          touched[to] = TRUE;
        }
      for (guint i = 0; i < 2; i++)
        {
          AlsTestEnd *end = &self->ends[i];

          if (get_work_deadline (end) <= self->now_us)
            {
              work (end);
              touched[i] = TRUE;
            }
          if (touched[i] || end->wake_us <= self->now_us)
            poll_end (end);
        }
    }
  self->now_us = end_us;
}

void
als_test_link_pair_connect (AlsTestLinkPair *self)
{
  int64_t end_us = self->now_us + 5 * G_USEC_PER_SEC;

  while (!(self->ends[0].ready && self->ends[1].ready))
    {
      g_assert_cmpint (self->now_us, <, end_us);
      als_test_link_pair_run (self, 1000);
    }
}

void
als_test_link_pair_send (AlsTestLinkPair *self, guint end, AlsLane lane, size_t len)
{
  g_assert_true (send_frame (&self->ends[end], lane, len, 0, self->now_us));
}

static int
compare (gconstpointer a, gconstpointer b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

  return x < y ? -1 : x > y;
}

int64_t
als_test_end_get_control (AlsTestEnd *end, double percent)
{
  g_autoptr (GArray) sorted = g_array_copy (end->control_us);

  g_assert_cmpuint (sorted->len, >, 0);
  g_array_sort (sorted, compare);
  return g_array_index (sorted, int64_t,
                        MIN (sorted->len - 1, (guint) (percent / 100 * sorted->len)));
}
