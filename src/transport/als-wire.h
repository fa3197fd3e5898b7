/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Hello, keys, sealing and epochs of one link, over packets, messages or records
 * (design §5). Pure; one thread.
 *
 *   speaker   HELLO {version, carrier type, path id, nonce, MAC}         in clear
 *   listener  HELLO-REPLY {nonce, MAC over both}                          in clear
 *   both      sealed ECHO {8 random bytes}; sealed ECHO-REPLY; then READY
 *
 * MACs and keys come from the session secret through AlsKeySchedule. The
 * listener says nothing before the speaker's MAC verifies. Where the carrier
 * may lose, hello and echo are repeated (first after 100 ms, doubling to 1 s,
 * 10 s in all; 5 s on a stream); on messages the hello alone, because the other end may not
 * listen yet. A repeated HELLO gets the same reply again; until something
 * sealed has come, the HELLO of a later path (larger id) takes its place, so
 * that a replayed one cannot keep the true one out.
 *
 * On a stream whoever's connect returned speaks, and a simultaneous open makes
 * that both: the inviter's hello counts. The joiner gives up its own when the
 * inviter's comes, and answers it; the inviter passes over the joiner's. There
 * every packet has its place, and the first that does not fit ends it: what a
 * stranger says on the port, and a hello that came back to its sender.
 *
 * Sealed packet: u8 type and low epoch bits, u64 counter, AEAD ciphertext.
 * The counter goes on through the epochs of a direction. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

/* What sealing adds to a packet. */
#define ALS_WIRE_OVERHEAD (1 + 8 + 16)
/* Longest packet in clear. */
#define ALS_WIRE_MAX_CLEAR 128
/* Longest plain packet. */
#define ALS_WIRE_MAX_PLAIN (64 * 1024 - 64)

typedef struct _AlsWire AlsWire;

typedef enum
{
  ALS_WIRE_NOTHING,  /* used up here, or garbage: ignored */
  ALS_WIRE_PLAIN,    /* a sealed packet opened: *plain is valid until the next call */
} AlsWireResult;

AlsWire      *als_wire_new          (const AlsLinkConfig *config, int64_t now_us);
void          als_wire_free         (AlsWire *self);
/* DATA is opened in a buffer of the wire's own. */
AlsWireResult als_wire_receive      (AlsWire *self, const uint8_t *data, size_t len,
                                     int64_t now_us, const uint8_t **plain, size_t *plain_len);
/* Takes the next control packet (hello, echo) due; 0 when there is none. OUT has room for 512 bytes. */
size_t        als_wire_poll         (AlsWire *self, uint8_t *out, int64_t now_us);
int64_t       als_wire_get_deadline (const AlsWire *self);
/* Keys are agreed; sealing works (from here on an echo may be under way still). */
gboolean      als_wire_is_keyed     (const AlsWire *self);
/* A sealed echo of our own came back: bulk may flow. */
gboolean      als_wire_is_ready     (const AlsWire *self);
/* No valid hello, or no echo, in time. */
gboolean      als_wire_has_failed   (const AlsWire *self);
/* Where order is the carrier's promise: a sealed packet did not open, so nothing after it can; on a
 * stream also anything else that has no place. */
gboolean      als_wire_is_broken    (const AlsWire *self);
/* OUT has room for LEN + ALS_WIRE_OVERHEAD bytes. Returns the sealed length; 0 before the
 * keys. Counters never repeat: a new epoch starts before they could. */
size_t        als_wire_seal         (AlsWire *self, const uint8_t *plain, size_t len, uint8_t *out,
                                     int64_t now_us);
uint32_t      als_wire_get_path_id  (const AlsWire *self);
/* Round trip of the echo, 0 while unknown. */
int64_t       als_wire_get_rtt      (const AlsWire *self);

G_END_DECLS
