/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Between als-transfer.c, which has what both sides share (state, progress, the
 * channel's bytes, the end), and the two sides. Engine's thread. */

#pragma once

#include "protocol/als-file-message.h"
#include "transfer/als-file-worker.h"
#include "transfer/als-transfer.h"

G_BEGIN_DECLS

typedef struct _AlsTransferSender AlsTransferSender;
typedef struct _AlsTransferReceiver AlsTransferReceiver;

/* For the sides. Any of them may end the transfer: ask als_transfer_is_over (). */
gboolean             als_transfer_is_over       (AlsTransfer *self);
AlsTransferState     als_transfer_get_state     (AlsTransfer *self);
void                 als_transfer_set_state     (AlsTransfer *self, AlsTransferState state);
/* The sides' books and the names shown. (element-type AlsFileEntry) */
GPtrArray           *als_transfer_get_entries   (AlsTransfer *self);
/* Incoming: takes ENTRIES; both: adds the sizes up. */
void                 als_transfer_set_entries   (AlsTransfer *self, GPtrArray *entries);
void                 als_transfer_set_channel   (AlsTransfer *self, AlsChannel *channel);
/* Takes JOB. */
void                 als_transfer_push_job      (AlsTransfer *self, AlsFileJob *job);
void                 als_transfer_set_bytes     (AlsTransfer *self, uint64_t bytes);
uint64_t             als_transfer_get_bytes     (AlsTransfer *self);
/* One more file is done; SAVED: where, here. (nullable) */
void                 als_transfer_file_done     (AlsTransfer *self, guint file, GFile *saved);
guint                als_transfer_get_n_done    (AlsTransfer *self);
/* Queues a message, and a block's data behind it. */
void                 als_transfer_send          (AlsTransfer *self, const AlsFileMessage *message);
/* Blocks that the channel has not wholly taken. */
guint                als_transfer_get_n_unsent  (AlsTransfer *self);
/* So many received bytes wait for the disk, or do no longer. */
void                 als_transfer_hold          (AlsTransfer *self, size_t len);
void                 als_transfer_release       (AlsTransfer *self, size_t len);
/* All is saved, and the other side was or has been told. */
void                 als_transfer_finish        (AlsTransfer *self);
/* Takes ERROR; the other side is told. */
void                 als_transfer_fail          (AlsTransfer *self, GError *error);
void                 als_transfer_fail_protocol (AlsTransfer *self, const char *what);

/* The sides belong to their transfer and live as long. */
AlsTransferSender   *als_transfer_sender_new       (AlsTransfer *transfer, AlsSession *session,
                                                    GPtrArray *files);
void                 als_transfer_sender_free      (AlsTransferSender *self);
void                 als_transfer_sender_message   (AlsTransferSender *self,
                                                    const AlsFileMessage *message);
/* There may be room for more blocks. */
void                 als_transfer_sender_pump      (AlsTransferSender *self);

AlsTransferReceiver *als_transfer_receiver_new     (AlsTransfer *transfer, GFile *folder);
void                 als_transfer_receiver_free    (AlsTransferReceiver *self);
void                 als_transfer_receiver_message (AlsTransferReceiver *self,
                                                    const AlsFileMessage *message);
void                 als_transfer_receiver_accept  (AlsTransferReceiver *self);
/* Tells the other side how much is stored. */
void                 als_transfer_receiver_tell    (AlsTransferReceiver *self);
/* Removes what was received in part. */
void                 als_transfer_receiver_abandon (AlsTransferReceiver *self);

G_END_DECLS
