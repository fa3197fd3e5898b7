/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Many datagrams to one place in few system calls: sendmmsg (), and equal ones
 * as one UDP_SEGMENT run where kernel and device can. */

#pragma once

#include <sys/socket.h>
#include "path/als-carrier.h"

G_BEGIN_DECLS

typedef struct
{
  int fd;                         /* not owned */
  struct sockaddr_storage remote;
  socklen_t remote_len;           /* 0: the socket is connected */
  gboolean no_segmentation;       /* the kernel or the device cannot; learned */
} AlsUdpSender;

/* Returns how many of the N packets were taken or lost. IS_FULL: the rest after the socket is writable. */
guint als_udp_sender_send (AlsUdpSender *self, const AlsPacket *packets, guint n, gboolean *is_full);
/* Large buffers, don't-fragment. */
void  als_udp_socket_tune (GSocket *socket);

G_END_DECLS
