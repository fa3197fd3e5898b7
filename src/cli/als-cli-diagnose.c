/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* alongside diagnose: what this network lets through, without another side. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <json-glib/json-glib.h>

#include "cli/als-cli-settings.h"
#include "cli/als-server-check.h"
#include "path/als-ice-uri.h"
#include "path/als-network-probe.h"
#include "visit/als-connection-report.h"

static const char description[]
    = N_ ("Looks at the way to the rendezvous server, asks STUN servers what this network does to UDP and\n"
          "TCP, and asks the router for a port. It takes some seconds, changes nothing, and its report\n"
          "holds no secrets and no addresses of yours. Servers are those given, those in the settings,\n"
          "and those that the rendezvous server names.\n"
          "\n"
          "Exit codes: 0 direct connections can be expected · 1 they cannot, or nothing could be asked ·\n"
          "2 wrong usage · 5 no rendezvous server can be reached · 130 interrupted.\n"
          "\n"
          "Example: alongside diagnose --server wss://help.example.org --stun stun.example.org:3478");

typedef struct
{
  char **uris;
  char **stun;
  gboolean json;
  gboolean loopback;
  gboolean no_port_mapping;

  GMainLoop *loop;
  GCancellable *cancellable;
  GPtrArray *servers;        /* (element-type AlsPathServer) */
  GPtrArray *checks;         /* (element-type AlsServerCheck) */
  AlsPortMapper *mapper;     /* (nullable) */
  AlsConnectionReport *report;
  gboolean is_interrupted;
} Diagnose;

/* --- gathering -------------------------------------------------------------------------------- */

static void
add_server (Diagnose *self, AlsPathServer *server)
{
  for (guint i = 0; i < self->servers->len; i++)
    {
      const AlsPathServer *known = g_ptr_array_index (self->servers, i);

      if (known->port == server->port && g_ascii_strcasecmp (known->host, server->host) == 0)
        {
          als_path_server_free (server);
          return;
        }
    }
  g_ptr_array_add (self->servers, server);
}

static void
add_known (Diagnose *self)
{
  GStrv list = als_cli_settings_get_ice_servers (self->stun);

  for (guint i = 0; list[i] != NULL; i++)
    {
      AlsPathServer *server = als_ice_uri_parse (list[i], NULL);

      if (server != NULL)
        add_server (self, server);
    }
  als_cli_settings_free_ice_servers (list);
}

static void
choose_rendezvous_servers (Diagnose *self)
{
  if (self->uris != NULL && self->uris[0] != NULL)
    return;
  g_strfreev (self->uris);
  self->uris = als_cli_settings_get_strv ("servers");
  if (self->uris[0] == NULL && DEFAULT_SERVER[0] != '\0')
    {
      static const char *const built_in[] = { DEFAULT_SERVER, NULL };

      g_strfreev (self->uris);
      self->uris = g_strdupv ((GStrv) built_in);
    }
}

static gboolean
is_server_reachable (const Diagnose *self)
{
  for (guint i = 0; i < self->checks->len; i++)
    if (((const AlsServerCheck *) g_ptr_array_index (self->checks, i))->state == ALS_SERVER_CHECK_OK)
      return TRUE;
  return FALSE;
}

/* --- going --------------------------------------------------------------------------------------- */

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Diagnose *self = user_data;

  self->report->ours = als_network_probe_finish (result, NULL);
  g_main_loop_quit (self->loop);
}

static void check_next (Diagnose *self);

static void
checked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Diagnose *self = user_data;
  AlsServerCheck *check = als_server_check_finish (result, NULL);

  if (check == NULL)
    {
      g_main_loop_quit (self->loop);
      return;
    }
  for (guint i = 0; i < check->ice_servers->len; i++)
    add_server (self, als_path_server_copy (g_ptr_array_index (check->ice_servers, i)));
  g_ptr_array_add (self->checks, check);
  check_next (self);
}

