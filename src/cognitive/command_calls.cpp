#include "cognitive/command_calls.hpp"

#include <atomic>
#include <exception>
#include <set>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "autograd/graph.hpp"
#include "cognitive/command_answer.hpp"
#include "core/executor.hpp"
#include "core/problem.hpp"
#include "core/rethrow.hpp"
#include "lm/exactly_once.hpp"

namespace tgd::detail {

namespace {

/// The items of one operation, while they are under way.
class ItemsOfCommand {
 public:
  using Owed = std::shared_ptr<const Storage::Owed>;

  ItemsOfCommand(CommandCalls calls, std::shared_ptr<Storage> output, std::vector<std::shared_ptr<Storage>> needed)
      : calls_(std::move(calls)), output_(std::move(output)), needed_(std::move(needed)), unfinished_(output_->size()) {}

  const std::vector<std::shared_ptr<Storage>>& needed() const { return needed_; }
  const std::shared_ptr<Storage>& output() const { return output_; }

  static void start(const std::shared_ptr<ItemsOfCommand>& items, std::size_t item, const Owed& owed) {
    if (items->passes_problem(item)) return;
    // Kept here until start() is over: when it throws, that is the answer.
    const lm::ChatModel::Done done =
        lm::detail::exactly_once([items, item, owed](const lm::Outcome& outcome) { items->take(item, outcome); });
    try {
      const lm::ChatModelPtr command = items->calls_.command;  // the last item lets go of it
      command->start(items->request(item), done);
    } catch (...) {
      done(lm::Outcome(std::current_exception()));
    }
  }

 private:
  lm::Request request(std::size_t item) const {
    nlohmann::ordered_json question = nlohmann::ordered_json::object();
    for (const auto& [name, inputs] : calls_.groups) question[name] = items_json(inputs, item);
    return command_request(question, command_purpose, item);
  }

  /// Nothing is asked about an item of which an input has a problem: the problem is the output's.
  bool passes_problem(std::size_t item) {
    try {
      for (const auto& storage : needed_) {
        ProblemPtr problem = storage->problem(item);
        if (!problem) continue;
        settle(item, "", std::move(problem));
        return true;
      }
      return false;
    } catch (...) {
      fail(item, std::current_exception());
      return true;
    }
  }

  void take(std::size_t item, const lm::Outcome& outcome) noexcept {
    try {
      if (!outcome.ok()) {
        const auto fault = own_fault(outcome.error());
        if (!fault) std::rethrow_exception(outcome.error());
        return take_problem(item, to_string(*fault));
      }
      const nlohmann::ordered_json answer = command_answer(outcome.value());
      if (const auto problem = answer.find("problem"); problem != answer.end() && !problem->is_null())
        return take_problem(item, problem->is_string() ? problem->get<std::string>() : quoted_json(*problem));
      if (calls_.look) {
        if (const auto wrong = calls_.look(item, answer)) return take_unusable(item, *wrong);
      }
      const auto output = answer.find("output");
      if (output == answer.end() || output->is_null())
        return take_unusable(item, "it has no \"output\": " + quoted_json(answer));
      settle(item,
             output->is_string() ? output->get<std::string>()
                                 : output->dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
             nullptr);
    } catch (...) {
      fail(item, std::current_exception());
    }
  }

  /// Where it ends the operation, whoever repeats that wants another answer.
  void take_unusable(std::size_t item, const std::string& problem) {
    if (calls_.on_error == OnError::fail) calls_.command->reject(request(item));
    take_problem(item, unusable_answer(problem));
  }

  void take_problem(std::size_t item, const std::string& text) {
    if (calls_.on_error == OnError::fail) throw ParseError(text);
    settle(item, "", std::make_shared<const Problem>(Problem{.kind = Problem::Kind::unreadable, .text = text, .cause = text}));
  }

  void settle(std::size_t item, std::string text, ProblemPtr problem) {
    finish_one();
    output_->set_item(item, std::move(text), std::move(problem));
  }

  void fail(std::size_t item, const std::exception_ptr& error) {
    finish_one();
    try {
      try {
        std::rethrow_exception(error);
      } catch (...) {
        const std::string name = output_->item_name(item);
        rethrow_with_prefix(name.empty() ? calls_.operation + ": " : fmt::format("{}: {}: ", calls_.operation, name));
      }
    } catch (...) {
      output_->fail_item(item, std::current_exception());
    }
  }

  // Not on a thread of the command's own, which its destructor waits for.
  void finish_one() {
    if (unfinished_.fetch_sub(1) == 1) Executor::shared().post([command = std::move(calls_.command)] {});
  }

  CommandCalls calls_;
  std::shared_ptr<Storage> output_;
  std::vector<std::shared_ptr<Storage>> needed_;
  std::atomic<std::size_t> unfinished_;
};

}  // namespace

nlohmann::ordered_json items_json(const NamedInputs& inputs, std::size_t item) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, input] : inputs) json[name] = item_json(tgd::detail::impl_of(input)->storage->item(item));
  return json;
}

std::vector<Variable> variables_of(const std::string& operation, const std::vector<const NamedInputs*>& lists) {
  std::vector<Variable> variables;
  std::set<std::string, std::less<>> names;
  for (const NamedInputs* list : lists) {
    for (const auto& [name, variable] : *list) {
      if (name.empty()) throw ValueError(operation + ": an input needs a name, by which the command knows it");
      if (!names.insert(name).second)
        throw ValueError(fmt::format("{}: there are two inputs of the name \"{}\"", operation, name));
      variables.push_back(variable);
    }
  }
  return variables;
}

std::shared_ptr<Storage> start_command_calls(CommandCalls calls) {
  std::vector<Variable> variables;
  std::vector<std::shared_ptr<Storage>> needed;
  for (const auto& group : calls.groups) {
    for (const auto& [name, variable] : group.second) {
      variables.push_back(variable);
      needed.push_back(tgd::detail::impl_of(variable)->storage);
    }
  }
  const auto size = batch_size(calls.operation, variables);
  auto output = size ? Storage::pending_batch(*size) : Storage::pending_scalar();
  inherit_origins(*output, needed);
  // Snapshots: a later rewrite of a Variable does not change what is asked, or is shown to a critic.
  for (auto& group : calls.groups) {
    for (auto& [name, variable] : group.second) variable = variable.detach();
  }
  const auto items = std::make_shared<ItemsOfCommand>(std::move(calls), output, std::move(needed));
  for (std::size_t i = 0; i < output->size(); ++i) {
    when_items(items->needed(), i,
               [items, i, owed = Storage::owed(items->output(), i)] { ItemsOfCommand::start(items, i, owed); });
  }
  return output;
}

}  // namespace tgd::detail
