/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A rendezvous client and what has been heard from it. */

#pragma once

#include "signal/als-signal-client.h"

G_BEGIN_DECLS

typedef struct
{
  AlsSignalClient *client;
  guint n_registered, n_waiting, n_paired, n_messages, n_unpaired, n_failed, n_signals;
  guint number;
  guint reason;
  int error;       /* code of the last failure, -1 */
  GBytes *payload;
} AlsSignalRecorder;

void     als_signal_recorder_init         (AlsSignalRecorder *self, const char *const *uris);
/* Stops it; nothing may be heard afterwards, and nobody may keep it. */
void     als_signal_recorder_clear        (AlsSignalRecorder *self);
gboolean als_signal_recorder_is_connected (AlsSignalRecorder *self);

G_END_DECLS
