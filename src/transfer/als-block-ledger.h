/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a receiver knows of one file's blocks: which have come, which must come
 * again, and the root so far. Pure. Blocks come first in order, repairs in any;
 * hashes wait only from the first hole on, so it does not grow with the file. */

#pragma once

#include "transfer/als-file-hash.h"

G_BEGIN_DECLS

/* How often a block is asked for again. */
#define ALS_BLOCK_LEDGER_MAX_REPAIRS 3
/* How many blocks may wait behind a hole. */
#define ALS_BLOCK_LEDGER_MAX_WAITING 256

typedef struct
{
  uint64_t size;
  uint32_t n_blocks;
  uint32_t first;     /* all before it are stored and in the root */
  uint32_t next;      /* not yet come */
  GArray *waiting;    /* of WaitingBlock: first .. next - 1 */
  AlsFileRoot root;
  gboolean has_end;
  uint8_t end_root[ALS_FILE_HASH_BYTES]; /* what the sender says */
} AlsBlockLedger;

typedef enum
{
  ALS_BLOCK_STORED,   /* fine */
  ALS_BLOCK_REPAIR,   /* ask for it again */
  ALS_BLOCK_GIVE_UP,  /* asked too often */
} AlsBlockVerdict;

void            als_block_ledger_init      (AlsBlockLedger *self, uint64_t size);
void            als_block_ledger_clear     (AlsBlockLedger *self);
/* A block came: FALSE if it is neither the next one nor asked for, has the wrong length, or too
 * many wait. */
gboolean        als_block_ledger_arrived   (AlsBlockLedger *self, uint32_t index, size_t len);
/* Its data did or did not agree with HASH (and, if so, are written). */
AlsBlockVerdict als_block_ledger_checked   (AlsBlockLedger *self, uint32_t index, gboolean good,
                                            const uint8_t hash[ALS_FILE_HASH_BYTES]);
/* The sender's root: FALSE if blocks are missing or it came before. */
gboolean        als_block_ledger_end       (AlsBlockLedger *self,
                                            const uint8_t root[ALS_FILE_HASH_BYTES]);
/* All blocks are stored and the sender's root is here. */
gboolean        als_block_ledger_is_whole  (const AlsBlockLedger *self);
/* When whole: whether the roots agree. */
gboolean        als_block_ledger_is_right  (const AlsBlockLedger *self);

G_END_DECLS
