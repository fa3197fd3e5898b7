/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The app: its windows, settings, menu and links. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_APPLICATION (als_application_get_type ())
G_DECLARE_FINAL_TYPE (AlsApplication, als_application, ALS, APPLICATION, AdwApplication)

AlsApplication *als_application_new          (void);
GSettings      *als_application_get_settings (AlsApplication *self);
/* FILE was received here: app.show-in-folder shows such files and no others. */
void            als_application_add_received (AlsApplication *self, GFile *file);
/* Ends VISIT, and keeps it and the program until its goodbyes have left. */
void            als_application_let_go       (AlsApplication *self, AlsVisit *visit);

G_END_DECLS
