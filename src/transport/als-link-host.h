/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Runs a link machine in its carrier's thread and stands for it in the
 * engine's: the effects beside the decisions. Frames cross in batches, with
 * one wake-up; the engine's view of room and stats is what the machine told
 * last, less what has been handed over since. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

/* CARRIER: (transfer none): a reference is held; its type chooses the machine. CONFIG's
 * carrier, kind, lan and limits are taken from CARRIER. To be called, and to be used,
 * in the thread of ENGINE; works too when the carrier lives in that same thread.
 * als_link_free () closes the carrier, in its own thread; free the host before that
 * thread is told to end. A carrier never delivers packets from within its send. (transfer full) */
AlsLink    *als_link_host_new        (AlsCarrier *carrier, const AlsLinkConfig *config,
                                      GMainContext *engine);
/* The remote endpoint as text. (nullable) */
const char *als_link_host_get_remote (AlsLink *self);

G_END_DECLS
