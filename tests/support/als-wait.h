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

#define ALS_WAIT_S 20

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
