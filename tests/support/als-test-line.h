/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A line between two real sockets of this process: a rate, a delay, and cuts. A
 * thread of its own moves what comes from one end to the other. */

#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct _AlsTestLine AlsTestLine;

typedef enum
{
  ALS_TEST_LINE_TCP,      /* over loopback */
  ALS_TEST_LINE_UDP,
  ALS_TEST_LINE_MESSAGES, /* AF_UNIX, SOCK_SEQPACKET */
} AlsTestLineType;

/* FDS: two connected, nonblocking sockets, the caller's. RATE: bytes a second, each direction. */
AlsTestLine *als_test_line_new     (AlsTestLineType type, double rate, int64_t delay_us, int fds[2]);
/* Nothing moves any more, and nobody is told. */
void         als_test_line_silence (AlsTestLine *self);
/* Of connections, both ends hear of it at once; of datagrams, as above. */
void         als_test_line_cut     (AlsTestLine *self);
void         als_test_line_free    (AlsTestLine *self);
