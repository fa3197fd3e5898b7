/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A pair of links without wire or keys: a rate, a delay, three ordered lanes
 * with priorities. It can go silent in either direction, or break. */

#pragma once

#include "transport/als-link.h"

typedef struct
{
  AlsPathKind kind;
  gboolean lan;
  uint32_t path_id;
  uint64_t rate;      /* bytes a second */
  int64_t delay_us;   /* one way */
} AlsFakeLinkConfig;

/* ENDS: (transfer full), both ready at once. */
void als_fake_link_new_pair    (const AlsFakeLinkConfig *config, AlsLink *ends[2]);
/* What END sends is lost from now on, and what is under way too; END hears nothing of it. */
void als_fake_link_set_silent  (AlsLink *end, gboolean silent);
/* END and its peer hear that the carrier broke; what was under way is lost. */
void als_fake_link_break       (AlsLink *end);
void als_fake_link_set_delay   (AlsLink *end, int64_t delay_us);
void als_fake_link_set_rate    (AlsLink *end, uint64_t rate);
/* A frame that arrives at END's peer as if END had sent it. */
void als_fake_link_inject      (AlsLink *end, AlsLane lane, const void *data, size_t len);
guint als_fake_link_get_n_datagrams (AlsLink *end); /* sent by END */
