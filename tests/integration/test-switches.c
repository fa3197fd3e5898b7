/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One session, real links of four kinds over real sockets, a file each way and a
 * picture each way, and a thousand switches by choice, cuts, and silences: every
 * byte arrives once, memory stays as it is, and the picture stands still no longer
 * than it may. */

#include "config.h"

#include "als-fd-carrier.h"
#include "als-test-line.h"
#include "base/als-deadline-source.h"
#include "crypto/als-crypto.h"
#include "path/als-stream-carrier.h"
#include "session/als-session.h"
#include "transport/als-link-host.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#define MS ((int64_t) 1000)
#define SECOND ((int64_t) G_USEC_PER_SEC)
#define MIB (1024 * 1024)

/* Sanitizers are slow, and keep what was freed. */
#if defined (__SANITIZE_ADDRESS__) || defined (__SANITIZE_THREAD__)
#define IS_SANITIZED TRUE
#define N_EVENTS 200
#else
#define IS_SANITIZED FALSE
#define N_EVENTS 1000 /* or the program's argument */
#endif
/* Of a hundred events. */
#define CUTS 4
#define SILENCES 2

#define FRAME_US (33 * MS)
#define FRAME_PARTS 4
#define PART_BYTES 1000
/* Design §4, and issue 3: by choice, and at a cut. */
#define CHOICE_STALL_US (100 * MS)
#define CUT_STALL_US (2500 * MS)
/* Of the heap, when nothing is under way, from the end of the first quarter of the events to that of
 * the last: a leak of two KiB at each is found. */
#define N_QUARTERS 4
#define MEMORY_SLACK_BYTES (1500 * 1024)
/* For what has to happen. */
#define WAIT_US (60 * SECOND)
/* Most paths that are there at once, an old one and its successor of each kind. */
#define MAX_PATHS 64

typedef enum
{
  EVENT_CHOICE,
  EVENT_CUT,
  EVENT_SILENCE,
  N_EVENT_TYPES,
} EventType;

typedef struct _Side Side;

typedef struct
{
  AlsPathKind kind;
  AlsTestLine *line;
  AlsLink *links[2];     /* NULL once gone */
  gboolean broken;
} Path;

struct _Side
{
  guint index;
  AlsSession *session;
  GSource *poll_source;

  AlsChannel *file;      /* the one we write */
  GChecksum *written, *read;
  uint64_t written_bytes, read_bytes;
  gboolean finished;     /* the peer's file ended */
  guint32 random;

  uint32_t frame;        /* of ours, next */
  uint32_t seen_frame;   /* the newest that came */
  guint seen_parts;      /* bits */
  int64_t seen_us;       /* when a whole one came last */
  int64_t worst_us;      /* longest wait for one since the event began */
};

static Side sides[2];
static Path paths[MAX_PATHS];
static GMainContext *packets_context; /* of the carriers of datagrams and messages */
static GPtrArray *gone;               /* links to be freed */
static GRand *rand_;
static uint32_t next_path_id = 1;
static gboolean stopping;
static gboolean resting;                /* nothing new is written to the files */
static guint n_events = N_EVENTS;

/* --- paths --- */

static const struct
{
  AlsTestLineType line;
  AlsCarrierType carrier;
  double rate;
  int64_t delay_us;
} KINDS[ALS_N_PATH_KINDS] = {
  [ALS_PATH_SIGNAL_RELAY] = { ALS_TEST_LINE_MESSAGES, ALS_CARRIER_MESSAGES, 1.25e6, 20 * MS },
  [ALS_PATH_TURN_TCP] = { ALS_TEST_LINE_MESSAGES, ALS_CARRIER_MESSAGES, 3e6, 15 * MS },
  [ALS_PATH_DIRECT_UDP] = { ALS_TEST_LINE_UDP, ALS_CARRIER_DATAGRAMS, 5e6, 10 * MS },
  [ALS_PATH_DIRECT_TCP] = { ALS_TEST_LINE_TCP, ALS_CARRIER_STREAM, 5e6, 10 * MS },
};

static AlsCarrier *
make_carrier (int fd, AlsPathKind kind, gboolean initiated)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) connection = NULL;
  AlsCarrier *carrier;

  if (KINDS[kind].carrier != ALS_CARRIER_STREAM)
    {
      carrier = als_fd_carrier_new (fd, KINDS[kind].carrier, kind, packets_context);
      if (kind == ALS_PATH_SIGNAL_RELAY)
        als_carrier_set_limits (carrier, (uint64_t) KINDS[kind].rate, 64 * 1024);
      return carrier;
    }
  socket = g_socket_new_from_fd (fd, NULL);
  connection = g_socket_connection_factory_create_connection (socket);
  return als_stream_carrier_new (G_IO_STREAM (connection), kind, NULL, TRUE, initiated, NULL);
}

