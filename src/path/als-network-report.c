/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The plain data of a network probe; what it means in words is the visit's
 * als-connection-words.c. */

#include "config.h"

#include "path/als-network-probe.h"

AlsNetworkReport *
als_network_report_copy (const AlsNetworkReport *self)
{
  AlsNetworkReport *copy = g_new (AlsNetworkReport, 1);

  *copy = *self;
  return copy;
}

void
als_network_report_free (AlsNetworkReport *self)
{
  g_free (self);
}
