/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* alongside-upnp: port mappings by UPnP-IGD, in a process of its own.
 *
 * libminiupnpc blocks, cannot be cancelled, and reads as much as anybody on the
 * local network cares to send; here it is bounded in time (a timer ends the
 * process) and memory, and takes nobody along. It also outlives its parent by a
 * moment: at the end of standard input, for whatever reason, it removes its
 * mappings.
 *
 *     argument: the router's IPv4 address
 *     in:  add tcp|udp PORT LEASE-SECONDS      out:  ready | none
 *          remove tcp|udp PORT                       mapped tcp|udp PORT ADDRESS EXTERNAL-PORT
 *                                                    failed tcp|udp PORT ERROR
 *
 * Leases are renewed here. */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTION "Alongside"
/* Of each kind of device that is asked for; answers take up to a second (UPnP Device Architecture, 1.3.2). */
#define DISCOVER_MS 1000
/* One round of requests to the router; then it is hopeless and the process ends. */
#define WORK_LIMIT_S 15
/* From the end of the input to the end of the process. */
#define LEAVE_LIMIT_S 2
#define MEMORY_LIMIT_BYTES (256 * 1024 * 1024)
#define MAX_MAPPINGS 16
#define MAX_LINE_BYTES 128
/* A taken external port is replaced by another, so often. */
#define MAX_PORTS_TRIED 4
#define MIN_RENEW_S 2

/* WANIPConnection, 2.4.16. */
#define ERROR_CONFLICT 718
#define ERROR_ONLY_PERMANENT_LEASES 725

typedef struct
{
  gboolean is_tcp;
  guint port;
  guint lease_s;       /* 0: until it is removed */
  guint external_port; /* 0: not mapped */
  int64_t renew_us;    /* INT64_MAX: never */
} Mapping;

typedef struct
{
  struct UPNPUrls urls;
  struct IGDdatas data;
  char lan_address[64];
  Mapping mappings[MAX_MAPPINGS];
  guint n_mappings;
  char line[MAX_LINE_BYTES];
  size_t line_len;
} Helper;

static const char *
get_protocol (const Mapping *mapping)
{
  return mapping->is_tcp ? "TCP" : "UDP";
}

static const char *
get_word (const Mapping *mapping)
{
  return mapping->is_tcp ? "tcp" : "udp";
}

/* --- the router ------------------------------------------------------------- */

/* Anybody on the local network may answer, with a description anywhere, and commands anywhere again: at our
 * own services, or where only we get to. Only the router's own count. */
static gboolean
is_at (const char *url, const char *router)
{
  size_t len = strlen (router);

  return url != NULL && g_str_has_prefix (url, "http://")
         && strncmp (url + strlen ("http://"), router, len) == 0
         && strchr (":/", url[strlen ("http://") + len]) != NULL;
}

static gboolean
take_device (Helper *self, const struct UPNPDev *device, const char *router)
{
  if (!is_at (device->descURL, router)
      || UPNP_GetIGDFromUrl (device->descURL, &self->urls, &self->data, self->lan_address,
                             sizeof self->lan_address) != 1)
    return FALSE;
  /* There may be one for IP and one for PPP. */
  for (guint i = 0; i < 2 && self->data.first.servicetype[0] != '\0'; i++)
    {
      if (is_at (self->urls.controlURL, router) && UPNPIGD_IsConnected (&self->urls, &self->data))
        return TRUE;
      FreeUPNPUrls (&self->urls);
      self->data.first = self->data.second;
      self->data.second.servicetype[0] = '\0';
      GetUPNPUrls (&self->urls, &self->data, device->descURL, device->scope_id);
    }
  FreeUPNPUrls (&self->urls);
  return FALSE;
}

static gboolean
discover (Helper *self, const char *router)
{
  static const char *const kinds[] = {
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "upnp:rootdevice",
    NULL,
  };
  struct UPNPDev *devices;
  gboolean found = FALSE;
  int error = 0;

  devices = upnpDiscoverDevices (kinds, DISCOVER_MS, NULL, NULL, UPNP_LOCAL_PORT_ANY, 0, 2, &error,
                                 0);
  for (const struct UPNPDev *device = devices; device != NULL && !found; device = device->pNext)
    found = take_device (self, device, router);
  freeUPNPDevlist (devices);
  return found;
}

static int
add_mapping (Helper *self, Mapping *mapping, guint external_port, guint lease_s)
{
  char external[8], internal[8], lease[12];

  g_snprintf (external, sizeof external, "%u", external_port);
  g_snprintf (internal, sizeof internal, "%u", mapping->port);
  g_snprintf (lease, sizeof lease, "%u", lease_s);
  return UPNP_AddPortMapping (self->urls.controlURL, self->data.first.servicetype, external,
                              internal, self->lan_address, DESCRIPTION, get_protocol (mapping), NULL,
                              lease);
}

