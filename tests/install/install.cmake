# cmake -DBUILD=<build folder> -DPREFIX=<folder> -P install.cmake
# Installs into an empty folder: a header that is no longer installed must not be found there.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
