/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the picture costs and how late it is: an Xvfb of our own at 1920x1080, on
 * which a child scrolls text at 30 frames a second or does nothing; the sharer
 * and the viewer both in this process, joined by a fake session. Drawing the
 * frames in a window is not part of it.
 *
 * bench-media [ENCODER]. A line for each figure; a missed mark is said, never a failure. */

#include "config.h"

#include "../unit/media/screen-pair.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xcb/xcb.h>

#define WIDTH 1920
#define HEIGHT 1080
#define FPS 30
#define LINE 18
#define MEASURE_US (8 * G_USEC_PER_SEC)
/* The number of the drawn frame, as black and white cells in the corner. */
#define CELLS 12
#define CELL 24

/* When each number was drawn; shared with the child. */
static int64_t *drawn_us;
static guint32 *n_drawn;

/* --- the child ---------------------------------------------------------- */

static void
fill (xcb_connection_t *connection, xcb_window_t root, xcb_gcontext_t gc, uint32_t colour, int x,
      int y, guint width, guint height)
{
  const xcb_rectangle_t area = { (int16_t) x, (int16_t) y, (uint16_t) width, (uint16_t) height };

  xcb_change_gc (connection, gc, XCB_GC_FOREGROUND, &colour);
  xcb_poly_fill_rectangle (connection, root, gc, 1, &area);
}

static void
draw_line (xcb_connection_t *connection, xcb_window_t root, xcb_gcontext_t gc, int y, guint number)
{
  static const char words[] = "the quick brown fox jumps over a lazy dog while {return x[i] + 42;} ";
  const uint32_t black = 0x101010, white = 0xffffff;
  char text[250];

  fill (connection, root, gc, white, 0, y, WIDTH, LINE);
  for (guint i = 0; i < sizeof text; i++)
    text[i] = words[(i * (1 + number % 7) + number * 13) % (sizeof words - 1)];
  xcb_change_gc (connection, gc, XCB_GC_FOREGROUND | XCB_GC_BACKGROUND,
                 (const uint32_t[]){ black, white });
  xcb_image_text_8 (connection, sizeof text, root, gc, 4, (int16_t) (y + 13), text);
}

static void
draw_number (xcb_connection_t *connection, xcb_window_t root, xcb_gcontext_t gc, guint number)
{
  for (guint i = 0; i < CELLS; i++)
    fill (connection, root, gc, number >> i & 1 ? 0xffffff : 0, (int) (i * CELL), 0, CELL, CELL);
}

static void
draw_forever (const char *display)
{
  xcb_connection_t *connection = xcb_connect (display, NULL);
  xcb_window_t root = xcb_setup_roots_iterator (xcb_get_setup (connection)).data->root;
  xcb_gcontext_t gc = xcb_generate_id (connection);
  xcb_font_t font = xcb_generate_id (connection);
  int64_t next_us = g_get_monotonic_time ();

  xcb_open_font (connection, font, 5, "fixed");
  xcb_create_gc (connection, gc, root, XCB_GC_FONT | XCB_GC_GRAPHICS_EXPOSURES,
                 (const uint32_t[]){ font, 0 });
  for (int y = 0; y < HEIGHT; y += LINE)
    draw_line (connection, root, gc, y, (guint) y);
  for (guint number = 1;; number++)
    {
      int64_t now_us;

      xcb_copy_area (connection, root, root, gc, 0, LINE, 0, 0, WIDTH, HEIGHT - LINE);
      draw_line (connection, root, gc, HEIGHT - LINE, number);
      draw_number (connection, root, gc, number);
      free (xcb_get_input_focus_reply (connection, xcb_get_input_focus (connection), NULL));
      drawn_us[number % (1 << CELLS)] = g_get_monotonic_time ();
      __atomic_store_n (n_drawn, number, __ATOMIC_RELEASE);
      next_us += G_USEC_PER_SEC / FPS;
      now_us = g_get_monotonic_time ();
      if (next_us > now_us)
        g_usleep ((gulong) (next_us - now_us));
    }
}

/* --- measuring ---------------------------------------------------------- */