/* One after the other, as the app would; then the network, with what the servers told. */
static void
check_next (Diagnose *self)
{
  if (self->uris[self->checks->len] != NULL)
    {
      als_server_check_async (self->uris[self->checks->len], self->cancellable, checked_cb, self);
      return;
    }
  als_network_probe_async (self->servers, self->mapper, self->loopback, self->cancellable, probed_cb, self);
}

static gboolean
interrupt_cb (gpointer user_data)
{
  Diagnose *self = user_data;

  if (self->is_interrupted)
    _exit (ALS_EXIT_INTERRUPTED);
  self->is_interrupted = TRUE;
  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_CONTINUE;
}

/* --- telling --------------------------------------------------------------------------------------- */

static gboolean
expects_direct (const AlsNetworkReport *ours)
{
  return (ours->udp_known && !ours->udp.is_blocked) || ours->tcp_known;
}

/* (transfer full) */
static char *
recommend (const Diagnose *self)
{
  const AlsNetworkReport *ours = self->report->ours;
  g_autofree char *advice = als_connection_report_advise (self->report);

  if (advice != NULL)
    return g_steal_pointer (&advice);
  if (self->servers->len == 0)
    return g_strdup (_("No STUN server is known, so nothing can be said on direct connections. Name one with "
                       "--stun, or set one in the preferences."));
  if (expects_direct (ours))
    return g_strdup (_("Nothing in this network stands in the way of direct connections."));
  return g_strdup (_("No STUN server answers. Look at its address, or ask your network’s administrator to "
                     "allow port 3478."));
}

static int
get_exit (const Diagnose *self)
{
  if (self->is_interrupted || self->report->ours == NULL)
    return ALS_EXIT_INTERRUPTED;
  if (self->checks->len > 0 && !is_server_reachable (self))
    return ALS_EXIT_SERVER;
  return expects_direct (self->report->ours) ? ALS_EXIT_DONE : ALS_EXIT_FAILED;
}

static void
print_line (const char *title, const char *sentence)
{
  /* Translators: a title and a sentence, such as "UDP: Blocked" */
  g_print (_("%1$s: %2$s"), title, sentence);
  g_print ("\n");
}

static void
print_text (const Diagnose *self)
{
  g_autoptr (GPtrArray) facts = als_network_report_list_facts (self->report->ours);
  g_autofree char *advice = recommend (self);

  for (guint i = 0; i < self->checks->len; i++)
    {
      const AlsServerCheck *check = g_ptr_array_index (self->checks, i);
      g_autofree char *sentence = als_server_check_describe (check);
      /* Translators: %s is an address such as wss://help.example.org */
      g_autofree char *title = g_strdup_printf (_("Rendezvous server %s"), check->uri);

      print_line (title, sentence);
    }
  if (self->checks->len == 0)
    print_line (_("Rendezvous server"), _("none is set; codes work on this computer or network only"));
  for (guint i = 0; i < facts->len; i++)
    {
      const AlsNetworkFact *fact = g_ptr_array_index (facts, i);

      print_line (fact->title, fact->sentence);
    }
  g_print ("\n%s\n", advice);
}

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

/* (transfer full) */
static JsonNode *
make_checks (const Diagnose *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < self->checks->len; i++)
    {
      const AlsServerCheck *check = g_ptr_array_index (self->checks, i);
      g_autofree char *sentence = als_server_check_describe (check);

      json_builder_begin_object (builder);
      add_text (builder, "uri", check->uri);
      add_text (builder, "state", als_server_check_to_string (check->state));
      json_builder_set_member_name (builder, "proxy");
      json_builder_add_boolean_value (builder, check->via_proxy);
      json_builder_set_member_name (builder, "rtt_ms");
      if (check->rtt_us > 0)
        json_builder_add_double_value (builder, (double) check->rtt_us / 1000);
      else
        json_builder_add_null_value (builder);
      add_text (builder, "sentence", sentence);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  return json_builder_get_root (builder);
}

