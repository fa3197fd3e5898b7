/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "sim-run.h"
#include "sim-net.h"

#include "session/als-session.h"
#include "transport/als-message-link.h"
#include "transport/als-udp-link.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS ((int64_t) 1000)
#define SECOND ((int64_t) G_USEC_PER_SEC)
#define KIB ((size_t) 1024)
#define MIB (1024 * KIB)

/* Events closer together than this happen at once. */
#define QUANTUM_US 250
#define TICK_US (20 * MS)
#define N_CHANNELS 4
#define MIN_CHANGES 20        /* births, and deaths, of paths */
#define MAX_ALIVE 4
#define N_CALMS 2             /* long enough without a change to measure control */
#define CALM_US (4500 * MS)
#define SETTLED_US (2500 * MS) /* without a change */
/* In the end one side's path stays while the other's is born and breaks so many times: nothing but
 * what the sessions say heals what is lost then. */
#define FINAL_ROUNDS 3
#define FINAL_US (2500 * MS)
/* After the last change everything must have arrived. */
#define PATIENCE_US (30 * SECOND)
/* What control may take beyond the way itself, once settled, beside files: in each direction 50 ms
 * at 10 Mbit/s (design §4) and more where it is slower. */
#define PROBE_BOUND_US (50 * MS)
#define PROBE_BOUND_RATE (10 * 1000 * 1000 / 8)
#define PROBE_BYTES 64
#define MAX_DATAGRAMS (1 << 14)
/* Memory beside the sessions' windows: a UDP link has pseudo-TCP's buffers, never touched as a rule. */
#define BASE_MEMORY (16 * MIB)
#define UDP_LINK_MEMORY (24 * MIB)
#define MESSAGE_LINK_MEMORY (2 * MIB)
/* The relay in the server: what it holds in each direction. */
#define RELAY_QUEUE (64 * KIB)

/* Content: a table whose length divides nothing, so that a byte out of place is seen. */
#define TABLE_BYTES 1048573

typedef struct _Sim Sim;
typedef struct _Path Path;

typedef struct
{
  Path *path;
  guint side;
  AlsLink *link;       /* NULL once gone */
  int64_t deadline_us;
  gboolean dirty;
  uint64_t peak_rate;
  SimLine line;        /* from here to the other side */
} End;

struct _Path
{
  Sim *sim;
  guint index;
  AlsPathKind kind;
  AlsCarrierType carrier;
  gboolean doomed;     /* some death was decided */
  gboolean lossy;
  uint64_t rate_limit; /* of the relay */
  int64_t ready_us;    /* when side 0 had it; 0: not yet */
  End ends[2];
};

typedef struct
{
  Sim *sim;
  guint side;
  guint number;
  AlsChannel *channel; /* NULL once closed */
  guint key, peer_key;
  uint64_t written, received, held;
  gboolean lazy;       /* consumes in ticks, not at once */
  gboolean finished, closed, finishing;
} Port;

typedef struct
{
  Sim *sim;
  guint index;
  AlsSession *session;
  int64_t deadline_us;
  Port ports[N_CHANNELS];
  AlsChannel *probe;       /* side 0 asks, side 1 answers */
  uint64_t probe_got, probe_sent;
  guint64 next_datagram;
  guint8 *datagrams_seen;  /* a bit each */
  gboolean probe_due;
} Side;

struct _Sim
{
  const SimOptions *options;
  SimReport *report;
  guint64 seed;
  SimNet net;
  int64_t now_us;
  const uint8_t *table;
  size_t window;
  Side sides[2];
  GPtrArray *paths;        /* (element-type Path) */
  guint n_alive;           /* not doomed */
  GPtrArray *gone;         /* links to be freed */
  int64_t tick_us, change_us;
  int64_t changed_us;      /* the last time anything changed under way */
  int64_t final_us;        /* when the end began; 0: it has not */
  guint final_step, final_side;
  int64_t patience_us;     /* 0: the schedule goes on */
  guint births, deaths, calms, n_ticks;
  int64_t no_births_until_us;
  int64_t probe_sent_us;   /* 0: none is under way */
  int64_t probe_trip_us;   /* of the paths it travels, when it was sent; 0: not to be judged */
  int64_t probe_bound_us;
  char *failure;
  GQueue events;           /* the last ones, as text */
};

static uint8_t table[TABLE_BYTES + 64 * 1024];

/* Telling */

