// Recorded: records what a model is asked and answers, and replays it for ever, with no key and no network.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tgd/lm/decorator.hpp>
#include <tgd/lm/on_fault.hpp>
#include <tgd/notice.hpp>

namespace tgd::lm {

enum class CassetteMode { record, replay, automatic, append };

/// Where a cassette is and what it is used for.
struct CassetteOptions {
  std::filesystem::path path = {};
  CassetteMode mode = CassetteMode::automatic;
  std::vector<std::string> secrets = {};  ///< texts of less than 8 characters count where they mix letters and digits
  OnFault on_fault = OnFault::stop;
  OnNotice on_notice = {};
};

/// The file, shared by any number of models.
class TGD_API Cassette {
 public:
  explicit Cassette(CassetteOptions options);
  Cassette(const Cassette&) = delete;
  Cassette& operator=(const Cassette&) = delete;
  /// Saves. What goes wrong is reported to on_notice.
  ~Cassette();

  /// Puts what was recorded in order. Throws ValueError when the file cannot be written.
  void save();

  /// Replies that were there in the beginning, and those that were replayed and recorded since.
  std::size_t size() const;
  std::size_t replayed() const;
  std::size_t recorded() const;
  CassetteMode mode() const noexcept;
  /// The model whose exchanges are on the cassette; empty when there are several.
  std::string only_model() const;

 private:
  friend class Recorded;
  struct Core;

  std::shared_ptr<Core> core_;
};

/// Records what a model is asked and answers, and replays it for ever, with no key and no network.
///
///     auto cassette = std::make_shared<lm::Cassette>(lm::CassetteOptions{.path = "tests/step.cassette"});
///     auto model = std::make_shared<lm::Recorded>(openai, cassette);
///     auto model = std::make_shared<lm::Recorded>(cassette);       // replay needs no model
///
/// Modes: `record` asks for everything anew and replaces the file when the cassette ends; `replay` asks for nothing;
/// `automatic` replays what is there, and asks for and adds the rest; `append` asks for everything anew and adds it to what is
/// there, for a run in several sessions, which can then be replayed in one piece.
/// Key: the model's name, messages, completion arguments (in any order; within one, order counts) and sample number. Who asks,
/// where the model is reached and the default arguments of the model do not count. Equal requests get their replies in the order
/// in which they were recorded. In
/// replay a request that is not there (or was not asked as often) fails with LMError::Kind::script, which shows how it differs
/// from the nearest one that is. What endpoints failed with is recorded and replayed too; automatic mode asks for it again, and
/// append mode replaces it where a request ended with it. Replies are replayed with their usage, so that a replayed run reports
/// the tokens and the cost of the recorded one.
///
/// File: JSON objects, one an exchange, indented, texts as lists of lines, ordered by request: made to be read, to be kept
/// under version control and to be compared line by line. While it is recorded, exchanges are added at the end as replies come
/// in (for `record` in a file beside it that ends in ".recording"), so that a run which is killed loses none; ending the
/// cassette, or save(), puts them in order, whole or not at all.
/// Secrets: headers are never written. The values of `secrets`, of OPENAI_API_KEY and the call's own (Call::secrets()) are
/// replaced by "***" wherever they stand in a request or a reply.
/// Errors: see OnFault, for what cannot be written: with `stop` a call that cannot be recorded ends with a StateError. A
/// cassette that cannot be read is always an error: ParseError with file and line, ValueError. A reply is in the file before
/// its caller gets it. Replies that arrive together are written together, by a thread of the cassette; callbacks of calls that
/// were recorded run on it.
/// Thread-safety: every member of Cassette and Recorded may be called from any thread.
class TGD_API Recorded : public CallDecorator {
 public:
  /// Throws ValueError without a model or a cassette.
  Recorded(ChatModelPtr model, std::shared_ptr<Cassette> cassette);
  /// For replay only. `model_name`: as it was recorded; by default the cassette's only one.
  explicit Recorded(std::shared_ptr<Cassette> cassette, const std::string& model_name = "");

  void start_call(Call call, OnText on_text, Done done) override;
  /// Whether the next reply to this call is on the cassette, and sent nothing when it was recorded, because a cache gave it.
  bool is_free(const Call& call) const;
  /// Of the model below, and of what was replayed.
  Usage usage() const override;

  const std::shared_ptr<Cassette>& cassette() const noexcept { return cassette_; }

 private:
  class AllSecrets;

  std::shared_ptr<Cassette> cassette_;
  std::shared_ptr<AllSecrets> secrets_;
  std::shared_ptr<UsageMeter> replayed_;
};

}  // namespace tgd::lm
