/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What two transfers say to each other over one ALS_CHANNEL_FILES channel.
 * Bytes to structs and back; each message is preceded by its length (32 bits).
 *
 * sender                                   receiver
 * OFFER  names and sizes         ->
 *                                <-        ACCEPT
 * BLOCK  in order, file by file  ->
 * FILE_END  root                 ->
 *                                <-        PROGRESS, REPAIR, FILE_SAVED
 * BLOCK  as asked for by REPAIR  ->
 *                                <-        DONE, and no more bytes
 * no more bytes                  ->
 *
 * Whatever ends a transfer early is no message but the code of the channel's
 * reset (AlsFileReset): it arrives at once, even with a block half written. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_FILE_VERSION 1
#define ALS_FILE_BLOCK_BYTES (1024 * 1024)
#define ALS_FILE_HASH_BYTES 32
#define ALS_FILE_ID_BYTES 16
#define ALS_FILE_MAX_FILES 1000
#define ALS_FILE_MAX_NAME 255                     /* bytes of UTF-8 */
#define ALS_FILE_MAX_SIZE (UINT64_C (1) << 43)    /* bytes; 2^23 blocks */

typedef enum
{
  ALS_FILE_OFFER = 1,      /* version, id, files */
  ALS_FILE_ACCEPT = 2,
  ALS_FILE_BLOCK = 3,      /* file, index, hash, data */
  ALS_FILE_FILE_END = 4,   /* file, hash: the root */
  ALS_FILE_REPAIR = 5,     /* file, index: send this block again */
  ALS_FILE_PROGRESS = 6,   /* bytes: of all files, checked and written */
  ALS_FILE_FILE_SAVED = 7, /* file */
  ALS_FILE_DONE = 8,       /* all files are saved */
} AlsFileMessageType;

/* Why a side reset the channel; as in AlsTransferError, seen from that side. */
typedef enum
{
  ALS_FILE_RESET_DECLINED = 1,
  ALS_FILE_RESET_CANCELLED = 2,
  ALS_FILE_RESET_READ = 3,
  ALS_FILE_RESET_WRITE = 4,
  ALS_FILE_RESET_DISK_FULL = 5,
  ALS_FILE_RESET_DAMAGED = 6,
  ALS_FILE_RESET_PROTOCOL = 7,
} AlsFileReset;

typedef struct
{
  char *name;        /* no folder; valid UTF-8 without control characters, not yet safe */
  uint64_t size;     /* bytes */
  int64_t mtime_us;  /* since 1970; with id, size and name it tells a later run what this was */
} AlsFileEntry;

typedef struct
{
  AlsFileMessageType type;
  uint8_t version;
  uint8_t id[ALS_FILE_ID_BYTES];   /* of the offer, random */
  GPtrArray *files;                /* (element-type AlsFileEntry) (nullable) */
  uint16_t file;
  uint32_t index;
  uint8_t hash[ALS_FILE_HASH_BYTES];
  GBytes *data;                    /* (nullable) 1 .. ALS_FILE_BLOCK_BYTES */
  uint64_t bytes;
} AlsFileMessage;

#define ALS_FILE_MESSAGE_ERROR (als_file_message_error_quark ())
GQuark          als_file_message_error_quark (void);

typedef enum
{
  ALS_FILE_MESSAGE_ERROR_INVALID, /* malformed, or over a limit */
  ALS_FILE_MESSAGE_ERROR_VERSION, /* an offer of a newer version */
} AlsFileMessageError;

AlsFileEntry   *als_file_entry_new           (const char *name, uint64_t size, int64_t mtime_us);
void            als_file_entry_free          (AlsFileEntry *self);
AlsFileMessage *als_file_message_new         (AlsFileMessageType type);
void            als_file_message_free        (AlsFileMessage *self);
/* BODY: one message without its length. A block's data share its memory. */
AlsFileMessage *als_file_message_decode      (GBytes *body, GError **error);
/* With the length in front. Of a BLOCK all but the data, which follow as they are. NULL when
 * a field is out of bounds. (transfer full) (nullable) */
GBytes         *als_file_message_encode      (const AlsFileMessage *self);

/* Cuts a stream into messages. Holds one message at the most. */
typedef struct
{
  uint8_t head[5];   /* length and type */
  guint n_head;
  uint8_t *body;
  size_t len;        /* of the body, once the head is there */
  size_t have;
} AlsFileParser;

void            als_file_parser_init         (AlsFileParser *self);
void            als_file_parser_clear        (AlsFileParser *self);
/* Takes *DATA up to the end of a message, moves *DATA and *LEN on, and returns the message; NULL
 * without ERROR when it ends sooner. After an error the stream is of no use. */
AlsFileMessage *als_file_parser_push         (AlsFileParser *self, const uint8_t **data,
                                              size_t *len, GError **error);
/* Bytes held of a message that is not whole yet. */
size_t          als_file_parser_get_held     (const AlsFileParser *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsFileEntry, als_file_entry_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsFileMessage, als_file_message_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AlsFileParser, als_file_parser_clear)

G_END_DECLS
