/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A sharer and a viewer over a fake session, and waiting for facts about them. */

#pragma once

#include "fake-session.h"

#define PAIR_PATIENCE_US (10 * G_USEC_PER_SEC)

typedef struct
{
  FakeNet *net;
  AlsScreenSender *sender;
  AlsScreenReceiver *receiver;
  AlsScreenFrame *frame;     /* (nullable) the newest seen */
  AlsScreenSenderStats stats;
} Pair;

/* ENCODER: NULL: the sender's choice. */
void     pair_init     (Pair *self, AlsScreenSource *source, const char *encoder);
void     pair_clear    (Pair *self);
/* Takes the newest frame and figures. */
void     pair_update   (Pair *self);
/* What the viewer sees, nearly, at a place given in parts of a thousand. */
gboolean pair_sees     (Pair *self, guint x, guint y, uint32_t colour);
/* Wakes the default main context every 2 ms. */
GSource *pair_ticks_new (void);

/* Runs until FACT holds; the macro, so that a failure shows the fact. */
#define pair_wait(self, fact)                                                                     \
  G_STMT_START                                                                                    \
  {                                                                                               \
    int64_t end_us_ = g_get_monotonic_time () + PAIR_PATIENCE_US;                                      \
    g_autoptr (GSource) ticks_ = pair_ticks_new ();                                               \
                                                                                                  \
    for (pair_update (self); !(fact); pair_update (self))                                         \
      {                                                                                           \
        if (g_get_monotonic_time () > end_us_)                                                    \
          g_error ("never came true: %s", #fact);                                                 \
        g_main_context_iteration (NULL, TRUE);                                                    \
      }                                                                                           \
    g_source_destroy (ticks_);                                                                    \
  }                                                                                               \
  G_STMT_END

/* Lets MS milliseconds pass, for what must not happen in them. */
void     pair_let_pass (Pair *self, guint ms);