static void
add_path (AlsPathKind kind)
{
  /* Simultaneous open: both connects returned. */
  gboolean both = kind == ALS_PATH_DIRECT_TCP && g_rand_boolean (rand_);
  Path *path = NULL;
  int fds[2];

  for (guint i = 0; i < MAX_PATHS && path == NULL; i++)
    if (paths[i].line == NULL)
      path = &paths[i];
  g_assert_nonnull (path);
  *path = (Path){ .kind = kind };
  path->line = als_test_line_new (KINDS[kind].line, KINDS[kind].rate, KINDS[kind].delay_us, fds);
  for (guint i = 0; i < 2; i++)
    {
      AlsLinkConfig config = { .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
                               .session_secret = { 7 }, .path_id = next_path_id | i << 31,
                               .speaks_first = i == 0 || both };
      g_autoptr (AlsCarrier) carrier = make_carrier (fds[i], kind, config.speaks_first);

      path->links[i] = als_link_host_new (carrier, &config, NULL);
      als_session_add_link (sides[i].session, path->links[i]);
    }
  next_path_id++;
}

static Path *
find_path (guint side, const AlsLink *link)
{
  for (guint i = 0; i < MAX_PATHS; i++)
    if (link != NULL && paths[i].line != NULL && paths[i].links[side] == link)
      return &paths[i];
  return NULL;
}

/* In its own time, not from within a session. */
static void
clean_up (void)
{
  g_ptr_array_set_size (gone, 0);
  for (guint i = 0; i < MAX_PATHS; i++)
    {
      Path *path = &paths[i];

      if (path->line == NULL)
        continue;
      if ((path->links[0] == NULL || path->links[1] == NULL) && !path->broken && !stopping)
        {
          g_error ("path %u (%s) is gone though nothing happened to it", i,
                   als_path_kind_to_string (path->kind));
        }
      if (path->links[0] == NULL && path->links[1] == NULL)
        g_clear_pointer (&path->line, als_test_line_free);
    }
}

/* --- the file --- */

static void
write_file (Side *self)
{
  uint8_t bytes[16 * 1024];

  while (self->file != NULL && !stopping && !resting)
    {
      size_t room = MIN (als_channel_get_room (self->file), sizeof bytes);

      if (room == 0)
        {
          /* Asks to be told. */
          als_channel_write (self->file, bytes, 1);
          break;
        }
      for (size_t i = 0; i < room; i++)
        {
          self->random = self->random * 1664525 + 1013904223;
          bytes[i] = (uint8_t) (self->random >> 24);
        }
      g_assert_cmpuint (als_channel_write (self->file, bytes, room), ==, room);
      g_checksum_update (self->written, bytes, (gssize) room);
      self->written_bytes += room;
    }
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *self = user_data;

  g_checksum_update (self->read, data, (gssize) len);
  self->read_bytes += len;
  als_channel_consume (channel, len);
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  write_file (user_data);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  Side *self = user_data;

  self->finished |= channel != self->file;
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Side *self = user_data;

  g_assert_true (code == 0 || stopping);
  if (channel == self->file)
    self->file = NULL;
}

static const AlsChannelEvents channel_events = { received_cb, writable_cb, finished_cb, closed_cb };

/* --- the picture --- */

static gboolean
send_picture_cb (gpointer user_data)
{
  uint8_t part[PART_BYTES] = { 0 };

  for (guint i = 0; i < 2; i++)
    {
      Side *self = &sides[i];

      if (!als_session_may_send_frame (self->session))
        continue;
      for (uint32_t n = 0; n < FRAME_PARTS; n++)
        {
          memcpy (part, &self->frame, 4);
          memcpy (part + 4, &n, 4);
          als_session_send_datagram (self->session, ALS_DATAGRAM_VIDEO, part, sizeof part);
        }
      self->frame++;
    }
  return G_SOURCE_CONTINUE;
}

