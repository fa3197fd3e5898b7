/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "als-test-line.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
/* Waiting towards one end: as deep as lines are. */
#define MAX_QUEUED_BYTES (1024 * 1024)

typedef struct
{
  int64_t due_us;
  size_t len, written;
  uint8_t data[];
} Chunk;

/* What goes towards an end. */
typedef struct
{
  int fd;                /* ours; -1: cut */
  GQueue chunks;         /* (element-type Chunk) */
  size_t queued_bytes;
  int64_t busy_until_us;
  gboolean full;         /* the socket takes no more */
} End;

struct _AlsTestLine
{
  AlsTestLineType type;
  double rate;
  int64_t delay_us;
  End ends[2];
  GThread *thread;
  int wake[2];
  gint silent, cut, quit; /* atomic */
};

/* --- the thread --- */

static gboolean
read_some (AlsTestLine *self, guint from)
{
  End *to = &self->ends[!from];
  Chunk *chunk = g_malloc (sizeof *chunk + READ_BYTES);
  gssize len = recv (self->ends[from].fd, chunk->data, READ_BYTES, 0);

  if (len <= 0)
    {
      g_free (chunk);
      /* A datagram that could not be delivered is no end. */
      return len < 0 && (errno == EAGAIN || self->type == ALS_TEST_LINE_UDP);
    }
  if (g_atomic_int_get (&self->silent)
      || (self->type == ALS_TEST_LINE_UDP && to->queued_bytes > MAX_QUEUED_BYTES))
    {
      g_free (chunk);
      return TRUE;
    }
  chunk = g_realloc (chunk, sizeof *chunk + (size_t) len);
  chunk->len = (size_t) len;
  chunk->written = 0;
  to->busy_until_us = MAX (to->busy_until_us, g_get_monotonic_time ())
                      + (int64_t) ((double) len * G_USEC_PER_SEC / self->rate);
  chunk->due_us = to->busy_until_us + self->delay_us;
  to->queued_bytes += chunk->len;
  g_queue_push_tail (&to->chunks, chunk);
  return TRUE;
}

static gboolean
write_due (AlsTestLine *self, End *to, int64_t now_us)
{
  Chunk *chunk;

  while ((chunk = g_queue_peek_head (&to->chunks)) != NULL && chunk->due_us <= now_us)
    {
      gssize len = send (to->fd, chunk->data + chunk->written, chunk->len - chunk->written,
                         MSG_NOSIGNAL);

      to->full = len < 0 && errno == EAGAIN;
      if (to->full)
        return TRUE;
      if (len < 0 && self->type != ALS_TEST_LINE_UDP)
        return FALSE;
      chunk->written += len < 0 ? chunk->len : (size_t) len;
      if (chunk->written < chunk->len)
        continue;
      to->queued_bytes -= chunk->len;
      g_free (g_queue_pop_head (&to->chunks));
    }
  return TRUE;
}

