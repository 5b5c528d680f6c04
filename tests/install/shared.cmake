# cmake -DBUILD=<build folder> -DPREFIX=<folder> -DLIBDIR=<lib> -DVERSION=<x.y.z> -DNM=<nm> -DREADELF=<readelf>
#       -P shared.cmake
# BUILD holds tgd as a shared library. Installs it into PREFIX and looks at what it exports. The program is no user of it: it reaches
# into the library, and holds the same objects itself.

macro(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endmacro()

file(REMOVE_RECURSE "${PREFIX}")
run("${CMAKE_COMMAND}" "${BUILD}" -DTGD_INSTALL=ON)
run("${CMAKE_COMMAND}" --build "${BUILD}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}")

string(REGEX REPLACE "\\.[0-9]+$" "" soname "libtgd.so.${VERSION}")
set(library "${PREFIX}/${LIBDIR}/${soname}")
run("${READELF}" -d "${library}")
if(NOT output MATCHES "SONAME[^\n]*\\[${soname}\\]")
  message(SEND_ERROR "The SONAME of ${library} is not ${soname}:\n${output}")
endif()

# Everything that is exported is tgd's. Instantiations of other libraries' templates have the visibility which those want, and
# nobody can hide them: they are weak (W, V) or unique (u), and allowed.
# Mangled names: a guard, a table, type information or a thunk of what follows; what qualifies it; where it is from.
set(kind "(G[VR]|T[CIStTV]|T[hv][n0-9_]+)?")
set(tgds "^_Z${kind}[ZNKRO]*3tgd")
set(others "^_Z${kind}[ZNKROPF]*(S[abdiost]|9__gnu_cxx|3fmt|8nlohmann)")

# read_symbols(<variable> <option...>): lines of type and name, in the order of the file.
macro(read_symbols variable)
  run("${NM}" -D -p --defined-only ${ARGN} "${library}")
  string(REGEX REPLACE "[][;]" "," output "${output}") # lists cannot hold these
  string(REPLACE "\n" ";" ${variable} "${output}")
  list(TRANSFORM ${variable} REPLACE "^[0-9a-f]+ " "")
endmacro()
read_symbols(symbols)
read_symbols(readable --demangle)

set(ours 0)
foreach(symbol name IN ZIP_LISTS symbols readable)
  string(REGEX REPLACE "^[A-Za-z] " "" mangled "${symbol}")
  if(mangled MATCHES "${tgds}")
    math(EXPR ours "${ours} + 1")
  elseif(NOT (symbol MATCHES "^[WVu] " AND mangled MATCHES "${others}"))
    message(SEND_ERROR "${soname} exports ${name}")
  endif()
endforeach()
if(ours LESS 100)
  message(SEND_ERROR "${soname} exports only ${ours} symbols of tgd")
endif()

# Of the internals only what public headers call themselves, in templates and inline functions, is exported.
file(GLOB_RECURSE headers "${PREFIX}/include/*.hpp")
set(public "")
foreach(header IN LISTS headers)
  file(READ "${header}" text)
  string(APPEND public "${text}")
endforeach()
set(internals 0)
foreach(name IN LISTS readable)
  if(name MATCHES "^[A-Za-z] ([a-z ]+ )?tgd::([a-z]+::)*detail::([A-Za-z_0-9]+)")
    math(EXPR internals "${internals} + 1")
    if(NOT public MATCHES "[^A-Za-z_0-9]${CMAKE_MATCH_3}[^A-Za-z_0-9]")
      message(SEND_ERROR "${soname} exports an internal that no public header calls: ${name}")
    endif()
  endif()
endforeach()
message(STATUS "${soname}: ${ours} symbols of tgd, ${internals} of them called by public headers only")
