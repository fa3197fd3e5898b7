/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Capture of a real X server: an Xvfb of our own on a free display. */

#include "config.h"

#include "screen-pair.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xcb/randr.h>
#include <xcb/xcb.h>

#define WIDTH 640
#define HEIGHT 480

typedef struct
{
  GPid pid;
  char *display;
  xcb_connection_t *connection;
  xcb_screen_t *screen;
} Server;

static void
die_with_parent_cb (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* FALSE: skipped. */
static gboolean
server_start (Server *self)
{
  g_autofree char *program = g_find_program_in_path ("Xvfb");
  g_autofree char *fd_text = NULL;
  g_autofree char *screen = g_strdup_printf ("%dx%dx24", WIDTH, HEIGHT);
  g_autoptr (GError) error = NULL;
  char number[16] = { 0 };
  size_t len = 0;
  int fds[2];

  memset (self, 0, sizeof *self);
  if (program == NULL)
    {
      g_test_skip ("Xvfb is not installed");
      return FALSE;
    }
  g_assert_cmpint (pipe (fds), ==, 0);
  fcntl (fds[0], F_SETFD, FD_CLOEXEC);
  fd_text = g_strdup_printf ("%d", fds[1]);
  {
    char *argv[] = { program, "-displayfd", fd_text, "-screen", "0", screen, "-nolisten", "tcp",
                     "-noreset", NULL };

    g_spawn_async (NULL, argv, NULL,
                   G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN
                       | G_SPAWN_STDERR_TO_DEV_NULL,
                   die_with_parent_cb, NULL, &self->pid, &error);
  }
  g_assert_no_error (error);
  close (fds[1]);
  /* The server writes its number once it can be used. */
  while (len < sizeof number - 1 && read (fds[0], number + len, 1) == 1 && number[len] != '\n')
    len++;
  close (fds[0]);
  g_assert_cmpuint (len, >, 0);
  number[len] = '\0';
  self->display = g_strdup_printf (":%s", number);
  self->connection = xcb_connect (self->display, NULL);
  g_assert_cmpint (xcb_connection_has_error (self->connection), ==, 0);
  self->screen = xcb_setup_roots_iterator (xcb_get_setup (self->connection)).data;
  return TRUE;
}

static void
server_kill (Server *self)
{
  if (self->pid == 0)
    return;
  kill (self->pid, SIGKILL);
  waitpid (self->pid, NULL, 0);
  self->pid = 0;
}

static void
server_stop (Server *self)
{
  xcb_disconnect (self->connection);
  server_kill (self);
  g_free (self->display);
}

static void
server_paint (Server *self, int x, int y, guint width, guint height, uint32_t colour)
{
  xcb_gcontext_t gc = xcb_generate_id (self->connection);
  const xcb_rectangle_t area = { (int16_t) x, (int16_t) y, (uint16_t) width, (uint16_t) height };
  const uint32_t values[] = { colour, XCB_SUBWINDOW_MODE_INCLUDE_INFERIORS };

  xcb_create_gc (self->connection, gc, self->screen->root,
                 XCB_GC_FOREGROUND | XCB_GC_SUBWINDOW_MODE, values);
  xcb_poly_fill_rectangle (self->connection, self->screen->root, gc, 1, &area);
  xcb_free_gc (self->connection, gc);
  xcb_flush (self->connection);
}

static void
server_move_pointer (Server *self, int x, int y)
{
  xcb_warp_pointer (self->connection, XCB_NONE, self->screen->root, 0, 0, 0, 0, (int16_t) x,
                    (int16_t) y);
  xcb_flush (self->connection);
}

/* By RandR, as a user's display settings do; Xvfb must switch off its output for it. */
static void
server_resize (Server *self, guint width, guint height)
{
  xcb_randr_get_screen_resources_reply_t *resources = xcb_randr_get_screen_resources_reply (
      self->connection, xcb_randr_get_screen_resources (self->connection, self->screen->root),
      NULL);
  xcb_generic_error_t *error;

  g_assert_nonnull (resources);
  for (int i = 0; i < resources->num_crtcs; i++)
    free (xcb_randr_set_crtc_config_reply (
        self->connection,
        xcb_randr_set_crtc_config (self->connection,
                                   xcb_randr_get_screen_resources_crtcs (resources)[i],
                                   XCB_CURRENT_TIME, XCB_CURRENT_TIME, 0, 0, XCB_NONE,
                                   XCB_RANDR_ROTATION_ROTATE_0, 0, NULL),
        NULL));
  free (resources);
  error = xcb_request_check (self->connection,
                             xcb_randr_set_screen_size_checked (self->connection,
                                                                self->screen->root,
                                                                (uint16_t) width,
                                                                (uint16_t) height, 100, 100));
  g_assert_null (error);
}

static AlsScreenSource *
capture (Server *server)
{
  g_autoptr (GError) error = NULL;
  AlsScreenSource *source = als_screen_source_new (ALS_SCREEN_X11, server->display, &error);

  g_assert_no_error (error);
  return source;
}

static void
test_colour (void)
{
  Server server;
  Pair pair;

  if (!server_start (&server))
    return;
  server_paint (&server, 0, 0, WIDTH, HEIGHT, 0x2060c0);
  pair_init (&pair, capture (&server), NULL);
  pair_wait (&pair, pair_sees (&pair, 100, 100, 0x2060c0) && pair_sees (&pair, 900, 900, 0x2060c0));
  server_paint (&server, WIDTH / 2, 0, WIDTH / 2, HEIGHT, 0xe0a000);
  pair_wait (&pair, pair_sees (&pair, 100, 100, 0x2060c0) && pair_sees (&pair, 900, 900, 0xe0a000));
  pair_clear (&pair);
  server_stop (&server);
}

static int64_t
cpu_us (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC + usage.ru_utime.tv_usec
         + usage.ru_stime.tv_usec;
}

static void
test_still (void)
{
  Server server;
  Pair pair;
  guint n_datagrams, n_captured;
  int64_t used_us;

  if (!server_start (&server))
    return;
  server_move_pointer (&server, 10, 10);
  pair_init (&pair, capture (&server), NULL);
  /* Until the picture is sharp. */
  pair_wait (&pair, pair.frame != NULL && pair.net->n_marks >= 1 && pair.stats.n_encoded >= 6);
  pair_let_pass (&pair, 200);
  n_datagrams = pair.net->n_datagrams;
  n_captured = pair.stats.n_captured;
  used_us = cpu_us ();
  pair_let_pass (&pair, 1000);
  used_us = cpu_us () - used_us;
  g_assert_cmpuint (pair.net->n_datagrams, ==, n_datagrams);
  g_assert_cmpuint (pair.stats.n_captured, ==, n_captured);
  g_test_message ("a still screen for a second: %" G_GINT64_FORMAT " us of CPU time", used_us);
  pair_clear (&pair);
  server_stop (&server);
}

/* The pointer moves without damage and is seen all the same. */
static void
test_pointer (void)
{
  Server server;
  Pair pair;
  guint n_captured;

  if (!server_start (&server))
    return;
  server_move_pointer (&server, 10, 10);
  pair_init (&pair, capture (&server), NULL);
  pair_wait (&pair, pair.frame != NULL && pair.net->n_marks >= 1);
  pair_let_pass (&pair, 500);
  n_captured = pair.stats.n_captured;
  server_move_pointer (&server, 300, 200);
  pair_wait (&pair, pair.stats.n_captured > n_captured);
  /* Beyond the edges too. */
  server_move_pointer (&server, WIDTH - 1, HEIGHT - 1);
  n_captured = pair.stats.n_captured;
  pair_wait (&pair, pair.stats.n_captured > n_captured);
  pair_clear (&pair);
  server_stop (&server);
}

static void
test_resize (void)
{
  Server server;
  Pair pair;

  if (!server_start (&server))
    return;
  server_paint (&server, 0, 0, WIDTH, HEIGHT, 0x2060c0);
  pair_init (&pair, capture (&server), NULL);
  pair_wait (&pair, pair_sees (&pair, 100, 100, 0x2060c0));
  server_resize (&server, 320, 240);
  server_paint (&server, 0, 0, 320, 240, 0x20c060);
  pair_wait (&pair, pair_sees (&pair, 900, 900, 0x20c060));
  g_assert_cmpuint (pair.frame->width, ==, 320);
  g_assert_cmpuint (pair.frame->height, ==, 240);
  pair_clear (&pair);
  server_stop (&server);
}

static void
test_stop (void)
{
  Server server;
  Pair pair;
  guint n_datagrams;

  if (!server_start (&server))
    return;
  pair_init (&pair, capture (&server), NULL);
  pair_wait (&pair, pair.frame != NULL);
  als_screen_sender_stop (pair.sender);
  n_datagrams = pair.net->n_datagrams;
  server_paint (&server, 0, 0, WIDTH, HEIGHT, 0xff0000);
  pair_let_pass (&pair, 200);
  g_assert_cmpuint (pair.net->n_datagrams, ==, n_datagrams);
  g_assert_false (pair_sees (&pair, 100, 100, 0xff0000));
  pair_clear (&pair);
  server_stop (&server);
}

static void
failed_cb (AlsScreenSender *sender, const GError *error, gpointer user_data)
{
  g_assert_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE);
  ++*(guint *) user_data;
}

