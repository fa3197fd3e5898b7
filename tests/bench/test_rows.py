# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs read from ./dev bench --json, without measuring anything."""
import contextlib
import io
import json
import sys
import unittest
from unittest import mock

import bench
import figures

ROWS = [figures.make_row("control-rtt-a", 10.0, "ms", "kernel TCP", 20, ("≤", 50.4)),
        figures.make_row("control-rtt-b", None, "ms", "kernel TCP", 0, ("≤", 50.4))]


def run(*arguments, complete=True):
    """Exit code, standard output."""
    out = io.StringIO()
    with mock.patch.object(sys, "argv", ["bench.py", *arguments]), contextlib.redirect_stdout(out), \
            contextlib.redirect_stderr(io.StringIO()), \
            mock.patch.object(bench, "measure", lambda name: (ROWS if name == "control-rtt" else [], complete)):
        try:
            bench.main()
        except SystemExit as end:
            return end.code, out.getvalue()
    return None


class Rows(unittest.TestCase):
    def test_a_row_has_its_eight_members_in_order(self):
        self.assertEqual(list(ROWS[0]), ["row", "value", "unit", "peer", "peer_value", "ratio", "mark", "met"])
        self.assertEqual(ROWS[0], {"row": "control-rtt-a", "value": 10.0, "unit": "ms", "peer": "kernel TCP",
                                   "peer_value": 20, "ratio": 0.5, "mark": "≤ 50.4", "met": True})

    def test_a_mark_is_met_on_its_side(self):
        self.assertTrue(figures.make_row("r", 250, "", "", 1, ("≥", 250))["met"])
        self.assertFalse(figures.make_row("r", 249, "", "", 1, ("≥", 250))["met"])
        self.assertFalse(figures.make_row("r", 251, "", "", 1, ("≤", 250))["met"])
        self.assertIsNone(figures.make_row("r", 251, "", "", 1)["met"])

    def test_what_was_not_measured_is_not_met_and_has_no_ratio(self):
        self.assertEqual((ROWS[1]["value"], ROWS[1]["ratio"], ROWS[1]["met"]), (None, None, False))

    def test_json_is_an_array_and_nothing_else(self):
        code, out = run("--json")
        self.assertEqual((code, json.loads(out)), (0, ROWS))

    def test_a_missed_mark_is_no_failure_but_a_missing_figure_is(self):
        self.assertEqual(run()[0], 0)
        self.assertEqual(run(complete=False)[0], 1)

    def test_a_name_chooses_rows(self):
        self.assertEqual(json.loads(run("control-rtt-a", "--json")[1]), ROWS[:1])
        self.assertEqual(json.loads(run("control-rtt", "--json")[1]), ROWS)
        self.assertEqual(bench.chosen("memory-direct-udp-sender"), ["file-direct-udp"])
        self.assertEqual(bench.chosen("scroll-cpu"), ["screen"])
        self.assertEqual(bench.chosen("control-rtt-signal-relay"), ["control-rtt"])

    def test_an_unknown_name_is_wrong_usage(self):
        self.assertEqual(run("nonsense")[0], 2)


unittest.main()
