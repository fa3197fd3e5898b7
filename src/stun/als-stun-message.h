/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* STUN messages: bytes to a struct and back. Pure.
 *
 * RFC 8489 (STUN), 8656 (TURN), 6062 (TURN over TCP), 5780 (behaviour
 * discovery), and MAPPED-ADDRESS of old servers. The decoder checks all lengths and,
 * where there is one, the fingerprint; integrity needs a key and is asked for
 * with als_stun_message_verify (). An attribute is found wherever it stands;
 * of two of a type the first counts; what follows the integrity is ignored. */

#pragma once

#include <glib.h>
#include <stdint.h>

#include "base/als-bytes.h"
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_STUN_HEADER_BYTES 20
#define ALS_STUN_TRANSACTION_BYTES 12
#define ALS_STUN_MAGIC_COOKIE 0x2112a442u
/* What we take and make; servers answer in a few hundred. */
#define ALS_STUN_MAX_MESSAGE_BYTES 4096
#define ALS_STUN_MAX_ATTRIBUTES 64
/* RFC 8489, 14.3: 508 bytes; 14.9 and 14.10: 763; 14.8 and 14.14: 763. */
#define ALS_STUN_MAX_USERNAME_BYTES 508
#define ALS_STUN_MAX_TEXT_BYTES 763
#define ALS_STUN_USERHASH_BYTES 32

typedef enum
{
  ALS_STUN_REQUEST,
  ALS_STUN_INDICATION,
  ALS_STUN_SUCCESS,
  ALS_STUN_FAILURE,
} AlsStunClass;

typedef enum
{
  ALS_STUN_BINDING = 0x001,
  ALS_STUN_ALLOCATE = 0x003,
  ALS_STUN_REFRESH = 0x004,
  ALS_STUN_SEND = 0x006,
  ALS_STUN_DATA = 0x007,
  ALS_STUN_CREATE_PERMISSION = 0x008,
  ALS_STUN_CHANNEL_BIND = 0x009,
  ALS_STUN_CONNECT = 0x00a,            /* RFC 6062 */
  ALS_STUN_CONNECTION_BIND = 0x00b,
  ALS_STUN_CONNECTION_ATTEMPT = 0x00c,
} AlsStunMethod;

/* Below 0x8000 a reader must understand it. */
typedef enum
{
  ALS_STUN_MAPPED_ADDRESS = 0x0001,
  ALS_STUN_CHANGE_REQUEST = 0x0003,     /* RFC 5780 */
  ALS_STUN_USERNAME = 0x0006,
  ALS_STUN_MESSAGE_INTEGRITY = 0x0008,
  ALS_STUN_ERROR_CODE = 0x0009,
  ALS_STUN_UNKNOWN_ATTRIBUTES = 0x000a,
  ALS_STUN_CHANNEL_NUMBER = 0x000c,
  ALS_STUN_LIFETIME = 0x000d,           /* RFC 8656 */
  ALS_STUN_XOR_PEER_ADDRESS = 0x0012,
  ALS_STUN_DATA_ATTRIBUTE = 0x0013,
  ALS_STUN_REALM = 0x0014,
  ALS_STUN_NONCE = 0x0015,
  ALS_STUN_XOR_RELAYED_ADDRESS = 0x0016,
  ALS_STUN_REQUESTED_ADDRESS_FAMILY = 0x0017,
  ALS_STUN_EVEN_PORT = 0x0018,
  ALS_STUN_REQUESTED_TRANSPORT = 0x0019,
  ALS_STUN_DONT_FRAGMENT = 0x001a,
  ALS_STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c,
  ALS_STUN_PASSWORD_ALGORITHM = 0x001d,
  ALS_STUN_USERHASH = 0x001e,
  ALS_STUN_XOR_MAPPED_ADDRESS = 0x0020,
  ALS_STUN_RESERVATION_TOKEN = 0x0022,
  ALS_STUN_PRIORITY = 0x0024,           /* RFC 8445 */
  ALS_STUN_USE_CANDIDATE = 0x0025,
  ALS_STUN_PADDING = 0x0026,            /* RFC 5780 */
  ALS_STUN_RESPONSE_PORT = 0x0027,
  ALS_STUN_CONNECTION_ID = 0x002a,      /* RFC 6062 */
  ALS_STUN_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
  ALS_STUN_ADDRESS_ERROR_CODE = 0x8001,
  ALS_STUN_PASSWORD_ALGORITHMS = 0x8002,
  ALS_STUN_ALTERNATE_DOMAIN = 0x8003,
  ALS_STUN_XOR_MAPPED_ADDRESS_OLD = 0x8020, /* before RFC 5389 */
  ALS_STUN_SOFTWARE = 0x8022,
  ALS_STUN_ALTERNATE_SERVER = 0x8023,
  ALS_STUN_FINGERPRINT = 0x8028,
  ALS_STUN_ICE_CONTROLLED = 0x8029,
  ALS_STUN_ICE_CONTROLLING = 0x802a,
  ALS_STUN_RESPONSE_ORIGIN = 0x802b,    /* RFC 5780 */
  ALS_STUN_OTHER_ADDRESS = 0x802c,
} AlsStunAttributeType;

/* RFC 5780, 7.2. */
#define ALS_STUN_CHANGE_IP 0x04u
#define ALS_STUN_CHANGE_PORT 0x02u

/* RFC 8656, 18.7. */
#define ALS_STUN_TRANSPORT_TCP 6
#define ALS_STUN_TRANSPORT_UDP 17

/* RFC 8489, 18.5. */
typedef enum
{
  ALS_STUN_PASSWORD_MD5 = 1,
  ALS_STUN_PASSWORD_SHA256 = 2,
} AlsStunPasswordAlgorithm;