static void
test_lost_server (void)
{
  Server server;
  Pair pair;
  guint n_failures = 0;

  if (!server_start (&server))
    return;
  pair_init (&pair, capture (&server), NULL);
  g_signal_connect (pair.sender, "failed", G_CALLBACK (failed_cb), &n_failures);
  pair_wait (&pair, pair.frame != NULL);
  server_kill (&server);
  pair_wait (&pair, n_failures == 1);
  pair_clear (&pair);
  server_stop (&server);
}

/* A server that does not answer does not hold up the end. */
static void
test_frozen_server (void)
{
  Server server;
  Pair pair;
  int64_t before_us;

  if (!server_start (&server))
    return;
  pair_init (&pair, capture (&server), NULL);
  pair_wait (&pair, pair.frame != NULL);
  kill (server.pid, SIGSTOP);
  /* Long enough for the capture thread to ask for the pointer. */
  pair_let_pass (&pair, 100);
  before_us = g_get_monotonic_time ();
  als_screen_sender_stop (pair.sender);
  g_assert_cmpint (g_get_monotonic_time () - before_us, <, G_USEC_PER_SEC);
  pair_clear (&pair);
  kill (server.pid, SIGCONT);
  server_stop (&server);
}

static void
test_no_display (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (als_screen_source_new (ALS_SCREEN_X11, ":63999", &error));
  g_assert_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DISPLAY);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/x11/painted-colour-is-seen-by-the-viewer", test_colour);
  g_test_add_func ("/media/x11/still-screen-is-not-captured", test_still);
  g_test_add_func ("/media/x11/pointer-is-seen-to-move", test_pointer);
  g_test_add_func ("/media/x11/size-of-the-root-may-change", test_resize);
  g_test_add_func ("/media/x11/nothing-is-sent-after-stop", test_stop);
  g_test_add_func ("/media/x11/lost-server-is-an-error-not-the-end", test_lost_server);
  g_test_add_func ("/media/x11/frozen-server-does-not-hold-up-stop", test_frozen_server);
  g_test_add_func ("/media/x11/missing-display-is-an-error", test_no_display);
  return g_test_run ();
}
