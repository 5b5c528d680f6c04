// Who uses which name in a task: inputs, parameters and outputs of stages.
#include <algorithm>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "task/parts.hpp"

namespace tgd::cli {

namespace {

struct PlacedText {
  TaskValue place;
  std::string text;
};
using PlacedTexts = std::vector<PlacedText>;

PlacedTexts texts_of(const TaskValue& messages) {
  PlacedTexts texts;
  for (const TaskValue& message : messages.items()) {
    const TaskValue content = message.at("content", "");
    if (content.json().is_array()) {
      for (const TaskValue& part : content.items()) texts.push_back({part, part.text()});
    } else {
      texts.push_back({content, content.text()});
    }
  }
  return texts;
}

/// What a task says to language models, and where.
class Texts {
 public:
  Texts(const TaskValue& root, const Task& task) : root_(root), task_(task) {
    for (std::size_t i = 0; i < task.stages.size(); ++i) {
      const bool is_command = task.stages[i].kind != StageSpec::Kind::model;
      messages_.push_back(is_command ? given(i) : texts_of(stage_at(i).at("messages", "")));
      filled_.push_back(is_command ? messages_.back() : with_parameters(messages_.back()));
    }
    const TaskValue evaluator = root.at("evaluator", "");
    if (const auto messages = evaluator.find("messages")) judge_ = texts_of(*messages);
  }

  const TaskValue& root() const { return root_; }
  const Task& task() const { return task_; }
  /// All messages as they are written.
  PlacedTexts messages() const { return joined(messages_, 0); }
  /// Those in which inputs and outputs are filled in, from one stage on.
  PlacedTexts filled_from(std::size_t stage) const { return joined(filled_, stage); }
  const PlacedTexts& filled_in(std::size_t stage) const { return filled_[stage]; }
  const PlacedTexts& judge() const { return judge_; }
  TaskValue place_of(const ParameterSpec& parameter) const { return root_.at("parameters", "").at(parameter.name, ""); }

 private:
  TaskValue stage_at(std::size_t number) const {
    if (const auto stages = root_.find("stages")) return stages->items()[number];
    return root_.find("agent").value_or(root_);
  }
  /// What a command is given, as if it stood in a message.
  PlacedTexts given(std::size_t number) const {
    PlacedTexts texts;
    for (const auto* names : {&task_.stages[number].parameters, &task_.stages[number].inputs}) {
      for (const std::string& name : *names) texts.push_back({stage_at(number), "{" + name + "}"});
    }
    return texts;
  }
  static PlacedTexts joined(const std::vector<PlacedTexts>& lists, std::size_t first) {
    PlacedTexts all;
    for (std::size_t i = first; i < lists.size(); ++i) all.insert(all.end(), lists[i].begin(), lists[i].end());
    return all;
  }
  /// A parameter that is all of a text has placeholders of its own; one inside other text is filled in as it is.
  PlacedTexts with_parameters(PlacedTexts texts) const {
    PlacedTexts values;
    for (const ParameterSpec& parameter : task_.parameters) {
      const std::string alone = "{" + parameter.name + "}";
      const bool is_alone = std::any_of(texts.begin(), texts.end(), [&](const PlacedText& each) { return each.text == alone; });
      if (is_alone) values.push_back({place_of(parameter), parameter.value});
    }
    texts.insert(texts.end(), values.begin(), values.end());
    return texts;
  }

  TaskValue root_;
  const Task& task_;
  std::vector<PlacedTexts> messages_;  ///< by stage
  std::vector<PlacedTexts> filled_;
  PlacedTexts judge_;
};

/// The names in braces in a text: "ticket" in "Sort {ticket}".
std::vector<std::string> braced_words(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find_first_of("{}", open + 1);
    if (close != text.npos && text[close] == '}') words.push_back(text.substr(open + 1, close - open - 1));
  }
  return words;
}

/// A placeholder that nothing fills is plain text for the library; here it is what a name without use is compared with.
void expect_use(const TaskValue& place, const std::string& name, const PlacedTexts& texts,
                const std::string& where = "no message") {
  std::vector<std::string> words;
  for (const PlacedText& each : texts) {
    if (has_placeholder(each.text, name)) return;
    for (std::string& word : braced_words(each.text)) words.push_back(std::move(word));
  }
  const std::string near = did_you_mean(name, words);
  place.fail(fmt::format(
      "{} uses {{{}}}{}", where, name,
      near.empty() ? "; put it into the \"content\" of one, or leave it out" : near.substr(0, near.size() - 1) + " there?"));
}

class TakenNames {
 public:
  void take(const TaskValue& place, const std::string& name, const std::string& kind) {
    const auto [taken, is_new] = kinds_.emplace(name, kind);
    if (!is_new) place.fail(fmt::format("\"{}\" is {}, too; give one of them another name", name, taken->second));
  }

