/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-sntp-message.h"

#include "base/als-bytes.h"

/* RFC 5905, 7.3 */
#define VERSION 4
#define MODE_CLIENT 3
#define MODE_SERVER 4
#define LEAP_UNKNOWN 3
#define MAX_STRATUM 15
/* From 1900 to 1970. */
#define UNIX_EPOCH_S INT64_C (2208988800)
/* RFC 4330, 3: with the top bit clear it is after 2036. */
#define ERA_S (INT64_C (1) << 32)
/* Answers that took longer are of no use. */
#define MAX_DELAY_US (3 * G_USEC_PER_SEC)

void
als_sntp_make_request (uint64_t cookie, uint8_t *out)
{
  for (guint i = 0; i < ALS_SNTP_MESSAGE_BYTES; i++)
    out[i] = 0;
  out[0] = VERSION << 3 | MODE_CLIENT;
  for (guint i = 0; i < 8; i++)
    out[40 + i] = (uint8_t) (cookie >> (56 - 8 * i));
}

/* UTC since 1970 in microseconds. */
static int64_t
to_unix_us (uint64_t timestamp)
{
  int64_t seconds = (int64_t) (timestamp >> 32);
  int64_t fraction_us = (int64_t) (((timestamp & 0xffffffff) * 1000000) >> 32);

  if ((timestamp >> 63) == 0)
    seconds += ERA_S;
  return (seconds - UNIX_EPOCH_S) * 1000000 + fraction_us;
}

AlsSntpVerdict
als_sntp_read_response (const uint8_t *data, size_t len, uint64_t cookie, int64_t sent_us,
                        int64_t received_us, AlsSntpSample *sample)
{
  AlsReader reader;
  uint8_t flags, stratum;
  uint64_t origin, received, transmitted;
  int64_t there_us, back_us;

  if (len < ALS_SNTP_MESSAGE_BYTES || len > ALS_SNTP_MAX_MESSAGE_BYTES)
    return ALS_SNTP_NOT_OURS;
  als_reader_init (&reader, data, len);
  flags = als_reader_u8 (&reader);
  stratum = als_reader_u8 (&reader);
  /* Poll, precision, root delay and dispersion, reference id and time. */
  als_reader_bytes (&reader, 2 + 4 + 4 + 4 + 8);
  origin = als_reader_u64 (&reader);
  received = als_reader_u64 (&reader);
  transmitted = als_reader_u64 (&reader);
  if ((flags & 7) != MODE_SERVER || (flags >> 3 & 7) == 0 || (flags >> 3 & 7) > VERSION
      || origin != cookie)
    return ALS_SNTP_NOT_OURS;
  if (stratum == 0)
    return ALS_SNTP_KISS;
  if (flags >> 6 == LEAP_UNKNOWN || stratum > MAX_STRATUM || received == 0 || transmitted == 0)
    return ALS_SNTP_UNSYNCHRONISED;
  there_us = to_unix_us (received) - sent_us;
  back_us = to_unix_us (transmitted) - received_us;
  sample->offset_us = back_us + (there_us - back_us) / 2;
  sample->delay_us = there_us - back_us;
  /* It answers before it was asked, or after a rest: a clock that is being set. */
  if (to_unix_us (transmitted) < to_unix_us (received) || sample->delay_us < 0
      || sample->delay_us > MAX_DELAY_US)
    return ALS_SNTP_UNSYNCHRONISED;
  return ALS_SNTP_GOOD;
}

gboolean
als_sntp_choose (const AlsSntpSample *samples, guint n, AlsSntpSample *chosen)
{
  guint best = 0;

  if (n == 0)
    return FALSE;
  if (n < 3)
    {
      *chosen = n == 2 && samples[1].delay_us < samples[0].delay_us ? samples[1] : samples[0];
      return TRUE;
    }
  for (guint i = 0; i < n; i++)
    {
      guint n_less = 0, n_same = 0;

      for (guint j = 0; j < n; j++)
        {
          n_less += samples[j].offset_us < samples[i].offset_us ? 1 : 0;
          n_same += samples[j].offset_us == samples[i].offset_us ? 1 : 0;
        }
      if (n_less <= (n - 1) / 2 && (n - 1) / 2 < n_less + n_same)
        best = i;
    }
  *chosen = samples[best];
  return TRUE;
}
