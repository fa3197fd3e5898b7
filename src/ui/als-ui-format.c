/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-ui-format.h"

#include "ui/als-ui-errors.h"

#include <glib/gi18n.h>

#define CODE_DIGITS 12
#define GROUP_DIGITS 3

char *
als_ui_format_group_digits (const char *text)
{
  g_autoptr (GString) grouped = g_string_new (NULL);
  guint n = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      int digit = g_unichar_digit_value (g_utf8_get_char (p));

      if (digit < 0)
        continue;
      if (n > 0 && n % GROUP_DIGITS == 0)
        g_string_append_c (grouped, ' ');
      g_string_append_c (grouped, '0' + digit);
      n++;
    }
  if (n != CODE_DIGITS && n != CODE_DIGITS / 2)
    return g_strdup (text);
  return g_string_free (g_steal_pointer (&grouped), FALSE);
}

char *
als_ui_format_spell_digits (const char *code)
{
  GString *spelt = g_string_new (NULL);

  for (const char *p = code; *p != '\0'; p++)
    {
      if (*p == ' ')
        g_string_append_c (spelt, ',');
      else
        {
          if (spelt->len > 0)
            g_string_append_c (spelt, ' ');
          g_string_append_c (spelt, *p);
        }
    }
  return g_string_free (spelt, FALSE);
}

char *
als_ui_format_time_left (gint64 seconds)
{
  gint64 minutes = (seconds + 30) / 60;
  gint64 hours = (minutes + 30) / 60;

  if (seconds < 60)
    return g_strdup_printf (ngettext ("%u second left", "%u seconds left", (gulong) seconds),
                            (guint) MAX (seconds, 0));
  if (minutes < 60)
    return g_strdup_printf (ngettext ("%u minute left", "%u minutes left", (gulong) minutes),
                            (guint) minutes);
  return g_strdup_printf (ngettext ("%u hour left", "%u hours left", (gulong) hours),
                          (guint) MIN (hours, G_MAXUINT));
}

char *
als_ui_format_transfer_title (AlsVisitTransfer *transfer)
{
  AlsTransferInfo info;
  const char *first;

  als_visit_transfer_get_info (transfer, &info);
  first = info.n_files > 0 ? als_visit_transfer_get_name (transfer, 0) : NULL;
  if (first == NULL)
    return g_strdup (_("Files"));
  if (info.n_files == 1)
    return g_strdup (first);
  /* Translators: %s is the name of the first file, %u the number of the others */
  return g_strdup_printf (ngettext ("%s and %u more", "%s and %u more", info.n_files - 1), first,
                          info.n_files - 1);
}

static char *
format_progress (const AlsTransferInfo *info)
{
  guint percent = info->bytes_total > 0 ? (guint) (info->bytes_done * 100.0 / info->bytes_total) : 0;
  g_autofree char *rate = g_format_size (info->rate);
  g_autofree char *left = NULL;
  GString *text = g_string_new (NULL);

  /* Translators: how much of a transfer is done */
  g_string_append_printf (text, _("%u %%"), percent);
  if (info->n_files > 1)
    {
      g_string_append (text, " · ");
      /* Translators: "2 of 5 files": done, and in all */
      g_string_append_printf (text, ngettext ("%u of %u file", "%u of %u files", info->n_files),
                              info->n_files_done, info->n_files);
    }
  if (info->rate > 0)
    {
      g_string_append (text, " · ");
      /* Translators: %s is a size such as 3.4 MB; a speed */
      g_string_append_printf (text, _("%s/s"), rate);
    }
  if (info->seconds_left >= 0)
    {
      left = als_ui_format_time_left (info->seconds_left);
      g_string_append_printf (text, " · %s", left);
    }
  return g_string_free (text, FALSE);
}

char *
als_ui_format_transfer_state (AlsVisitTransfer *transfer)
{
  AlsTransferInfo info;
  g_autofree char *size = NULL;

  als_visit_transfer_get_info (transfer, &info);
  size = g_format_size (info.bytes_total);
  switch (info.state)
    {
    case ALS_TRANSFER_PREPARING:
      return g_strdup (_("Looking at the files…"));
    case ALS_TRANSFER_OFFERED:
      /* Translators: %s is a size such as 3.4 MB */
      return info.incoming ? g_strdup_printf (_("%s · waits for your answer"), size)
                           : g_strdup_printf (_("%s · waits until they accept"), size);
    case ALS_TRANSFER_ACTIVE:
      return format_progress (&info);
    case ALS_TRANSFER_DONE:
      /* Translators: %s is a size such as 3.4 MB */
      return info.incoming ? g_strdup_printf (_("%s · received"), size)
                           : g_strdup_printf (_("%s · sent"), size);
    case ALS_TRANSFER_FAILED:
    default:
      return g_strdup (als_ui_error_describe_transfer (als_visit_transfer_get_error (transfer)));
    }
}

const char *
als_ui_format_path_kind (AlsPathKind kind)
{
  switch (kind)
    {
    case ALS_PATH_SIGNAL_RELAY:
      return _("via the relay");
    case ALS_PATH_TURN_TCP:
      return _("via a TURN relay (TCP)");
    case ALS_PATH_TURN_UDP:
      return _("via a TURN relay (UDP)");
    case ALS_PATH_DIRECT_UDP:
      return _("direct (UDP)");
    case ALS_PATH_DIRECT_TCP:
      return _("direct (TCP)");
    case ALS_PATH_NONE:
    case ALS_N_PATH_KINDS:
    default:
      return _("no path at the moment");
    }
}

char *
als_ui_format_round_trip (gint64 rtt_us)
{
  if (rtt_us <= 0)
    return NULL;
  if (rtt_us < 1000)
    return g_strdup (_("under 1 ms"));
  /* Translators: milliseconds */
  return g_strdup_printf (_("%u ms"), (guint) MIN (rtt_us / 1000, 99999));
}