 private:
  std::map<std::string, std::string> kinds_;
};

void expect_distinct(const Texts& texts) {
  TakenNames names;
  const Task& task = texts.task();
  for (const auto& input : task.data.inputs)
    names.take(task.data.place.at("inputs", "").at(input.first, ""), input.first, "an input of the data");
  for (const ParameterSpec& parameter : task.parameters) names.take(texts.place_of(parameter), parameter.name, "a parameter");
  const auto stages = texts.root().find("stages");
  if (!stages) return;
  for (const TaskValue& stage : stages->items()) {
    const TaskValue name = stage.at("name", "");
    names.take(name, name.text(), "an earlier stage");
  }
}

void expect_inputs_used(const Texts& texts) {
  if (texts.task().evaluator.type == EvaluatorSpec::Type::command) return;  // it gets them all
  const DataSpec& data = texts.task().data;
  PlacedTexts all = texts.filled_from(0);
  all.insert(all.end(), texts.judge().begin(), texts.judge().end());
  for (const auto& input : data.inputs) expect_use(data.place.at("inputs", "").at(input.first, ""), input.first, all);
}

void expect_outputs_used(const Texts& texts) {
  const auto stages = texts.root().find("stages");
  if (!stages) return;
  const std::vector<TaskValue> items = stages->items();
  for (std::size_t i = 0; i + 1 < items.size(); ++i) {
    const TaskValue name = items[i].at("name", "");
    expect_use(name, name.text(), texts.filled_from(i + 1), "no message of a later stage");
  }
}

void expect_outputs_known(const Texts& texts) {
  const std::vector<StageSpec>& stages = texts.task().stages;
  if (!texts.root().has("stages")) return;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    for (const PlacedText& each : texts.filled_in(i)) {
      for (std::size_t later = i; later < stages.size(); ++later) {
        if (!has_placeholder(each.text, stages[later].name)) continue;
        each.place.fail(
            fmt::format("{{{}}} is the output of {}, which is not there yet; only outputs of earlier stages can be used",
                        stages[later].name, later == i ? "this very stage" : "a later stage"));
      }
    }
  }
}

}  // namespace

std::vector<std::string> oddities_of(const Task& task) {
  std::vector<std::string> texts;
  for (const StageSpec& stage : task.stages) {
    for (const MessageSpec& message : stage.messages) texts.insert(texts.end(), message.content.begin(), message.content.end());
  }
  for (const MessageSpec& message : task.evaluator.messages)
    texts.insert(texts.end(), message.content.begin(), message.content.end());
  for (const ParameterSpec& parameter : task.parameters) texts.push_back(parameter.value);
  std::vector<std::string> names{"prediction", "target"};
  for (const auto& input : task.data.inputs) names.push_back(input.first);
  for (const ParameterSpec& parameter : task.parameters) names.push_back(parameter.name);
  for (const StageSpec& stage : task.stages) names.push_back(stage.name);
  std::vector<std::string> oddities;
  for (const std::string& name : names) {
    const std::string doubled = "{{" + name + "}}";
    const bool is_there =
        std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.find(doubled) != text.npos; });
    if (is_there)
      oddities.push_back(
          fmt::format("{} stands for the value of {} between braces; write {{{}}} for the value alone", doubled, name, name));
  }
  return oddities;
}

void check_names(const TaskValue& root, const Task& task) {
  const Texts texts(root, task);
  expect_distinct(texts);
  for (const ParameterSpec& parameter : task.parameters)
    expect_use(texts.place_of(parameter), parameter.name, texts.messages());
  expect_outputs_known(texts);
  expect_outputs_used(texts);
  expect_inputs_used(texts);
}

}  // namespace tgd::cli
