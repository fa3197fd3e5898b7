/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Block hashes and roots. */

#include "config.h"

#include "transfer/als-file-hash.h"

static const uint8_t block_personal[crypto_generichash_blake2b_PERSONALBYTES] = "alongside-block";
static const uint8_t root_personal[crypto_generichash_blake2b_PERSONALBYTES] = "alongside-root";

void
als_file_hash_block (const void *data, size_t len, uint8_t hash[ALS_FILE_HASH_BYTES])
{
  crypto_generichash_blake2b_salt_personal (hash, ALS_FILE_HASH_BYTES, data, len, NULL, 0, NULL,
                                            block_personal);
}

void
als_file_root_init (AlsFileRoot *self, uint64_t size)
{
  uint64_t be = GUINT64_TO_BE (size);

  crypto_generichash_blake2b_init_salt_personal (&self->state, NULL, 0, ALS_FILE_HASH_BYTES, NULL,
                                                 root_personal);
  crypto_generichash_blake2b_update (&self->state, (const uint8_t *) &be, sizeof be);
}

void
als_file_root_add (AlsFileRoot *self, const uint8_t hash[ALS_FILE_HASH_BYTES])
{
  crypto_generichash_blake2b_update (&self->state, hash, ALS_FILE_HASH_BYTES);
}

void
als_file_root_final (AlsFileRoot *self, uint8_t root[ALS_FILE_HASH_BYTES])
{
  crypto_generichash_blake2b_final (&self->state, root, ALS_FILE_HASH_BYTES);
}

uint32_t
als_file_n_blocks (uint64_t size)
{
  return (uint32_t) ((size + ALS_FILE_BLOCK_BYTES - 1) / ALS_FILE_BLOCK_BYTES);
}

size_t
als_file_block_bytes (uint64_t size, uint32_t index)
{
  uint64_t start = (uint64_t) index * ALS_FILE_BLOCK_BYTES;

  return start < size ? (size_t) MIN (size - start, ALS_FILE_BLOCK_BYTES) : 0;
}