static void
die_with_parent_cb (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static GPid
start_server (char **display)
{
  g_autofree char *fd_text = NULL;
  g_autofree char *screen = g_strdup_printf ("%dx%dx24", WIDTH, HEIGHT);
  g_autoptr (GError) error = NULL;
  char number[16] = { 0 };
  size_t len = 0;
  GPid pid;
  int fds[2];

  if (pipe (fds) != 0)
    g_error ("no pipe");
  fcntl (fds[0], F_SETFD, FD_CLOEXEC);
  fd_text = g_strdup_printf ("%d", fds[1]);
  {
    char *argv[] = { "Xvfb", "-displayfd", fd_text, "-screen", "0", screen, "-nolisten", "tcp",
                     "-noreset", NULL };

    if (!g_spawn_async (NULL, argv, NULL,
                        G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN
                            | G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
                        die_with_parent_cb, NULL, &pid, &error))
      g_error ("Xvfb: %s", error->message);
  }
  close (fds[1]);
  while (len < sizeof number - 1 && read (fds[0], number + len, 1) == 1 && number[len] != '\n')
    len++;
  close (fds[0]);
  number[len] = '\0';
  *display = g_strdup_printf (":%s", number);
  return pid;
}

static int64_t
cpu_us (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC + usage.ru_utime.tv_usec
         + usage.ru_stime.tv_usec;
}

static guint
read_number (const AlsScreenFrame *frame)
{
  const uint8_t *pixels = g_bytes_get_data (frame->pixels, NULL);
  guint number = 0;

  for (guint i = 0; i < CELLS; i++)
    if (pixels[frame->stride * (CELL / 2) + (i * CELL + CELL / 2) * 4 + 1] > 127)
      number |= 1u << i;
  return number;
}

typedef struct
{
  AlsScreenReceiver *receiver;
  GArray *late_ms;         /* double */
  guint last;
  guint n_shown;           /* different numbers */
} Meter;

static void
frame_cb (AlsScreenReceiver *receiver, gpointer user_data)
{
  Meter *meter = user_data;
  g_autoptr (AlsScreenFrame) frame = als_screen_receiver_take_frame (receiver);
  guint number;
  double late_ms;

  if (frame == NULL || (number = read_number (frame)) == meter->last)
    return;
  meter->last = number;
  meter->n_shown++;
  late_ms = (double) (g_get_monotonic_time () - drawn_us[number]) / 1000;
  g_array_append_val (meter->late_ms, late_ms);
}

static int
compare (gconstpointer one, gconstpointer other)
{
  double difference = *(const double *) one - *(const double *) other;

  return difference < 0 ? -1 : difference > 0;
}

static void
row (const char *name, double value, const char *unit, const char *mark, gboolean met)
{
  g_print ("%-28s %10.1f %-7s %s%s\n", name, value, unit, mark, *mark == '\0' || met ? "" : "  MISSED");
}

static void
run (Pair *pair, int64_t time_us)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GSource) end = g_timeout_source_new ((guint) (time_us / 1000));

  g_source_set_callback (end, G_SOURCE_FUNC (g_main_loop_quit), loop, NULL);
  g_source_attach (end, NULL);
  g_main_loop_run (loop);
  pair_update (pair);
}

int
main (int argc, char **argv)
{
  g_autofree char *display = NULL;
  g_autoptr (GError) error = NULL;
  GPid server = start_server (&display), child;
  Meter meter = { 0 };
  Pair pair;
  int64_t used_us;
  AlsScreenSenderStats before;
  double fps, cpu;

  drawn_us = mmap (NULL, (sizeof (int64_t) << CELLS) + 64, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (drawn_us == MAP_FAILED)
    g_error ("no memory");
  n_drawn = (guint32 *) (drawn_us + (1 << CELLS));
  child = fork ();
  if (child == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      draw_forever (display);
    }

  pair_init (&pair, als_screen_source_new (ALS_SCREEN_X11, display, &error), argc > 1 ? argv[1] : NULL);
  pair_wait (&pair, pair.frame != NULL);
  meter.late_ms = g_array_new (FALSE, FALSE, sizeof (double));
  als_screen_receiver_set_notify (pair.receiver, NULL, frame_cb, &meter, NULL);
  run (&pair, 2 * G_USEC_PER_SEC);
  meter.n_shown = 0;
  g_array_set_size (meter.late_ms, 0);
  before = pair.stats;
  used_us = cpu_us ();
  run (&pair, MEASURE_US);
  used_us = cpu_us () - used_us;
  fps = meter.n_shown / (MEASURE_US / 1e6);
  cpu = 100.0 * used_us / MEASURE_US;
  g_array_sort (meter.late_ms, compare);
  g_print ("%s, %dx%d scrolling text at %d fps\n", als_screen_sender_get_encoder (pair.sender), WIDTH,
           HEIGHT, FPS);
  row ("shown", fps, "fps", "at least 27", fps >= 27);
  row ("capture, encode, decode", cpu, "% CPU", "at most 80", cpu <= 80);
  if (meter.late_ms->len > 0)
    {
      double p50 = g_array_index (meter.late_ms, double, meter.late_ms->len / 2);

      row ("drawn to frame, p50", p50, "ms", "at most 40", p50 <= 40);
      row ("drawn to frame, p95",
           g_array_index (meter.late_ms, double, meter.late_ms->len * 95 / 100), "ms", "", TRUE);
    }
  row ("packets", (pair.stats.n_packets - before.n_packets) * 1e6 / MEASURE_US, "/s", "", TRUE);
  row ("packets repeated", pair.stats.n_repeated - before.n_repeated, "", "none",
       pair.stats.n_repeated == before.n_repeated);
  row ("captured", (pair.stats.n_captured - before.n_captured) * 1e6 / MEASURE_US, "/s", "", TRUE);
  row ("encoded", (pair.stats.n_encoded - before.n_encoded) * 1e6 / MEASURE_US, "/s", "", TRUE);
  row ("key frames", pair.stats.n_keys - before.n_keys, "", "none",
       pair.stats.n_keys == before.n_keys);
  row ("rate aimed at", pair.stats.bitrate_kbps, "kbit/s", "", TRUE);

  kill (child, SIGKILL);
  waitpid (child, NULL, 0);
  run (&pair, 2 * G_USEC_PER_SEC);
  before = pair.stats;
  used_us = cpu_us ();
  run (&pair, MEASURE_US);
  used_us = cpu_us () - used_us;
  cpu = 100.0 * used_us / MEASURE_US;
  row ("still screen", cpu, "% CPU", "at most 3", cpu <= 3);
  row ("still screen, packets", pair.stats.n_packets - before.n_packets, "", "none",
       pair.stats.n_packets == before.n_packets);
  pair_clear (&pair);
  g_array_unref (meter.late_ms);
  kill (server, SIGKILL);
  waitpid (server, NULL, 0);
  return 0;
}