static void note (Sim *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
static void fail (Sim *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
note (Sim *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_queue_push_tail (&self->events,
                     g_strdup_printf ("%10.3f s  %s", self->now_us / 1e6, text));
  if (self->options->verbose)
    printf ("# seed %" G_GUINT64_FORMAT " %s\n", self->seed, (char *) self->events.tail->data);
  if (self->events.length > 40)
    g_free (g_queue_pop_head (&self->events));
}

static void
fail (Sim *self, const char *format, ...)
{
  va_list args;

  if (self->failure != NULL)
    return;
  va_start (args, format);
  self->failure = g_strdup_vprintf (format, args);
  va_end (args);
}

/* Paths */

static guint
output (const AlsPacket *packets, guint n, gpointer user_data)
{
  End *end = user_data;
  Path *path = end->path;
  Sim *sim = path->sim;

  for (guint i = 0; i < n; i++)
    {
      gboolean taken = sim_net_send (&sim->net, &end->line, path->index, !end->side,
                                     packets[i].data, packets[i].len, sim->now_us);

      /* What is refused is offered again. */
      if (!taken && path->kind != ALS_PATH_SIGNAL_RELAY)
        return i;
      if (!sim_line_check (&end->line, packets[i].data, packets[i].len))
        fail (sim, "path %u, side %u: a counter was used twice", path->index, end->side);
      if (!taken)
        fail (sim, "path %u, side %u: the relay holds more than it said it would", path->index,
              end->side);
    }
  return n;
}

static void
draw_line (Sim *self, Path *path, SimLineConfig *config)
{
  SimNet *net = &self->net;

  config->delay_us = sim_net_between (net, 1, 60) * MS;
  if (path->kind == ALS_PATH_SIGNAL_RELAY)
    {
      config->rate = path->rate_limit;
      config->queue_bytes = RELAY_QUEUE;
      return;
    }
  config->rate = (uint64_t) sim_net_between (net, 500, 8000) * 1000;
  config->queue_bytes = MAX (config->rate / 20, 32 * KIB);
  if (path->carrier != ALS_CARRIER_DATAGRAMS)
    {
      /* Deep: the one below would fill it. */
      config->queue_bytes = MAX (config->rate / 2, 512 * KIB);
      config->loss = path->carrier == ALS_CARRIER_STREAM && sim_net_chance (net, 30)
                       ? (guint) sim_net_between (net, 1, 200) : 0;
      return;
    }
  if (sim_net_chance (net, 40))
    config->loss = (guint) sim_net_between (net, 1, 200);
  if (sim_net_chance (net, 30))
    config->jitter_us = sim_net_between (net, 1, 10) * MS;
  if (sim_net_chance (net, 30))
    config->twice = (guint) sim_net_between (net, 1, 100);
}

static gboolean
is_lossy (const SimLineConfig *config)
{
  return config->loss > 0 || config->jitter_us > 0;
}

/* GOOD_KIND: a quick path without loss; NONE: whatever is drawn. */
static void
give_birth (Sim *self, AlsPathKind good_kind)
{
  Path *path = g_new0 (Path, 1);
  AlsLinkConfig config = { 0 };
  static const AlsPathKind kinds[] = {
    ALS_PATH_SIGNAL_RELAY, ALS_PATH_SIGNAL_RELAY, ALS_PATH_TURN_TCP, ALS_PATH_TURN_UDP,
    ALS_PATH_DIRECT_UDP, ALS_PATH_DIRECT_TCP, ALS_PATH_DIRECT_TCP,
  };
  static const AlsCarrierType carriers[] = {
    [ALS_PATH_SIGNAL_RELAY] = ALS_CARRIER_MESSAGES, [ALS_PATH_TURN_TCP] = ALS_CARRIER_MESSAGES,
    [ALS_PATH_TURN_UDP] = ALS_CARRIER_DATAGRAMS, [ALS_PATH_DIRECT_UDP] = ALS_CARRIER_DATAGRAMS,
    [ALS_PATH_DIRECT_TCP] = ALS_CARRIER_STREAM,
  };
  static const SimLineType line_types[] = {
    [ALS_CARRIER_DATAGRAMS] = SIM_LINE_DATAGRAMS, [ALS_CARRIER_STREAM] = SIM_LINE_STREAM,
    [ALS_CARRIER_MESSAGES] = SIM_LINE_MESSAGES,
  };
  gboolean both_speak;

  path->sim = self;
  path->index = self->paths->len;
  path->kind = good_kind;
  if (good_kind == ALS_PATH_NONE)
    path->kind = kinds[sim_net_between (&self->net, 0, G_N_ELEMENTS (kinds) - 1)];
  path->carrier = carriers[path->kind];
  path->rate_limit = (uint64_t) sim_net_between (&self->net, 500, 4000) * 1000;
  config.carrier = path->carrier;
  config.kind = path->kind;
  config.lan = sim_net_chance (&self->net, 20);
  memset (config.session_secret, (int) self->seed, sizeof config.session_secret);
  /* Simultaneous open. */
  both_speak = path->carrier == ALS_CARRIER_STREAM && sim_net_chance (&self->net, 50);
  if (path->kind == ALS_PATH_SIGNAL_RELAY)
    {
      config.rate_limit = path->rate_limit;
      config.backlog_limit = RELAY_QUEUE;
    }
  config.epoch_bytes = sim_net_chance (&self->net, 50) ? MIB : 0;
  for (guint i = 0; i < 2; i++)
    {
      End *end = &path->ends[i];
      SimLineConfig line = { 0 };

      draw_line (self, path, &line);
      if (good_kind != ALS_PATH_NONE)
        line = (SimLineConfig){ .rate = 8000000, .delay_us = 30 * MS, .queue_bytes = 400 * KIB };
      sim_line_init (&end->line, &line, line_types[path->carrier]);
      path->lossy |= is_lossy (&line);
      end->path = path;
      end->side = i;
      end->dirty = TRUE;
      config.role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER;
      config.speaks_first = i == 0 || both_speak;
      config.path_id = path->index * 2 + i;
      end->link = path->carrier != ALS_CARRIER_DATAGRAMS
                    ? als_message_link_new (&config, output, end, self->now_us)
                    : als_udp_link_new (&config, output, end, self->now_us);
    }
  g_ptr_array_add (self->paths, path);
  self->n_alive++;
  self->births++;
  note (self, "path %u is born: %s%s, %.1f and %.1f Mbit/s, %d and %d ms", path->index,
        als_path_kind_to_string (path->kind), path->lossy ? " (lossy)" : "",
        path->ends[0].line.config.rate * 8e-6, path->ends[1].line.config.rate * 8e-6,
        (int) (path->ends[0].line.config.delay_us / MS),
        (int) (path->ends[1].line.config.delay_us / MS));
  for (guint i = 0; i < 2; i++)
    als_session_add_link (self->sides[i].session, path->ends[i].link);
}

static void
break_end (End *end)
{
  AlsLink *link = end->link;

  /* As a host does when its carrier breaks. */
  if (link != NULL && link->events != NULL)
    link->events->closed (link, ALS_LINK_END_CARRIER, link->events_data);
}

static void
doom (Sim *self, Path *path)
{
  if (path->doomed)
    return;
  path->doomed = TRUE;
  self->n_alive--;
  self->deaths++;
}

static Path *
pick_path (Sim *self)
{
  guint nth = (guint) sim_net_between (&self->net, 0, self->n_alive - 1);

  for (guint i = 0; i < self->paths->len; i++)
    {
      Path *path = g_ptr_array_index (self->paths, i);

      if (!path->doomed && nth-- == 0)
        return path;
    }
  g_assert_not_reached ();
}

static void
kill_path (Sim *self, Path *path)
{
  guint side = (guint) sim_net_between (&self->net, 0, 1);

  switch (sim_net_between (&self->net, 0, 4))
    {
    case 0:
      note (self, "path %u breaks", path->index);
      path->ends[0].line.silent = path->ends[1].line.silent = TRUE;
      break_end (&path->ends[0]);
      break_end (&path->ends[1]);
      break;

    case 1:
      note (self, "path %u breaks for side %u, the other hears nothing", path->index, side);
      path->ends[0].line.silent = path->ends[1].line.silent = TRUE;
      break_end (&path->ends[side]);
      break;

    case 2:
      note (self, "path %u falls silent", path->index);
      path->ends[0].line.silent = path->ends[1].line.silent = TRUE;
      break;

    case 3:
      note (self, "path %u falls silent from side %u on", path->index, side);
      path->ends[side].line.silent = TRUE;
      break;

    default:
      note (self, "side %u leaves path %u", side, path->index);
      if (path->ends[side].link != NULL)
        als_session_remove_link (self->sides[side].session, path->ends[side].link);
      break;
    }
  doom (self, path);
}

static void
come_to_an_end (Sim *self)
{
  guint step = self->final_step++;

  if (step == 0)
    {
      note (self, "the end begins");
      self->final_us = self->now_us;
      self->final_side = (guint) sim_net_between (&self->net, 0, 1);
      while (self->n_alive > 0)
        kill_path (self, pick_path (self));
      for (guint i = 0; i < 2; i++)
        als_session_set_allowed_kinds (self->sides[i].session, 0);
      give_birth (self, ALS_PATH_DIRECT_UDP);
    }
  else if (step % 2 == 1 && step < 2 * FINAL_ROUNDS)
    {
      give_birth (self, ALS_PATH_TURN_UDP);
      als_session_set_allowed_kinds (self->sides[self->final_side].session,
                                     1u << ALS_PATH_TURN_UDP);
    }
  else
    {
      Path *path = g_ptr_array_index (self->paths, self->paths->len - 1);

      note (self, "path %u breaks", path->index);
      als_session_set_allowed_kinds (self->sides[self->final_side].session, 0);
      path->ends[0].line.silent = path->ends[1].line.silent = TRUE;
      break_end (&path->ends[0]);
      break_end (&path->ends[1]);
      doom (self, path);
      if (step == 2 * FINAL_ROUNDS)
        {
          self->patience_us = self->now_us + PATIENCE_US;
          self->change_us = INT64_MAX;
        }
    }
}

static void
change_something (Sim *self)
{
  SimNet *net = &self->net;
  int64_t dice = sim_net_between (net, 0, 99);

  self->change_us = self->now_us + sim_net_between (net, 20, 700) * MS;
  if (self->final_us != 0 || (self->births >= MIN_CHANGES && self->deaths >= MIN_CHANGES))
    come_to_an_end (self);
  else if (self->n_alive > 0 && self->calms < N_CALMS
           && self->births >= (self->calms + 1) * MIN_CHANGES / (N_CALMS + 1))
    {
      note (self, "calm");
      self->calms++;
      for (guint i = 0; i < 2; i++)
        als_session_set_allowed_kinds (self->sides[i].session, 0);
      self->change_us = self->now_us + CALM_US;
    }
  else if (dice < 45 && self->n_alive < MAX_ALIVE && self->now_us >= self->no_births_until_us)
    {
      give_birth (self, ALS_PATH_NONE);
      /* A punch may bring two connections. */
      if (((Path *) self->paths->pdata[self->paths->len - 1])->carrier == ALS_CARRIER_STREAM
          && sim_net_chance (net, 50))
        give_birth (self, ALS_PATH_DIRECT_TCP);
    }
  else if (dice < 80 && self->n_alive > 0)
    kill_path (self, pick_path (self));
  else if (dice < 83 && self->n_alive > 0)
    {
      note (self, "all paths die");
      while (self->n_alive > 0)
        kill_path (self, pick_path (self));
      self->no_births_until_us = self->now_us + sim_net_between (net, 100, 4000) * MS;
    }
  else if (dice < 92)
    {
      guint side = (guint) sim_net_between (net, 0, 1);
      guint kinds = sim_net_chance (net, 50)
                      ? 0 : (guint) sim_net_between (net, 1, ALS_PATH_ALL) & ALS_PATH_ALL;

      note (self, "side %u prefers set 0x%x of kinds", side, kinds);
      als_session_set_allowed_kinds (self->sides[side].session, kinds);
    }
  else if (self->n_alive > 0)
    {
      Path *path = pick_path (self);
      End *end = &path->ends[sim_net_between (net, 0, 1)];

      if (path->carrier == ALS_CARRIER_DATAGRAMS)
        {
          SimLineConfig line = { 0 };

          draw_line (self, path, &line);
          end->line.config = line;
          path->lossy |= is_lossy (&line);
          note (self, "path %u changes from side %u on: %.1f Mbit/s, %d ms, loss %u", path->index,
                end->side, line.rate * 8e-6, (int) (line.delay_us / MS), line.loss);
        }
    }
  self->changed_us = self->now_us;
}

/* Channels */

static const uint8_t *
content (guint key, uint64_t offset)
{
  return table + (offset + key * 7919) % TABLE_BYTES;
}

/* How much of its bytes a port may have written by now: so that every change finds some under
 * way. */
static uint64_t
get_allowance (Sim *self)
{
  guint changes = MIN (self->births, MIN_CHANGES) + MIN (self->deaths, MIN_CHANGES);

  if (self->final_us != 0 && self->now_us - self->final_us >= FINAL_US)
    return self->options->channel_bytes;
  if (self->final_us != 0)
    return self->options->channel_bytes / 2 * (FINAL_US + self->now_us - self->final_us) / FINAL_US;
  return self->options->channel_bytes / 2 * (changes + 1) / (2 * MIN_CHANGES + 1);
}

static void
write_port (Port *self)
{
  uint64_t until = get_allowance (self->sim);

  while (self->channel != NULL && self->written < until)
    {
      size_t n = MIN (until - self->written, 16 * KIB);
      size_t taken = als_channel_write (self->channel, content (self->key, self->written), n);

      self->written += taken;
      if (taken < n)
        return;
    }
  if (self->channel != NULL && self->written == self->sim->options->channel_bytes
      && !self->finishing)
    {
      self->finishing = TRUE;
      als_channel_finish (self->channel);
    }
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Port *self = user_data;

  if (self->finished || len > 64 * KIB
      || memcmp (data, content (self->peer_key, self->received), len) != 0)
    fail (self->sim, "side %u, channel %u: wrong bytes at %" G_GUINT64_FORMAT, self->side,
          self->number, self->received);
  self->received += len;
  if (self->lazy)
    self->held += len;
  else
    als_channel_consume (channel, len);
  if (self->held > self->sim->window)
    fail (self->sim, "side %u, channel %u: more came than was granted", self->side, self->number);
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  write_port (user_data);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  Port *self = user_data;

  if (self->finished || self->received != self->sim->options->channel_bytes)
    fail (self->sim, "side %u, channel %u: ended after %" G_GUINT64_FORMAT " bytes", self->side,
          self->number, self->received);
  self->finished = TRUE;
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Port *self = user_data;

  if (code != 0 || !self->finished)
    fail (self->sim, "side %u, channel %u: closed with %u", self->side, self->number, code);
  self->closed = TRUE;
  self->channel = NULL;
}

static const AlsChannelEvents port_events = { received_cb, writable_cb, finished_cb, closed_cb };

static void
port_init (Side *side, guint number, AlsChannel *channel)
{
  Port *self = &side->ports[number];

  if (self->channel != NULL || self->closed)
    {
      fail (side->sim, "side %u: channel %u was opened twice", side->index, number);
      return;
    }
  self->sim = side->sim;
  self->side = side->index;
  self->number = number;
  self->channel = channel;
  self->key = number * 2 + side->index;
  self->peer_key = number * 2 + !side->index;
  self->lazy = sim_net_chance (&side->sim->net, 50);
  als_channel_set_events (channel, &port_events, self);
  write_port (self);
}

static void
probe_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *self = user_data;
  Sim *sim = self->sim;

  als_channel_consume (channel, len);
  self->probe_got += len;
  if (self->index == 1)
    {
      if (als_channel_write (channel, data, len) != len)
        fail (sim, "no room for the answer to a probe");
      return;
    }
  if (self->probe_got == self->probe_sent && sim->probe_sent_us != 0)
    {
      int64_t extra_us = sim->now_us - sim->probe_sent_us - sim->probe_trip_us;

      if (sim->probe_trip_us != 0 && sim->changed_us < sim->probe_sent_us)
        {
          sim->report->probes++;
          sim->report->worst_probe_us = MAX (sim->report->worst_probe_us, extra_us);
          if (extra_us > sim->probe_bound_us)
            fail (sim, "control took %.1f ms beyond its round trip of %.1f ms, %.1f were allowed",
                  extra_us / 1e3, sim->probe_trip_us / 1e3, sim->probe_bound_us / 1e3);
        }
      sim->probe_sent_us = 0;
    }
}

static const AlsChannelEvents probe_events = { .received = probe_received_cb };

/* Sessions */

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  ((Side *) user_data)->deadline_us = deadline_us;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  Side *self = user_data;

  if (kind == ALS_CHANNEL_ECHO)
    {
      self->probe = channel;
      als_channel_set_events (channel, &probe_events, self);
    }
  else if ((guint) kind - 10 < N_CHANNELS)
    port_init (self, (guint) kind - 10, channel);
  else
    fail (self->sim, "a channel of kind %u was never opened", (guint) kind);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *self = user_data;
  guint64 number;

  if (kind != ALS_DATAGRAM_VIDEO || len < sizeof number)
    {
      fail (self->sim, "side %u: a datagram that nobody sent", self->index);
      return;
    }
  memcpy (&number, data, sizeof number);
  if (number >= self->sim->sides[!self->index].next_datagram
      || memcmp (data + sizeof number, content (100, number * 1000), len - sizeof number) != 0)
    fail (self->sim, "side %u: a datagram that nobody sent", self->index);
  else if (self->datagrams_seen[number / 8] & 1u << number % 8)
    fail (self->sim, "side %u: datagram %" G_GUINT64_FORMAT " came twice", self->index, number);
  else
    {
      self->datagrams_seen[number / 8] |= (guint8) (1u << number % 8);
      self->sim->report->datagrams++;
    }
}

