// One request for new values and what follows from it: re-asks, until every value can be taken or the old ones stay.
// Private to the library.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/checks.hpp"
#include "optim/prompt/meta_prompt.hpp"
#include "optim/state.hpp"

namespace tgd::optim::detail {

/// A parameter in a step.
struct StepItem {
  const ParameterState* state;
  std::vector<Variable> gradients;
  const TGDOptions* options;  // the same object for all items of a group
};

/// The gradients that say something.
std::vector<Variable> feedback_of(const StepItem& item);

class Rewrite {
 public:
  /// A parameter of the request.
  struct Slot {
    const StepItem* item;
    Checks checks;
    ParameterUpdate update;
    bool is_open = true;                        // a usable value is still to come
    std::optional<WordDistance> distance = {};  // from the old value
    std::optional<WordRuns> conversations = {};
  };

  /// Other parameters of the step.
  struct Siblings {
    std::vector<Variable> nearest;  // the nearest first, at most TGDOptions::siblings
    std::size_t more = 0;           // beside those
  };

  /// What the first request can be made shorter to, the longest first.
  using Shorter = std::shared_ptr<const std::vector<std::vector<lm::Message>>>;

  /// One item, or those of a joint request; each has feedback, and outlives the object. Throws as meta_prompt and Checks do.
  Rewrite(const std::vector<const StepItem*>& items, Siblings siblings, PromptParts& parts, Aim aim, std::uint64_t sample);
  /// The same request for another candidate: nothing is written anew. Before the first one has heard anything.
  Rewrite(const Rewrite& first, std::uint64_t sample);

  lm::ChatModel& model() const { return *options_.model; }
  std::string roles() const;
  bool asking() const noexcept { return asking_; }
  lm::Request next_request();
  /// Does what accept() needs before the reply is there. May be left out.
  void prepare();
  void accept(const lm::Reply& reply);

  /// One for each item, in their order, when nothing is to be asked any more.
  std::vector<ParameterUpdate> updates() &&;

 private:
  std::optional<UnusableReply> read(std::size_t index, const lm::Reply& reply);
  std::optional<UnusableReply> copied_words(const Slot& slot, const std::string& value) const;
  std::vector<Complaint> complaints_about(const lm::Reply& reply);
  std::vector<Complaint> complaints_about_no_change();
  bool changes_nothing() const;
  void keep_old_values(const Complaint& last);
  void finish();

  const TGDOptions& options_;
  Siblings siblings_;
  Aim aim_;
  std::uint64_t sample_;
  std::vector<Slot> slots_;
  SentPrompt sent_;
  std::size_t first_size_;  // messages of the first request
  Shorter shorter_;
  lm::Request asked_ = {};  // last
  std::size_t requests_ = 0;
  bool asking_ = true;
  bool has_asked_for_change_ = false;
};

}  // namespace tgd::optim::detail
