/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the command line takes from the settings that the window shows, and keeps
 * there for the next visit. They may not be installed; then everything has its
 * default, and nothing is kept. */

#pragma once

#include "visit/als-visit.h"

G_BEGIN_DECLS

/* (transfer full): empty where nothing is set. */
GStrv    als_cli_settings_get_strv     (const char *key);
/* A key that is TRUE by default. */
gboolean als_cli_settings_get_boolean  (const char *key);
guint16  als_cli_settings_get_port     (const char *key);
/* GIVEN: (nullable): HOST, HOST:PORT or URIs, as on the command line. FALSE: one is none; it was told. */
gboolean als_cli_check_stun            (char **given);
/* Those GIVEN, the user's, and those known last, as als_ice_uri_parse () takes them; bad settings are told and
 * left out. Secret. (transfer full) */
GStrv    als_cli_settings_get_ice_servers  (char **given);
/* Wipes them. */
void     als_cli_settings_free_ice_servers (GStrv servers);
/* Keeps what VISIT learns: the servers it was told, and the port that worked. */
void     als_cli_settings_learn_from   (AlsVisit *visit);
/* Waits until what was learned is stored. */
void     als_cli_settings_sync         (void);

G_END_DECLS
