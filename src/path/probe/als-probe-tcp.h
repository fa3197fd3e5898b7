/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The TCP half of a network probe: Bindings over connections from one local
 * port to several addresses tell how the NAT maps TCP. Over after 4 s at the
 * most. Lives in the thread it was made in. */

#pragma once

#include "stun/als-nat-discovery.h"

G_BEGIN_DECLS

/* What one server told. */
typedef struct
{
  guint order;            /* how many connections were begun before this one */
  AlsStunAddress server;
  AlsStunAddress local;
  AlsStunAddress mapped;
} AlsProbeTcpView;

typedef struct
{
  gboolean is_known;      /* a server answered */
  gboolean is_translated;
  AlsNatDependence mapping;
  int port_step;          /* 0: none or unknown */
  int64_t rtt_us;         /* of the quickest connect, 0: unknown */
} AlsProbeTcpResult;

typedef struct _AlsProbeTcp AlsProbeTcp;

/* As als_probe_udp_new (). */
AlsProbeTcp *als_probe_tcp_new        (const AlsStunAddress *servers, guint n_servers,
                                       void (*done) (gpointer user_data), gpointer user_data);
void         als_probe_tcp_free       (AlsProbeTcp *self);
gboolean     als_probe_tcp_is_done    (AlsProbeTcp *self);
void         als_probe_tcp_get_result (AlsProbeTcp *self, AlsProbeTcpResult *result);

/* Pure. */
void         als_probe_tcp_judge      (const AlsProbeTcpView *views, guint n, AlsProbeTcpResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsProbeTcp, als_probe_tcp_free)

G_END_DECLS
