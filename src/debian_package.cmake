# Run by CPack before it packs: what Debian asks of packages and CPack does not do itself.
#
#   CPACK_TGD_STRIP, CPACK_TGD_CHANGELOG, CPACK_TGD_CONTACT   the tool, the changelog in the Keep a Changelog form, who made it

# Debug information is most of a debug build's static libraries.
file(GLOB_RECURSE archives "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.a")
foreach(archive IN LISTS archives)
  execute_process(COMMAND "${CPACK_TGD_STRIP}" --strip-debug "${archive}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# Every package has a changelog of its own, of this form and name, that says which versions there were; what changed says the project's.
file(STRINGS "${CPACK_TGD_CHANGELOG}" releases REGEX "^## .[0-9.]+. - [0-9-]+$")
set(versions "")
foreach(release IN LISTS releases)
  string(REGEX MATCH "([0-9.]+). - ([0-9-]+)$" release "${release}")
  list(APPEND versions ${CMAKE_MATCH_1})
  execute_process(COMMAND date -u -R -d "${CMAKE_MATCH_2}" OUTPUT_VARIABLE date_${CMAKE_MATCH_1} OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
list(GET versions 0 newest)
if(NOT newest STREQUAL CPACK_PACKAGE_VERSION)
  message(FATAL_ERROR "${CPACK_TGD_CHANGELOG}: the newest version is ${newest}, and the package's is ${CPACK_PACKAGE_VERSION}")
endif()
file(GLOB folders "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr/share/doc/*")
foreach(folder IN LISTS folders)
  if(NOT EXISTS "${folder}/copyright")
    continue()
  endif()
  get_filename_component(package "${folder}" NAME)
  set(changelog "")
  foreach(version IN LISTS versions)
    string(APPEND changelog
      "${package} (${version}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
      "  * New release; its changes are in the changelog of the project.\n\n"
      " -- ${CPACK_TGD_CONTACT}  ${date_${version}}\n\n")
  endforeach()
  file(WRITE "${folder}/changelog.Debian" "${changelog}")
endforeach()

file(GLOB_RECURSE texts
  "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr/share/man/*.1"
  "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr/share/doc/*/changelog"
  "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr/share/doc/*/changelog.Debian")
foreach(text IN LISTS texts)
  execute_process(COMMAND gzip -9nf "${text}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
