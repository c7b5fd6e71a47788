# shellcheck shell=bash
# Sourced by ./dev: the commands that look for trouble: lint, fuzz, soak.

cmd_lint() {
  local changed='' fix='' files=() units=() status=0
  while (($#)); do
    case $1 in
      --changed) changed=1 ;;
      --fix) fix=1 ;;
      *) usage "lint: unknown option $1" ;;
    esac
    shift
  done
  need build lint
  mapfile -t files < <(sources "$changed")
  if ((${#files[@]})); then
    say "clang-format: ${#files[@]} files"
    if [[ $fix ]]; then
      clang-format-14 -i "${files[@]}"
    else
      clang-format-14 --dry-run -Werror "${files[@]}" || status=1
    fi
  fi
  mapfile -t units < <(printf '%s\n' ${files[@]+"${files[@]}"} | grep -E '\.cc$' | grep -v '^tests/fuzz/replay' || true)
  if ((${#units[@]})); then
    say "clang-tidy: ${#units[@]} files"
    cmake --preset dev -DSPILLWAY_TESTS=ON -DSPILLWAY_BENCH=ON >build/configure.log 2>&1 ||
      { cat build/configure.log >&2; return 1; }
    mapfile -t units < <(in_database build/dev "${units[@]}")
    printf '%s\0' "${units[@]}" | xargs -0 -P "$(jobs)" -n 1 clang-tidy-14 -p build/dev --quiet 2>build/clang-tidy.log ||
      { grep -Ev 'warnings? generated|^Suppressed|^Use -header-filter' build/clang-tidy.log >&2 || true; status=1; }
  fi
  say "house rules"
  "$PYTHON" tests/tidy/tidy.py . || status=1
  if command -v shellcheck >/dev/null; then
    say "shellcheck"
    shellcheck -x dev .ci/run tools/*.sh deploy/*.sh tests/fresh/*.sh || status=1
  fi
  ((status == 0)) && echo "lint: nothing to say"
  return "$status"
}

# The C++ files, or only those that differ from the last commit.
sources() {
  if [[ $1 ]]; then
    git ls-files --modified --others --exclude-standard -- src tests bench
  else
    find src tests bench -type f 2>/dev/null
  fi | grep -E '\.(h|cc)$' | while read -r file; do [[ -f $file ]] && echo "$file"; done | sort
}

# Of the files, those that the build of this directory compiles: clang-tidy knows the flags of no others.
in_database() {
  "$PYTHON" - "$@" <<'PY'
import json, os, sys
known = {os.path.realpath(os.path.join(unit["directory"], unit["file"]))
         for unit in json.load(open(sys.argv[1] + "/compile_commands.json"))}
for path in sys.argv[2:]:
    if os.path.realpath(path) in known:
        print(path)
PY
}

cmd_fuzz() {
  local seconds=60 target name corpus failed=()
  if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi
  need build test fuzz
  configure_and_build fuzz fuzz_targets -- -DSPILLWAY_TESTS=ON
  mkdir -p build/fuzz-artifacts
  for target in build/fuzz/tests/fuzz/*_fuzz; do
    [[ -x $target ]] || die "no fuzz targets were built"
    name=$(basename "$target")
    if (($#)) && [[ " $* " != *" $name "* ]]; then continue; fi
    say "$name for $seconds s"
    corpus=tests/fuzz/corpus/${name%_fuzz}
    mkdir -p "build/fuzz-corpus/$name"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
      -artifact_prefix="build/fuzz-artifacts/$name-" "build/fuzz-corpus/$name" "$corpus" || failed+=("$name")
  done
  ((${#failed[@]} == 0)) || die "found something: ${failed[*]}; the inputs are in build/fuzz-artifacts/"
  echo "fuzz: nothing found"
}

cmd_soak() {
  local kills=200 failing_kills=50 rounds=200 seeds=5 steps=1000000 people=300000
  if [[ ${1:-} == --quick ]]; then
    kills=10 failing_kills=6 rounds=10 seeds=1 steps=100000 people=30000
  elif (($#)); then
    usage "soak: unknown option $1"
  fi
  need build test
  configure_and_build dev all -- -DSPILLWAY_TESTS=ON -DSPILLWAY_BENCH=ON
  build_release_for_bench
  export SPILLWAY_BIN=$PWD/build/release/spillway
  say "$kills kills under load"
  "$PYTHON" tests/crash/kill_loop.py --kills "$kills"
  say "$failing_kills kills with failing work and redrives"
  "$PYTHON" tests/crash/kill_loop.py --kills "$failing_kills" --failing
  say "$kills kills of the waiting room"
  "$PYTHON" tests/crash/waitroom_kill_loop.py --kills "$kills"
  say "$people people in one line"
  "$PYTHON" tests/crash/waitroom_crowd.py --people "$people" --cap $((people / 60)) --absent $((people / 300))
  say "$rounds rounds of exactly N"
  "$PYTHON" tests/crash/exactly_n.py --rounds "$rounds"
  say "simulation: $seeds seeds of $steps steps"
  local seed
  for ((seed = 0; seed < seeds; seed++)); do
    build/dev/tests/sim/intake_sim --steps "$steps" --seed "$((EPOCHSECONDS + seed))"
    build/dev/tests/sim/waitroom_sim --steps "$steps" --seed "$((EPOCHSECONDS + seed))"
  done
  say "the journal's damage, power and error tests"
  ctest --test-dir build/dev -R '^journal\.' --output-on-failure --timeout 3600
  echo "soak: all well"
}
