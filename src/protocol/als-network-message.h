/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a side tells the other of its network, for diagnosis: the payload of
 * ALS_PEER_NETWORK. Without addresses. Bytes to a struct and back. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Values of AlsNatDependence and AlsPortMapProtocol are on the wire. */
typedef struct
{
  gboolean udp_known, udp_is_blocked, udp_is_translated;
  uint8_t udp_mapping, udp_filtering;   /* 0 .. 3 */
  gboolean tcp_known, tcp_is_translated;
  uint8_t tcp_mapping;                  /* 0 .. 3 */
  int32_t tcp_port_step;                /* -32,768 .. 32,767 */
  uint8_t mappings;                     /* set, below 8 */
  gboolean has_ipv4, has_ipv6, uses_proxy;
  uint32_t mtu;                         /* at most 65,535 */
  uint32_t server_rtt_us;
} AlsNetworkMessage;

#define ALS_NETWORK_MESSAGE_ERROR (als_network_message_error_quark ())
GQuark   als_network_message_error_quark (void);

gboolean als_network_message_decode (AlsNetworkMessage *self, const uint8_t *data, size_t len,
                                     GError **error);
/* Larger values are cut to what fits. (transfer full) */
GBytes  *als_network_message_encode (const AlsNetworkMessage *self);

G_END_DECLS
