include("${CMAKE_CURRENT_LIST_DIR}/tgd_find_plain_library.cmake")
tgd_find_plain_library(re2 re2/re2.h re2)
