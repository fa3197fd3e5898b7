/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* alongside-signald: the rendezvous server as a program. Options, files and
 * signals of the operating system are here; the rest is AlsServer. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-lock-file.h"
#include "server/als-server.h"

#include <glib-unix.h>
#include <ifaddrs.h>
#include <locale.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Exit codes. */
#define EXIT_USAGE 2
#define EXIT_LOCKED 3

/* A private server is one user's: its limits keep a broken program in check, not a stranger. */
#define PRIVATE_EXIT_AFTER_S 30
#define PRIVATE_EXIT_AFTER_START_S 60
#define PRIVATE_CONNECTIONS 1000
#define PRIVATE_JOIN_BURST 100

typedef struct
{
  char *config_file;
  char **listen;
  char *tls_cert;
  char *tls_key;
  gboolean is_private;
  char *lock_file;
  gboolean print_address;
  gboolean verbose;
  gboolean version;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->config_file);
  g_strfreev (options->listen);
  g_free (options->tls_cert);
  g_free (options->tls_key);
  g_free (options->lock_file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

typedef struct
{
  GMainLoop *loop;
  AlsServer *server;
} Program;

static gboolean
parse_options (Options *options, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config_file, "Read this configuration",
      "FILE" },
    { "listen", 'l', 0, G_OPTION_ARG_STRING_ARRAY, &options->listen,
      "Listen here instead of where the configuration says (may be repeated; port 0: any)",
      "ADDR:PORT" },
    { "tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &options->tls_cert, "Certificate chain, PEM",
      "FILE" },
    { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &options->tls_key, "Private key, PEM", "FILE" },
    { "private", 0, 0, G_OPTION_ARG_NONE, &options->is_private,
      "Serve one user: on loopback, and end when the last client has been gone for a while", NULL },
    { "lock-file", 0, 0, G_OPTION_ARG_FILENAME, &options->lock_file,
      "Hold this file and write the addresses there; exit with 3 if another server holds it",
      "FILE" },
    { "print-address", 0, 0, G_OPTION_ARG_NONE, &options->print_address,
      "Print 'listening ADDR:PORT' once listening", NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "Log each connection", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version and exit", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context
      = g_option_context_new ("- introduces two computers to each other");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc == 1)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is not an option", (*argv)[1]);
  return FALSE;
}

static void
set_private_defaults (AlsServerConfig *config)
{
  config->exit_after_s = PRIVATE_EXIT_AFTER_S;
  config->exit_after_start_s = PRIVATE_EXIT_AFTER_START_S;
  config->max_connections = PRIVATE_CONNECTIONS;
  config->max_connections_per_address = PRIVATE_CONNECTIONS;
  config->connect_burst = PRIVATE_CONNECTIONS;
  config->connect_interval_s = 0.01;
  config->rendezvous.join_burst = PRIVATE_JOIN_BURST;
  config->rendezvous.join_interval_s = 1;
}

static void
override (char **field, const char *value)
{
  if (value == NULL)
    return;
  g_free (*field);
  *field = g_strdup (value);
}

static AlsServerConfig *
make_config (const Options *options, GError **error)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();

  if (options->is_private)
    set_private_defaults (config);
  if (options->config_file != NULL && !als_server_config_load (config, options->config_file, error))
    return NULL;
  if (options->listen != NULL || options->is_private)
    g_ptr_array_set_size (config->listen, 0);
  /* The first line of the lock file is this one's. */
  if (options->is_private && !als_server_config_add_listen (config, "127.0.0.1:0", error))
    return NULL;
  for (guint i = 0; options->listen != NULL && options->listen[i] != NULL; i++)
    if (!als_server_config_add_listen (config, options->listen[i], error))
      {
        g_prefix_error (error, "--listen %s: ", options->listen[i]);
        return NULL;
      }
  override (&config->tls_cert, options->tls_cert);
  override (&config->tls_key, options->tls_key);
  if (!als_server_config_check (config, error))
    return NULL;
  return g_steal_pointer (&config);
}

/* Addresses. */

static void
add_uri (GString *text, const char *scheme, GSocketAddress *address)
{
  g_autofree char *place = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  g_string_append_printf (text, "%s://%s\n", scheme, place);
}

/* The addresses of this machine on its networks, for a listener on all of them. */
static void
add_lan_uris (GString *text, const char *scheme, guint16 port)
{
  struct ifaddrs *all = NULL;

  if (getifaddrs (&all) < 0)
    return;
  for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
    {
      g_autoptr (GSocketAddress) address = NULL;
      g_autoptr (GSocketAddress) with_port = NULL;

      if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET
          || (one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0)
        continue;
      address = g_socket_address_new_from_native (one->ifa_addr, sizeof (struct sockaddr_in));
      with_port = g_inet_socket_address_new (
          g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)), port);
      add_uri (text, scheme, with_port);
    }
  freeifaddrs (all);
}

