#!/bin/sh
# Checks a Promela model over all interleavings, and that spin finds each fault that the model lists.
#
#   models_test.sh MODEL.pml FAULT...
set -eu
model=$(realpath "$1")
shift
cd "${TEST_TMPDIR:?}"

# Prints what pan says of the model with this definition; empty: of the model as it is.
check() {
  spin -a ${1:+"-D$1"} "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
  cc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -w -o pan pan.c
  ./pan -m100000 >pan.log 2>&1 || true
  grep -q 'max search depth too small\|out of memory\|memory limit' pan.log && { cat pan.log; exit 1; }
  sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log
}

failed=0
errors=$(check "")
grep 'states, stored' pan.log
if [ "$errors" != 0 ]; then
  cat pan.log
  echo "the model has an error"
  failed=1
fi
for fault; do
  errors=$(check "$fault")
  case $errors in
    1) echo "$fault: found" ;;
    *) echo "$fault: NOT found (errors: $errors)"; failed=1 ;;
  esac
done
exit $failed
