/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-turn-server.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define SECRET "hush"
#define WAIT_US ((int64_t) 20 * G_USEC_PER_SEC)

uint16_t
als_turn_server_find_port (void)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) bound = NULL;

  g_assert_true (g_socket_bind (socket, any, FALSE, NULL));
  bound = g_socket_get_local_address (socket, NULL);
  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
}

static void
die_with_parent (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static gboolean
listens (uint16_t port)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);

  return g_socket_connect (socket, address, NULL, NULL);
}

static void
wait_until_it_listens (AlsTurnServer *self)
{
  int64_t end_us = g_get_monotonic_time () + WAIT_US;

  while (!listens (self->port) || (self->tls_port != 0 && !listens (self->tls_port)))
    {
      if (g_get_monotonic_time () > end_us || g_subprocess_get_identifier (self->process) == NULL)
        {
          g_autofree char *log = NULL;

          g_file_get_contents (self->log_file, &log, NULL, NULL);
          g_error ("the server does not listen: %s", log);
        }
      /* It tells nobody when it listens; the connect does. */
      g_usleep (20 * 1000);
    }
}

void
als_turn_server_init (AlsTurnServer *self, const char *options)
{
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *config = NULL;
  g_autofree char *config_file = NULL;
  gboolean has_tls = strstr (options, "cert=") != NULL;

  memset (self, 0, sizeof *self);
  self->folder = g_dir_make_tmp ("als-coturn-XXXXXX", &error);
  g_assert_no_error (error);
  self->port = als_turn_server_find_port ();
  self->tls_port = has_tls ? als_turn_server_find_port () : 0;
  self->log_file = g_build_filename (self->folder, "log", NULL);
  config_file = g_build_filename (self->folder, "turnserver.conf", NULL);
  config = g_strdup_printf ("listening-ip=127.0.0.1\n%slistening-port=%u\n"
                            "tls-listening-port=%u\n%s"
                            "use-auth-secret\nstatic-auth-secret=" SECRET "\nrealm=tests\n"
                            "allow-loopback-peers\nno-cli\nno-dtls\nsimple-log\nlog-file=stdout\n"
                            "pidfile=%s/pid\nuserdb=%s/db\n%s",
                            strstr (options, "relay-ip=") != NULL ? "" : "relay-ip=127.0.0.1\n",
                            self->port, has_tls ? self->tls_port : 1, has_tls ? "" : "no-tls\n",
                            self->folder, self->folder, options);
  g_file_set_contents (config_file, config, -1, &error);
  g_assert_no_error (error);
  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  g_subprocess_launcher_set_stdout_file_path (launcher, self->log_file);
  self->process
      = g_subprocess_launcher_spawn (launcher, &error, "turnserver", "-c", config_file, NULL);
  g_assert_no_error (error);
  wait_until_it_listens (self);
}

void
als_turn_server_kill (AlsTurnServer *self)
{
  g_subprocess_force_exit (self->process);
  g_assert_true (g_subprocess_wait (self->process, NULL, NULL));
}

void
als_turn_server_clear (AlsTurnServer *self)
{
  static const char *const names[] = { "log", "turnserver.conf", "pid", "db" };

  als_turn_server_kill (self);
  g_object_unref (self->process);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (self->folder, names[i], NULL);

      g_unlink (path);
    }
  g_rmdir (self->folder);
  g_free (self->folder);
  g_free (self->log_file);
}

/* As coturn's use-auth-secret has it. */
void
als_turn_server_make_login (const char *name, int life_s, const char *secret, char **username,
                            char **password)
{
  GHmac *hmac;
  guchar digest[20];
  gsize len = sizeof digest;

  if (secret == NULL)
    secret = SECRET;
  *username = g_strdup_printf ("%" G_GINT64_FORMAT ":%s",
                               g_get_real_time () / G_USEC_PER_SEC + life_s, name);
  hmac = g_hmac_new (G_CHECKSUM_SHA1, (const guchar *) secret, strlen (secret));
  g_hmac_update (hmac, (const guchar *) *username, -1);
  g_hmac_get_digest (hmac, digest, &len);
  g_hmac_unref (hmac);
  *password = g_base64_encode (digest, len);
}

AlsPathServer *
als_turn_server_login (AlsTurnServer *self, AlsPathServerKind kind, const char *host, int life_s,
                       const char *secret)
{
  g_autofree char *username = NULL;
  g_autofree char *password = NULL;

  als_turn_server_make_login ("tester", life_s, secret, &username, &password);
  return als_path_server_new (kind, host, kind == ALS_PATH_SERVER_TURNS ? self->tls_port : self->port,
                              username, password);
}
