/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Visits as the settings want them. */

#pragma once

#include "visit/als-visit.h"

G_BEGIN_DECLS

/* A visit that follows the allowed paths in SETTINGS as long as it lives. (transfer full) */
AlsVisit *als_ui_visit_new             (GSettings *settings);
/* From now on a private server listens to the local network, whatever SETTINGS say: --listen. */
void      als_ui_visit_always_listen   (void);
/* The folder where received files go, as people know it. (transfer full) */
char     *als_ui_dup_download_folder   (GSettings *settings);
/* The address of a rendezvous server: ws:// or wss://, with a host. */
gboolean  als_ui_is_server_address     (const char *text);

/* *WATCHED (owned, nullable) becomes VISIT (nullable): FUNC, with OBJECT alone, hears of PROPERTIES
 * (NULL-terminated) of that one only. FALSE: it is the same as before. */
gboolean  als_ui_visit_watch      (AlsVisit **watched, AlsVisit *visit, const char *const *properties,
                                   GCallback func, gpointer object);

G_END_DECLS
