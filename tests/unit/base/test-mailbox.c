/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/als-mailbox.h"

#define N_ITEMS 10000

typedef struct
{
  GMainLoop *loop;
  guint next;
  guint batches;
} Inbox;

static void
received_cb (GPtrArray *items, gpointer user_data)
{
  Inbox *inbox = user_data;

  inbox->batches++;
  for (guint i = 0; i < items->len; i++)
    g_assert_cmpuint (GPOINTER_TO_UINT (g_ptr_array_index (items, i)), ==, ++inbox->next);
  if (inbox->next == N_ITEMS)
    g_main_loop_quit (inbox->loop);
}

static gpointer
post_thread (gpointer data)
{
  for (guint i = 1; i <= N_ITEMS; i++)
    als_mailbox_post (data, GUINT_TO_POINTER (i));
  return NULL;
}

static void
test_order (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Inbox inbox = { loop, 0, 0 };
  g_autoptr (AlsMailbox) mailbox = als_mailbox_new (NULL, "test", received_cb, &inbox, NULL);
  GThread *thread = g_thread_new ("poster", post_thread, mailbox);

  g_main_loop_run (loop);
  g_thread_join (thread);
  als_mailbox_close (mailbox);
  g_assert_cmpuint (inbox.batches, <=, N_ITEMS);
}

static void
test_closed_frees (void)
{
  g_autoptr (AlsMailbox) mailbox = als_mailbox_new (NULL, "test", received_cb, NULL, g_free);

  als_mailbox_post (mailbox, g_malloc (1));
  als_mailbox_close (mailbox);
  als_mailbox_post (mailbox, g_malloc (1));
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/mailbox/keeps-order-across-threads", test_order);
  g_test_add_func ("/base/mailbox/frees-what-is-never-delivered", test_closed_frees);
  return g_test_run ();
}
