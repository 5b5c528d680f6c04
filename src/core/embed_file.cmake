# Writes a C++ file that holds the bytes of one file as a std::string_view:
#   cmake -DINPUT=<file> -DOUTPUT=<file.cpp> -DHEADER=<header> -DNAMESPACE=<namespace> -DNAME=<name> -P embed_file.cmake

file(READ "${INPUT}" hex HEX)
string(LENGTH "${hex}" length)
math(EXPR length "${length} / 2")
string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")

get_filename_component(source "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Generated from ${source} by embed_file.cmake.
// NOLINTBEGIN
#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {
constexpr char bytes[] = {
    ${bytes}'\\0'};
}  // namespace

constinit const std::string_view ${NAME}(bytes, ${length});

}  // namespace ${NAMESPACE}
// NOLINTEND
")
