/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two folders and two connected sessions, with a real transfer on one side or on
 * both, and a peer that says what it is told to on the other. */

#pragma once

#include "als-fake-session.h"
#include "protocol/als-file-message.h"
#include "transfer/als-transfer.h"

G_BEGIN_DECLS

#define MIB (1024 * 1024)

/* One end of a channel, spoken by the test. */
typedef struct
{
  AlsChannel *channel;  /* NULL once closed */
  AlsFileParser parser;
  GPtrArray *got;       /* of AlsFileMessage */
  GByteArray *to_write; /* not yet taken by the channel */
  gboolean finished;
  gboolean closed;
  guint32 code;
} Peer;

typedef struct
{
  char *from, *to;          /* folders */
  FakeSessionConfig config;
  FakeSessions *sessions;   /* 0 sends; nullable */
  void (*free_sessions) (FakeSessions *sessions);
  gboolean peer_receives;   /* PEER answers instead of INCOMING */
  AlsTransfer *outgoing;    /* nullable */
  AlsTransfer *incoming;    /* nullable */
  Peer peer;
  GPtrArray *files;         /* of GFile, in FROM */
  guint n_changed_outgoing, n_changed_incoming;
} Fixture;

void     fixture_init            (Fixture *self);
void     fixture_clear           (Fixture *self);
/* Writes LEN bytes that depend on SEED to FROM/NAME and adds it to FILES. */
void     fixture_add_file        (Fixture *self, const char *name, size_t len, guint seed);
/* Opens the sessions, unless that was done. */
void     fixture_connect         (Fixture *self);
/* The real sender, with FILES. */
void     fixture_send            (Fixture *self);
void     fixture_connect_peer_as_sender (Fixture *self);

/* Runs the main loop until CONDITION, or fails the test. */
typedef gboolean (*FixtureCondition) (Fixture *self);
void     fixture_wait            (Fixture *self, FixtureCondition condition, const char *what);
#define  FIXTURE_WAIT(self, condition) fixture_wait (self, condition, #condition)
/* Runs it until nothing more happens by itself. */
void     fixture_settle          (Fixture *self);

AlsTransferState fixture_state   (AlsTransfer *transfer);
gboolean is_outgoing_offered     (Fixture *self);
gboolean is_outgoing_over        (Fixture *self);
gboolean is_outgoing_active      (Fixture *self);
gboolean is_incoming_there       (Fixture *self);
gboolean is_incoming_offered     (Fixture *self);
gboolean is_incoming_active      (Fixture *self);
gboolean is_incoming_over        (Fixture *self);
gboolean are_both_over           (Fixture *self);
gboolean is_peer_closed          (Fixture *self);

/* Sends, accepts, and waits until both are over. */
void     fixture_exchange        (Fixture *self);
void     fixture_assert_failed   (AlsTransfer *transfer, AlsTransferError code);
/* FROM/NAME and TO/SAVED_AS are the same. */
void     fixture_assert_same     (Fixture *self, const char *name, const char *saved_as);
void     fixture_write_to        (Fixture *self, const char *name, const char *text);
/* How many names TO has, hidden ones too. */
guint    fixture_count_to        (Fixture *self);

/* Writes what the channel takes now, the rest when it can. */
void     peer_send               (Peer *self, const AlsFileMessage *message);
void     peer_send_raw           (Peer *self, const void *data, size_t len);
void     peer_send_simple        (Peer *self, AlsFileMessageType type, guint file, uint32_t index,
                                  uint64_t bytes);
void     peer_send_block         (Peer *self, guint file, uint32_t index, const void *data,
                                  size_t len, gboolean damaged);
/* The root of LEN bytes at DATA, unless damaged. */
void     peer_send_end           (Peer *self, guint file, const void *data, size_t len,
                                  gboolean damaged);
void     peer_send_offer         (Peer *self, const char *name, uint64_t size);
guint    peer_count              (Peer *self, AlsFileMessageType type);

G_END_DECLS
