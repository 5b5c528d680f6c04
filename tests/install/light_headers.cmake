# cmake -DCOMPILER=<c++> -DINCLUDES=<folders, separated by |> -DSOURCE=<file> -P light_headers.cmake
# Preprocesses SOURCE, which includes every public header, and looks at the names of the files that came with it: a user of
# tgd must not pay for, or need, the headers of what the library is made with. The forward declarations of nlohmann/json are
# light and are part of the interface.
string(REPLACE "|" ";-I" includes "-I${INCLUDES}")
execute_process(COMMAND "${COMPILER}" -std=c++20 ${includes} -DTGD_STATIC_DEFINE -E "${SOURCE}"
  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)

# Only line markers are kept, and so none of the characters that CMake's lists cannot hold.
string(REGEX MATCHALL "\n# [0-9]+ \"[^\"\n]+\"" markers "${text}")
list(TRANSFORM markers REPLACE "\n# [0-9]+ \"([^\"]+)\"" "\\1")
list(REMOVE_DUPLICATES markers)

if(NOT markers MATCHES "tgd/trainer\\.hpp" OR NOT markers MATCHES "nlohmann/json_fwd\\.hpp")
  message(FATAL_ERROR "The line markers of ${SOURCE} do not name the headers that it includes: ${markers}")
endif()
set(heavy ${markers})
list(FILTER heavy INCLUDE REGEX "/(curl/[^/]+|sqlite3|sqlite3ext|CLI/[^/]+|nlohmann/.+)\\.h(pp)?$")
list(FILTER heavy EXCLUDE REGEX "/nlohmann/(json_fwd|detail/abi_macros)\\.hpp$")
if(heavy)
  message(FATAL_ERROR "<tgd/tgd.hpp> includes ${heavy}")
endif()
list(LENGTH markers files)
string(LENGTH "${text}" bytes)
math(EXPR kilobytes "${bytes} / 1024")
message(STATUS "<tgd/tgd.hpp>: ${files} files, ${kilobytes} KB after preprocessing")
