/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The files of a visit at a terminal. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-run-private.h"

#include <glib/gi18n.h>
#include <stdio.h>

static void
transfer_line (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  g_autofree char *done = g_format_size (info->bytes_done);
  g_autofree char *total = g_format_size (info->bytes_total);
  g_autofree char *rate = g_format_size (info->rate);
  const char *name = als_visit_transfer_get_name (transfer, 0);

  if (!self->is_tty || self->options->json)
    return;
  fprintf (stderr, "\r\033[K%s%s  %3.0f %%  %s / %s  %s/s", name != NULL ? name : "",
           info->n_files > 1 ? " …" : "",
           info->bytes_total > 0 ? 100.0 * info->bytes_done / info->bytes_total : 100.0, done, total,
           rate);
  if (info->seconds_left >= 0)
    /* Translators: minutes and seconds */
    fprintf (stderr, _ ("  %d:%02d left"), (int) MIN (info->seconds_left / 60, G_MAXINT),
             (int) (info->seconds_left % 60));
  fprintf (stderr, "  (%s)", als_path_kind_to_string (als_visit_get_path_kind (self->visit)));
  fflush (stderr);
  self->line_open = TRUE;
}

static void
transfer_event (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  static const char *const states[] = { "preparing", "offered", "active", "done", "failed" };
  JsonBuilder *builder = als_cli_event_begin ("progress");
  const GError *error = als_visit_transfer_get_error (transfer);

  als_cli_event_text (builder, "state", states[info->state]);
  als_cli_event_text (builder, "direction", info->incoming ? "in" : "out");
  als_cli_event_text (builder, "name", als_visit_transfer_get_name (transfer, 0));
  als_cli_event_int (builder, "files", info->n_files);
  als_cli_event_int (builder, "files_done", info->n_files_done);
  als_cli_event_int (builder, "bytes", (gint64) info->bytes_done);
  als_cli_event_int (builder, "total", (gint64) info->bytes_total);
  als_cli_event_int (builder, "rate", (gint64) info->rate);
  als_cli_event_int (builder, "seconds_left", info->seconds_left);
  als_cli_event_int (builder, "duration_us", info->duration_us);
  if (error != NULL)
    als_cli_event_text (builder, "error", error->message);
  als_cli_event_end (self, builder);
}

static void
accept_answer (Cli *self, const char *line, gpointer subject)
{
  if (als_cli_is_yes (line))
    als_visit_transfer_accept (subject);
  else
    als_visit_transfer_decline (subject);
}

static void
offer (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  g_autofree char *size = g_format_size (info->bytes_total);
  g_autofree char *text = NULL;
  const char *name = als_visit_transfer_get_name (transfer, 0);

  for (guint i = 0; i < MIN (info->n_files, 20); i++)
    {
      g_autofree char *one = g_format_size (als_visit_transfer_get_size (transfer, i));

      als_cli_say (self, "  %s (%s)", als_visit_transfer_get_name (transfer, i), one);
    }
  if (self->options->yes)
    {
      als_visit_transfer_accept (transfer);
      return;
    }
  /* Translators: a question on the terminal; y stands for yes. */
  text = g_strdup_printf (ngettext ("Accept %u file, “%s”, %s? [y/N]",
                                    "Accept %u files, “%s” …, %s? [y/N]", info->n_files),
                          info->n_files, name != NULL ? name : "", size);
  als_cli_ask (self, text, accept_answer, transfer);
}

static void
end_if_sent (Cli *self)
{
  GListModel *transfers = als_visit_get_transfers (self->visit);

  if (self->options->mode != ALS_CLI_SEND || self->options->commands)
    return;
  for (guint i = 0; i < g_list_model_get_n_items (transfers); i++)
    {
      g_autoptr (AlsVisitTransfer) transfer = g_list_model_get_item (transfers, i);
      AlsTransferInfo info;

      als_visit_transfer_get_info (transfer, &info);
      if (info.state != ALS_TRANSFER_DONE && info.state != ALS_TRANSFER_FAILED)
        return;
    }
  als_visit_stop (self->visit);
}

static void
transfer_changed_cb (AlsVisitTransfer *transfer, Cli *self)
{
  AlsTransferInfo info;
  const GError *error = als_visit_transfer_get_error (transfer);

  als_visit_transfer_get_info (transfer, &info);
  transfer_event (self, transfer, &info);
  switch (info.state)
    {
    case ALS_TRANSFER_OFFERED:
      if (info.incoming)
        offer (self, transfer, &info);
      else
        als_cli_say (self, _ ("Waiting until the other side accepts…"));
      break;
    case ALS_TRANSFER_ACTIVE:
      transfer_line (self, transfer, &info);
      break;
    case ALS_TRANSFER_DONE:
      transfer_line (self, transfer, &info);
      als_cli_end_line (self);
      self->n_done++;
      for (guint i = 0; info.incoming && i < info.n_files; i++)
        {
          GFile *saved = als_visit_transfer_get_saved (transfer, i);
          g_autofree char *path = saved != NULL ? g_file_get_path (saved) : NULL;

          if (path != NULL)
            als_cli_say (self, _ ("Saved %s"), path);
        }
      end_if_sent (self);
      break;
    case ALS_TRANSFER_FAILED:
      self->n_failed++;
      if (self->transfer_error == NULL && error != NULL)
        self->transfer_error = g_error_copy (error);
      als_cli_say (self, _ ("The transfer failed: %s"), error != NULL ? error->message : "");
      end_if_sent (self);
      break;
    default:
      break;
    }
}

static void
transfer_added_cb (AlsVisit *visit, AlsVisitTransfer *transfer, Cli *self)
{
  g_signal_connect (transfer, "changed", G_CALLBACK (transfer_changed_cb), self);
  transfer_changed_cb (transfer, self);
}

void
als_cli_watch_transfers (Cli *self)
{
  g_signal_connect (self->visit, "transfer-added", G_CALLBACK (transfer_added_cb), self);
}

void
als_cli_unwatch_transfers (Cli *self)
{
  GListModel *transfers = als_visit_get_transfers (self->visit);

  for (guint i = 0; i < g_list_model_get_n_items (transfers); i++)
    {
      g_autoptr (GObject) transfer = g_list_model_get_item (transfers, i);

      g_signal_handlers_disconnect_by_data (transfer, self);
    }
}
