/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two lines, there and back, between two ends, in invented time: rate, queue,
 * delay, loss, jitter, repetition, largest size, and plain death. The same seed
 * gives the same run. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* What IPv4 and UDP add to a packet on the line. */
#define ALS_TEST_NET_HEADERS 28

typedef struct
{
  uint64_t rate;        /* bytes a second, 0: no limit */
  int64_t delay_us;     /* one way */
  size_t queue_bytes;   /* behind the rate; 0: no limit */
  double loss;          /* 0 to 1 */
  guint burst;          /* packets lost at a time, 0: one */
  int64_t jitter_us;    /* added at random: packets overtake each other */
  double duplicate;
  size_t mtu;           /* largest payload; larger ones vanish; 0: no limit */
  gboolean dead;        /* all vanish */
} AlsTestNetLine;

typedef struct _AlsTestNet AlsTestNet;

AlsTestNet     *als_test_net_new      (guint32 seed);
void            als_test_net_free     (AlsTestNet *self);
/* The line that END (0 or 1) sends on; may be changed at any time. */
AlsTestNetLine *als_test_net_get_line (AlsTestNet *self, guint end);
/* Both lines alike, with a queue of one bandwidth-delay product. */
void            als_test_net_set      (AlsTestNet *self, double mbits, int64_t rtt_us, double loss);
void            als_test_net_send     (AlsTestNet *self, guint end, const uint8_t *data, size_t len,
                                       int64_t now_us);
/* When the next packet arrives; INT64_MAX: none under way. */
int64_t         als_test_net_get_next (AlsTestNet *self);
/* Takes a packet that has arrived by now, and the END it is for. (transfer full) (nullable) */
GBytes         *als_test_net_take     (AlsTestNet *self, int64_t now_us, guint *end);
/* Packets given to END's line so far, and those dropped for want of queue. */
uint64_t        als_test_net_get_sent (AlsTestNet *self, guint end);
uint64_t        als_test_net_get_overflows (AlsTestNet *self, guint end);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTestNet, als_test_net_free)

G_END_DECLS
