/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two links over an AlsTestNet, in invented time, with work for them: bulk that
 * fills whatever room there is, control that is echoed and timed, datagrams at
 * a rate. What arrives is checked: each lane's frames once and in order. */

#pragma once

#include "als-test-net.h"
#include "transport/als-link.h"

G_BEGIN_DECLS

typedef struct _AlsTestLinkPair AlsTestLinkPair;

typedef struct
{
  AlsTestLinkPair *pair;
  guint index;
  AlsLink *link;
  gboolean ready;
  int64_t ready_us;
  gboolean closed;
  AlsLinkEnd end;

  /* Work. */
  size_t bulk_frame;          /* bytes of each frame, 0: no bulk */
  uint64_t bulk_limit;        /* bytes in all, 0: no limit */
  int64_t control_every_us;   /* 0: none */
  int64_t datagram_every_us;  /* 0: none */

  /* What came of it. */
  uint64_t frames_sent[ALS_N_LANES];
  uint64_t frames_got[ALS_N_LANES];
  uint64_t bytes_sent[ALS_N_LANES];
  uint64_t bytes_got[ALS_N_LANES];
  GArray *control_us;         /* (element-type int64_t): round trips of echoed control */
  GArray *control_sent_us;    /* (element-type int64_t): one of each, when it left */
  uint64_t datagrams_sent, datagrams_refused, datagrams_got;
  uint64_t packets, polls;
  int64_t datagram_max_us;    /* the longest way a datagram had */

  int64_t next_control_us, next_datagram_us;
  int64_t wake_us;            /* the timer that was asked for */
} AlsTestEnd;

struct _AlsTestLinkPair
{
  AlsTestNet *net;
  AlsTestEnd ends[2];
  int64_t now_us;
  int64_t timer_step_us;      /* timers fire late, up to this; 1 ms */
  guint capacity;             /* packets an output takes at once, 0: all */
};

typedef AlsLink *(*AlsTestLinkNew) (const AlsLinkConfig *config, AlsLinkOutput output,
                                    gpointer output_data, int64_t now_us);

AlsTestLinkPair *als_test_link_pair_new       (AlsTestLinkNew link_new, AlsCarrierType carrier,
                                               guint32 seed);
void             als_test_link_pair_free      (AlsTestLinkPair *self);
/* Runs for so long. */
void             als_test_link_pair_run       (AlsTestLinkPair *self, int64_t duration_us);
/* Runs until both are ready; fails the test after 5 s. */
void             als_test_link_pair_connect   (AlsTestLinkPair *self);
/* Gives one frame to LANE of END, or fails the test. */
void             als_test_link_pair_send      (AlsTestLinkPair *self, guint end, AlsLane lane,
                                               size_t len);
/* The round trip that PERCENT of END's control frames did not exceed. */
int64_t          als_test_end_get_control     (AlsTestEnd *end, double percent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTestLinkPair, als_test_link_pair_free)

G_END_DECLS
