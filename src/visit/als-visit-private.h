/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Between AlsVisit and AlsVisitTransfer. */

#pragma once

#include "visit/als-visit-core.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_VISIT_TRANSFER_ACCEPT,
  ALS_VISIT_TRANSFER_DECLINE,
  ALS_VISIT_TRANSFER_CANCEL,
} AlsVisitTransferAction;

/* VISIT: borrowed; told to forget by als_visit_transfer_detach (). */
AlsVisitTransfer *als_visit_transfer_new    (AlsVisit *visit, guint id);
/* Takes what UPDATE holds and emits `changed`. */
void              als_visit_transfer_apply  (AlsVisitTransfer *self, AlsVisitUpdate *update);
void              als_visit_transfer_detach (AlsVisitTransfer *self);
void              als_visit_transfer_act    (AlsVisit *visit, guint id,
                                             AlsVisitTransferAction action);

G_END_DECLS