static void
path_changed_cb (gpointer user_data)
{
  Side *self = user_data;
  AlsSessionStats stats;

  als_session_get_stats (self->session, &stats);
  self->sim->changed_us = self->sim->now_us;
  self->sim->report->switches++;
  note (self->sim, "side %u sends on %s", self->index, als_path_kind_to_string (stats.kind));
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  Side *self = user_data;
  Sim *sim = self->sim;

  for (guint i = 0; i < sim->paths->len; i++)
    {
      Path *path = g_ptr_array_index (sim->paths, i);

      if (path->ends[self->index].link != link)
        continue;
      note (sim, "side %u: path %u is gone%s", self->index, path->index,
            path->doomed ? "" : " though nothing happened to it");
      if (!path->doomed)
        sim->report->mistaken++;
      path->ends[self->index].link = NULL;
      path->ends[self->index].deadline_us = INT64_MAX;
      doom (sim, path);
      g_ptr_array_add (sim->gone, link);
      return;
    }
  fail (sim, "side %u: a link is gone twice", self->index);
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
  Side *self = user_data;

  fail (self->sim, "side %u: the session ended by itself (%d)", self->index, (int) end);
}

static const AlsSessionEvents session_events = {
  schedule_cb, channel_opened_cb, datagram_cb, path_changed_cb, link_gone_cb, ended_cb,
};

