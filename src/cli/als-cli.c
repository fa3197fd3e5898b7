/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* alongside: send files, receive them, share a screen, from a terminal. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli.h"
#include "cli/als-cli-settings.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <string.h>
#include <sys/prctl.h>

static const char description[]
    = N_ ("Exit codes: 0 done · 1 failed · 2 wrong usage · 3 code unknown, wrong or used up ·\n"
          "4 declined or not answered · 5 no rendezvous server · 6 the other side left or was lost ·\n"
          "7 a file could not be read or written · 130 interrupted.");

static int
usage (void)
{
  g_printerr ("%s\n", _ ("Usage: alongside send FILE…      offer files; prints the code to read out\n"
                         "       alongside receive         asks for a code, then receives\n"
                         "       alongside share           show this screen or a test pattern\n"
                         "       alongside diagnose        what this network lets through, and what would help\n"
                         "       alongside COMMAND --help  all options\n"
                         "       alongside --version"));
  return ALS_EXIT_USAGE;
}

static void
options_clear (AlsCliOptions *options)
{
  g_clear_pointer (&options->files, g_ptr_array_unref);
  g_free (options->code_file);
  g_free (options->invitation_file);
  g_strfreev (options->stun);
  g_strfreev (options->servers);
  g_free (options->folder);
  g_free (options->name);
  g_free (options->display);
}

static gboolean
check_files (AlsCliOptions *options, char **paths)
{
  options->files = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; paths != NULL && paths[i] != NULL; i++)
    {
      g_autoptr (GFile) file = g_file_new_for_commandline_arg (paths[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GFileInfo) info
          = g_file_query_info (file, G_FILE_ATTRIBUTE_STANDARD_TYPE "," G_FILE_ATTRIBUTE_ACCESS_CAN_READ,
                               G_FILE_QUERY_INFO_NONE, NULL, &error);

      if (info == NULL)
        {
          g_printerr ("%s\n", error->message);
          return FALSE;
        }
      if (g_file_info_get_file_type (info) != G_FILE_TYPE_REGULAR)
        {
          g_printerr (_ ("%s is not a file. (Pack a folder into an archive first.)\n"), paths[i]);
          return FALSE;
        }
      if (!g_file_info_get_attribute_boolean (info, G_FILE_ATTRIBUTE_ACCESS_CAN_READ))
        {
          g_printerr (_ ("%s may not be read by you.\n"), paths[i]);
          return FALSE;
        }
      g_ptr_array_add (options->files, g_steal_pointer (&file));
    }
  return TRUE;
}

