/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Network namespaces of a test's own, in a user namespace of its own. A thread
 * lives in the namespace it was made in, so one process holds several
 * machines. They end with the process. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ALS_TEST_MAX_NAMESPACES 4

/* Makes N and enters the first; loopback is up in each. Before any thread is there: a user namespace is
 * for processes of one. Where that is refused, als_test_namespaces_skip () says so. */
void     als_test_namespaces_open  (guint n);
gboolean als_test_namespaces_are_refused (void);
/* TRUE where there are none, or PROGRAM (nullable) is missing: the present test is skipped with the reason. */
gboolean als_test_namespaces_skip  (const char *program);
/* The calling thread; threads and programs that it starts live there. */
void     als_test_namespace_enter  (guint index);
/* Runs a command there, which must succeed. */
void     als_test_run              (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* veth pair: NAME_A in namespace A, NAME_B in B, both up; MTU 1500. */
void     als_test_namespaces_join  (guint a, const char *name_a, guint b, const char *name_b);

G_END_DECLS