/* Time */

static Path *
find_current (Sim *self, guint side)
{
  AlsSessionStats stats;

  als_session_get_stats (self->sides[side].session, &stats);
  for (guint i = 0; i < self->paths->len; i++)
    {
      Path *path = g_ptr_array_index (self->paths, i);

      if (stats.link != NULL && path->ends[side].link == stats.link)
        return path;
    }
  return NULL;
}

static int64_t
get_probe_bound (const Path *path, guint side)
{
  const SimLineConfig *line = &path->ends[side].line.config;
  int64_t trip_us = line->delay_us + path->ends[!side].line.config.delay_us;
  uint64_t rate = line->rate;

  /* A relay carries no more than its backlog in a round trip. */
  if (path->kind == ALS_PATH_SIGNAL_RELAY)
    rate = MIN (rate, RELAY_QUEUE * G_USEC_PER_SEC / trip_us);
  return PROBE_BOUND_US * PROBE_BOUND_RATE / MIN (rate, PROBE_BOUND_RATE);
}

static void
send_probe (Sim *self)
{
  static const uint8_t bytes[PROBE_BYTES];
  Side *side = &self->sides[0];
  Path *there = find_current (self, 0), *back = find_current (self, 1);

  if (self->probe_sent_us != 0 || als_channel_get_room (side->probe) < sizeof bytes)
    return;
  self->probe_sent_us = self->now_us;
  self->probe_trip_us = 0;
  side->probe_sent += als_channel_write (side->probe, bytes, sizeof bytes);
  if (there != NULL && back != NULL && !there->lossy && !back->lossy
      && self->now_us - self->changed_us >= SETTLED_US)
    {
      self->probe_trip_us = there->ends[0].line.config.delay_us
                            + back->ends[1].line.config.delay_us + 4 * QUANTUM_US;
      self->probe_bound_us = get_probe_bound (there, 0) + get_probe_bound (back, 1);
    }
}

