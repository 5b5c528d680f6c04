#!/usr/bin/env bash
# Installs what is missing, builds tgd and runs its tests.
#
#   tests/run.sh         everything, in three parts. plain: GCC compiles each file by itself, warnings are errors, and runs what
#                        no sanitizer has a say in (packages, examples, outcomes). asan: all other tests and a second of
#                        each fuzz target, under AddressSanitizer and UndefinedBehaviorSanitizer, with clang. tsan: the
#                        concurrent ones under ThreadSanitizer
#   tests/run.sh quick   all tests but the slow ones, without a sanitizer
#
# Tests that need data from outside the repository look for it in $TGD_TEST_DATA and are skipped without it.
set -eEuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/setup.sh

case ${1:-all} in
  all | quick) ;;
  *)
    echo "usage: tests/run.sh [quick]" >&2
    exit 2
    ;;
esac

export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

stage=""
summary=()
trap 'echo "tests/run.sh: FAILED in stage $stage" >&2' ERR

begin() {
  stage=$1
  started=$SECONDS
  echo "== $stage"
}

end() {
  summary+=("$(printf '%-8s %-40s %4d s' "$stage" "$1" $((SECONDS - started)))")
}

# Sanitizers of older compilers cannot start on kernels that randomize addresses by many bits.
fixed_addresses=()
if setarch -R true 2>/dev/null; then fixed_addresses=(setarch -R); fi

# run_preset <to configure> <to build> <command that tests...>
run_preset() {
  cmake --preset "$1"
  cmake --build --preset "$2"
  shift 2
  "$@"
}

begin setup
setup tests
end "tools and libraries are there"

if [ "${1:-all}" = quick ]; then
  begin quick
  run_preset quick quick ctest --preset quick
  end "all tests but the slow ones"
else
  begin plain
  run_preset plain plain ctest --preset plain
  end "each file by itself, packages, outcomes"

  begin asan
  run_preset asan asan "${fixed_addresses[@]}" ctest --preset asan
  end "all tests and fuzz targets, sanitized"

  begin tsan
  run_preset tsan tsan "${fixed_addresses[@]}" ctest --preset tsan
  end "concurrent tests, data races"
fi

echo "== All passed"
printf '%s\n' "${summary[@]}"
