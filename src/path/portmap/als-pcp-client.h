/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One mapping at one router by one protocol (PCP or NAT-PMP): when it is asked
 * for, renewed, asked for again and given back. Pure: datagrams in and out,
 * invented time.
 *
 * Poll until it gives nothing more to send, after every other call and at the deadline. */

#pragma once

#include "path/portmap/als-pcp-codec.h"

G_BEGIN_DECLS

/* One for each router and protocol: whether it forgot its mappings (RFC 6887, 8.5). */
typedef struct
{
  gboolean is_known;
  uint32_t server_s;
  int64_t client_us;
} AlsPcpEpoch;

/* FALSE: it lost its state, so all mappings have to be asked for again. */
gboolean als_pcp_epoch_check (AlsPcpEpoch *self, uint32_t epoch_s, int64_t now_us);

typedef enum
{
  ALS_PCP_ASKING,   /* no answer yet */
  ALS_PCP_MAPPED,
  ALS_PCP_REFUSED,  /* asked again when the refusal is over; see the result */
  ALS_PCP_OVER,     /* given back, given up, or the router speaks another version */
} AlsPcpState;

typedef struct
{
  AlsPcpVersion version;
  gboolean is_tcp;
  uint16_t internal_port;
  uint32_t lifetime_s;
  AlsStunAddress client;    /* PCP: the address requests leave from */
  uint8_t nonce[ALS_PCP_NONCE_BYTES];
} AlsPcpClientConfig;

typedef struct
{
  AlsPcpClientConfig config;
  AlsPcpState state;
  AlsPcpResult result;      /* of the last answer; SUCCESS before */
  gboolean was_asked;       /* a request left: the router may hold a mapping */
  gboolean was_answered;    /* and it spoke to us */
  gboolean is_leaving;
  AlsStunAddress external;  /* MAPPED; afterwards what is wished for again */
  AlsStunAddress router;    /* NAT-PMP: its external address as told apart; NONE: not yet */
  uint16_t external_port;   /* NAT-PMP: while the router's address is not known; 0: none */
  uint32_t lease_s;
  int64_t expires_us;       /* MAPPED */
  int64_t due_us;           /* the next request; INT64_MAX: none */
  int64_t wait_us;          /* after it; 0: the first of a series */
  guint n_sent;             /* of the present series */
  gboolean address_due;     /* NAT-PMP: the next poll asks for the address as well */
} AlsPcpClient;

void        als_pcp_client_init         (AlsPcpClient *self, const AlsPcpClientConfig *config,
                                         int64_t now_us);
/* What to send to the router's port now. (transfer full) (nullable): nothing (more). */
GBytes     *als_pcp_client_poll         (AlsPcpClient *self, int64_t now_us);
/* The caller has seen that it comes from the router's port. TRUE if it was meant for this mapping. */
gboolean    als_pcp_client_receive      (AlsPcpClient *self, const AlsPcpResponse *response,
                                         int64_t now_us);
/* The router forgot it, as the epoch tells: asked for anew, what is known holds until it answers. */
void        als_pcp_client_state_lost   (AlsPcpClient *self, int64_t now_us);
/* Gives it back. Nothing is sent if it was never asked for, one request if nobody ever answered, and three
 * at the most. */
void        als_pcp_client_leave        (AlsPcpClient *self, int64_t now_us);
int64_t     als_pcp_client_get_deadline (const AlsPcpClient *self);

G_END_DECLS
