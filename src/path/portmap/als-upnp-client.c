/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/portmap/als-upnp-client.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"

#define PROGRAM "alongside-upnp"
/* The program's longest line is shorter; a longer one is not the program's. */
#define MAX_LINE_BYTES 160

struct _AlsUpnpClient
{
  GSubprocess *program;
  int fd;                 /* a socket to its standard input and output */
  GSource *source;
  gboolean is_ready;      /* it found a router: something may be mapped */
  gboolean has_ended;
  char line[MAX_LINE_BYTES];
  size_t line_len;
  AlsUpnpEvents events;
  gpointer user_data;
};

static char *
find_program (void)
{
  const char *given = g_getenv ("ALONGSIDE_UPNP");
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : g_strdup (BINDIR);
  /* Installed, or beside the other parts of a build. */
  g_autofree char *built = g_build_filename (folder, "..", "path", NULL);
  const char *const folders[] = { folder, built, LIBEXECDIR };

  if (given != NULL && *given != '\0')
    return g_strdup (given);
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (folders[i], PROGRAM, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer (&path);
    }
  return NULL;
}

static void
end (AlsUpnpClient *self)
{
  if (self->has_ended)
    return;
  self->has_ended = TRUE;
  als_source_clear (&self->source);
  self->events.ended (self->user_data);
}

static void
handle_line (AlsUpnpClient *self, const char *line)
{
  char command[8] = "", protocol[4] = "", ip[64] = "";
  guint port = 0, external_port = 0;
  AlsStunAddress external;
  gboolean is_tcp;
  int n;

  g_debug ("upnp: %s", line);
  if (strcmp (line, "none") == 0)
    {
      end (self);
      return;
    }
  self->is_ready = TRUE;
  n = sscanf (line, "%7s %3s %5u %63s %5u", command, protocol, &port, ip, &external_port);
  is_tcp = strcmp (protocol, "tcp") == 0;
  if (n < 4 || port == 0 || port > G_MAXUINT16)
    return;
  if (strcmp (command, "mapped") == 0 && n == 5 && external_port > 0 && external_port <= G_MAXUINT16
      && als_stun_address_parse (&external, ip, (uint16_t) external_port)
      && als_stun_address_is_usable (&external))
    self->events.mapped (is_tcp, (uint16_t) port, &external, self->user_data);
  else
    self->events.mapped (is_tcp, (uint16_t) port, NULL, self->user_data);
}

/* FALSE at its end. */
static gboolean
read_lines (AlsUpnpClient *self)
{
  ssize_t n = recv (self->fd, self->line + self->line_len, sizeof self->line - 1 - self->line_len,
                    MSG_DONTWAIT);
  char *line_end;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return TRUE;
  if (n <= 0)
    return FALSE;
  self->line_len += (size_t) n;
  self->line[self->line_len] = '\0';
  if (strlen (self->line) != self->line_len)
    return FALSE;
  while ((line_end = strchr (self->line, '\n')) != NULL)
    {
      *line_end = '\0';
      handle_line (self, self->line);
      self->line_len -= (size_t) (line_end + 1 - self->line);
      memmove (self->line, line_end + 1, self->line_len + 1);
    }
  return self->line_len < sizeof self->line - 1;
}

static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsUpnpClient *self = user_data;

  if (!read_lines (self))
    end (self);
  return G_SOURCE_CONTINUE;
}

static void
send_line (AlsUpnpClient *self, const char *line)
{
  /* It holds thousands of lines; if not, the program does not read and is of no use. */
  if (!self->has_ended && send (self->fd, line, strlen (line), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    g_debug ("to %s: %s", PROGRAM, g_strerror (errno));
}

AlsUpnpClient *
als_upnp_client_new (const AlsStunAddress *router, const AlsUpnpEvents *events, gpointer user_data)
{
  g_autoptr (AlsUpnpClient) self = g_new0 (AlsUpnpClient, 1);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GInetAddress) address = g_inet_address_new_from_bytes (router->ip, G_SOCKET_FAMILY_IPV4);
  g_autofree char *path = find_program (), *ip = g_inet_address_to_string (address);
  const char *argv[] = { path, ip, NULL };
  int fds[2];

  self->fd = -1;
  self->events = *events;
  self->user_data = user_data;
  if (path == NULL)
    {
      g_debug ("%s is not installed", PROGRAM);
      return NULL;
    }
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    return NULL;
  self->fd = fds[0];
  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_set_cwd (launcher, "/");
  g_subprocess_launcher_take_stdout_fd (launcher, dup (fds[1]));
  g_subprocess_launcher_take_stdin_fd (launcher, fds[1]);
  self->program = g_subprocess_launcher_spawnv (launcher, argv, &error);
  if (self->program == NULL)
    {
      g_message ("%s: %s", PROGRAM, error->message);
      return NULL;
    }
  self->source = g_unix_fd_source_new (self->fd, G_IO_IN | G_IO_HUP);
  g_source_set_static_name (self->source, "als-upnp");
  g_source_set_callback (self->source, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->source, context);
  return g_steal_pointer (&self);
}

void
als_upnp_client_add (AlsUpnpClient *self, gboolean is_tcp, uint16_t port, uint32_t lease_s)
{
  g_autofree char *line = g_strdup_printf ("add %s %u %u\n", is_tcp ? "tcp" : "udp", port, lease_s);

  send_line (self, line);
}

void
als_upnp_client_remove (AlsUpnpClient *self, gboolean is_tcp, uint16_t port)
{
  g_autofree char *line = g_strdup_printf ("remove %s %u\n", is_tcp ? "tcp" : "udp", port);

  send_line (self, line);
}

void
als_upnp_client_detach (AlsUpnpClient *self)
{
  char unread;

  als_source_clear (&self->source);
  if (self->is_ready || recv (self->fd, &unread, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
    shutdown (self->fd, SHUT_WR);
  else
    g_subprocess_force_exit (self->program);
}

void
als_upnp_client_leave (AlsUpnpClient *self, int64_t limit_us)
{
  int64_t end_us = g_get_monotonic_time () + limit_us;

  for (;;)
    {
      struct pollfd input = { .fd = self->fd, .events = POLLIN };
      int64_t left_us = end_us - g_get_monotonic_time ();
      char unread[MAX_LINE_BYTES];
      ssize_t n;

      if (left_us <= 0)
        break;
      if (poll (&input, 1, (int) (left_us / 1000) + 1) <= 0)
        continue;
      n = recv (self->fd, unread, sizeof unread, MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return;
    }
  g_subprocess_force_exit (self->program);
}

void
als_upnp_client_abandon (AlsUpnpClient *self)
{
  g_subprocess_force_exit (self->program);
  als_upnp_client_free (self);
}

void
als_upnp_client_free (AlsUpnpClient *self)
{
  als_source_clear (&self->source);
  if (self->fd >= 0)
    close (self->fd);
  g_clear_object (&self->program);
  g_free (self);
}