static void
send_datagrams (Sim *self, Side *side)
{
  uint8_t bytes[ALS_SESSION_DATAGRAM_MAX];

  if (!als_session_may_send_frame (side->session))
    return;
  for (int64_t n = sim_net_between (&self->net, 0, 4); n > 0; n--)
    {
      guint64 number = side->next_datagram;
      size_t len = (size_t) sim_net_between (&self->net, sizeof number, sizeof bytes);

      if (number == MAX_DATAGRAMS)
        return;
      memcpy (bytes, &number, sizeof number);
      memcpy (bytes + sizeof number, content (100, number * 1000), len - sizeof number);
      if (als_session_send_datagram (side->session, ALS_DATAGRAM_VIDEO, bytes, len))
        side->next_datagram++;
    }
}

/* Of several connections side 0 keeps the one that was ready first. */
static void
nominate (Sim *self)
{
  Path *kept = NULL;

  for (guint i = 0; i < self->paths->len; i++)
    {
      Path *path = g_ptr_array_index (self->paths, i);

      if (path->ends[0].link == NULL || path->doomed || path->carrier != ALS_CARRIER_STREAM
          || als_link_get_room (path->ends[0].link, ALS_LANE_CONTROL) == 0)
        continue;
      if (path->ready_us == 0)
        path->ready_us = self->now_us;
      if (kept == NULL || path->ready_us < kept->ready_us)
        kept = path;
    }
  for (guint i = 0; kept != NULL && i < self->paths->len; i++)
    {
      Path *path = g_ptr_array_index (self->paths, i);

      if (path->ready_us == 0 || path == kept || path->doomed || path->ends[0].link == NULL)
        continue;
      note (self, "side 0 keeps path %u and leaves path %u", kept->index, path->index);
      als_session_remove_link (self->sides[0].session, path->ends[0].link);
      self->changed_us = self->now_us;
      doom (self, path);
    }
}

