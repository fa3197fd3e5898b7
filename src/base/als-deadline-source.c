/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-deadline-source.h"

static gboolean
deadline_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_source_set_ready_time (source, -1);
  return callback (user_data);
}

static GSourceFuncs deadline_funcs = { NULL, NULL, deadline_dispatch, NULL, NULL, NULL };

GSource *
als_deadline_source_new (GMainContext *context, const char *name, GSourceFunc callback,
                         gpointer user_data)
{
  GSource *source = g_source_new (&deadline_funcs, sizeof (GSource));

  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, user_data, NULL);
  g_source_set_ready_time (source, -1);
  g_source_attach (source, context);
  return source;
}

void
als_deadline_source_set (GSource *source, int64_t deadline_us)
{
  if (deadline_us == INT64_MAX)
    deadline_us = -1;
  else if (deadline_us < 0)
    deadline_us = 0;
  g_source_set_ready_time (source, deadline_us);
}

void
als_source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}
