/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-udp-sender.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

/* Packets in one sendmmsg (); a segmented run may not exceed the kernel's UDP_MAX_SEGMENTS (64). */
#define MAX_BATCH 64
/* A segmented run is one IP packet until it is cut. */
#define MAX_RUN_BYTES 60000
/* The default, 208 KiB, holds 2 ms at 1 Gbit/s. */
#define SOCKET_BUFFER_BYTES (4 * 1024 * 1024)

/* How many of the N packets can leave as one: equally long but for a shorter last one. */
static guint
count_run (AlsUdpSender *self, const AlsPacket *packets, guint n)
{
  size_t bytes = packets[0].len;
  guint i = 1;

  if (self->no_segmentation || packets[0].len == 0)
    return 1;
  while (i < n && packets[i].len > 0 && packets[i].len <= packets[0].len
         && bytes + packets[i].len <= MAX_RUN_BYTES)
    {
      bytes += packets[i].len;
      i++;
      if (packets[i - 1].len < packets[0].len)
        break;
    }
  return i;
}

typedef union
{
  char buffer[CMSG_SPACE (sizeof (uint16_t))];
  struct cmsghdr align;
} SegmentControl;

/* Up to MAX_BATCH packets, in one system call. Returns how many were taken; -1 with errno. */
static int
send_batch (AlsUdpSender *self, const AlsPacket *packets, guint n, guint *first_run)
{
  struct mmsghdr messages[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  SegmentControl controls[MAX_BATCH];
  guint n_messages = 0, n_packets = 0;
  int n_sent, n_taken = 0;

  memset (messages, 0, sizeof messages);
  while (n_packets < n)
    {
      struct msghdr *header = &messages[n_messages].msg_hdr;
      guint run = count_run (self, packets + n_packets, n - n_packets);

      if (n_messages == 0)
        *first_run = run;
      header->msg_name = self->remote_len > 0 ? &self->remote : NULL;
      header->msg_namelen = self->remote_len;
      header->msg_iov = vectors + n_packets;
      header->msg_iovlen = run;
      for (guint i = 0; i < run; i++)
        {
          vectors[n_packets + i].iov_base = (void *) packets[n_packets + i].data;
          vectors[n_packets + i].iov_len = packets[n_packets + i].len;
        }
      if (run > 1)
        {
          uint16_t segment_bytes = (uint16_t) packets[n_packets].len;
          struct cmsghdr *control;

          memset (&controls[n_messages], 0, sizeof controls[n_messages]);
          header->msg_control = controls[n_messages].buffer;
          header->msg_controllen = sizeof controls[n_messages].buffer;
          control = CMSG_FIRSTHDR (header);
          control->cmsg_level = SOL_UDP;
          control->cmsg_type = UDP_SEGMENT;
          control->cmsg_len = CMSG_LEN (sizeof segment_bytes);
          memcpy (CMSG_DATA (control), &segment_bytes, sizeof segment_bytes);
        }
      n_packets += run;
      n_messages++;
    }
  do
    n_sent = sendmmsg (self->fd, messages, n_messages,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n_sent < 0 && errno == EINTR);
  if (n_sent < 0)
    return -1;
  for (int i = 0; i < n_sent; i++)
    n_taken += (int) messages[i].msg_hdr.msg_iovlen;
  return n_taken;
}

guint
als_udp_sender_send (AlsUdpSender *self, const AlsPacket *packets, guint n, gboolean *is_full)
{
  guint done = 0;

  *is_full = FALSE;
  while (done < n)
    {
      guint first_run = 1;
      int taken = send_batch (self, packets + done, MIN (n - done, MAX_BATCH), &first_run);

      if (taken >= 0)
        done += (guint) taken;
      else if (errno == EAGAIN || errno == EWOULDBLOCK)
        {
          *is_full = TRUE;
          break;
        }
      else if (errno == ECONNREFUSED)
        continue; /* of an earlier packet, told once: the other end is not there yet, or no more */
      else if (first_run > 1)
        {
          g_debug ("no segmentation offload here: %s", g_strerror (errno));
          self->no_segmentation = TRUE;
        }
      else
        done++; /* too long for the interface, no route just now, ...: a lost datagram */
    }
  return done;
}

void
als_udp_socket_tune (GSocket *socket)
{
  /* Each may be refused or clamped: then it is only slower. */
  g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES, NULL);
  g_socket_set_option (socket, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES, NULL);
  /* Don't-fragment, and no opinion of the kernel's on the path's MTU: it is searched above. */
  if (g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6)
    g_socket_set_option (socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, NULL);
  else
    g_socket_set_option (socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, NULL);
}
