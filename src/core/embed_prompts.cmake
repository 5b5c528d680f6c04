# Writes a C++ file that holds the bytes of some prompt files:
#   cmake -DOUTPUT=<file.cpp> -P embed_prompts.cmake -- <prompt.md>...
#
# Files are read as hexadecimal, because CMake's own strings would change brackets, semicolons, backslashes and NUL
# bytes. The bytes become character arrays: string literals have length limits.

set(definitions "")
set(rows "")
set(count 0)
set(in_names FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(argument "${CMAKE_ARGV${i}}")
  if(NOT in_names)
    if(argument STREQUAL "--")
      set(in_names TRUE)
    endif()
    continue()
  endif()

  get_filename_component(name "${argument}" NAME)
  string(REGEX REPLACE "\\.md$" "" name "${name}")
  if(NOT name MATCHES "^[A-Za-z0-9_.-]+$")
    message(FATAL_ERROR "prompt name \"${name}\": only letters, digits, '_', '-' and '.' are allowed")
  endif()

  file(READ "${argument}" hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND definitions "constexpr char text_${count}[] = {\n    ${bytes}'\\0'};\n")
  string(APPEND rows "    {\"${name}\", {text_${count}, ${length}}},\n")
  math(EXPR count "${count} + 1")
endforeach()

if(count EQUAL 0)
  set(rows "    {{}, {}},\n") # an array cannot be empty
endif()

file(WRITE "${OUTPUT}" "// Generated from prompts/*.md by embed_prompts.cmake.
// NOLINTBEGIN
#include \"core/embedded_prompts.hpp\"

namespace tgd::detail {
namespace {
${definitions}}  // namespace

constinit const EmbeddedPrompt embedded_prompts[] = {
${rows}};
constinit const std::size_t embedded_prompt_count = ${count};

}  // namespace tgd::detail
// NOLINTEND
")
