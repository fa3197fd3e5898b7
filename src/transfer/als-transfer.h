/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One offer of one or more files, from either side, over a channel of its own
 * (design §7). Lives in the engine's thread; disk and hashing are done by file
 * workers. Memory does not grow with the files. */

#pragma once

#include <gio/gio.h>
#include "session/als-session.h"

G_BEGIN_DECLS

#define ALS_TRANSFER_ERROR (als_transfer_error_quark ())
GQuark als_transfer_error_quark (void);

typedef enum
{
  ALS_TRANSFER_ERROR_READ,        /* a source vanished, changed or cannot be read */
  ALS_TRANSFER_ERROR_WRITE,       /* cannot be written here */
  ALS_TRANSFER_ERROR_DISK_FULL,
  ALS_TRANSFER_ERROR_PEER_READ,   /* the same three on the other side */
  ALS_TRANSFER_ERROR_PEER_WRITE,
  ALS_TRANSFER_ERROR_PEER_DISK_FULL,
  ALS_TRANSFER_ERROR_DECLINED,
  ALS_TRANSFER_ERROR_CANCELLED,
  ALS_TRANSFER_ERROR_PEER_CANCELLED,
  ALS_TRANSFER_ERROR_DAMAGED,     /* the root does not agree */
  ALS_TRANSFER_ERROR_PROTOCOL,
  ALS_TRANSFER_ERROR_SESSION,     /* the session ended */
} AlsTransferError;

typedef enum
{
  ALS_TRANSFER_PREPARING,  /* sender: looking at the files */
  ALS_TRANSFER_OFFERED,    /* waits for the receiver's answer */
  ALS_TRANSFER_ACTIVE,
  ALS_TRANSFER_DONE,
  ALS_TRANSFER_FAILED,     /* also declined and cancelled: see error */
} AlsTransferState;

typedef struct
{
  AlsTransferState state;
  gboolean incoming;
  guint n_files, n_files_done;
  guint64 bytes_total, bytes_done; /* done: stored by the receiver, on both sides */
  guint64 rate;                    /* bytes a second, smoothed */
  gint64 seconds_left;             /* -1 unknown */
  int64_t duration_us;             /* of the active part */
} AlsTransferInfo;

#define ALS_TYPE_TRANSFER (als_transfer_get_type ())
G_DECLARE_FINAL_TYPE (AlsTransfer, als_transfer, ALS, TRANSFER, GObject)

/* Signals:
 *   changed ()    state or progress; at most ten times a second while active
 */

/* FILES: (element-type GFile): regular local files. SESSION must outlive it. */
AlsTransfer  *als_transfer_new_outgoing  (AlsSession *session, GPtrArray *files);
/* CHANNEL: an ALS_CHANNEL_FILES channel that the peer opened. FOLDER: where files are saved. */
AlsTransfer  *als_transfer_new_incoming  (AlsChannel *channel, GFile *folder);
/* Incoming and offered only. */
void          als_transfer_accept        (AlsTransfer *self);
void          als_transfer_decline       (AlsTransfer *self);
/* Either side, any time; what was received in part is removed. */
void          als_transfer_cancel        (AlsTransfer *self);
void          als_transfer_get_info      (AlsTransfer *self, AlsTransferInfo *info);
const GError *als_transfer_get_error     (AlsTransfer *self); /* nullable */
/* The safe display name of file I, and its size. */
const char   *als_transfer_get_name      (AlsTransfer *self, guint i);
guint64       als_transfer_get_size      (AlsTransfer *self, guint i);
/* Where file I was saved. (transfer none) (nullable) */
GFile        *als_transfer_get_saved     (AlsTransfer *self, guint i);

G_END_DECLS
