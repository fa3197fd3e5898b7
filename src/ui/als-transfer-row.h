/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One transfer in a list: names, progress, and what can be done with it. The
 * answer to an offer is not here but in AlsOfferDialog. */

#pragma once

#include <gtk/gtk.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_TRANSFER_ROW (als_transfer_row_get_type ())
G_DECLARE_FINAL_TYPE (AlsTransferRow, als_transfer_row, ALS, TRANSFER_ROW, GtkListBoxRow)

GtkWidget *als_transfer_row_new (AlsVisitTransfer *transfer);

G_END_DECLS
