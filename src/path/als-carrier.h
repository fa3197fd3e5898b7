/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A carrier is what a path gives: datagrams, a byte stream or messages, in
 * clear as far as it knows. What runs on it (sealing, pacing, links) is
 * transport's.
 *
 * A carrier lives in one thread, the one iterating its context: every call
 * below and every callback happens there, but for als_carrier_get_context ()
 * and the properties that never change. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>
#include "path/als-path-kind.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_CARRIER_DATAGRAMS, /* may lose, repeat, reorder */
  ALS_CARRIER_STREAM,    /* ordered bytes */
  ALS_CARRIER_MESSAGES,  /* ordered messages with their boundaries */
} AlsCarrierType;

typedef struct
{
  const uint8_t *data;
  size_t len;
} AlsPacket;

#define ALS_TYPE_CARRIER (als_carrier_get_type ())
G_DECLARE_DERIVABLE_TYPE (AlsCarrier, als_carrier, ALS, CARRIER, GObject)

struct _AlsCarrierClass
{
  GObjectClass parent_class;

  /* Never blocks. Returns how many of the N packets were taken. Datagrams not
   * taken may be treated as lost; messages and streams must be offered again
   * after `writable`. */
  guint (*send)  (AlsCarrier *self, const AlsPacket *packets, guint n);
  /* No callback after this returns. Idempotent. */
  void  (*close) (AlsCarrier *self);
  /* (nullable), for streams and messages: see als_carrier_set_reading (). Also called with TRUE
   * by the first als_carrier_set_events (): a stream reads nothing before. */
  void  (*set_reading) (AlsCarrier *self, gboolean reading);
  /* (nullable): see als_carrier_get_loss (). */
  void  (*get_loss) (AlsCarrier *self, uint64_t *sent_packets, uint64_t *lost_packets);
};

typedef struct
{
  void (*received) (AlsCarrier *self, const uint8_t *data, size_t len, gpointer user_data);
  void (*writable) (AlsCarrier *self, gpointer user_data);
  /* The carrier broke by itself. ERROR: (nullable) (transfer none). */
  void (*closed)   (AlsCarrier *self, const GError *error, gpointer user_data);
  /* (nullable): from now on it may carry much more than before. */
  void (*widened)  (AlsCarrier *self, gpointer user_data);
} AlsCarrierEvents;

/* CONTEXT: whose thread the carrier lives in. REMOTE: endpoint as text for people, such
 * as "192.0.2.7:5000" (nullable). LAN: both ends in one local network. */
void            als_carrier_setup       (AlsCarrier *self, AlsCarrierType type, AlsPathKind kind,
                                         GMainContext *context, const char *remote, gboolean lan);
/* Packets that came before the first call were kept (at most 16) and are delivered by it. */
void            als_carrier_set_events  (AlsCarrier *self, const AlsCarrierEvents *events,
                                         gpointer user_data);
guint           als_carrier_send        (AlsCarrier *self, const AlsPacket *packets, guint n);
void            als_carrier_close       (AlsCarrier *self);
/* FALSE: deliver nothing until it is TRUE again, as it is at first: what comes meanwhile is to wait
 * where the peer notices. A carrier of datagrams, or one that cannot, goes on. */
void            als_carrier_set_reading (AlsCarrier *self, gboolean reading);
/* Packets that the kernel has sent for it, ever, and had to send again. What it cannot tell is left as
 * it is. */
void            als_carrier_get_loss    (AlsCarrier *self, uint64_t *sent_packets,
                                         uint64_t *lost_packets);
AlsCarrierType  als_carrier_get_carrier_type (AlsCarrier *self);
AlsPathKind     als_carrier_get_kind    (AlsCarrier *self);
GMainContext   *als_carrier_get_context (AlsCarrier *self);
const char     *als_carrier_get_remote  (AlsCarrier *self);
gboolean        als_carrier_is_lan      (AlsCarrier *self);
/* For messages: the rate the relay allows, bytes a second, and how many bytes may be
 * unacknowledged; 0 where nothing is stated. */
void            als_carrier_set_limits  (AlsCarrier *self, uint64_t rate, uint64_t backlog_bytes);
uint64_t        als_carrier_get_rate_limit    (AlsCarrier *self);
uint64_t        als_carrier_get_backlog_limit (AlsCarrier *self);
/* For streams, before anybody else has it: this end's connect returned, so that it speaks first. */
void            als_carrier_set_initiated (AlsCarrier *self, gboolean initiated);
gboolean        als_carrier_is_initiated  (AlsCarrier *self);

/* For subclasses. */
void            als_carrier_received    (AlsCarrier *self, const uint8_t *data, size_t len);
void            als_carrier_writable    (AlsCarrier *self);
void            als_carrier_widened     (AlsCarrier *self);
void            als_carrier_broke       (AlsCarrier *self, const GError *error);

G_END_DECLS