static void
map (Helper *self, Mapping *mapping)
{
  guint external_port = mapping->external_port != 0 ? mapping->external_port : mapping->port;
  char address[64] = "";
  int error = 0;

  for (guint i = 0; i < MAX_PORTS_TRIED; i++)
    {
      error = add_mapping (self, mapping, external_port, mapping->lease_s);
      if (error == ERROR_ONLY_PERMANENT_LEASES && mapping->lease_s != 0)
        {
          mapping->lease_s = 0;
          error = add_mapping (self, mapping, external_port, 0);
        }
      if (error != ERROR_CONFLICT)
        break;
      external_port = 1024 + (guint) g_random_int_range (0, 65536 - 1024);
    }
  if (error == 0)
    error = UPNP_GetExternalIPAddress (self->urls.controlURL, self->data.first.servicetype,
                                       address);
  mapping->external_port = error == 0 ? external_port : 0;
  mapping->renew_us = g_get_monotonic_time ()
                      + (int64_t) MAX (mapping->lease_s / 2, MIN_RENEW_S) * G_USEC_PER_SEC;
  if (mapping->lease_s == 0)
    mapping->renew_us = INT64_MAX;
  if (error == 0)
    printf ("mapped %s %u %s %u\n", get_word (mapping), mapping->port, address, external_port);
  else
    printf ("failed %s %u %d\n", get_word (mapping), mapping->port, error);
}

static void
unmap (Helper *self, Mapping *mapping)
{
  char external[8];

  if (mapping->external_port == 0)
    return;
  g_snprintf (external, sizeof external, "%u", mapping->external_port);
  UPNP_DeletePortMapping (self->urls.controlURL, self->data.first.servicetype, external,
                          get_protocol (mapping), NULL);
}

/* --- lines ------------------------------------------------------------------ */

static void
handle_line (Helper *self, const char *line)
{
  char command[8], protocol[4];
  guint port = 0, lease_s = 0, i;
  int n = sscanf (line, "%7s %3s %u %u", command, protocol, &port, &lease_s);
  gboolean is_tcp = n >= 3 && strcmp (protocol, "tcp") == 0;

  if (n < 3 || port == 0 || port > 65535)
    return;
  for (i = 0; i < self->n_mappings; i++)
    if (self->mappings[i].port == port && self->mappings[i].is_tcp == is_tcp)
      break;
  alarm (WORK_LIMIT_S);
  if (strcmp (command, "add") == 0 && i < MAX_MAPPINGS)
    {
      if (i == self->n_mappings)
        self->mappings[self->n_mappings++] = (Mapping){ is_tcp, port, lease_s, 0, INT64_MAX };
      map (self, &self->mappings[i]);
    }
  else if (strcmp (command, "remove") == 0 && i < self->n_mappings)
    {
      unmap (self, &self->mappings[i]);
      self->mappings[i] = self->mappings[--self->n_mappings];
    }
  alarm (0);
}

/* FALSE at the end. */
static gboolean
read_lines (Helper *self)
{
  ssize_t n = read (STDIN_FILENO, self->line + self->line_len,
                    sizeof self->line - 1 - self->line_len);
  char *end;

  if (n < 0 && errno == EINTR)
    return TRUE;
  if (n <= 0)
    return FALSE;
  self->line_len += (size_t) n;
  self->line[self->line_len] = '\0';
  while ((end = strchr (self->line, '\n')) != NULL)
    {
      *end = '\0';
      handle_line (self, self->line);
      self->line_len -= (size_t) (end + 1 - self->line);
      memmove (self->line, end + 1, self->line_len + 1);
    }
  return self->line_len < sizeof self->line - 1;
}

static int64_t
renew (Helper *self)
{
  int64_t next_us = INT64_MAX;

  for (guint i = 0; i < self->n_mappings; i++)
    {
      Mapping *mapping = &self->mappings[i];

      if (g_get_monotonic_time () >= mapping->renew_us)
        {
          alarm (WORK_LIMIT_S);
          map (self, mapping);
          alarm (0);
        }
      next_us = MIN (next_us, mapping->renew_us);
    }
  return next_us;
}

/* What a library that parses strangers' XML need not have. */
static void
confine (void)
{
  const struct rlimit none = { 0, 0 };

  /* Ctrl+C in a terminal is for the parent: its end is our signal. */
  setsid ();
  signal (SIGPIPE, SIG_IGN);
  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setrlimit (RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  {
    const struct rlimit memory = { MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES };

    setrlimit (RLIMIT_AS, &memory);
  }
#endif
}

int
main (int argc, char **argv)
{
  static Helper self;

  confine ();
  setvbuf (stdout, NULL, _IOLBF, 0);
  alarm (WORK_LIMIT_S);
  if (argc != 2 || !discover (&self, argv[1]))
    {
      puts ("none");
      return 0;
    }
  alarm (0);
  puts ("ready");
  for (;;)
    {
      struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
      int64_t next_us = renew (&self);
      int wait_ms = -1;

      if (next_us != INT64_MAX)
        wait_ms = (int) CLAMP ((next_us - g_get_monotonic_time ()) / 1000 + 1, 0, G_MAXINT);
      if (poll (&input, 1, wait_ms) > 0 && !read_lines (&self))
        break;
    }
  alarm (LEAVE_LIMIT_S);
  for (guint i = 0; i < self.n_mappings; i++)
    unmap (&self, &self.mappings[i]);
  FreeUPNPUrls (&self.urls);
  return 0;
}
