#!/usr/bin/env bash
# The main job from a fresh checkout: installs what is missing, builds the tgd program and optimizes the prompts of the
# example task. Arguments go to the program (--help lists them); paths are relative to the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/setup.sh

export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

step() {
  echo "== $*"
  "$@"
}

setup build
step cmake --preset release
step cmake --build --preset release --target tgd_cli
step build/release/tgd optimize examples/tickets/task.json "$@"
