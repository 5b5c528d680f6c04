# tgd_find_plain_library(<package> <header> <library>): the target <package>::<package>. Newer versions of the package bring a CMake
# package of their own, older ones (Debian 12) only the library. To be called from its Find module.
macro(tgd_find_plain_library package header library)
  find_package(${package} CONFIG QUIET)
  if(NOT TARGET ${package}::${package})
    string(TOUPPER ${package} upper)
    find_path(${upper}_INCLUDE_DIR ${header})
    find_library(${upper}_LIBRARY ${library})
    mark_as_advanced(${upper}_INCLUDE_DIR ${upper}_LIBRARY)
    include(FindPackageHandleStandardArgs)
    find_package_handle_standard_args(${package} REQUIRED_VARS ${upper}_LIBRARY ${upper}_INCLUDE_DIR)
    if(${package}_FOUND)
      add_library(${package}::${package} UNKNOWN IMPORTED)
      set_target_properties(${package}::${package} PROPERTIES
        IMPORTED_LOCATION "${${upper}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${${upper}_INCLUDE_DIR}")
    endif()
  endif()
endmacro()