static void
note_picture (Side *self, int64_t now_us)
{
  self->worst_us = MAX (self->worst_us, now_us - self->seen_us);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *self = user_data;
  uint32_t frame, part;

  g_assert_cmpuint (len, ==, PART_BYTES);
  memcpy (&frame, data, 4);
  memcpy (&part, data + 4, 4);
  g_assert_cmpuint (frame, <, sides[!self->index].frame + 1);
  g_assert_cmpuint (part, <, FRAME_PARTS);
  if (frame < self->seen_frame)
    return; /* overtaken at a switch: an older frame is of no use */
  if (frame > self->seen_frame)
    {
      self->seen_frame = frame;
      self->seen_parts = 0;
    }
  g_assert_cmpuint (self->seen_parts & 1u << part, ==, 0); /* nothing comes twice */
  self->seen_parts |= 1u << part;
  if (self->seen_parts == (1u << FRAME_PARTS) - 1)
    {
      int64_t now_us = g_get_monotonic_time ();

      note_picture (self, now_us);
      self->seen_us = now_us;
    }
}

/* --- sessions --- */

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  als_deadline_source_set (((Side *) user_data)->poll_source, deadline_us);
}

static gboolean
poll_cb (gpointer user_data)
{
  als_session_poll (((Side *) user_data)->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  als_channel_set_events (channel, &channel_events, user_data);
  als_channel_finish (channel);
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  Side *self = user_data;
  Path *path = find_path (self->index, link);

  g_assert_nonnull (path);
  path->links[self->index] = NULL;
  g_ptr_array_add (gone, link);
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
  g_assert_true (stopping);
}

static const AlsSessionEvents session_events = { schedule_cb, channel_opened_cb, datagram_cb, NULL,
                                                 link_gone_cb, ended_cb };

static AlsPathKind
get_kind (const Side *self, AlsLink **link)
{
  AlsSessionStats stats;

  als_session_get_stats (self->session, &stats);
  if (link != NULL)
    *link = stats.link;
  return stats.kind;
}

static gboolean
set_flag_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Of the load, not a wait for something. */
static void
live_for (guint ms)
{
  gboolean over = FALSE;

  g_timeout_add (ms, set_flag_cb, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
  clean_up ();
}

#define WAIT_UNTIL(condition) \
  G_STMT_START \
  { \
    int64_t until_us_ = g_get_monotonic_time () + WAIT_US; \
    while (!(condition)) \
      { \
        if (g_get_monotonic_time () > until_us_) \
          g_error ("not in time: %s", #condition); \
        g_main_context_iteration (NULL, TRUE); \
      } \
    clean_up (); \
  } \
  G_STMT_END

/* --- events --- */

static guint
count_links (AlsPathKind kind, guint side)
{
  guint n = 0;

  for (guint i = 0; i < MAX_PATHS; i++)
    n += paths[i].line != NULL && paths[i].kind == kind && !paths[i].broken
         && paths[i].links[side] != NULL
         && als_link_get_room (paths[i].links[side], ALS_LANE_CONTROL) > 0;
  return n;
}

static void
switch_by_choice (Side *self)
{
  static const AlsPathKind kinds[] = { ALS_PATH_SIGNAL_RELAY, ALS_PATH_TURN_TCP,
                                       ALS_PATH_DIRECT_UDP, ALS_PATH_DIRECT_TCP };
  AlsPathKind kind, now = get_kind (self, NULL);

  do
    kind = kinds[g_rand_int_range (rand_, 0, G_N_ELEMENTS (kinds))];
  while (kind == now);
  WAIT_UNTIL (count_links (kind, self->index) > 0);
  als_session_set_allowed_kinds (self->session, 1u << kind);
  WAIT_UNTIL (get_kind (self, NULL) == kind);
}

static gboolean
uses_another (const Side *self, const Path *path)
{
  AlsLink *link;

  return get_kind (self, &link) != ALS_PATH_NONE && path->links[self->index] != link;
}

/* What it was: nobody can be told that datagrams are cut off. */
static EventType
break_path (Side *self, gboolean silently)
{
  AlsLink *link;
  AlsPathKind kind = get_kind (self, &link);
  Path *path = find_path (self->index, link);

  g_assert_nonnull (path);
  path->broken = TRUE;
  if (silently)
    als_test_line_silence (path->line);
  else
    als_test_line_cut (path->line);
  /* It is the best there is; the others stand by. */
  for (guint i = 0; i < 2; i++)
    als_session_set_allowed_kinds (sides[i].session, (1u << (kind + 1)) - 1);
  add_path (kind);
  WAIT_UNTIL (uses_another (&sides[0], path) && uses_another (&sides[1], path));
  return silently || KINDS[kind].carrier == ALS_CARRIER_DATAGRAMS ? EVENT_SILENCE : EVENT_CUT;
}

/* What is under way, and what the allocator keeps for later, differ from one moment to the next by
 * much more than a leak: so all that was written arrives first, and what was broken is gone. */
static void
rest (guint quarter, int64_t heap_bytes[N_QUARTERS])
{
  gsize rss_pages = 0;
  g_autofree char *text = NULL;

  resting = TRUE;
  for (guint i = 0; i < 2; i++)
    als_session_set_allowed_kinds (sides[i].session, ALS_PATH_ALL);
  for (guint i = 0; i < 2; i++)
    WAIT_UNTIL (als_channel_get_acked (sides[i].file) == sides[i].written_bytes);
  for (guint i = 0; i < MAX_PATHS; i++)
    WAIT_UNTIL (!paths[i].broken || (paths[i].links[0] == NULL && paths[i].links[1] == NULL));
#ifdef __GLIBC__
  {
    struct mallinfo2 info;

    malloc_trim (0);
    info = mallinfo2 ();
    heap_bytes[quarter] = (int64_t) (info.uordblks + info.hblkhd);
  }
#endif
  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    rss_pages = (gsize) g_ascii_strtoull (strchr (text, ' '), NULL, 10);
  g_test_message ("memory at the end of quarter %u: heap %.2f MiB, resident %.1f MiB", quarter + 1,
                  heap_bytes[quarter] / (double) MIB,
                  rss_pages * (double) sysconf (_SC_PAGESIZE) / MIB);
  resting = FALSE;
  for (guint i = 0; i < 2; i++)
    write_file (&sides[i]);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

  return x < y ? -1 : x > y;
}

static int64_t
get_percentile (GArray *times, guint percent)
{
  g_array_sort (times, compare_times);
  return times->len > 0 ? g_array_index (times, int64_t, (times->len - 1) * percent / 100) : 0;
}

/* The picture that SELF sends, seen at the other side: how long it stood still at most. */
static void
live_through (Side *self, EventType type, GArray **stalls)
{
  Side *viewer = &sides[!self->index];
  int64_t stall_us;

  note_picture (viewer, g_get_monotonic_time ());
  viewer->worst_us = 0;
  if (type == EVENT_CHOICE)
    switch_by_choice (self);
  else
    type = break_path (self, type == EVENT_SILENCE);
  live_for ((guint) g_rand_int_range (rand_, 50, 100));
  note_picture (viewer, g_get_monotonic_time ());
  stall_us = MAX (viewer->worst_us - FRAME_US, 0);
  g_array_append_val (stalls[type], stall_us);
}

static void
start (void)
{
  for (guint i = 0; i < 2; i++)
    {
      AlsSessionConfig config = { .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER };
      Side *self = &sides[i];

      self->index = i;
      self->random = i + 1;
      self->seen_us = g_get_monotonic_time ();
      self->written = g_checksum_new (G_CHECKSUM_SHA256);
      self->read = g_checksum_new (G_CHECKSUM_SHA256);
      self->poll_source = als_deadline_source_new (NULL, "poll", poll_cb, self);
      self->session = als_session_new (&config, &session_events, self, g_get_monotonic_time ());
      self->file = als_session_open_channel (self->session, ALS_CHANNEL_FILES, ALS_LANE_BULK);
      als_channel_set_events (self->file, &channel_events, self);
    }
  add_path (ALS_PATH_SIGNAL_RELAY);
  add_path (ALS_PATH_TURN_TCP);
  add_path (ALS_PATH_DIRECT_UDP);
  add_path (ALS_PATH_DIRECT_TCP);
}

static void
stop (void)
{
  stopping = TRUE;
  for (guint i = 0; i < 2; i++)
    als_session_set_allowed_kinds (sides[i].session, ALS_PATH_ALL);
  for (guint i = 0; i < 2; i++)
    als_channel_finish (sides[i].file);
  WAIT_UNTIL (sides[0].finished && sides[1].finished);
  als_session_end (sides[0].session);
  als_session_end (sides[1].session);
  for (guint i = 0; i < MAX_PATHS; i++)
    WAIT_UNTIL (paths[i].line == NULL || (paths[i].links[0] == NULL && paths[i].links[1] == NULL));
}

static gpointer
packets_thread_func (gpointer user_data)
{
  g_main_context_push_thread_default (packets_context);
  g_main_loop_run (user_data);
  while (g_main_context_iteration (packets_context, FALSE))
    ;
  g_main_context_pop_thread_default (packets_context);
  return NULL;
}

static void
test_thousand (void)
{
  g_autoptr (GMainLoop) loop = NULL;
  GThread *thread;
  GArray *stalls[N_EVENT_TYPES];
  static const char *const names[] = { "switch by choice", "cut", "silence" };
  int64_t heap_bytes[N_QUARTERS] = { 0 };
  uint64_t moved;
  int64_t start_us = g_get_monotonic_time ();
  guint picture;

  rand_ = g_rand_new_with_seed (11);
  gone = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  packets_context = g_main_context_new ();
  loop = g_main_loop_new (packets_context, FALSE);
  thread = g_thread_new ("packets", packets_thread_func, loop);
  for (guint i = 0; i < N_EVENT_TYPES; i++)
    stalls[i] = g_array_new (FALSE, FALSE, sizeof (int64_t));

  start ();
  WAIT_UNTIL (get_kind (&sides[0], NULL) == ALS_PATH_DIRECT_TCP
              && get_kind (&sides[1], NULL) == ALS_PATH_DIRECT_TCP);
  picture = g_timeout_add ((guint) (FRAME_US / MS), send_picture_cb, NULL);
  write_file (&sides[0]);
  write_file (&sides[1]);
  WAIT_UNTIL (sides[0].seen_frame > 10 && sides[1].seen_frame > 10);
  for (guint n = 0; n < n_events; n++)
    {
      guint dice = (guint) g_rand_int_range (rand_, 0, 100);
      EventType type = dice < CUTS ? EVENT_CUT
                                   : dice < CUTS + SILENCES ? EVENT_SILENCE : EVENT_CHOICE;

      live_through (&sides[g_rand_int_range (rand_, 0, 2)], type, stalls);
      if ((n + 1) * N_QUARTERS / n_events > n * N_QUARTERS / n_events)
        rest (n * N_QUARTERS / n_events, heap_bytes);
    }
  g_source_remove (picture);
  stop ();

  moved = sides[0].read_bytes + sides[1].read_bytes;
  g_test_message ("%u events in %.0f s, %.0f MiB of files", n_events,
                  (g_get_monotonic_time () - start_us) / 1e6, moved / (double) MIB);
  for (guint i = 0; i < N_EVENT_TYPES; i++)
    g_test_message ("picture at a %s (%u): stands still p50 %.0f ms, p95 %.0f, p99 %.0f, at most %.0f",
                    names[i], stalls[i]->len, get_percentile (stalls[i], 50) / 1e3,
                    get_percentile (stalls[i], 95) / 1e3, get_percentile (stalls[i], 99) / 1e3,
                    get_percentile (stalls[i], 100) / 1e3);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpuint (sides[i].read_bytes, ==, sides[!i].written_bytes);
      g_assert_cmpstr (g_checksum_get_string (sides[i].read), ==,
                       g_checksum_get_string (sides[!i].written));
    }
  g_assert_cmpuint (moved, >, n_events * MIB / 20);
  if (!IS_SANITIZED)
    g_assert_cmpint (heap_bytes[N_QUARTERS - 1], <=, heap_bytes[0] + MEMORY_SLACK_BYTES);
  g_assert_cmpint (get_percentile (stalls[EVENT_CHOICE], 95), <=, CHOICE_STALL_US);
  g_assert_cmpint (get_percentile (stalls[EVENT_CUT], 95), <=, CUT_STALL_US);
  g_assert_cmpint (get_percentile (stalls[EVENT_SILENCE], 95), <=, CUT_STALL_US);

  for (guint i = 0; i < 2; i++)
    {
      als_session_free (sides[i].session);
      als_source_clear (&sides[i].poll_source);
      g_checksum_free (sides[i].written);
      g_checksum_free (sides[i].read);
    }
  clean_up ();
  g_main_loop_quit (loop);
  g_thread_join (thread);
  for (guint i = 0; i < N_EVENT_TYPES; i++)
    g_array_unref (stalls[i]);
  g_ptr_array_unref (gone);
  g_rand_free (rand_);
  g_main_context_unref (packets_context);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
#ifdef __GLIBC__
  /* As the engine does. */
  mallopt (M_MMAP_THRESHOLD, 256 * 1024);
#endif
  if (argc > 1)
    n_events = (guint) atoi (argv[1]);
  g_test_add_func ("/switches/a-thousand-in-one-session-lose-nothing", test_thousand);
  return g_test_run ();
}
