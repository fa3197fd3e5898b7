/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Datagrams from a router, or from whoever answers in its place: a length byte,
 * then so many bytes, again and again, given to a PCP and a NAT-PMP mapping
 * while time passes. */

#include <string.h>
#include "base/als-bytes.h"
#include "path/portmap/als-pcp-client.h"

#define MAX_DATAGRAMS 64
#define STEP_US (7 * G_USEC_PER_SEC)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check (AlsPcpClient *client, int64_t now_us)
{
  GBytes *bytes;
  guint n_sent = 0;

  while ((bytes = als_pcp_client_poll (client, now_us)) != NULL)
    {
      g_assert (g_bytes_get_size (bytes) <= 60);
      g_bytes_unref (bytes);
      g_assert (++n_sent <= 2);
    }
  g_assert (als_pcp_client_get_deadline (client) > now_us);
  if (client->state == ALS_PCP_MAPPED)
    g_assert (als_stun_address_is_usable (&client->external));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const AlsPcpVersion versions[] = { ALS_PCP_PCP, ALS_PCP_NAT_PMP };
  AlsPcpEpoch epoch = { 0 };
  AlsPcpClient clients[2];
  int64_t now_us = 0;
  AlsReader reader;

  for (guint i = 0; i < 2; i++)
    {
      AlsPcpClientConfig config = { .version = versions[i], .internal_port = 5000,
                                    .lifetime_s = 7200,
                                    .client = { ALS_STUN_FAMILY_IPV4, 0, { 10, 0, 0, 2 } } };

      memcpy (config.nonce, "abcdefghijkl", sizeof config.nonce);
      als_pcp_client_init (&clients[i], &config, now_us);
      check (&clients[i], now_us);
    }
  als_reader_init (&reader, data, size);
  for (guint n = 0; n < MAX_DATAGRAMS && als_reader_left (&reader) > 0; n++)
    {
      size_t wanted = als_reader_u8 (&reader);
      size_t len = MIN (wanted, als_reader_left (&reader));
      const uint8_t *datagram = als_reader_bytes (&reader, len);
      AlsPcpResponse response;

      now_us += STEP_US;
      if (!als_pcp_decode (&response, datagram, len))
        continue;
      als_pcp_result_to_string (response.result);
      for (guint i = 0; i < 2; i++)
        {
          check (&clients[i], now_us);
          als_pcp_client_receive (&clients[i], &response, now_us);
          if (!als_pcp_epoch_check (&epoch, response.epoch_s, now_us))
            als_pcp_client_state_lost (&clients[i], now_us);
          if (n == MAX_DATAGRAMS / 2)
            als_pcp_client_leave (&clients[i], now_us);
          check (&clients[i], now_us);
        }
    }
  return 0;
}