typedef enum
{
  ALS_STUN_INTEGRITY_SHA1,
  ALS_STUN_INTEGRITY_SHA256,
} AlsStunIntegrity;

#define ALS_STUN_ERROR (als_stun_error_quark ())
GQuark als_stun_error_quark (void);

/* None of them can be mended by asking again. */
typedef enum
{
  ALS_STUN_ERROR_NOT_STUN,    /* something else speaks there */
  ALS_STUN_ERROR_TOO_LARGE,   /* beyond our limits */
  ALS_STUN_ERROR_MALFORMED,   /* STUN that breaks its own rules */
  ALS_STUN_ERROR_FINGERPRINT, /* there is one, and it is wrong */
} AlsStunError;

typedef struct
{
  uint16_t type;
  uint16_t len;
  const uint8_t *value; /* inside the message */
} AlsStunAttribute;

typedef struct
{
  AlsStunClass kind;
  uint16_t method;                                 /* AlsStunMethod, or unknown to us */
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  gboolean has_fingerprint;                        /* and it is right */
  guint n_attributes;
  AlsStunAttribute attributes[ALS_STUN_MAX_ATTRIBUTES];
  size_t len;
  uint8_t bytes[];                                 /* the whole message */
} AlsStunMessage;

/* One message, no byte more. (transfer full) (nullable) */
AlsStunMessage *als_stun_message_decode (const uint8_t *data, size_t len, GError **error);
void            als_stun_message_free   (AlsStunMessage *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsStunMessage, als_stun_message_free)

/* (nullable) (transfer none) */
const AlsStunAttribute *als_stun_message_find (const AlsStunMessage *self, AlsStunAttributeType type);
/* FALSE also where the value has the wrong form. The XOR is undone for the types that have it. */
gboolean als_stun_message_get_address    (const AlsStunMessage *self, AlsStunAttributeType type,
                                          AlsStunAddress *address);
/* XOR-MAPPED-ADDRESS, or what old servers send in its place. */
gboolean als_stun_message_get_mapped     (const AlsStunMessage *self, AlsStunAddress *address);
gboolean als_stun_message_get_u32        (const AlsStunMessage *self, AlsStunAttributeType type,
                                          uint32_t *value);
/* Valid UTF-8 without control characters, within the type's limit. (transfer full) (nullable) */
char    *als_stun_message_get_text       (const AlsStunMessage *self, AlsStunAttributeType type);
/* CODE: 300 to 699. REASON: (out) (optional) (nullable) (transfer full): for logs. */
gboolean als_stun_message_get_error      (const AlsStunMessage *self, guint *code, char **reason);
/* How many of UNKNOWN-ATTRIBUTES were stored. */
size_t   als_stun_message_get_unknown    (const AlsStunMessage *self, uint16_t *types,
                                          size_t max_types);
/* PASSWORD-ALGORITHMS in the server's order. FALSE where there is none or it is malformed. */
gboolean als_stun_message_get_algorithms (const AlsStunMessage *self, uint16_t *algorithms,
                                          size_t max_algorithms, size_t *n_algorithms);
/* The first attribute that must be understood and is not, or 0. */
uint16_t als_stun_message_find_unknown   (const AlsStunMessage *self);
/* TRUE if it is there and right. */
gboolean als_stun_message_verify         (const AlsStunMessage *self, AlsStunIntegrity integrity,
                                          const uint8_t *key, size_t key_len);

typedef struct
{
  AlsWriter writer;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
} AlsStunBuilder;

/* TRANSACTION: (nullable): a random one if NULL. */
void    als_stun_builder_init            (AlsStunBuilder *self, AlsStunClass kind, uint16_t method,
                                          const uint8_t *transaction);
void    als_stun_builder_clear           (AlsStunBuilder *self);
void    als_stun_builder_add_bytes       (AlsStunBuilder *self, AlsStunAttributeType type,
                                          const void *data, size_t len);
void    als_stun_builder_add_text        (AlsStunBuilder *self, AlsStunAttributeType type,
                                          const char *text);
void    als_stun_builder_add_u32         (AlsStunBuilder *self, AlsStunAttributeType type,
                                          uint32_t value);
/* REQUESTED-TRANSPORT, REQUESTED-ADDRESS-FAMILY: a byte and three zeros. */
void    als_stun_builder_add_u8          (AlsStunBuilder *self, AlsStunAttributeType type,
                                          uint8_t value);
/* DONT-FRAGMENT and the like. */
void    als_stun_builder_add_flag        (AlsStunBuilder *self, AlsStunAttributeType type);
void    als_stun_builder_add_address     (AlsStunBuilder *self, AlsStunAttributeType type,
                                          const AlsStunAddress *address);
void    als_stun_builder_add_error       (AlsStunBuilder *self, guint code, const char *reason);
void    als_stun_builder_add_unknown     (AlsStunBuilder *self, const uint16_t *types,
                                          size_t n_types);
void    als_stun_builder_add_algorithms  (AlsStunBuilder *self, const uint16_t *algorithms,
                                          size_t n_algorithms);
/* After everything it shall protect; only the fingerprint follows. */
void    als_stun_builder_add_integrity   (AlsStunBuilder *self, AlsStunIntegrity integrity,
                                          const uint8_t *key, size_t key_len);
void    als_stun_builder_add_fingerprint (AlsStunBuilder *self);
/* (transfer full) (nullable): NULL if it got too large; empties the builder. */
GBytes *als_stun_builder_finish          (AlsStunBuilder *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AlsStunBuilder, als_stun_builder_clear)

G_END_DECLS