static char *
make_uris (AlsServer *server, gboolean has_tls)
{
  GString *text = g_string_new (NULL);
  GPtrArray *addresses = als_server_get_addresses (server);
  const char *scheme = has_tls ? "wss" : "ws";

  for (guint i = 0; i < addresses->len; i++)
    {
      GInetSocketAddress *address = g_ptr_array_index (addresses, i);
      GInetAddress *inet = g_inet_socket_address_get_address (address);

      if (g_inet_address_get_is_any (inet))
        add_lan_uris (text, scheme, g_inet_socket_address_get_port (address));
      else
        add_uri (text, scheme, G_SOCKET_ADDRESS (address));
    }
  return g_string_free (text, FALSE);
}

static void
print_addresses (AlsServer *server)
{
  GPtrArray *addresses = als_server_get_addresses (server);

  for (guint i = 0; i < addresses->len; i++)
    {
      g_autofree char *place = g_socket_connectable_to_string (g_ptr_array_index (addresses, i));

      printf ("listening %s\n", place);
    }
  fflush (stdout);
}

/* The running program. */

static void
done_cb (gpointer user_data)
{
  g_main_loop_quit (((Program *)user_data)->loop);
}

static gboolean
stop_cb (gpointer user_data)
{
  Program *program = user_data;

  g_message ("shutting down (%u clients)", als_server_get_n_clients (program->server));
  als_server_stop (program->server);
  return G_SOURCE_CONTINUE;
}

static gboolean
reload_cb (gpointer user_data)
{
  Program *program = user_data;
  g_autoptr (GError) error = NULL;

  if (als_server_reload_tls (program->server, &error))
    g_message ("certificate read again");
  else
    g_warning ("still using the old certificate: %s", error->message);
  return G_SOURCE_CONTINUE;
}

static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static gboolean
serve (const Options *options, const AlsServerConfig *config, AlsLockFile *lock, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (AlsServer) server = NULL;
  g_autofree char *uris = NULL;
  Program program = { .loop = loop };
  guint sources[3];
  gboolean ok;

  server = program.server = als_server_new (config, NULL, done_cb, &program, error);
  if (server == NULL)
    return FALSE;
  /* Whoever learns of us below may stop us at once. */
  sources[0] = g_unix_signal_add (SIGTERM, stop_cb, &program);
  sources[1] = g_unix_signal_add (SIGINT, stop_cb, &program);
  sources[2] = g_unix_signal_add (SIGHUP, reload_cb, &program);
  uris = make_uris (server, config->tls_cert != NULL);
  ok = lock == NULL || als_lock_file_write (lock, uris, error);
  if (ok)
    {
      if (options->print_address)
        print_addresses (server);
      g_message ("alongside-signald %s serves (%s)", PACKAGE_VERSION,
                 config->tls_cert != NULL ? "TLS" : "plain");
      g_main_loop_run (loop);
      g_message ("ended");
    }
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  return ok;
}

static int
fail (int code, const GError *error)
{
  fprintf (stderr, "alongside-signald: %s\n", error->message);
  return code;
}

int
main (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (AlsServerConfig) config = NULL;
  g_autoptr (AlsLockFile) lock = NULL;
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  /* The relays' secret is in memory. */
  setrlimit (RLIMIT_CORE, &(const struct rlimit){ 0, 0 });
  if (!parse_options (&options, &argc, &argv, &error))
    return fail (EXIT_USAGE, error);
  if (options.version)
    {
      printf ("alongside-signald %s\n", PACKAGE_VERSION);
      return EXIT_SUCCESS;
    }
  g_log_writer_default_set_use_stderr (TRUE);
  g_log_set_debug_enabled (options.verbose);
  signal (SIGPIPE, SIG_IGN);
  raise_descriptor_limit ();
  if (options.lock_file != NULL && (lock = als_lock_file_take (options.lock_file, &error)) == NULL)
    return fail (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BUSY) ? EXIT_LOCKED : EXIT_FAILURE,
                 error);
  if ((config = make_config (&options, &error)) == NULL)
    return fail (EXIT_USAGE, error);
  if (!serve (&options, config, lock, &error))
    return fail (EXIT_FAILURE, error);
  return EXIT_SUCCESS;
}
