/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A router of the laboratory: one TUN device on the home's side, one on the internet's,
 * between them an address translator (netlab-nat.c) and a line in each direction
 * (netlab-line.c). The translator stands at the home's end of the line.
 *
 *   netlab-router LAN-NETNS LAN-DEVICE WAN-NETNS WAN-DEVICE [KEY=VALUE…]
 *
 * makes the devices in the two network namespaces (files as in /run/netns; "-" is its own),
 * says "ready", and takes commands from standard input, a line each, answered by a line:
 *
 *   set KEY=VALUE…           see settings[] below; a line's keys hold for both directions,
 *                            with "up." or "down." in front for one
 *   flush                    forget all mappings, as after a restart
 *   cut|restore [up|down]    one direction or both
 *   stats                    one JSON object
 *
 * It ends with its standard input, and its devices with it. */

#define G_LOG_DOMAIN "netlab"
#include "config.h"

#include "netlab-line.h"
#include "netlab-nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Reads from one device before the other has its turn. */
#define BATCH 64
#define PACKET_BYTES 2048
#define MAX_COMMAND_BYTES 4096

enum { UP, DOWN };

typedef struct
{
  int lan_fd, wan_fd;
  NetlabNat *nat;
  NetlabLine *lines[2];
  guint64 n_unwritten;   /* refused by a device, whose queue was full */
  char command[MAX_COMMAND_BYTES];
  size_t n_command;
} Router;

typedef enum
{
  SET_BOOL,
  SET_INT,
  SET_DOUBLE,
  SET_SIZE,
  SET_CHOICE,
  SET_ADDRESS,
  SET_PORTS,
  SET_ONLY,
} SettingKind;

typedef struct
{
  const char *name;
  SettingKind kind;
  size_t offset;
  const char *choices;   /* in the order of the enum */
} Setting;

#define DEPENDENCE "ei:ad:apd:none"
#define REFUSAL "drop:reset:icmp"
#define AT(field) G_STRUCT_OFFSET (NetlabNatConfig, field)

static const Setting settings[] = {
  { "nat", SET_BOOL, AT (translates) },
  { "wan", SET_ADDRESS, AT (wan_address) },                      /* the public IPv4 address; flushes */
  { "mapping", SET_CHOICE, AT (mapping), DEPENDENCE },
  { "filter", SET_CHOICE, AT (filtering), DEPENDENCE },
  { "ports", SET_CHOICE, AT (ports), "preserved:sequential:random" },
  { "step", SET_INT, AT (step) },
  { "hairpin", SET_BOOL, AT (hairpin) },
  { "simopen", SET_BOOL, AT (simopen) },
  { "unsolicited", SET_CHOICE, AT (unsolicited), REFUSAL },
  { "reset-kills", SET_BOOL, AT (reset_kills) },
  { "blocked", SET_CHOICE, AT (blocked), REFUSAL },
  { "udp", SET_BOOL, AT (udp) },
  { "tcp-ports", SET_PORTS, AT (tcp_ports) },                    /* 443,80; 0 for all */
  { "only", SET_ONLY },                                          /* ADDRESS:PORT; 0.0.0.0:0 for all */
  { "udp-timeout", SET_INT, AT (udp_timeout_s) },                /* seconds, these four */
  { "tcp-timeout", SET_INT, AT (tcp_timeout_s) },
  { "tcp-transitory", SET_INT, AT (tcp_transitory_s) },
  { "icmp-timeout", SET_INT, AT (icmp_timeout_s) },
  { "max-flows", SET_INT, AT (max_flows) },
  { "mtu-icmp", SET_BOOL, AT (mtu_icmp) },
};

#undef AT
#define AT(field) G_STRUCT_OFFSET (NetlabLineConfig, field)

static const Setting line_settings[] = {
  { "delay", SET_DOUBLE, AT (delay_ms) },
  { "jitter", SET_DOUBLE, AT (jitter_ms) },
  { "reorder", SET_BOOL, AT (reorder) },
  { "loss", SET_DOUBLE, AT (loss_percent) },
  { "burst", SET_DOUBLE, AT (burst_packets) },
  { "rate", SET_DOUBLE, AT (rate_mbit) },
  { "queue", SET_DOUBLE, AT (queue_ms) },
};

static int64_t
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

/* --- commands -------------------------------------------------------------- */

