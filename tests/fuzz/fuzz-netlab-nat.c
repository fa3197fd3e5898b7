/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The laboratory's router: two bytes choose its kind, then packets follow, each behind a
 * byte for its side and two for its length. What goes out to the internet is answered
 * from there with its own bytes, ends exchanged. */

#include "netlab-nat.h"

#include <stdint.h>
#include <string.h>

#define MAX_PACKETS 64
#define MAX_PACKET_BYTES 2048

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  uint8_t bytes[MAX_PACKET_BYTES];
  size_t n_bytes;
} Last;

static void
out_cb (gpointer user_data, NetlabSide to, const guint8 *packet, size_t n_bytes)
{
  Last *last = user_data;

  g_assert (n_bytes >= 28 && n_bytes <= MAX_PACKET_BYTES);
  g_assert (packet[0] >> 4 == 4 || packet[0] >> 4 == 6);
  if (to == NETLAB_TO_WAN)
    memcpy (last->bytes, packet, last->n_bytes = n_bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Last last = { .n_bytes = 0 };
  g_autoptr (NetlabNat) nat = netlab_nat_new (1, out_cb, &last);
  NetlabNatConfig *config = netlab_nat_get_config (nat);
  int64_t now_us = 1;
  size_t at = 2;

  if (size < 2)
    return 0;
  config->translates = data[0] & 1;
  config->mapping = (data[0] >> 1) % 3;
  config->filtering = (data[0] >> 3) % 4;
  config->ports = (data[0] >> 5) % 3;
  config->simopen = !(data[1] & 1);
  config->unsolicited = config->blocked = (data[1] >> 1) % 3;
  config->reset_kills = (data[1] >> 3) & 1;
  config->udp = !((data[1] >> 4) & 1);
  config->mtu[0] = config->mtu[1] = (data[1] >> 5) & 1 ? 64 : 0;
  config->max_flows = 16;
  config->wan_address = 0xc6120101;
  for (guint i = 0; i < MAX_PACKETS && size - at > 3; i++)
    {
      uint8_t packet[MAX_PACKET_BYTES];
      size_t n_bytes = MIN ((size_t) (data[at + 1] << 8 | data[at + 2]), MIN (size - at - 3, sizeof packet));

      memcpy (packet, data + at + 3, n_bytes);
      now_us += (data[at] >> 1) * 1000000;
      if (data[at] & 1)
        netlab_nat_from_wan (nat, packet, n_bytes, now_us);
      else
        netlab_nat_from_lan (nat, packet, n_bytes, now_us);
      at += 3 + n_bytes;
      if (last.n_bytes > 0 && last.bytes[0] >> 4 == 4)
        {
          uint8_t ends[8];
          size_t header = (last.bytes[0] & 0xf) * 4;

          memcpy (ends, last.bytes + 12, 8);
          memcpy (last.bytes + 12, ends + 4, 4);
          memcpy (last.bytes + 16, ends, 4);
          memcpy (ends, last.bytes + header, 4);
          memcpy (last.bytes + header, ends + 2, 2);
          memcpy (last.bytes + header + 2, ends, 2);
          last.bytes[8] = 64;
          netlab_nat_from_wan (nat, last.bytes, last.n_bytes, now_us);
        }
      last.n_bytes = 0;
    }
  g_assert (netlab_nat_n_flows (nat) <= config->max_flows);
  g_assert (netlab_nat_n_mappings (nat) <= netlab_nat_n_flows (nat));
  return 0;
}