/* (transfer full): without logins. */
static JsonNode *
make_servers (const Diagnose *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < self->servers->len; i++)
    {
      g_autofree char *uri = als_ice_uri_make_public (g_ptr_array_index (self->servers, i));

      if (uri != NULL)
        json_builder_add_string_value (builder, uri);
    }
  json_builder_end_array (builder);
  return json_builder_get_root (builder);
}

/* The copied report's object, and what only this command knows. */
static void
print_json (const Diagnose *self)
{
  g_autofree char *report = als_connection_report_to_json (self->report);
  g_autofree char *advice = recommend (self);
  g_autoptr (JsonNode) root = json_from_string (report, NULL);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autofree char *text = NULL;
  JsonObject *object = json_node_get_object (root);

  json_object_set_member (object, "servers", make_checks (self));
  json_object_set_member (object, "stun_servers", make_servers (self));
  json_object_set_string_member (object, "advice", advice);
  json_object_set_boolean_member (object, "direct", expects_direct (self->report->ours));
  json_object_set_int_member (object, "exit", get_exit (self));
  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, NULL);
  g_print ("%s\n", text);
}

/* --- the command -------------------------------------------------------------------------------------- */

static int
run (Diagnose *self)
{
  guint int_id, term_id;
  int exit;

  self->loop = g_main_loop_new (NULL, FALSE);
  self->cancellable = g_cancellable_new ();
  self->checks = g_ptr_array_new_with_free_func ((GDestroyNotify) als_server_check_free);
  self->report = als_connection_report_new ();
  if (!self->no_port_mapping && als_cli_settings_get_boolean ("port-mapping"))
    self->mapper = als_port_mapper_new ();
  int_id = g_unix_signal_add (SIGINT, interrupt_cb, self);
  term_id = g_unix_signal_add (SIGTERM, interrupt_cb, self);
  if (!self->json)
    g_printerr ("%s\n", _("Looking at this network; it takes up to ten seconds."));
  check_next (self);
  g_main_loop_run (self->loop);
  exit = get_exit (self);
  if (exit != ALS_EXIT_INTERRUPTED && self->json)
    print_json (self);
  else if (exit != ALS_EXIT_INTERRUPTED)
    print_text (self);
  if (self->mapper != NULL)
    als_port_mapper_close (self->mapper);
  g_clear_object (&self->mapper);
  als_port_mapper_flush ();
  g_source_remove (int_id);
  g_source_remove (term_id);
  als_connection_report_unref (self->report);
  g_ptr_array_unref (self->checks);
  g_object_unref (self->cancellable);
  g_main_loop_unref (self->loop);
  return exit;
}

int
als_cli_diagnose (int argc, char **argv)
{
  Diagnose self = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (_("diagnose"));
  const GOptionEntry entries[] = {
    { "server", 0, 0, G_OPTION_ARG_STRING_ARRAY, &self.uris, N_("Rendezvous server (ws:// or wss://); may be repeated"), N_("URL") },
    { "stun", 0, 0, G_OPTION_ARG_STRING_ARRAY, &self.stun, N_("STUN server to ask; may be repeated"), N_("HOST[:PORT]") },
    { "no-port-mapping", 0, 0, G_OPTION_ARG_NONE, &self.no_port_mapping, N_("Do not ask the router for a port"), NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &self.json, N_("Print one JSON object"), NULL },
    { "loopback", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &self.loopback, NULL, NULL },
    { NULL },
  };
  int exit = ALS_EXIT_USAGE;

  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  g_option_context_set_description (context, _(description));
  self.servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_printerr ("%s\n", error->message);
  else if (argc > 1)
    g_printerr ("%s\n", _("This command takes no arguments."));
  else if (als_cli_check_stun (self.stun))
    {
      choose_rendezvous_servers (&self);
      add_known (&self);
      exit = run (&self);
    }
  g_ptr_array_unref (self.servers);
  g_strfreev (self.uris);
  g_strfreev (self.stun);
  return exit;
}