static void
check_bounds (Sim *self)
{
  for (guint i = 0; i < 2; i++)
    for (guint j = 0; j < N_CHANNELS; j++)
      {
        Port *port = &self->sides[i].ports[j];

        if (port->channel != NULL
            && als_channel_get_written (port->channel) - als_channel_get_acked (port->channel)
                   > self->window)
          fail (self, "side %u, channel %u: more is unacknowledged than the window", i, j);
      }
  for (guint i = 0; i < self->paths->len; i++)
    for (guint j = 0; j < 2; j++)
      {
        End *end = &((Path *) g_ptr_array_index (self->paths, i))->ends[j];
        AlsLinkStats stats;

        if (end->link == NULL)
          continue;
        als_link_get_stats (end->link, &stats);
        /* Each lane has its own share, a frame beyond it, and what control may exceed. The rate
         * may have fallen since it was handed over. */
        end->peak_rate = MAX (end->peak_rate, stats.rate);
        if (stats.queued_bytes
            > ALS_N_LANES * (end->peak_rate * ALS_LINK_QUEUE_US / G_USEC_PER_SEC + ALS_FRAME_MAX)
                  + 4 * KIB)
          fail (self, "path %u, side %u: %" G_GSIZE_FORMAT " bytes wait in the link at %"
                G_GUINT64_FORMAT " bytes a second", i, j, stats.queued_bytes, stats.rate);
      }
}

