/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What differs between versions of the platform, or between desktops, in one
 * place. */

#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* Opens a file with its usual app. */
void     als_ui_open_file           (GtkWindow *parent, GFile *file);
/* Shows it in the file manager; where there is none that can, opens its folder. */
void     als_ui_show_in_folder      (GtkWindow *parent, GFile *file);
/* Tells of something while the window is not looked at; silent where nothing shows notifications. */
void     als_ui_notify              (GApplication *app, const char *id, GNotification *notification);
/* Whether the screen of this desktop can be captured. */
gboolean als_ui_can_capture_screen  (GdkDisplay *display);

/* An AdwMessageDialog: the keyboard starts on the button that Enter presses, not on the first, and
 * screen readers read each button's name once. */
void     als_ui_prepare_dialog      (GtkWindow *dialog);
/* The page of STACK with NAME; the others are hidden from screen readers, too. */
void     als_ui_show_stack_page     (GtkStack *stack, const char *name);
/* Screen readers are told NAME of WIDGET and of the lists below it, which libadwaita 1.2 leaves without one. */
void     als_ui_name_lists          (GtkWidget *widget, const char *name);
/* The whole text of a label that may be cut off. */
void     als_ui_show_text_as_tooltip (GtkLabel *label);

typedef void (*AlsUiFolderFunc) (GFile *folder, gpointer user_data);
typedef void (*AlsUiFilesFunc) (GPtrArray *files, gpointer user_data);

/* A native chooser; FUNC is not called when nothing was chosen. OBJECT is its data and is kept alive
 * until then. */
void     als_ui_choose_folder       (GtkWindow *parent, const char *title, AlsUiFolderFunc func,
                                     gpointer object);
void     als_ui_choose_files        (GtkWindow *parent, const char *title, AlsUiFilesFunc func,
                                     gpointer object);

G_END_DECLS
