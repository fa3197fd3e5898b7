/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Asks whether files that the other side offers may be saved here. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_OFFER_DIALOG (als_offer_dialog_get_type ())
G_DECLARE_FINAL_TYPE (AlsOfferDialog, als_offer_dialog, ALS, OFFER_DIALOG, AdwMessageDialog)

/* TRANSFER is incoming and offered; the dialog closes by itself when that ends without an answer.
 * FOLDER: where it would be saved, as people know it. PEER: the other person's name, nullable. */
AlsOfferDialog *als_offer_dialog_new (GtkWindow *parent, AlsVisitTransfer *transfer,
                                      const char *peer, const char *folder);

G_END_DECLS
