// What a cache, a cassette or a ledger does when its file cannot be read or written: disk full, read-only, damaged.
#pragma once

namespace tgd::lm {

/// What a cache, a cassette or a ledger does when its file cannot be read or written: disk full, read-only, damaged.
enum class OnFault {
  stop,  ///< the constructor throws; later on calls end with an error: nothing goes on unstored and unnoticed
  go_on  ///< a Notice of kind storage, and the run goes on without the file
};

}  // namespace tgd::lm
