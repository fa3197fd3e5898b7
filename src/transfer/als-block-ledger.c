/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The receiver's books on one file. */

#include "config.h"

#include "transfer/als-block-ledger.h"

#include <string.h>

typedef enum
{
  BLOCK_CHECKING, /* came; the worker has it */
  BLOCK_WANTED,   /* asked for again */
  BLOCK_STORED,
} BlockState;

typedef struct
{
  BlockState state;
  guint repairs;
  uint8_t hash[ALS_FILE_HASH_BYTES]; /* once stored */
} WaitingBlock;

void
als_block_ledger_init (AlsBlockLedger *self, uint64_t size)
{
  memset (self, 0, sizeof *self);
  self->size = size;
  self->n_blocks = als_file_n_blocks (size);
  self->waiting = g_array_new (FALSE, TRUE, sizeof (WaitingBlock));
  als_file_root_init (&self->root, size);
}

void
als_block_ledger_clear (AlsBlockLedger *self)
{
  g_clear_pointer (&self->waiting, g_array_unref);
}

static WaitingBlock *
find (AlsBlockLedger *self, uint32_t index)
{
  if (index < self->first || index >= self->next)
    return NULL;
  return &g_array_index (self->waiting, WaitingBlock, index - self->first);
}

gboolean
als_block_ledger_arrived (AlsBlockLedger *self, uint32_t index, size_t len)
{
  WaitingBlock *block = find (self, index);

  if (index >= self->n_blocks || len != als_file_block_bytes (self->size, index))
    return FALSE;
  if (block != NULL)
    {
      if (block->state != BLOCK_WANTED)
        return FALSE;
      block->state = BLOCK_CHECKING;
      return TRUE;
    }
  if (index != self->next || self->waiting->len >= ALS_BLOCK_LEDGER_MAX_WAITING)
    return FALSE;
  self->next++;
  g_array_set_size (self->waiting, self->waiting->len + 1);
  return TRUE;
}

AlsBlockVerdict
als_block_ledger_checked (AlsBlockLedger *self, uint32_t index, gboolean good,
                          const uint8_t hash[ALS_FILE_HASH_BYTES])
{
  WaitingBlock *block = find (self, index);
  guint n = 0;

  g_return_val_if_fail (block != NULL && block->state == BLOCK_CHECKING, ALS_BLOCK_GIVE_UP);
  if (!good)
    {
      if (block->repairs++ >= ALS_BLOCK_LEDGER_MAX_REPAIRS)
        return ALS_BLOCK_GIVE_UP;
      block->state = BLOCK_WANTED;
      return ALS_BLOCK_REPAIR;
    }
  block->state = BLOCK_STORED;
  memcpy (block->hash, hash, sizeof block->hash);
  for (; n < self->waiting->len; n++)
    {
      block = &g_array_index (self->waiting, WaitingBlock, n);
      if (block->state != BLOCK_STORED)
        break;
      als_file_root_add (&self->root, block->hash);
    }
  if (n > 0)
    g_array_remove_range (self->waiting, 0, n);
  self->first += n;
  return ALS_BLOCK_STORED;
}

gboolean
als_block_ledger_end (AlsBlockLedger *self, const uint8_t root[ALS_FILE_HASH_BYTES])
{
  if (self->has_end || self->next != self->n_blocks)
    return FALSE;
  self->has_end = TRUE;
  memcpy (self->end_root, root, sizeof self->end_root);
  return TRUE;
}

gboolean
als_block_ledger_is_whole (const AlsBlockLedger *self)
{
  return self->has_end && self->first == self->n_blocks;
}

gboolean
als_block_ledger_is_right (const AlsBlockLedger *self)
{
  AlsFileRoot root = self->root;
  uint8_t ours[ALS_FILE_HASH_BYTES];

  als_file_root_final (&root, ours);
  return als_block_ledger_is_whole (self) && memcmp (ours, self->end_root, sizeof ours) == 0;
}
