/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* BLAKE2b-256 of blocks, and of the list of their hashes: the root. Each has its
 * own personalisation, so that none passes for the other. Pure; any thread. */

#pragma once

#include <glib.h>
#include <sodium.h>
#include <stdint.h>

#include "protocol/als-file-message.h"

G_BEGIN_DECLS

void als_file_hash_block (const void *data, size_t len, uint8_t hash[ALS_FILE_HASH_BYTES]);

typedef struct
{
  crypto_generichash_blake2b_state state;
} AlsFileRoot;

/* SIZE: of the file, in bytes. Then the hashes of all blocks in order. */
void als_file_root_init  (AlsFileRoot *self, uint64_t size);
void als_file_root_add   (AlsFileRoot *self, const uint8_t hash[ALS_FILE_HASH_BYTES]);
void als_file_root_final (AlsFileRoot *self, uint8_t root[ALS_FILE_HASH_BYTES]);

/* How many blocks a file of SIZE bytes has, and how long block INDEX is. */
uint32_t als_file_n_blocks    (uint64_t size);
size_t   als_file_block_bytes (uint64_t size, uint32_t index);

G_END_DECLS
