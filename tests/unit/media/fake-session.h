/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Stands in for the session below the media layer: two ends joined by the
 * default main context, which lose datagrams, refuse them and forbid frames on
 * request. Takes the place of session/als-session.c when linked. */

#pragma once

#include "media/als-screen-receiver.h"
#include "media/als-screen-sender.h"

typedef struct
{
  /* To be set by tests. */
  guint loss_percent;       /* of datagrams */
  guint drop_next;          /* so many datagrams are lost for certain */
  gboolean refuses;         /* datagrams are dropped at the sender's, which is told */
  gboolean may_send_frame;
  gboolean hold_channel;    /* what is written to the channel stays here */
  uint64_t rate;            /* bytes a second */
  int64_t rtt_us;
  AlsScreenReceiver *receiver; /* (nullable) gets the datagrams */

  guint n_datagrams;        /* taken from the sender */
  size_t max_datagram;
  guint n_opened;           /* channels */
  guint n_nacks, n_keyframes, n_marks, n_formats, n_stops; /* messages seen on the way */
} FakeNet;

FakeNet    *fake_net_new          (void);
void        fake_net_free         (FakeNet *self);
AlsSession *fake_net_get_session  (FakeNet *self); /* the sharer's */
/* The viewer's end of the media channel; NULL before it is opened. */
AlsChannel *fake_net_get_incoming (FakeNet *self);
/* Writes raw bytes as one of the ends would. */
void        fake_net_write        (FakeNet *self, gboolean to_viewer, const void *data, size_t len);
/* Closes the channel on both ends. */
void        fake_net_close        (FakeNet *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeNet, fake_net_free)
