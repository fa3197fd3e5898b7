/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Lines that packets travel on, one for each direction of a path: a rate with a
 * queue before it, a delay, and whatever goes wrong on the way. */

#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct
{
  uint64_t rate;       /* bytes a second */
  int64_t delay_us;
  int64_t jitter_us;   /* more delay, at random: packets overtake each other */
  size_t queue_bytes;
  guint loss, twice;   /* of 10,000 packets; of a stream, LOSS makes what follows wait */
} SimLineConfig;

typedef enum
{
  SIM_LINE_DATAGRAMS,
  SIM_LINE_MESSAGES,   /* nothing is lost but by silence, nothing overtakes */
  SIM_LINE_STREAM,     /* the same, and cut anyhow; a full queue is ordinary */
} SimLineType;

typedef struct
{
  SimLineConfig config;
  SimLineType type;
  gboolean silent;     /* everything is lost */
  int64_t busy_until_us;
  int64_t last_us;     /* arrival of the last packet, if ordered */
  /* Counters seen under the present epoch's key. */
  guint8 epoch;
  GByteArray *counters;
} SimLine;

typedef struct
{
  int64_t at_us;
  uint64_t order;
  guint path;
  guint to;            /* side */
  uint8_t *data;       /* owned */
  size_t len;
} SimPacket;

typedef struct
{
  GArray *heap;        /* (element-type SimPacket) */
  uint64_t next_order;
  guint64 random;
  guint64 n_packets;
} SimNet;

void     sim_net_init     (SimNet *self, guint64 seed);
void     sim_net_clear    (SimNet *self);
guint64  sim_net_random   (SimNet *self);
/* Inclusive. */
int64_t  sim_net_between  (SimNet *self, int64_t min, int64_t max);
gboolean sim_net_chance   (SimNet *self, guint percent);

void     sim_line_init    (SimLine *self, const SimLineConfig *config, SimLineType type);
void     sim_line_clear   (SimLine *self);
/* What waits before the line. */
size_t   sim_line_get_queue (const SimLine *self, int64_t now_us);
/* FALSE: a sealed packet's counter was used before under the same key. */
gboolean sim_line_check   (SimLine *self, const uint8_t *data, size_t len);
/* A packet sets out on LINE, to side TO of PATH. FALSE: an ordered line's queue is full. */
gboolean sim_net_send     (SimNet *self, SimLine *line, guint path, guint to, const uint8_t *data,
                           size_t len, int64_t now_us);
/* INT64_MAX: nothing is under way. */
int64_t  sim_net_get_next (const SimNet *self);
/* Takes the next packet if it has arrived; g_free () its data. */
gboolean sim_net_take     (SimNet *self, SimPacket *packet, int64_t now_us);
