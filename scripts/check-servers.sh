#!/usr/bin/env bash
# The tests with real servers, which wait most of the time, and beside them those of whole machines. Fails when one of them fails, after both.
set -uo pipefail

(bash test/vps/machine.sh build && npx vitest run --project vps) &
npx vitest run --project real
real=$?
wait $! && exit $real
