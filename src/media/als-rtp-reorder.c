/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "media/als-rtp-reorder.h"

/* Packets overtake each other by so much without being lost. */
#define REORDER_US (5 * 1000)
/* Asked again after a round trip and so much. */
#define REPEAT_EXTRA_US (20 * 1000)
/* A missing packet is given up after two and a half round trips and so much. */
#define GIVE_UP_EXTRA_US (80 * 1000)
#define GIVE_UP_MAX_US (800 * 1000)
/* With more missing than this a key frame is cheaper. */
#define MAX_MISSING 256
/* Key frames are asked for again after this; it doubles. */
#define KEY_FIRST_US (400 * 1000)
/* The one that begins a generation comes unasked, but has to be made first. */
#define KEY_UNASKED_US G_USEC_PER_SEC
#define KEY_MAX_US (4 * G_USEC_PER_SEC)
/* Nothing but late packets for so long: it is we who are wrong about the numbers. */
#define LATE_PATIENCE_US (500 * 1000)

typedef struct
{
  GBytes *bytes;       /* NULL: missing */
  gboolean starts_key;
  int64_t since_us;    /* missing since then */
  int64_t asked_us;    /* 0: not yet */
} Slot;

struct _AlsRtpReorder
{
  AlsVideoCodec codec;
  Slot slots[ALS_RTP_REORDER_WINDOW]; /* by number modulo the window */
  uint32_t next;       /* extended number of the next packet to let through */
  uint32_t end;        /* one past the newest known */
  guint n_missing;     /* in [next, end) */
  guint n_keys;        /* slots with starts_key */
  int64_t late_us;     /* when the first of an unbroken row of late packets came; 0: none */
  gboolean needs_key;
  int64_t key_wish_us; /* when to ask, while needs_key */
  int64_t key_interval_us;
};

static Slot *
slot_at (AlsRtpReorder *self, uint32_t number)
{
  return &self->slots[number % ALS_RTP_REORDER_WINDOW];
}

AlsRtpReorder *
als_rtp_reorder_new (AlsVideoCodec codec, int64_t now_us)
{
  AlsRtpReorder *self = g_new0 (AlsRtpReorder, 1);

  self->codec = codec;
  /* A generation begins with a key frame unasked. */
  self->needs_key = TRUE;
  self->key_interval_us = KEY_FIRST_US;
  self->key_wish_us = now_us + KEY_UNASKED_US;
  return self;
}

/* Moves on past the slot at `next` and hands out what was in it. */
static GBytes *
advance (AlsRtpReorder *self)
{
  Slot *slot = slot_at (self, self->next++);
  GBytes *bytes = g_steal_pointer (&slot->bytes);

  if (bytes == NULL)
    self->n_missing--;
  if (slot->starts_key)
    self->n_keys--;
  *slot = (Slot) { 0 };
  return bytes;
}

static void
advance_to (AlsRtpReorder *self, uint32_t number)
{
  while (self->next != number && self->next != self->end)
    {
      GBytes *bytes = advance (self);

      g_clear_pointer (&bytes, g_bytes_unref);
    }
}

void
als_rtp_reorder_free (AlsRtpReorder *self)
{
  advance_to (self, self->end);
  g_free (self);
}

void
als_rtp_reorder_need_key (AlsRtpReorder *self, int64_t now_us)
{
  if (self->needs_key)
    return;
  self->needs_key = TRUE;
  self->key_interval_us = KEY_FIRST_US;
  self->key_wish_us = now_us;
}

/* Everything before NUMBER is known to have been sent. */
static void
extend (AlsRtpReorder *self, uint32_t number, int64_t now_us)
{
  while ((int32_t) (number - self->end) > 0)
    {
      *slot_at (self, self->end++) = (Slot) { .since_us = now_us };
      self->n_missing++;
    }
}

/* The extended number that SEQ stands for, or FALSE: too late to matter. */
static gboolean
locate (AlsRtpReorder *self, uint16_t seq, int64_t now_us, uint32_t *number)
{
  int16_t ahead = (int16_t) (uint16_t) (seq - (uint16_t) self->next);

  *number = self->next + (uint32_t) (int32_t) ahead;
  if (ahead >= 0)
    self->late_us = 0;
  else if (self->late_us == 0)
    self->late_us = now_us;
  if (ahead < 0 && now_us - self->late_us < LATE_PATIENCE_US)
    return FALSE;
  if (ahead < 0 || ahead >= ALS_RTP_REORDER_WINDOW)
    {
      /* Or the gap is longer than what is kept on either side. */
      self->late_us = 0;
      advance_to (self, self->end);
      self->next = self->end = *number;
      als_rtp_reorder_need_key (self, now_us);
    }
  return TRUE;
}

