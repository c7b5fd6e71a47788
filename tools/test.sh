# shellcheck shell=bash
# Sourced by ./dev: the command `test`.

cmd_test() {
  local preset=dev only='' status=0
  while (($#)); do
    case $1 in
      --only) only=${2:?--only needs a pattern}; shift ;;
      --only=*) only=${1#*=} ;;
      --asan) preset=asan ;;
      --tsan) preset=tsan ;;
      *) usage "test: unknown option $1" ;;
    esac
    shift
  done
  need build test bench
  rm -rf build/test-results
  mkdir -p build/test-results
  TEST_PARTS=()
  if [[ $preset != dev ]]; then
    sanitized_tests "$preset" "$only"
  else
    all_tests "$only"
  fi
  "$PYTHON" tools/summary.py "${TEST_PARTS[@]}" || status=$?
  return "$status"
}

# run_part NAME COMMAND...: remembers how it ended. The command leaves its cases in build/test-results/NAME.xml.
run_part() {
  local name=$1 status=0
  shift
  say "$name"
  "$@" || status=$?
  TEST_PARTS+=("$name:$status")
}

build_for_tests() {
  local preset=$1
  run_part "build-$preset" configure_and_build "$preset" all -- -DSPILLWAY_TESTS=ON -DSPILLWAY_BENCH=ON
  [[ ${TEST_PARTS[-1]} == *:0 ]]
}

run_ctest() {
  local preset=$1 only=$2
  ctest --test-dir "build/$preset" -j2 --output-on-failure --no-tests=ignore --timeout 900 \
    --output-junit "$PWD/build/test-results/ctest.xml" ${only:+-R "$only"} --progress
}

run_pytest() {
  local only=$1 status=0 directories=()
  for directory in tests/e2e tests/crash tests/browser bench/benchlib; do
    [[ -d $directory ]] && directories+=("$directory")
  done
  # The clock is no assertion here: it only keeps a hang from holding up a machine for ever.
  timeout --foreground --signal=INT --kill-after=30 1500 "$PYTHON" -m pytest -q -ra "${directories[@]}" \
    --junitxml=build/test-results/pytest.xml ${only:+-k "${only//|/ or }"} || status=$?
  # 5: nothing was collected. With a pattern that is no fault of this part.
  if ((status == 5)) && [[ -n $only ]]; then status=0; fi
  return "$status"
}

all_tests() {
  local only=$1
  start_k6
  build_for_tests dev || return 0
  run_part build-release build_release_for_bench
  [[ ${TEST_PARTS[-1]} == *:0 ]] || return 0
  if ! await_k6 && [[ ${CI:-} == true ]]; then
    warn "CI=true: a missing k6 is a failure"
    TEST_PARTS+=(k6:1)
  fi
  run_part ctest run_ctest dev "$only"
  export SPILLWAY_BIN=$PWD/build/release/spillway
  run_part pytest run_pytest "$only"
  if [[ -z $only ]]; then
    run_part bench-smoke-intake "$PYTHON" bench/intake.py --quick
    run_part bench-smoke-waitroom "$PYTHON" bench/waitroom.py --quick
    run_part bench-smoke-load "$PYTHON" bench/load.py --quick
  fi
}

sanitized_tests() {
  local preset=$1 only=$2
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  build_for_tests "$preset" || return 0
  run_part ctest run_ctest "$preset" "$only"
}
