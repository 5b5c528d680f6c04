// CritiqueNode: the backward half of every operation whose inputs a language model criticises. The operation says how each
// input took part in its samples; this class picks the samples that have feedback, groups them into requests within the size
// budget, and makes one gradient per input of the replies. Private to the library.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>
#include <tgd/sample_outcome.hpp>

#include "core/storage.hpp"

namespace tgd::detail {

/// How a Variable takes part in an operation on items: in all of them, in each with its own item, or (an element of a list) in
/// one only.
enum class Spread { shared, itemwise, single };

struct Use {
  Spread part = Spread::shared;
  std::size_t item = 0;  // for Spread::single
  std::string role;
  std::shared_ptr<Storage> data;
};

/// Throws ValueError for options that cannot be meant.
void expect_usable(const FeedbackOptions& options);

/// What a critic said.
std::string critique_text(const lm::Reply& reply);
/// Why reply number i is no critique; nothing when it is.
std::optional<Problem> problem_with_critique(const autograd::Feedback& feedback, std::span<const lm::Reply> replies,
                                             std::size_t i);

/// Throws what is wrong with a critic that was asked and got nothing through: that is no fault of the samples, unless a filter
/// stands in the way of each.
void expect_critiques(bool any, std::span<const Problem> lost);

class CritiqueNode : public autograd::Node {
 public:
  autograd::Asked ask(const autograd::Feedback& feedback) const override;
  autograd::Answer answer(autograd::NodeState* state, const autograd::Feedback& feedback,
                          std::span<const lm::Reply> replies) const override;
  bool takes_problems() const override { return true; }

 protected:
  CritiqueNode(std::span<const Variable> inputs, FeedbackOptions options) : Node(inputs), options_(std::move(options)) {}

  const Prompts& prompts() const noexcept { return options_.prompts; }

  /// How the input of an edge took part.
  virtual const Use& use(std::size_t edge) const = 0;
  virtual std::size_t sample_count() const = 0;
  virtual bool is_batch() const = 0;
  /// What is wrong with what came out; null where nothing is.
  virtual ProblemPtr problem(std::size_t sample) const = 0;
  /// How the sample came about, with a placeholder where the input was used; and what came out.
  virtual std::string transcript(std::size_t sample, std::size_t edge) const = 0;
  virtual std::string outcome(std::size_t sample) const = 0;
  /// The name of the system prompt.
  virtual std::string_view system_prompt() const = 0;
  /// What a sample has for itself in a call of a model; nothing where there was none.
  virtual std::optional<std::string> own_text(std::size_t) const { return std::nullopt; }
  /// How many calls of models lie in the operation.
  virtual std::size_t calls() const { return 1; }

  /// Whether the input of an edge is a leaf that all samples share.
  bool is_prompt(std::size_t edge) const;

 private:
  using Text = std::shared_ptr<const std::string>;  // of a sample: shared by requests and the gradient's contexts

  /// Samples that share a request.
  struct Group {
    std::vector<std::size_t> samples = {};
    std::vector<Text> texts = {};
    std::size_t size = 0;  // of the texts together
  };
  struct Fitted {
    std::string text;
    std::size_t left_out = 0;  // bytes
  };
  /// A request for a critique.
  struct CriticCall {
    std::size_t edge;
    Group group;
    std::uint64_t attempt = 0;
  };
  /// What was said to a group.
  struct Critique {
    Group group;
    std::string text;
  };
  /// The texts of an edge that one request condenses; a single one stays as it is.
  struct Batch {
    std::size_t edge;
    std::vector<std::string> texts;
  };
  struct Plan;
  using Outcomes = std::vector<std::shared_ptr<const SampleOutcomes>>;

  bool is_direct(const autograd::Feedback& feedback, std::size_t edge) const;
  std::vector<std::string> said_to(const autograd::Feedback& feedback, const std::vector<Group>& groups) const;
  Outcomes outcomes(const autograd::Feedback& feedback) const;
  std::optional<std::size_t> cause(std::size_t sample) const;
  bool cannot_be_shown(std::size_t sample, std::size_t edge) const;
  std::vector<std::string> passed_on(const autograd::Feedback& feedback, std::size_t edge) const;
  std::vector<std::size_t> criticised_samples(const autograd::Feedback& feedback, std::size_t edge) const;
  std::vector<Group> groups(const autograd::Feedback& feedback, std::size_t edge) const;
  std::size_t room_for_samples(const Use& use, const std::string& value) const;
  Fitted sample_text(const Variable& feedback, std::size_t sample, std::size_t edge, std::size_t room) const;
  std::vector<lm::Request> requests(const std::vector<CriticCall>& questions) const;
  lm::Request request(const CriticCall& question) const;
  void take_critiques(Plan& plan, const autograd::Feedback& feedback, std::span<const lm::Reply> replies) const;
  void ask_again(Plan& plan, CriticCall question, const Problem& problem) const;
  void take_summaries(Plan& plan, const autograd::Feedback& feedback, std::span<const lm::Reply> replies) const;
  std::vector<lm::Request> next_summaries(Plan& plan) const;
  autograd::Gradient gradient(const Plan& plan, const autograd::Feedback& feedback, std::size_t edge,
                              const Outcomes& known) const;
  std::vector<std::vector<std::string>> summary_batches(const std::vector<std::string>& texts) const;
  lm::Request summary_request(std::size_t edge, const std::vector<std::string>& texts) const;

  FeedbackOptions options_;
};

}  // namespace tgd::detail
