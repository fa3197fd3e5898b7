/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Every state of a window, by name, made with the stand-in visit. */

#pragma once

#include "ui/als-window.h"

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  void (*apply) (AlsWindow *window);
} AlsUiState;

extern const AlsUiState als_ui_states[];
extern const guint als_ui_n_states;

/* The dialog above WINDOW, or WINDOW itself. */
GtkWindow *als_ui_top_window (AlsWindow *window);
/* The first child below WIDGET of TYPE whose text, label or title is TEXT (NULL: any), one that is
 * seen if there is one. Nullable. */
GtkWidget *als_ui_find       (GtkWidget *widget, GType type, const char *text);

G_END_DECLS