/* What both sessions, their links and the network hold. Zeros under a sanitizer. */
static void
check_memory (Sim *self)
{
  struct mallinfo2 info = mallinfo2 ();
  size_t held = info.uordblks + info.hblkhd;
  /* Each direction: a window at the sender and at most one out of order at the receiver. */
  size_t bound = BASE_MEMORY + 2 * N_CHANNELS * 2 * MIN (self->window, self->options->channel_bytes);

  for (guint i = 0; i < self->paths->len; i++)
    {
      Path *path = g_ptr_array_index (self->paths, i);

      for (guint j = 0; j < 2; j++)
        if (path->ends[j].link != NULL)
          bound += path->carrier == ALS_CARRIER_DATAGRAMS ? UDP_LINK_MEMORY : MESSAGE_LINK_MEMORY;
    }
  if (held > bound)
    fail (self, "%" G_GSIZE_FORMAT " bytes are held", held);
  self->report->peak_bytes = MAX (self->report->peak_bytes, held);
}

static void
tick (Sim *self)
{
  self->tick_us = self->now_us + TICK_US;
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];

      for (guint j = 0; j < N_CHANNELS; j++)
        {
          Port *port = &side->ports[j];

          if (port->channel == NULL)
            continue;
          if (port->held > 0 && sim_net_chance (&self->net, 50))
            {
              size_t n = (size_t) sim_net_between (&self->net, 1, (int64_t) port->held);

              if (sim_net_chance (&self->net, 50))
                n = port->held;
              port->held -= n;
              als_channel_consume (port->channel, n);
            }
          write_port (port);
        }
      send_datagrams (self, side);
    }
  send_probe (self);
  nominate (self);
  check_bounds (self);
  if (++self->n_ticks % 8 == 0)
    check_memory (self);
}

static gboolean
is_done (Sim *self)
{
  for (guint i = 0; i < 2; i++)
    for (guint j = 0; j < N_CHANNELS; j++)
      if (!self->sides[i].ports[j].closed)
        return FALSE;
  return self->patience_us != 0;
}

static void
poll_links (Sim *self, guint from_side, guint to_side)
{
  for (guint i = 0; i < self->paths->len; i++)
    for (guint j = from_side; j <= to_side; j++)
      {
        End *end = &((Path *) g_ptr_array_index (self->paths, i))->ends[j];

        if (end->link == NULL || (!end->dirty && end->deadline_us > self->now_us))
          continue;
        end->dirty = FALSE;
        als_link_poll (end->link, self->now_us);
        if (end->link != NULL)
          end->deadline_us = als_link_get_deadline (end->link);
      }
}

static void
poll_sessions (Sim *self)
{
  for (guint round = 0; round < 50; round++)
    {
      gboolean any = FALSE;

      for (guint i = 0; i < 2; i++)
        {
          Side *side = &self->sides[i];

          if (side->deadline_us > self->now_us)
            continue;
          any = TRUE;
          side->deadline_us = INT64_MAX;
          als_session_poll (side->session, self->now_us);
          for (guint j = 0; j < self->paths->len; j++)
            ((Path *) g_ptr_array_index (self->paths, j))->ends[i].dirty = TRUE;
          poll_links (self, i, i);
        }
      if (!any)
        return;
    }
  fail (self, "a session asks for polls without end");
}

static void
step (Sim *self)
{
  int64_t next_us = MIN (self->tick_us, self->change_us);
  SimPacket packet;

  next_us = MIN (next_us, sim_net_get_next (&self->net));
  for (guint i = 0; i < 2; i++)
    next_us = MIN (next_us, self->sides[i].deadline_us);
  for (guint i = 0; i < self->paths->len; i++)
    for (guint j = 0; j < 2; j++)
      {
        End *end = &((Path *) g_ptr_array_index (self->paths, i))->ends[j];

        if (end->link != NULL)
          next_us = MIN (next_us, end->deadline_us);
      }
  self->now_us = MAX (self->now_us, next_us) / QUANTUM_US * QUANTUM_US + QUANTUM_US;

  while (sim_net_take (&self->net, &packet, self->now_us))
    {
      Path *path = g_ptr_array_index (self->paths, packet.path);
      End *end = &path->ends[packet.to];

      if (end->link != NULL && !path->ends[!packet.to].line.silent)
        {
          als_link_receive (end->link, packet.data, packet.len, self->now_us);
          end->dirty = TRUE;
        }
      g_free (packet.data);
    }
  if (self->change_us <= self->now_us)
    change_something (self);
  if (self->tick_us <= self->now_us)
    tick (self);
  poll_links (self, 0, 1);
  poll_sessions (self);
  g_ptr_array_set_size (self->gone, 0);
  if (self->patience_us != 0 && self->now_us > self->patience_us)
    fail (self, "not everything has arrived");
}

