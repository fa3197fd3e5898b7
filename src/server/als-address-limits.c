/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How often one address may do something. Full buckets are swept out now and
 * then, so the table is as large as the number of addresses seen lately. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-address-limits.h"

#include "base/als-token-bucket.h"

#define MAX_ADDRESSES 100000
#define SWEEP_INTERVAL_US (60 * G_USEC_PER_SEC)

struct _AlsAddressLimits
{
  GHashTable *buckets; /* address -> AlsTokenBucket */
  double burst;
  double rate;
  int64_t next_sweep_us;
};

AlsAddressLimits *
als_address_limits_new (double burst, double interval_s, int64_t now_us)
{
  AlsAddressLimits *self = g_new0 (AlsAddressLimits, 1);

  self->buckets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->burst = burst;
  self->rate = 1 / interval_s;
  self->next_sweep_us = now_us + SWEEP_INTERVAL_US;
  return self;
}

void
als_address_limits_free (AlsAddressLimits *self)
{
  g_hash_table_unref (self->buckets);
  g_free (self);
}

static void
sweep (AlsAddressLimits *self, int64_t now_us)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->buckets);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (als_token_bucket_when (value, self->burst, now_us) <= now_us)
      g_hash_table_iter_remove (&iter);
  self->next_sweep_us = now_us + SWEEP_INTERVAL_US;
}

gboolean
als_address_limits_take (AlsAddressLimits *self, const char *address, int64_t now_us)
{
  AlsTokenBucket *bucket;

  if (now_us >= self->next_sweep_us)
    sweep (self, now_us);
  bucket = g_hash_table_lookup (self->buckets, address);
  if (bucket == NULL)
    {
      if (g_hash_table_size (self->buckets) >= MAX_ADDRESSES)
        return FALSE;
      bucket = g_new0 (AlsTokenBucket, 1);
      als_token_bucket_init (bucket, self->rate, self->burst, now_us);
      g_hash_table_insert (self->buckets, g_strdup (address), bucket);
    }
  return als_token_bucket_take (bucket, 1, now_us);
}

guint
als_address_limits_get_n_known (AlsAddressLimits *self)
{
  return g_hash_table_size (self->buckets);
}
