/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* alongside-gtk: the app. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "media/als-media.h"
#include "ui/als-application.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <sys/resource.h>

int
main (int argc, char *argv[])
{
  g_autoptr (AlsApplication) app = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name (_("Alongside"));

  /* Codes and keys are in memory. Not more: portals look at who asks. */
  setrlimit (RLIMIT_CORE, &(const struct rlimit){ 0, 0 });
  als_media_prepare ();
  app = als_application_new ();
  return g_application_run (G_APPLICATION (app), argc, argv);
}