static void
path_free (gpointer data)
{
  Path *path = data;

  for (guint i = 0; i < 2; i++)
    {
      g_clear_pointer (&path->ends[i].link, als_link_free);
      sim_line_clear (&path->ends[i].line);
    }
  g_free (path);
}

static void
start (Sim *self)
{
  static const size_t windows[] = { 128 * KIB, 512 * KIB, 2 * MIB, ALS_CHANNEL_WINDOW };
  static const AlsLane lanes[] = { ALS_LANE_CHAT, ALS_LANE_CHAT, ALS_LANE_BULK, ALS_LANE_BULK };

  self->window = windows[sim_net_between (&self->net, 0, G_N_ELEMENTS (windows) - 1)];
  for (guint i = 0; i < 2; i++)
    {
      AlsSessionConfig config = {
        .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
        .window_bytes = self->window,
      };

      self->sides[i].sim = self;
      self->sides[i].index = i;
      self->sides[i].deadline_us = INT64_MAX;
      self->sides[i].datagrams_seen = g_malloc0 (MAX_DATAGRAMS / 8);
      self->sides[i].session
          = als_session_new (&config, &session_events, &self->sides[i], self->now_us);
    }
  for (guint i = 0; i < N_CHANNELS; i++)
    {
      Side *side = &self->sides[sim_net_between (&self->net, 0, 1)];

      port_init (side, i, als_session_open_channel (side->session, (AlsChannelKind) (10 + i),
                                                    lanes[i]));
    }
  self->sides[0].probe
      = als_session_open_channel (self->sides[0].session, ALS_CHANNEL_ECHO, ALS_LANE_CONTROL);
  als_channel_set_events (self->sides[0].probe, &probe_events, &self->sides[0]);
  self->tick_us = self->change_us = self->now_us;
}

gboolean
sim_run_seed (guint64 seed, const SimOptions *options, SimReport *report)
{
  Sim *self = g_new0 (Sim, 1);
  gboolean held;

  self->options = options;
  self->report = report;
  self->seed = seed;
  self->now_us = SECOND;
  sim_net_init (&self->net, 0);
  for (size_t i = 0; table[0] == 0 && i < TABLE_BYTES; i++)
    table[i] = (uint8_t) (sim_net_random (&self->net) | (i == 0));
  memcpy (table + TABLE_BYTES, table, sizeof table - TABLE_BYTES);
  sim_net_clear (&self->net);
  sim_net_init (&self->net, seed);
  self->paths = g_ptr_array_new_with_free_func (path_free);
  self->gone = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  g_queue_init (&self->events);

  start (self);
  while (self->failure == NULL && !is_done (self))
    step (self);

  report->births = self->births;
  report->deaths = self->deaths;
  report->virtual_us = self->now_us - SECOND;
  report->packets = self->net.n_packets;
  report->failure = g_strdup (self->failure);
  held = self->failure == NULL;
  if (!held)
    {
      printf ("# seed %" G_GUINT64_FORMAT " at %.3f s: %s\n", seed, self->now_us / 1e6,
              self->failure);
      for (GList *l = options->verbose || options->brief ? NULL : self->events.head; l != NULL; l = l->next)
        printf ("#   %s\n", (char *) l->data);
      for (guint i = 0; i < 2 && !options->brief; i++)
        for (guint j = 0; j < N_CHANNELS; j++)
          printf ("#   side %u, channel %u: %" G_GUINT64_FORMAT " written, %" G_GUINT64_FORMAT
                  " received%s\n", i, j, self->sides[i].ports[j].written,
                  self->sides[i].ports[j].received, self->sides[i].ports[j].closed ? ", closed" : "");
      fflush (stdout);
    }
  for (guint i = 0; i < 2; i++)
    {
      als_session_free (self->sides[i].session);
      g_free (self->sides[i].datagrams_seen);
    }
  g_ptr_array_unref (self->paths);
  g_ptr_array_unref (self->gone);
  g_queue_clear_full (&self->events, g_free);
  sim_net_clear (&self->net);
  g_free (self->failure);
  g_free (self);
  return held;
}