void
als_rtp_reorder_push (AlsRtpReorder *self, const AlsRtpPacket *packet, GBytes *bytes,
                      int64_t now_us)
{
  uint32_t number;
  Slot *slot;

  if (!locate (self, packet->seq, now_us, &number))
    return;
  extend (self, number + 1, now_us);
  slot = slot_at (self, number);
  if (slot->bytes != NULL)
    return;
  slot->bytes = g_bytes_ref (bytes);
  self->n_missing--;
  slot->starts_key = als_rtp_packet_starts_key (packet, self->codec);
  if (slot->starts_key)
    self->n_keys++;
}

void
als_rtp_reorder_mark (AlsRtpReorder *self, uint16_t next_seq, int64_t now_us)
{
  uint32_t number;

  if (next_seq != (uint16_t) self->next && locate (self, next_seq, now_us, &number))
    extend (self, number, now_us);
}

static int64_t
give_up_after (int64_t rtt_us)
{
  return MIN (rtt_us * 5 / 2 + GIVE_UP_EXTRA_US, GIVE_UP_MAX_US);
}

/* A key frame that waits behind a gap makes what is before it worthless. */
static gboolean
skip_to_key (AlsRtpReorder *self)
{
  if (self->n_keys == 0)
    return FALSE;
  for (uint32_t number = self->next; number != self->end; number++)
    if (slot_at (self, number)->starts_key)
      {
        advance_to (self, number);
        return TRUE;
      }
  return FALSE;
}

GBytes *
als_rtp_reorder_pop (AlsRtpReorder *self, int64_t rtt_us, int64_t now_us)
{
  while (self->next != self->end)
    {
      Slot *slot = slot_at (self, self->next);

      if (slot->bytes != NULL && (slot->starts_key || !self->needs_key))
        {
          if (slot->starts_key)
            self->needs_key = FALSE;
          return advance (self);
        }
      if (skip_to_key (self))
        continue;
      if (slot->bytes == NULL && self->n_missing <= MAX_MISSING
          && now_us - slot->since_us < give_up_after (rtt_us))
        return NULL;
      if (slot->bytes == NULL)
        als_rtp_reorder_need_key (self, now_us);
      advance_to (self, self->next + 1);
    }
  return NULL;
}

guint
als_rtp_reorder_get_missing (AlsRtpReorder *self, int64_t rtt_us, int64_t now_us,
                             uint16_t missing[ALS_MEDIA_MAX_NACK])
{
  guint n = 0;

  if (self->n_missing == 0)
    return 0;
  for (uint32_t number = self->next; number != self->end && n < ALS_MEDIA_MAX_NACK; number++)
    {
      Slot *slot = slot_at (self, number);

      if (slot->bytes != NULL || now_us < slot->since_us + REORDER_US
          || (slot->asked_us != 0 && now_us < slot->asked_us + rtt_us + REPEAT_EXTRA_US))
        continue;
      slot->asked_us = now_us;
      missing[n++] = (uint16_t) number;
    }
  return n;
}

gboolean
als_rtp_reorder_wants_key (AlsRtpReorder *self, int64_t now_us)
{
  if (!self->needs_key || now_us < self->key_wish_us)
    return FALSE;
  self->key_wish_us = now_us + self->key_interval_us;
  self->key_interval_us = MIN (2 * self->key_interval_us, KEY_MAX_US);
  return TRUE;
}

int64_t
als_rtp_reorder_get_deadline (AlsRtpReorder *self, int64_t rtt_us)
{
  int64_t deadline_us = self->needs_key ? self->key_wish_us : INT64_MAX;

  if (self->n_missing == 0)
    return deadline_us;
  for (uint32_t number = self->next; number != self->end; number++)
    {
      const Slot *slot = slot_at (self, number);
      int64_t ask_us;

      if (slot->bytes != NULL)
        continue;
      ask_us = slot->asked_us == 0 ? slot->since_us + REORDER_US
                                   : slot->asked_us + rtt_us + REPEAT_EXTRA_US;
      deadline_us = MIN (deadline_us, MIN (ask_us, slot->since_us + give_up_after (rtt_us)));
    }
  return deadline_us;
}
