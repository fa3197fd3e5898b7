/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Numbers as people read them. All results (transfer full). */

#pragma once

#include "visit/als-visit.h"

G_BEGIN_DECLS

/* "482913607154" in any dress to "482 913 607 154", six digits to "482 913"; other text is returned as it is. */
char *als_ui_format_group_digits   (const char *text);
/* "4 8 2, 9 1 3, …": a screen reader reads it digit by digit. */
char *als_ui_format_spell_digits   (const char *code);
/* "3 minutes left" */
char *als_ui_format_time_left      (gint64 seconds);
/* "report.pdf", "report.pdf and 2 more" */
char *als_ui_format_transfer_title (AlsVisitTransfer *transfer);
/* "42 %, 3.4 MB/s, 12 seconds left" or what else its state is. */
char *als_ui_format_transfer_state (AlsVisitTransfer *transfer);
/* "via the relay" */
const char *als_ui_format_path_kind (AlsPathKind kind);
/* "42 ms"; NULL where it is not known. (transfer full) (nullable) */
char       *als_ui_format_round_trip     (gint64 rtt_us);

G_END_DECLS
