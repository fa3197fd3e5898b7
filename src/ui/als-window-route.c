/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Tells when a session has moved between a relay and a direct path. The line
 * at the bottom says where it is at any time; within a kind nothing is told. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include <glib/gi18n.h>

static gboolean
is_direct (AlsPathKind kind)
{
  return kind == ALS_PATH_DIRECT_UDP || kind == ALS_PATH_DIRECT_TCP;
}

static void
path_kind_cb (AlsWindow *self, GParamSpec *pspec, AlsVisit *visit)
{
  AlsPathKind before = self->path_told, now = als_visit_get_path_kind (visit);

  /* A way that is lost is told by the page itself. */
  if (now == ALS_PATH_NONE)
    return;
  self->path_told = now;
  if (before == ALS_PATH_NONE || is_direct (before) == is_direct (now))
    return;
  if (self->path_toast != NULL)
    adw_toast_dismiss (self->path_toast);
  g_set_weak_pointer (&self->path_toast,
                      als_window_show_toast (self, is_direct (now) ? _("Now straight to the other computer")
                                                                   : _("Now through a relay; nothing was lost")));
}

void
als_window_watch_route (AlsWindow *self, AlsVisit *visit)
{
  self->path_told = als_visit_get_path_kind (visit);
  g_signal_connect_object (visit, "notify::path-kind", G_CALLBACK (path_kind_cb), self, G_CONNECT_SWAPPED);
}

void
als_window_unwatch_route (AlsWindow *self, AlsVisit *visit)
{
  g_signal_handlers_disconnect_by_func (visit, path_kind_cb, self);
  g_clear_weak_pointer (&self->path_toast);
}