static gboolean
parse_number (const char *text, double *number)
{
  char *end;

  *number = g_ascii_strtod (text, &end);
  return end != text && *end == '\0' && *number >= 0 && *number < 1e9;
}

static gboolean
take_value (gpointer config, const Setting *setting, const char *text)
{
  gpointer field = (char *) config + setting->offset;
  double number;

  switch (setting->kind)
    {
    case SET_CHOICE:
      {
        g_auto (GStrv) names = g_strsplit (setting->choices, ":", -1);

        for (guint i = 0; names[i] != NULL; i++)
          if (g_str_equal (names[i], text))
            {
              *(int *) field = (int) i;
              return TRUE;
            }
        return FALSE;
      }
    case SET_ADDRESS:
      {
        struct in_addr address;

        if (inet_pton (AF_INET, text, &address) != 1)
          return FALSE;
        *(guint32 *) field = ntohl (address.s_addr);
        return TRUE;
      }
    case SET_ONLY:
      {
        NetlabNatConfig *nat = config;
        g_auto (GStrv) parts = g_strsplit (text, ":", 2);
        struct in_addr address;

        if (g_strv_length (parts) != 2 || inet_pton (AF_INET, parts[0], &address) != 1
            || !parse_number (parts[1], &number) || number > 65535)
          return FALSE;
        nat->only_address = ntohl (address.s_addr);
        nat->only_port = (guint16) number;
        return TRUE;
      }
    case SET_PORTS:
      {
        g_auto (GStrv) parts = g_strsplit (text, ",", -1);
        guint16 ports[NETLAB_MAX_TCP_PORTS] = { 0 };

        for (guint i = 0; parts[i] != NULL; i++)
          {
            if (i == NETLAB_MAX_TCP_PORTS || !parse_number (parts[i], &number) || number > 65535)
              return FALSE;
            ports[i] = (guint16) number;
          }
        memcpy (field, ports, sizeof ports);
        return TRUE;
      }
    default:
      if (!parse_number (text, &number))
        return FALSE;
      if (setting->kind == SET_DOUBLE)
        *(double *) field = number;
      else if (setting->kind == SET_SIZE)
        *(size_t *) field = (size_t) number;
      else
        *(int *) field = (int) number;
      return TRUE;
    }
}

/* KEY=VALUE. */
static gboolean
set_one (Router *self, const char *words)
{
  NetlabNatConfig *config = netlab_nat_get_config (self->nat);
  g_auto (GStrv) pair = g_strsplit (words, "=", 2);
  gboolean directions[2] = { TRUE, TRUE };
  const char *name = pair[0];

  if (g_strv_length (pair) != 2)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    if (g_str_equal (settings[i].name, name))
      {
        if (!take_value (config, &settings[i], pair[1]))
          return FALSE;
        if (g_str_equal (name, "wan") || g_str_equal (name, "nat"))
          netlab_nat_flush (self->nat);
        return TRUE;
      }
  directions[DOWN] = !g_str_has_prefix (name, "up.");
  directions[UP] = !g_str_has_prefix (name, "down.");
  if (!directions[UP] || !directions[DOWN])
    name = strchr (name, '.') + 1;
  if (g_str_equal (name, "mtu"))
    {
      double number;

      if (!parse_number (pair[1], &number))
        return FALSE;
      for (guint way = UP; way <= DOWN; way++)
        if (directions[way])
          config->mtu[way] = (size_t) number;
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (line_settings); i++)
    if (g_str_equal (line_settings[i].name, name))
      {
        for (guint way = UP; way <= DOWN; way++)
          if (directions[way]
              && !take_value (netlab_line_get_config (self->lines[way]), &line_settings[i], pair[1]))
            return FALSE;
        return TRUE;
      }
  return FALSE;
}

