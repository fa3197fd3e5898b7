/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two AlsPunchPaths in one process, each given the other's messages, and which
 * of their carriers turned out to be the other side: whoever connected says a
 * word, the other answers it. Seen from the main thread. */

#pragma once

#include "path/punch/als-punch-path.h"

G_BEGIN_DECLS

typedef struct _AlsPunchEnd AlsPunchEnd;

struct _AlsPunchEnd
{
  AlsPunchEnd *peer;
  AlsPath *path;
  GPtrArray *carriers;      /* (element-type AlsCarrier) */
  GError *error;            /* once failed */
  guint n_messages;
  gboolean mute;            /* its messages are kept from the peer */
  guint delay_ms;           /* of its messages */
  GPtrArray *told;          /* (element-type GBytes): its messages */
  int n_proved;             /* atomic: carriers on which the peer's word came */
  int64_t opened_us;
  int64_t proved_us;        /* of the first; written before n_proved */
};

void     als_punch_end_open  (AlsPunchEnd *self, AlsPunchEnd *peer, const AlsPunchPathConfig *config);
/* Closes path and carriers; waits until the carriers are gone. */
void     als_punch_end_clear (AlsPunchEnd *self);
gboolean als_punch_end_is_proved (AlsPunchEnd *self);
/* Both, and then settled; or both have failed. */
void     als_punch_pair_wait (AlsPunchEnd *a, AlsPunchEnd *b);

G_END_DECLS
