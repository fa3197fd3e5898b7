/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Answers of time servers: a good one answers our question, and its delay is one that can be. */

#include "signal/als-sntp-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  /* That of the seeds. */
  const uint64_t cookie = G_GUINT64_CONSTANT (0x0123456789abcdef);
  AlsSntpSample sample;

  if (als_sntp_read_response (data, size, cookie, 1000000, 1050000, &sample) == ALS_SNTP_GOOD)
    {
      AlsSntpSample chosen;

      g_assert_cmpuint (size, >=, ALS_SNTP_MESSAGE_BYTES);
      g_assert_cmpint (sample.delay_us, >=, 0);
      g_assert_cmpint (sample.delay_us, <=, 50000 + 1);
      g_assert_true (als_sntp_choose (&sample, 1, &chosen));
    }
  return 0;
}
