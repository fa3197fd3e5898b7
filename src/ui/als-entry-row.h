/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A row with a title, a field below it and a button. Instead of AdwEntryRow, of which (libadwaita 1.2)
 * screen readers hear neither the focus nor the text, and whose title is cut off where it is narrow. */

#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define ALS_TYPE_ENTRY_ROW (als_entry_row_get_type ())
G_DECLARE_FINAL_TYPE (AlsEntryRow, als_entry_row, ALS, ENTRY_ROW, AdwPreferencesRow)

/* Properties:
 *   input-purpose  GtkInputPurpose
 *   button-label   char *   NULL: a check mark, there only while the text was changed
 * Signals:
 *   apply          Enter or the button was pressed: the text is meant
 *   changed        with every key */
const char *als_entry_row_get_text      (AlsEntryRow *self);
/* Not a change of the user's: no signal, no check mark. */
void        als_entry_row_set_text      (AlsEntryRow *self, const char *text);
/* FALSE: the button is insensitive, and Enter does nothing. */
void        als_entry_row_set_can_apply (AlsEntryRow *self, gboolean can_apply);
/* SENTENCE: (nullable): what is wrong with the text; below it, and told to screen readers. */
void        als_entry_row_set_problem   (AlsEntryRow *self, const char *sentence);

G_END_DECLS
