"""Counts the test targets of a `bazel test` from its build events.

    count_results.py EVENTS_FILE BAZEL_EXIT_CODE

Prints "N passed, N failed" and exits with 0 only if everything passed. A target that failed to
build counts as failed, and so does a build that ended before it knew its targets.
"""
import json
import sys


def count(lines):
    """The labels that passed and those that failed."""
    passed, failed = set(), set()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # The last line of a build that was killed.
        if "testSummary" in event:
            label = event["id"]["testSummary"]["label"]
            good = event["testSummary"]["overallStatus"] in ("PASSED", "FLAKY")
            (passed if good else failed).add(label)
        elif "targetCompleted" in event.get("id", {}):
            # Events leave out what is false.
            if "aborted" in event or not event.get("completed", {}).get("success"):
                failed.add(event["id"]["targetCompleted"]["label"])
    return passed - failed, failed


def main(events_path, bazel_exit_code):
    with open(events_path, encoding="utf-8") as events:
        passed, failed = count(events)
    for label in sorted(failed):
        print("FAILED", label)
    failures = len(failed)
    if bazel_exit_code != 0 and failures == 0:
        failures = 1
    print(f"{len(passed)} passed, {failures} failed")
    return bazel_exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
