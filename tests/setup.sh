# shellcheck shell=bash
# Sourced by tests/run.sh and examples/run.sh: finds out what the build lacks and installs it.
#
#   setup build     what the library and the program need
#   setup tests     the same, and what the tests need
#
# On Debian and its relatives apt-get does it, as root or through sudo, and only when something is missing. Elsewhere the
# missing things are listed and the script ends with status 2.

# <Debian package> <how to find out whether it is there> <what>
setup_build_needs='
g++                   command c++
cmake                 command cmake
ninja-build           command ninja
libcurl4-openssl-dev  header  curl/curl.h
libsqlite3-dev        header  sqlite3.h
libssl-dev            header  openssl/evp.h
libre2-dev            header  re2/re2.h
libutf8proc-dev       header  utf8proc.h
nlohmann-json3-dev    header  nlohmann/json.hpp
libfmt-dev            header  fmt/core.h
libcli11-dev          header  CLI/CLI.hpp
libcpp-httplib-dev    header  httplib.h
ca-certificates       certificates
'
setup_tests_needs='
ccache                command ccache
lld                   command ld.lld
catch2                header  catch2/catch.hpp catch2/catch_all.hpp
librapidcheck-dev     header  rapidcheck.h
libvalijson-dev       header  valijson/validator.hpp
pkg-config            command pkg-config
dpkg-dev              command dpkg-shlibdeps
file                  command file
clang                 command clang++
libclang-rt-dev       fuzzer
llvm                  command llvm-symbolizer
'

# Asks the system and not dpkg: a library that was built by hand, or another package that provides it, is as good.
setup_has() {
  local kind=$1 what
  shift
  case $kind in
    command) command -v "$1" >/dev/null ;;
    certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] || ! command -v apt-get >/dev/null ;; # elsewhere: other places
    header)
      for what in "$@"; do
        printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$what" | c++ -E -x c++ - >/dev/null 2>&1 && return
      done
      return 1
      ;;
    fuzzer)
      printf 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n' |
        clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2>/dev/null
      ;;
  esac
}

setup() {
  local needs=$setup_build_needs package kind what missing=() as_root=()
  if [ "$1" = tests ]; then needs+=$setup_tests_needs; fi
  while read -r package kind what; do
    # shellcheck disable=SC2086  # $what is a list of words
    if [ -n "$package" ] && ! setup_has "$kind" $what; then missing+=("$package"); fi
  done <<<"$needs"
  if [ ${#missing[@]} -eq 0 ]; then return; fi

  if ! command -v apt-get >/dev/null; then
    echo "Missing, and there is no apt-get to install it. Please install what these Debian packages hold:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 2
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing, and installing needs root. Please run as root: apt-get install ${missing[*]}" >&2
      exit 2
    fi
    as_root=(sudo)
  fi
  echo "== Installing with apt-get: ${missing[*]}"
  # A machine that has just started may still be installing something else: the lock is waited for.
  local wait=(-o DPkg::Lock::Timeout=600)
  "${as_root[@]}" apt-get -qq "${wait[@]}" update >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "${wait[@]}" install -y --no-install-recommends "${missing[@]}" \
    >/dev/null
}