static void
print_stats (Router *self)
{
  const NetlabNatStats *nat = netlab_nat_get_stats (self->nat);

  printf ("{\"mappings\": %u, \"flows\": %u, \"to_lan\": %" G_GUINT64_FORMAT ", \"to_wan\": %" G_GUINT64_FORMAT
          ", \"resets_sent\": %" G_GUINT64_FORMAT ", \"icmp_sent\": %" G_GUINT64_FORMAT
          ", \"unwritten\": %" G_GUINT64_FORMAT ", \"dropped\": {",
          netlab_nat_n_mappings (self->nat), netlab_nat_n_flows (self->nat), nat->n_passed[NETLAB_TO_LAN],
          nat->n_passed[NETLAB_TO_WAN], nat->n_resets_sent, nat->n_icmp_sent, self->n_unwritten);
  for (guint i = 0; i < NETLAB_N_DROPS; i++)
    printf ("%s\"%s\": %" G_GUINT64_FORMAT, i > 0 ? ", " : "", netlab_drop_to_string (i), nat->n_dropped[i]);
  printf ("}");
  for (guint way = UP; way <= DOWN; way++)
    {
      const NetlabLineStats *line = netlab_line_get_stats (self->lines[way]);

      printf (", \"%s\": {\"sent\": %" G_GUINT64_FORMAT ", \"bytes\": %" G_GUINT64_FORMAT ", \"lost\": %" G_GUINT64_FORMAT
              ", \"queue_full\": %" G_GUINT64_FORMAT ", \"cut\": %" G_GUINT64_FORMAT "}",
              way == UP ? "up" : "down", line->n_sent, line->n_bytes, line->n_lost, line->n_queue_full, line->n_cut);
    }
  printf ("}\n");
}

static void
cut (Router *self, const char *direction, gboolean is_cut)
{
  for (guint way = UP; way <= DOWN; way++)
    if (direction == NULL || g_str_equal (direction, way == UP ? "up" : "down"))
      netlab_line_get_config (self->lines[way])->is_cut = is_cut;
}

static void
run_command (Router *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  const char *verb = words[0];

  if (verb == NULL)
    verb = "";
  if (g_str_equal (verb, "stats"))
    {
      print_stats (self);
      fflush (stdout);
      return;
    }
  if (g_str_equal (verb, "set"))
    {
      for (guint i = 1; words[i] != NULL; i++)
        if (!set_one (self, words[i]))
          {
            printf ("no: %s\n", words[i]);
            fflush (stdout);
            return;
          }
    }
  else if (g_str_equal (verb, "flush"))
    netlab_nat_flush (self->nat);
  else if (g_str_equal (verb, "cut") || g_str_equal (verb, "restore"))
    cut (self, words[1], g_str_equal (verb, "cut"));
  else
    {
      printf ("no: %s\n", verb);
      fflush (stdout);
      return;
    }
  printf ("ok\n");
  fflush (stdout);
}

/* FALSE at the end. */
static gboolean
read_commands (Router *self)
{
  ssize_t n = read (STDIN_FILENO, self->command + self->n_command, sizeof self->command - self->n_command - 1);
  char *end;

  if (n <= 0)
    return n < 0 && errno == EINTR;
  self->n_command += (size_t) n;
  self->command[self->n_command] = '\0';
  while ((end = strchr (self->command, '\n')) != NULL)
    {
      *end = '\0';
      run_command (self, self->command);
      self->n_command -= (size_t) (end + 1 - self->command);
      memmove (self->command, end + 1, self->n_command + 1);
    }
  return self->n_command < sizeof self->command - 1;
}

/* --- packets --------------------------------------------------------------- */

static void
write_packet (Router *self, int fd, const guint8 *packet, size_t n_bytes)
{
  if (write (fd, packet, n_bytes) != (ssize_t) n_bytes)
    self->n_unwritten++;
}

static void
nat_out_cb (gpointer user_data, NetlabSide to, const guint8 *packet, size_t n_bytes)
{
  Router *self = user_data;

  if (to == NETLAB_TO_LAN)
    write_packet (self, self->lan_fd, packet, n_bytes);
  else
    netlab_line_push (self->lines[UP], packet, n_bytes, now_ns ());
}

static void
line_up_cb (gpointer user_data, guint8 *packet, size_t n_bytes)
{
  Router *self = user_data;

  write_packet (self, self->wan_fd, packet, n_bytes);
}

static void
line_down_cb (gpointer user_data, guint8 *packet, size_t n_bytes)
{
  Router *self = user_data;

  netlab_nat_from_wan (self->nat, packet, n_bytes, now_ns () / 1000);
}

static void
read_packets (Router *self, int fd)
{
  guint8 packet[PACKET_BYTES];

  for (guint i = 0; i < BATCH; i++)
    {
      ssize_t n = read (fd, packet, sizeof packet);
      int64_t now;

      if (n <= 0)
        return;
      now = now_ns ();
      if (fd == self->lan_fd)
        netlab_nat_from_lan (self->nat, packet, (size_t) n, now / 1000);
      else
        netlab_line_push (self->lines[DOWN], packet, (size_t) n, now);
    }
}

