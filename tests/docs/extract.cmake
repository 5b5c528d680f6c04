# tgd_extract_code_blocks(<Markdown file> <folder> <prelude> <variable>)
#
# Makes C++ sources of the ```cpp blocks of a Markdown file, and puts their names into <variable>. The compiler's messages
# name the line of the Markdown file.
#   - A block with a main() is a program: <folder>/program_<line>.cpp.
#   - All other blocks are in <folder>/snippets.cpp behind the prelude, a function of namespace readme for each section (##).
#     In a section a block sees what the earlier ones declared, as a reader does, and may declare the same name anew.
#   - "…" stands for code that is left out: {}.
#   - Blocks of other kinds are none of our business.

# CMake's lists cannot hold these characters of C++: they travel as control characters.
string(ASCII 1 tgd_semicolon)
string(ASCII 2 tgd_backslash)
string(ASCII 3 tgd_open)
string(ASCII 4 tgd_close)

function(tgd_read_lines file variable)
  file(READ "${file}" text)
  string(REPLACE "\\" "${tgd_backslash}" text "${text}")
  string(REPLACE ";" "${tgd_semicolon}" text "${text}")
  string(REPLACE "[" "${tgd_open}" text "${text}")
  string(REPLACE "]" "${tgd_close}" text "${text}")
  string(REPLACE "\n" ";" text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

function(tgd_write_code file text)
  string(REPLACE "…" "{}" text "${text}")
  string(REPLACE "${tgd_close}" "]" text "${text}")
  string(REPLACE "${tgd_open}" "[" text "${text}")
  string(REPLACE "${tgd_semicolon}" ";" text "${text}")
  string(REPLACE "${tgd_backslash}" "\\" text "${text}")
  file(CONFIGURE OUTPUT "${file}" CONTENT "@text@" @ONLY) # leaves a file alone that would stay the same
endfunction()

function(tgd_extract_code_blocks markdown folder prelude variable)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${markdown}")
  tgd_read_lines("${markdown}" lines)
  set(snippets "#include \"${prelude}\"\nnamespace readme {\n")
  set(sources "${folder}/snippets.cpp")
  set(open "")     # the braces to close at the end of the section
  set(fence "")    # the kind of block that we are in
  set(number 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(fence)
      if(NOT line MATCHES "^ *```")
        string(APPEND block "${line}\n")
        continue()
      endif()
      set(marker "#line ${first} \"${markdown}\"\n")
      if(fence STREQUAL "cpp" AND block MATCHES "(^|\n)int main\\(")
        tgd_write_code("${folder}/program_${first}.cpp" "${marker}${block}")
        list(APPEND sources "${folder}/program_${first}.cpp")
      elseif(fence STREQUAL "cpp")
        if(NOT open)
          string(APPEND snippets "void section_${first}()\n")
        endif()
        string(APPEND snippets "{\n${marker}${block}")
        string(APPEND open "}\n")
      endif()
      set(fence "")
    elseif(line MATCHES "^ *```([^` ]*)")
      set(fence "${CMAKE_MATCH_1}")
      if(NOT fence)
        set(fence text)
      endif()
      set(block "")
      math(EXPR first "${number} + 1")
      if(fence MATCHES "^(C|CPP|[Cc]\\+\\+|cc|cxx|hpp|h)$")
        message(FATAL_ERROR "${markdown}:${number}: a code block of the kind \"${fence}\" would not be compiled: make it cpp.")
      endif()
    elseif(line MATCHES "^## ")
      string(APPEND snippets "${open}")
      set(open "")
    endif()
  endforeach()
  if(fence)
    math(EXPR first "${first} - 1")
    message(FATAL_ERROR "${markdown}:${first}: this code block has no end.")
  endif()
  tgd_write_code("${folder}/snippets.cpp" "${snippets}${open}}\n")
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()
