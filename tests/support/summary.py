# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes a test run with one line, from meson's logs: N passed, N failed, N skipped."""
import json
import sys

passed = failed = skipped = 0
reasons = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as log:
        tests = [json.loads(line) for line in log]
    for test in tests:
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            output = (test.get("stdout") or "") + (test.get("stderr") or "")
            why = [text for text in output.splitlines() if "skip" in text.lower()]
            reasons.append(f"{test['name']}: {why[-1].strip() if why else 'no reason given'}")
        else:
            failed += 1
for reason in reasons:
    print("skipped", reason)
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
