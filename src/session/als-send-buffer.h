/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The bytes of one direction of a channel that the peer has not acknowledged,
 * and which link each of them was given to. Pure.
 *
 *   acked <= sent <= written; [acked, sent) is divided into spans. */

#pragma once

#include "base/als-bytes.h"

G_BEGIN_DECLS

/* A link's number, never used twice; spans without an owner have to be sent again. */
#define ALS_NO_OWNER 0

typedef struct
{
  GPtrArray *blocks;  /* owned; the first holds the byte at first_block * block size */
  uint64_t first_block;
  uint64_t acked;
  uint64_t sent;      /* how far anything was given to a link */
  uint64_t written;
  GArray *spans;      /* in order, without gaps, from acked to sent */
} AlsSendBuffer;

void     als_send_buffer_init      (AlsSendBuffer *self);
void     als_send_buffer_clear     (AlsSendBuffer *self);
void     als_send_buffer_append    (AlsSendBuffer *self, const uint8_t *data, size_t len);
/* OFFSET <= sent. What it covers is forgotten. */
void     als_send_buffer_ack       (AlsSendBuffer *self, uint64_t offset);
/* The first bytes that have to be sent again: how many, and where they begin. */
uint64_t als_send_buffer_peek_lost (const AlsSendBuffer *self, uint64_t *offset);
/* Appends LEN bytes from OFFSET to WRITER. */
void     als_send_buffer_copy      (const AlsSendBuffer *self, uint64_t offset, size_t len,
                                    AlsWriter *writer);
/* LEN bytes from OFFSET were given to OWNER: the start of lost or of unsent ones. */
void     als_send_buffer_mark_sent (AlsSendBuffer *self, uint64_t offset, size_t len, guint owner);
/* What OWNER was given and is not acknowledged has to be sent again. */
gboolean als_send_buffer_lose      (AlsSendBuffer *self, guint owner);
gboolean als_send_buffer_has_owner (const AlsSendBuffer *self, guint owner);

G_END_DECLS
