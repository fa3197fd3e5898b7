/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The transfers of a visit as a list of rows; takes no room while empty. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_TRANSFER_LIST (als_transfer_list_get_type ())
G_DECLARE_FINAL_TYPE (AlsTransferList, als_transfer_list, ALS, TRANSFER_LIST, AdwBin)

/* NULL: nobody's. */
void als_transfer_list_set_visit (AlsTransferList *self, AlsVisit *visit);

G_END_DECLS
