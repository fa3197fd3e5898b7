/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Asks the inviter what the person who proved the code may do. The only place
 * where that is allowed: no action, link or option does it. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_CONSENT_DIALOG (als_consent_dialog_get_type ())
G_DECLARE_FINAL_TYPE (AlsConsentDialog, als_consent_dialog, ALS, CONSENT_DIALOG, AdwMessageDialog)

/* VISIT is ASKING; the dialog closes by itself when that ends without an answer. */
AlsConsentDialog *als_consent_dialog_new (GtkWindow *parent, AlsVisit *visit, GSettings *settings);

G_END_DECLS
