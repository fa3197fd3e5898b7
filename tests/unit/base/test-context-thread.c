/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Threads with a context of their own: whose it is, and how they end. */

#include "config.h"

#include "base/als-context-thread.h"

static gpointer
run (gpointer user_data)
{
  g_main_loop_run (user_data);
  return g_main_context_get_thread_default ();
}

static void
test_owned_until_the_end (void)
{
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (GMainContext) context = g_main_context_new ();
      g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
      GThread *thread = als_context_thread_new ("test", context, run, loop);

      g_assert_false (g_main_context_acquire (context));
      als_main_loop_quit (loop);
      g_assert_true (g_thread_join (thread) == context);
      g_assert_true (g_main_context_acquire (context));
      g_main_context_release (context);
    }
}

static void
test_quit_before_the_loop_runs (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  als_main_loop_quit (loop);
  g_main_loop_run (loop);
}

static gpointer
run_and_free (gpointer user_data)
{
  g_main_loop_run (user_data);
  g_main_loop_unref (user_data);
  return NULL;
}

/* The thread's end frees the context, perhaps before who ended it has let go. */
static void
test_ended_with_its_context (void)
{
  for (guint i = 0; i < 2000; i++)
    {
      GMainContext *context = g_main_context_new ();
      GMainLoop *loop = g_main_loop_new (context, FALSE);
      GThread *thread;

      g_main_context_unref (context);
      thread = als_context_thread_new ("test", context, run_and_free, loop);
      als_main_loop_quit (loop);
      g_thread_join (thread);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/context-thread/owns-its-context-until-the-end", test_owned_until_the_end);
  g_test_add_func ("/base/context-thread/a-loop-that-has-not-begun-ends-too", test_quit_before_the_loop_runs);
  g_test_add_func ("/base/context-thread/takes-its-context-along", test_ended_with_its_context);
  return g_test_run ();
}
