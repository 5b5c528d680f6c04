// A loop over independent parts on several threads. Private to the library.
#pragma once

#include <cstddef>
#include <functional>

namespace tgd::detail {

/// Calls fn(begin, end) for parts that together are [0, count), on this thread and those of the executor that are free; returns when
/// all are done. Parts have at least `least` elements, so that few elements cost no more than a plain loop. When calls throw, one of
/// the exceptions is thrown here. `fn` is called by several threads at a time and must not wait for other tasks.
void parallel_for(std::size_t count, std::size_t least, const std::function<void(std::size_t, std::size_t)>& fn);

}  // namespace tgd::detail
