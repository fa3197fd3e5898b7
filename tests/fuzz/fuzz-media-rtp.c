/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A stream of RTP packets with any numbers and payloads: [length byte][packet]...; length 255
 * is a MARK instead, of the two bytes that follow. Time runs on by a few milliseconds each. */

#include "config.h"

#include "media/als-rtp-reorder.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  for (AlsVideoCodec codec = ALS_VIDEO_CODEC_VP8; codec <= ALS_VIDEO_CODEC_H264; codec++)
    {
      int64_t now_us = 1000000, deadline_us;
      g_autoptr (AlsRtpReorder) reorder = als_rtp_reorder_new (codec, now_us);
      size_t at = 0;

      while (at < size)
        {
          size_t len = data[at++];
          uint16_t missing[ALS_MEDIA_MAX_NACK];
          GBytes *bytes;
          AlsRtpPacket packet;

          if (len == 255 && size - at >= 2)
            {
              als_rtp_reorder_mark (reorder, (uint16_t) (data[at] << 8 | data[at + 1]), now_us);
              at += 2;
            }
          else
            {
              len = MIN (len, size - at);
              if (als_rtp_packet_parse (&packet, data + at, len))
                {
                  g_autoptr (GBytes) whole = g_bytes_new (data + at, len);

                  als_rtp_packet_has_wrong_size (&packet, codec, 320, 240);
                  als_rtp_reorder_push (reorder, &packet, whole, now_us);
                }
              at += len;
            }
          while ((bytes = als_rtp_reorder_pop (reorder, 20000, now_us)) != NULL)
            g_bytes_unref (bytes);
          g_assert_cmpuint (als_rtp_reorder_get_missing (reorder, 20000, now_us, missing), <=,
                            ALS_MEDIA_MAX_NACK);
          als_rtp_reorder_wants_key (reorder, now_us);
          deadline_us = als_rtp_reorder_get_deadline (reorder, 20000);
          now_us += 3000;
          if (deadline_us != INT64_MAX)
            now_us = MAX (now_us, MIN (deadline_us, now_us + 200000));
        }
    }
  return 0;
}