static void
run (Router *self)
{
  struct pollfd fds[] = {
    { .fd = STDIN_FILENO, .events = POLLIN },
    { .fd = self->lan_fd, .events = POLLIN },
    { .fd = self->wan_fd, .events = POLLIN },
  };

  while (TRUE)
    {
      int64_t now = now_ns ();
      int64_t deadline;
      struct timespec timeout;

      netlab_line_poll (self->lines[DOWN], now, line_down_cb, self);
      netlab_line_poll (self->lines[UP], now, line_up_cb, self);
      deadline = MIN (netlab_line_get_deadline (self->lines[UP]), netlab_line_get_deadline (self->lines[DOWN]));
      now = now_ns ();
      timeout.tv_sec = MAX (0, deadline - now) / 1000000000;
      timeout.tv_nsec = MAX (0, deadline - now) % 1000000000;
      if (ppoll (fds, G_N_ELEMENTS (fds), deadline == G_MAXINT64 ? NULL : &timeout, NULL) < 0)
        {
          if (errno == EINTR)
            continue;
          return;
        }
      if (fds[0].revents != 0 && !read_commands (self))
        return;
      for (guint i = 1; i < G_N_ELEMENTS (fds); i++)
        if (fds[i].revents & (POLLERR | POLLNVAL))
          return;   /* its namespace is gone */
        else if (fds[i].revents != 0)
          read_packets (self, fds[i].fd);
    }
}

static int
open_device (const char *netns, const char *name, GError **error)
{
  struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
  int home = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int away = -1;
  int fd = -1;

  if (g_strlcpy (request.ifr_name, name, IFNAMSIZ) >= IFNAMSIZ)
    errno = ENAMETOOLONG;
  else if (g_str_equal (netns, "-")
           || ((away = open (netns, O_RDONLY | O_CLOEXEC)) >= 0 && setns (away, CLONE_NEWNET) == 0))
    {
      fd = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
      if (fd >= 0 && ioctl (fd, TUNSETIFF, &request) < 0)
        {
          int reason = errno;

          close (fd);
          fd = -1;
          errno = reason;
        }
    }
  if (fd < 0)
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s in %s: %s", name, netns,
                 g_strerror (errno));
  if (away >= 0)
    {
      if (setns (home, CLONE_NEWNET) < 0)
        g_error ("cannot return to the own network namespace: %s", g_strerror (errno));
      close (away);
    }
  close (home);
  return fd;
}

int
main (int argc, char **argv)
{
  Router self = { .lan_fd = -1, .wan_fd = -1 };
  g_autoptr (GError) error = NULL;
  guint32 seed = 1;

  if (argc < 5)
    {
      fprintf (stderr, "usage: netlab-router LAN-NETNS LAN-DEVICE WAN-NETNS WAN-DEVICE [KEY=VALUE…]\n");
      return 2;
    }
  if (prctl (PR_SET_TIMERSLACK, 1) < 0)
    perror ("timers are not exact");
  signal (SIGPIPE, SIG_IGN);
  if ((self.lan_fd = open_device (argv[1], argv[2], &error)) < 0
      || (self.wan_fd = open_device (argv[3], argv[4], &error)) < 0)
    {
      fprintf (stderr, "netlab-router: %s\n", error->message);
      return 1;
    }
  /* Homes differ, and each is the same in every run. */
  for (const char *letter = argv[4]; *letter != '\0'; letter++)
    seed = seed * 31 + (guint8) *letter;
  self.nat = netlab_nat_new (seed, nat_out_cb, &self);
  self.lines[UP] = netlab_line_new (seed + 1);
  self.lines[DOWN] = netlab_line_new (seed + 2);
  for (int i = 5; i < argc; i++)
    if (!set_one (&self, argv[i]))
      {
        fprintf (stderr, "netlab-router: %s\n", argv[i]);
        return 2;
      }
  printf ("ready\n");
  fflush (stdout);
  run (&self);
  netlab_nat_free (self.nat);
  netlab_line_free (self.lines[UP]);
  netlab_line_free (self.lines[DOWN]);
  close (self.lan_fd);
  close (self.wan_fd);
  return 0;
}