static int
run_visit (AlsCliMode mode, int argc, char **argv)
{
  AlsCliOptions options = { .mode = mode };
  g_autofree char *paths = NULL;
  g_auto (GStrv) files = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = NULL;
  const GOptionEntry common[] = {
    { "server", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.servers, N_ ("Rendezvous server (ws:// or wss://); may be repeated"), N_ ("URL") },
    { "stun", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.stun, N_ ("STUN server to ask; may be repeated"), N_ ("HOST[:PORT]") },
    { "listen", 0, 0, G_OPTION_ARG_NONE, &options.listen, N_ ("Without --server: let the private server be reached from the local network"), NULL },
    { "paths", 0, 0, G_OPTION_ARG_STRING, &paths, N_ ("Kinds of connection to use: signal-relay,turn-tcp,turn-udp,direct-udp,direct-tcp"), N_ ("LIST") },
    { "name", 0, 0, G_OPTION_ARG_STRING, &options.name, N_ ("What the other side sees as your name"), N_ ("NAME") },
    { "yes", 'y', 0, G_OPTION_ARG_NONE, &options.yes, N_ ("Accept files without asking (and the test pattern, for share)"), NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &options.json, N_ ("Print one JSON object a line for each event"), NULL },
    { "commands", 0, 0, G_OPTION_ARG_NONE, &options.commands, N_ ("Take commands from standard input: paths LIST, send FILE, stop"), NULL },
    { "measure", 0, 0, G_OPTION_ARG_INT, &options.measure_ms, N_ ("Measure round trips all the while, each so many milliseconds"), N_ ("MS") },
    { "loopback", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options.loopback, NULL, NULL },
    { "no-lan", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options.no_lan, NULL, NULL },
    { NULL },
  };
#define INVITATION \
  { "invitation", 0, 0, G_OPTION_ARG_NONE, &options.invitation, N_ ("Connect by an invitation instead of a server: prints a text to send, reads the reply from standard input"), NULL }
  const GOptionEntry send[] = {
    INVITATION,
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, NULL },
    { NULL },
  };
  const GOptionEntry receive[] = {
    { "code-file", 0, 0, G_OPTION_ARG_FILENAME, &options.code_file, N_ ("Read the code from FILE, or - for standard input"), N_ ("FILE") },
    { "invitation-file", 0, 0, G_OPTION_ARG_FILENAME, &options.invitation_file, N_ ("Answer the invitation in FILE, or - for standard input, whose next line is the six digits"), N_ ("FILE") },
    { "folder", 'd', 0, G_OPTION_ARG_FILENAME, &options.folder, N_ ("Where to save (the current folder)"), N_ ("FOLDER") },
    { NULL },
  };
  const GOptionEntry share[] = {
    INVITATION,
    { "test-pattern", 0, 0, G_OPTION_ARG_NONE, &options.test_pattern, N_ ("Show a moving test pattern instead of a screen"), NULL },
    { "display", 0, 0, G_OPTION_ARG_STRING, &options.display, N_ ("The X display to show ($DISPLAY)"), N_ ("DISPLAY") },
    { NULL },
  };
  const GOptionEntry *const own[] = { send, receive, share };
  static const char *const arguments[] = { N_ ("send FILE…"), N_ ("receive"), N_ ("share") };
  int exit = ALS_EXIT_USAGE;

  context = g_option_context_new (_ (arguments[mode]));
  g_option_context_add_main_entries (context, common, GETTEXT_PACKAGE);
  g_option_context_add_main_entries (context, own[mode], GETTEXT_PACKAGE);
  g_option_context_set_description (context, _ (description));
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_printerr ("%s\n", error->message);
  else if (mode != ALS_CLI_SEND && argc > 1)
    /* A code must not stand here: arguments can be read by everyone on the machine. */
    g_printerr ("%s\n", _ ("This command takes no arguments; a code is asked for, or read from --code-file."));
  else if (paths != NULL && (options.allowed_kinds = als_path_kinds_parse (paths)) == 0)
    g_printerr (_ ("There is an unknown kind of path in “%s”.\n"), paths);
  else if (mode == ALS_CLI_SEND && files == NULL && !options.commands)
    g_printerr ("%s\n", _ ("Which files? alongside send FILE…"));
  else if (!als_cli_check_stun (options.stun))
    exit = ALS_EXIT_USAGE;
  else if (!check_files (&options, files))
    exit = ALS_EXIT_FILE;
  else
    {
      if (mode == ALS_CLI_SHARE && options.display == NULL)
        options.display = g_strdup (g_getenv ("DISPLAY"));
      if (mode == ALS_CLI_SHARE && options.display == NULL)
        options.test_pattern = TRUE;
      if (mode == ALS_CLI_RECEIVE && options.folder == NULL)
        options.folder = g_get_current_dir ();
      exit = als_cli_run (&options);
    }
  options_clear (&options);
  return exit;
}

int
main (int argc, char **argv)
{
  const char *verb = argc > 1 ? argv[1] : "";

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  /* Codes and keys are in memory: no core files, no reading by other processes of this user. */
#ifndef __SANITIZE_ADDRESS__ /* whose leak check reads this process as a debugger does */
  prctl (PR_SET_DUMPABLE, 0);
#endif
  if (g_str_equal (verb, "send"))
    return run_visit (ALS_CLI_SEND, argc - 1, argv + 1);
  if (g_str_equal (verb, "receive"))
    return run_visit (ALS_CLI_RECEIVE, argc - 1, argv + 1);
  if (g_str_equal (verb, "share"))
    return run_visit (ALS_CLI_SHARE, argc - 1, argv + 1);
  if (g_str_equal (verb, "diagnose"))
    return als_cli_diagnose (argc - 1, argv + 1);
  if (g_str_equal (verb, "--version"))
    {
      g_print ("alongside %s\n", PACKAGE_VERSION);
      return ALS_EXIT_DONE;
    }
  if (g_str_equal (verb, "--help") || g_str_equal (verb, "help") || g_str_equal (verb, "-h"))
    {
      usage ();
      g_printerr ("\n%s\n", _ (description));
      return ALS_EXIT_DONE;
    }
  return usage ();
}
