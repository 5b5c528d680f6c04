# cmake -DBUILD=<build folder> -DFOLDER=<scratch> -DSOURCE=<consumer> -DVERSION=<x.y.z> -DPROGRAM=<ON|OFF>
#       -DBUILD_TYPE=<type> -DCOMPILER=<c++> -DGENERATOR=<name> -P deb.cmake
# Makes the Debian packages, looks at their fields, unpacks them into a scratch root (installing would need root's rights),
# runs the program there and builds a consumer against what is there.
foreach(tool IN ITEMS dpkg-deb dpkg-shlibdeps file)
  find_program(found_${tool} ${tool})
  if(NOT found_${tool})
    message(STATUS "SKIPPED: ${tool} is not installed (Debian: apt-get install dpkg-dev file)")
    return()
  endif()
endforeach()

macro(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endmacro()

# expect(<package file> <field> <regular expression>)
function(expect file field regex)
  run(dpkg-deb --field "${file}" ${field})
  if(NOT output MATCHES "${regex}")
    message(SEND_ERROR "${file}: ${field} is \"${output}\", which does not match ${regex}")
  endif()
endfunction()

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
get_filename_component(cmake_folder "${CMAKE_COMMAND}" DIRECTORY)
run("${cmake_folder}/cpack" -G DEB --config "${BUILD}/CPackConfig.cmake" -B "${FOLDER}"
    -D CPACK_DEBIAN_COMPRESSION_TYPE=none) # nobody keeps these

file(GLOB packages "${FOLDER}/*.deb")
set(wanted libtgd-dev)
if(PROGRAM)
  list(APPEND wanted tgd)
endif()
foreach(package IN LISTS wanted)
  set(file ${packages})
  list(FILTER file INCLUDE REGEX "/${package}_${VERSION}-1_[a-z0-9]+\\.deb$")
  list(LENGTH file count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "No package ${package} among ${packages}")
  endif()
  expect("${file}" Package "^${package}$")
  expect("${file}" Version "^${VERSION}-1$")
  expect("${file}" Maintainer "^tgd contributors <tgd@example\\.org>$")
  expect("${file}" Description "gradient descent")
  run(dpkg-deb -x "${file}" "${FOLDER}/root")
  if(NOT EXISTS "${FOLDER}/root/usr/share/doc/${package}/copyright")
    message(SEND_ERROR "${file} does not bring its license")
  endif()
  if(package STREQUAL "tgd")
    expect("${file}" Section "^text$")
    expect("${file}" Depends "libcurl.*libsqlite3")
    foreach(file_of_program IN ITEMS
        man/man1/tgd.1.gz man/man1/tgd-optimize.1.gz bash-completion/completions/tgd zsh/vendor-completions/_tgd
        fish/vendor_completions.d/tgd.fish tgd/task.schema.json tgd/prompts/tgd_system.md doc/tgd/README.md doc/tgd/changelog.gz
        doc/tgd/examples/tickets/task.json doc/tgd/examples/guide/getting-started.md)
      if(NOT EXISTS "${FOLDER}/root/usr/share/${file_of_program}")
        message(SEND_ERROR "${file} has no usr/share/${file_of_program}")
      endif()
    endforeach()
    run("${FOLDER}/root/usr/bin/tgd" --version)
    if(NOT output MATCHES "${VERSION}")
      message(SEND_ERROR "The program of ${file} says that it is \"${output}\"")
    endif()
  else()
    expect("${file}" Section "^libdevel$")
    expect("${file}" Depends "libfmt-dev.*nlohmann-json3-dev")
  endif()

  # Where it is installed. Folders for several architectures are those of a prefix of /usr, which this build may not have.
  # An unoptimized static library keeps it busy for minutes and is in no package that anybody gets.
  find_program(lintian lintian)
  if(lintian AND (package STREQUAL "tgd" OR NOT BUILD_TYPE STREQUAL "Debug"))
    execute_process(COMMAND "${lintian}" --allow-root
        --suppress-tags pkg-config-unavailable-for-cross-compilation,uses-no-compression-for-data-tarball "${file}"
      OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
    if(output MATCHES "[EW]: ")
      message(SEND_ERROR "lintian says of ${file}:\n${output}${errors}")
    endif()
  endif()
endforeach()

run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${FOLDER}/consumer" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_PREFIX_PATH=${FOLDER}/root/usr")
run("${CMAKE_COMMAND}" --build "${FOLDER}/consumer")
run("${FOLDER}/consumer/consumer")
