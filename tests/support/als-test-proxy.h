/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A small HTTP CONNECT or SOCKS5 proxy on loopback, in threads of its own.
 * Whatever host is asked for, it connects to 127.0.0.1. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  GSocketService *service;
  gboolean is_socks;
  gboolean refuses;       /* everything */
  uint16_t port;
  uint16_t from_port;     /* asked for this one, it connects to the next; 0: as asked */
  uint16_t to_port;
  gint n_connections;     /* atomic: passed on, ever */
} AlsTestProxy;

void  als_test_proxy_init    (AlsTestProxy *self, gboolean is_socks);
void  als_test_proxy_clear   (AlsTestProxy *self);
/* (transfer full) */
char *als_test_proxy_get_uri (AlsTestProxy *self);

G_END_DECLS
