/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a visit at a terminal says: to people on standard error, to programs on
 * standard output. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-run-private.h"

#include <stdio.h>
#include <string.h>

void
als_cli_end_line (Cli *self)
{
  if (self->line_open)
    fputc ('\n', stderr);
  self->line_open = FALSE;
}

void
als_cli_say (Cli *self, const char *format, ...)
{
  va_list args;

  if (self->options->json)
    return;
  als_cli_end_line (self);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
}

JsonBuilder *
als_cli_event_begin (const char *event)
{
  JsonBuilder *builder = json_builder_new_immutable ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "event");
  json_builder_add_string_value (builder, event);
  return builder;
}

void
als_cli_event_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

void
als_cli_event_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

void
als_cli_event_flag (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

void
als_cli_event_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

/* BUILDER: (transfer full). */
void
als_cli_event_end (Cli *self, JsonBuilder *builder)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *line = NULL;

  als_cli_event_int (builder, "time_us", g_get_monotonic_time ());
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  g_object_unref (builder);
  if (!self->options->json)
    return;
  json_generator_set_root (generator, root);
  line = json_generator_to_data (generator, NULL);
  printf ("%s\n", line);
  fflush (stdout);
  memset (line, 0, strlen (line));
}
