include("${CMAKE_CURRENT_LIST_DIR}/tgd_find_plain_library.cmake")
tgd_find_plain_library(utf8proc utf8proc.h utf8proc)
