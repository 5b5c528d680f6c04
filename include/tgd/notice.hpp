// Notice: what an operation wants known that is no error: an item that failed, a text that was cut to fit.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace tgd {

/// What an operation wants known that is no error: an item that failed, a text that was cut to fit.
/// Thread-safety: a value type. Callbacks that take one may be called from any thread.
struct Notice {
  enum class Kind {
    failed_item,      ///< an item failed by its own fault and goes on as a problem, as OnError::keep asks for
    trimmed_context,  ///< a conversation did not fit a request and was cut
    repeated_call,    ///< an unreadable reply was asked for again
    storage,          ///< a cache, cassette or ledger cannot be read or written, and the run goes on without it
    unknown_usage,    ///< an endpoint reported token figures that cannot be, and they count as unknown
    unknown_end,      ///< an endpoint ends replies with a word that nobody knows
    end_marks,      ///< an endpoint leaves marks that end a turn, such as <|im_end|>, at the end of replies; they are taken off
    folded_system,  ///< a model takes no system messages, and their text goes into the first message of the user
    wrong_encoding,  ///< an endpoint's answers are not in the encoding that their headers name, and are read as they come
    repaired_text,   ///< a text was not valid UTF-8 and was made so, in a request or a reply
    // Seen under an AnomalyGuard:
    empty_feedback,
    echoed_feedback,
    oversized_feedback,
    unparsable_feedback
  };
  Kind kind;
  std::string operation;  ///< the node or function, such as "chat_completion"
  std::string role;       ///< of the Variable concerned; may be empty
  std::optional<std::size_t> item;
  std::string text;        ///< one sentence
  std::string place = {};  ///< "<file>:<line>" of the operation, where an AnomalyGuard has recorded it
};

using OnNotice = std::function<void(const Notice&)>;

}  // namespace tgd