static void
close_ends (AlsTestLine *self)
{
  for (guint i = 0; i < 2; i++)
    {
      const struct linger reset = { .l_onoff = 1 };

      if (self->ends[i].fd < 0)
        continue;
      setsockopt (self->ends[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close (self->ends[i].fd);
      self->ends[i].fd = -1;
      g_queue_clear_full (&self->ends[i].chunks, g_free);
    }
}

static int
get_timeout_ms (AlsTestLine *self, int64_t now_us)
{
  int64_t due_us = INT64_MAX;

  for (guint i = 0; i < 2; i++)
    {
      Chunk *chunk = g_queue_peek_head (&self->ends[i].chunks);

      if (chunk != NULL && !self->ends[i].full)
        due_us = MIN (due_us, chunk->due_us);
    }
  return due_us == INT64_MAX ? -1 : (int) MAX ((due_us - now_us + 999) / 1000, 0);
}

static gpointer
thread_func (gpointer user_data)
{
  AlsTestLine *self = user_data;

  while (!g_atomic_int_get (&self->quit))
    {
      struct pollfd polled[3] = { { .fd = self->wake[0], .events = POLLIN } };
      int64_t now_us = g_get_monotonic_time ();
      gboolean ok = TRUE;
      char byte;

      if (g_atomic_int_get (&self->cut))
        close_ends (self);
      for (guint i = 0; i < 2; i++)
        {
          End *end = &self->ends[i];
          gboolean takes = self->type == ALS_TEST_LINE_UDP
                           || self->ends[!i].queued_bytes < MAX_QUEUED_BYTES;

          polled[1 + i].fd = end->fd;
          polled[1 + i].events = (short) ((takes && !g_atomic_int_get (&self->silent) ? POLLIN : 0)
                                          | (end->full ? POLLOUT : 0));
          if (g_atomic_int_get (&self->silent) && self->type != ALS_TEST_LINE_UDP)
            polled[1 + i].fd = -1; /* whatever happens there */
        }
      if (poll (polled, 3, get_timeout_ms (self, now_us)) < 0)
        g_assert_cmpint (errno, ==, EINTR);
      if (polled[0].revents != 0)
        ok = read (self->wake[0], &byte, 1) == 1;
      now_us = g_get_monotonic_time ();
      for (guint i = 0; i < 2 && ok && self->ends[i].fd >= 0; i++)
        {
          if (polled[1 + i].revents & (POLLIN | POLLHUP | POLLERR))
            ok = read_some (self, i);
          if (ok && !g_atomic_int_get (&self->silent))
            ok = write_due (self, &self->ends[i], now_us);
        }
      if (g_atomic_int_get (&self->silent))
        for (guint i = 0; i < 2; i++)
          g_queue_clear_full (&self->ends[i].chunks, g_free);
      if (!ok)
        close_ends (self);
    }
  close_ends (self);
  return NULL;
}

/* --- making sockets --- */

static void
set_nonblocking (int fd)
{
  g_assert_cmpint (fcntl (fd, F_SETFL, O_NONBLOCK), ==, 0);
}

static int
bind_loopback (int type, struct sockaddr_in *address)
{
  socklen_t len = sizeof *address;
  int fd = socket (AF_INET, type | SOCK_CLOEXEC, 0);

  *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  g_assert_cmpint (bind (fd, (struct sockaddr *) address, len), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) address, &len), ==, 0);
  return fd;
}

static void
make_pair (AlsTestLineType type, int pair[2])
{
  struct sockaddr_in first, second;
  int listener;

  switch (type)
    {
    case ALS_TEST_LINE_TCP:
      listener = bind_loopback (SOCK_STREAM, &first);
      g_assert_cmpint (listen (listener, 1), ==, 0);
      pair[0] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      g_assert_cmpint (connect (pair[0], (struct sockaddr *) &first, sizeof first), ==, 0);
      pair[1] = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
      close (listener);
      break;
    case ALS_TEST_LINE_UDP:
      pair[0] = bind_loopback (SOCK_DGRAM, &first);
      pair[1] = bind_loopback (SOCK_DGRAM, &second);
      g_assert_cmpint (connect (pair[0], (struct sockaddr *) &second, sizeof second), ==, 0);
      g_assert_cmpint (connect (pair[1], (struct sockaddr *) &first, sizeof first), ==, 0);
      break;
    default:
      g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
      break;
    }
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (pair[i], >=, 0);
      set_nonblocking (pair[i]);
    }
}

AlsTestLine *
als_test_line_new (AlsTestLineType type, double rate, int64_t delay_us, int fds[2])
{
  AlsTestLine *self = g_new0 (AlsTestLine, 1);

  self->type = type;
  self->rate = rate;
  self->delay_us = delay_us;
  for (guint i = 0; i < 2; i++)
    {
      int pair[2];

      make_pair (type, pair);
      fds[i] = pair[0];
      self->ends[i].fd = pair[1];
      g_queue_init (&self->ends[i].chunks);
    }
  g_assert_cmpint (pipe2 (self->wake, O_CLOEXEC), ==, 0);
  self->thread = g_thread_new ("test-line", thread_func, self);
  return self;
}

static void
wake (AlsTestLine *self)
{
  g_assert_cmpint (write (self->wake[1], "x", 1), ==, 1);
}

void
als_test_line_silence (AlsTestLine *self)
{
  g_atomic_int_set (&self->silent, TRUE);
  wake (self);
}

void
als_test_line_cut (AlsTestLine *self)
{
  if (self->type == ALS_TEST_LINE_UDP)
    {
      als_test_line_silence (self);
      return;
    }
  g_atomic_int_set (&self->cut, TRUE);
  wake (self);
}

void
als_test_line_free (AlsTestLine *self)
{
  g_atomic_int_set (&self->quit, TRUE);
  wake (self);
  g_thread_join (self->thread);
  close (self->wake[0]);
  close (self->wake[1]);
  g_free (self);
}
