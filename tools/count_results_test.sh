#!/bin/sh
# What tools/test concludes from the events of a build.
set -eu

# expect "LAST LINE" EXIT_CODE BAZEL_EXIT_CODE EVENT...
expect() {
  line=$1 code=$2 bazel=$3
  shift 3
  printf '%s\n' "$@" >"$TEST_TMPDIR/events"
  actual_code=0
  output=$(/usr/bin/python3 tools/count_results.py "$TEST_TMPDIR/events" "$bazel") ||
    actual_code=$?
  if [ "$(echo "$output" | tail -n 1)" != "$line" ] || [ "$actual_code" -ne "$code" ]; then
    echo "expected '$line' and exit code $code, got $actual_code and: $output" >&2
    exit 1
  fi
}

pass_a='{"id":{"testSummary":{"label":"//a"}},"testSummary":{"overallStatus":"PASSED"}}'
flaky_b='{"id":{"testSummary":{"label":"//b"}},"testSummary":{"overallStatus":"FLAKY"}}'
fail_b='{"id":{"testSummary":{"label":"//b"}},"testSummary":{"overallStatus":"TIMEOUT"}}'
built_b='{"id":{"targetCompleted":{"label":"//b"}},"completed":{"success":true}}'
unbuilt_b='{"id":{"targetCompleted":{"label":"//b"}},"completed":{}}'
aborted_b='{"id":{"targetCompleted":{"label":"//b"}},"aborted":{"reason":"ANALYSIS_FAILURE"}}'

expect "2 passed, 0 failed" 0 0 "$pass_a" "$built_b" "$flaky_b"
expect "1 passed, 1 failed" 3 3 "$pass_a" "$built_b" "$fail_b"
expect "1 passed, 1 failed" 1 1 "$pass_a" "$unbuilt_b"
expect "1 passed, 1 failed" 1 1 "$pass_a" "$aborted_b"
# A test that failed is one failure, however often it is mentioned.
expect "0 passed, 1 failed" 1 1 "$unbuilt_b" "$fail_b"
# Bazel itself failed, or was killed in the middle of a line.
expect "0 passed, 1 failed" 37 37 ""
expect "1 passed, 1 failed" 8 8 "$pass_a" '{"id":{"testSum'
