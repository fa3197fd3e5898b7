/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Waiting for facts: the default main context runs until one holds. */

#pragma once

#include <glib.h>

static inline gboolean
als_wait_give_up_cb (gpointer user_data)
{
  g_error ("waited too long for: %s", (const char *) user_data);
  return G_SOURCE_REMOVE;
}

#ifndef ALS_WAIT_S
#define ALS_WAIT_S 20
#endif

#define als_wait_until(condition)                                                                  \
  G_STMT_START                                                                                     \
  {                                                                                                \
    guint wait_source = g_timeout_add_seconds (ALS_WAIT_S, als_wait_give_up_cb,                    \
                                               (gpointer) #condition);                             \
    while (!(condition))                                                                           \
      g_main_context_iteration (NULL, TRUE);                                                       \
    g_source_remove (wait_source);                                                                 \
  }                                                                                                \
  G_STMT_END

static inline gboolean
als_wait_tick_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* For what happens in other threads: looked at every few milliseconds. */
#define als_wait_until_ticking(condition)                                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    guint tick_source = g_timeout_add (2, als_wait_tick_cb, NULL);                                 \
    als_wait_until (condition);                                                                    \
    g_source_remove (tick_source);                                                                 \
  }                                                                                                \
  G_STMT_END
