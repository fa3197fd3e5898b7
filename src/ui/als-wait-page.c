/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-wait-page.h"

#include "ui/als-ui-errors.h"
#include "ui/als-ui-visit.h"

#include <glib/gi18n.h>

struct _AlsWaitPage
{
  AdwBin parent;
  AlsVisit *visit; /* owned, nullable */
  AdwStatusPage *status;
  GtkLabel *problem;
};

G_DEFINE_FINAL_TYPE (AlsWaitPage, als_wait_page, ADW_TYPE_BIN)

static void
update_page (AlsWaitPage *self)
{
  const GError *problem = als_visit_get_problem (self->visit);
  const char *peer = als_visit_get_peer_name (self->visit);
  const char *title, *sentence;
  g_autofree char *own_title = NULL;
  g_autofree char *text = NULL;
  AlsUiErrorText error;

  switch (als_visit_get_state (self->visit))
    {
    case ALS_VISIT_LOOKING:
      title = _("Looking for the Other Person");
      sentence = _("Their computer has to be there: they leave their window open, with the code in it.");
      break;
    case ALS_VISIT_CHECKING:
      title = _("Checking the Code");
      sentence = _("The two computers prove the code to each other. Nobody has to do anything.");
      break;
    case ALS_VISIT_ASKING:
      if (peer != NULL && *peer != '\0')
        {
          /* Translators: %s is the name of the other person */
          own_title = g_strdup_printf (_("Waiting for %s"), peer);
          title = own_title;
        }
      else
        title = _("Waiting for the Other Person");
      sentence = _("The code is right. Now it is their move: they are asked what you may see.");
      break;
    case ALS_VISIT_REACHING_SERVER:
    default:
      title = _("Reaching the Server");
      sentence = _("It introduces the two computers to each other. Nobody has to do anything.");
      break;
    }
  adw_status_page_set_title (self->status, title);
  adw_status_page_set_description (self->status, sentence);
  gtk_widget_set_visible (GTK_WIDGET (self->problem), problem != NULL);
  if (problem != NULL)
    {
      als_ui_error_describe (problem, FALSE, &error);
      text = g_strdup_printf ("%s %s", error.sentence, _("Trying again by itself…"));
      gtk_label_set_label (self->problem, text);
    }
}

void
als_wait_page_set_visit (AlsWaitPage *self, AlsVisit *visit)
{
  static const char *const properties[] = { "state", "problem", "peer-name", NULL };

  if (als_ui_visit_watch (&self->visit, visit, properties, G_CALLBACK (update_page), self) && visit != NULL)
    update_page (self);
}

static void
als_wait_page_dispose (GObject *object)
{
  AlsWaitPage *self = ALS_WAIT_PAGE (object);

  als_wait_page_set_visit (self, NULL);
  G_OBJECT_CLASS (als_wait_page_parent_class)->dispose (object);
}

static void
als_wait_page_class_init (AlsWaitPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_wait_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-wait-page.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsWaitPage, status);
  gtk_widget_class_bind_template_child (widget_class, AlsWaitPage, problem);
}

static void
als_wait_page_init (AlsWaitPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
