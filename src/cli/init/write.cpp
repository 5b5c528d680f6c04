// The text of a starter task.
#include <algorithm>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "cli/init/guess.hpp"
#include "core/fold.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;
using Type = EvaluatorSpec::Type;

constexpr std::string_view task_text =
    R"(// A task of tgd, written by `tgd init` from {data_name}. What it guessed is yours to correct.
// `tgd check {task_name}` says what is wrong and what a run would cost; `tgd optimize {task_name}` improves the prompt.
{
  // Run folders are called so: runs/<name>-<time>.
  "name": {name},

  "data": {
    "file": {file},
    // {placeholder} in a message: field of the data.
    "inputs": {inputs},
    // The field with the expected answer.
    "target": {target},
    // The prompt learns from "train", "validation" decides which version is kept, and "test", from which nothing learns, tells
    // what it is worth.
    "split": {split}{file_options}
  },

  // What is improved. The better the first text says what is wanted, the fewer steps it takes. "role" tells the teacher what
  // the text is for.
  "parameters": {
    "instructions": {
      "role": {role},
      "value": {prompt}
    }
  },

  // What the student is sent for each sample: {instructions} is the text above.
  "messages": [
    {"role": "system", "content": "{instructions}"},
    {"role": "user", "content": {user_message}}
  ],
{output}
  // How an answer is scored: "exact_match", "contains", "number", "json_fields", "f1", "judge" or "command".
  "evaluator": {evaluator},

  // The student answers; the teacher criticises and rewrites. "simulated" is no language model but a small program, to see all
  // of this run without a key. A real one, with the key in OPENAI_API_KEY or, for a server of your own, at its URL:
  //   "student": "openai/gpt-4o-mini",
  //   "teacher": "openai/gpt-4o"
  //   "student": {"provider": "openai", "model": "qwen3", "base_url": "http://localhost:8000/v1", "max_in_flight": 16}
  "models": {models},

  // How the prompt is rewritten: "momentum" shows the teacher so many earlier versions; constraints are texts, which the
  // teacher is told, and checks that no new version may fail.
  "optimizer": {
    "momentum": 3,
    "constraints": [{"max_length": {max_length}}]
  },

  // Each step takes a batch out of the training part; each epoch takes all of it once.
  "training": {"epochs": {epochs}, "batch_size": {batch_size}, "seed": 1},

  // Replies are kept in this file, so that no request is paid twice. To limit what a run may use:
  //   "budget": {"usd": 2.5, "calls": 5000}
  "cache": "replies.db"
}
)";

std::string quoted(const std::string& text) { return detail::json_text(OrderedJson(text)); }

std::string data_path(const fs::path& data, const fs::path& task) {
  return fs::absolute(data)
      .lexically_normal()
      .lexically_proximate(fs::absolute(task).lexically_normal().parent_path())
      .generic_string();
}

std::string inputs_text(const InitGuess& guess) {
  std::vector<std::string> members;
  for (const auto& [name, column] : guess.inputs) members.push_back(quoted(name) + ": " + quoted(column.source));
  return "{" + tgd::detail::join(members, ", ") + "}";
}

/// Small files keep enough for choosing and measuring.
std::string split_text(const InitGuess& guess) {
  const char* shares = guess.samples < 60 ? R"("train": 0.4, "validation": 0.3, "test": 0.3)"
                                          : R"("train": 0.4, "validation": 0.25, "test": 0.35)";
  const bool can_stratify =
      guess.target.has_labels() && !guess.target.is_list && guess.samples >= 10 * guess.target.labels.size();
  return fmt::format(R"({{{}, "seed": 1, "stratify": {}}})", shares, can_stratify);
}

/// What else there is to say about the file. Of a large one a part does: every sample costs calls.
std::string file_options_text(const InitGuess& guess) {
  std::string text;
  if (guess.samples > 2000)
    text +=
        ",\n    // A run takes so many at most: every sample costs calls, and more of them say hardly more.\n"
        "    \"limit\": {\"train\": 1000, \"validation\": 500, \"test\": 1000}";
  if (!guess.options.encoding.empty()) text += ",\n    \"encoding\": " + quoted(guess.options.encoding);
  if (!guess.options.columns.empty())
    text += ",\n    // The file has no header line.\n    \"columns\": " + OrderedJson(guess.options.columns).dump();
  return text;
}

std::string models_text(const InitGuess& guess) {
  if (guess.model.empty()) return R"({"student": "simulated"})";
  if (guess.base_url.empty()) return R"({"student": )" + quoted("openai/" + guess.model) + "}";
  return R"({"student": {"provider": "openai", "model": )" + quoted(guess.model) + R"(, "base_url": )" +
         quoted(guess.base_url) + "}}";
}

std::size_t batch_size(std::size_t samples) { return std::clamp<std::size_t>(samples / 12, 2, 16); }
std::size_t epochs(std::size_t samples) { return samples <= 500 ? 4 : samples <= 2000 ? 2 : 1; }

/// "billing, technical or shipping"
std::string alternatives(const std::vector<std::string>& labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) text += i + 1 == labels.size() ? " or " : ", ";
    text += labels[i];
  }
  return text;
}

/// What an answer is called in the prompt.
std::string answer_name(const InitGuess& guess) { return guess.target.role.empty() ? guess.target.name() : "answer"; }

/// "the title and the body"
std::string things_to_read(const InitGuess& guess) {
  std::vector<std::string> names;
  for (const auto& input : guess.inputs) {
    std::string name = input.first;
    std::replace(name.begin(), name.end(), '_', ' ');
    names.push_back("the " + name);
  }
  std::string last = names.back();
  names.pop_back();
  return names.empty() ? last : tgd::detail::join(names, ", ") + " and " + last;
}

/// The same members with nothing in them.
OrderedJson emptied(const OrderedJson& value) {
  if (value.is_object()) {
    OrderedJson json = OrderedJson::object();
    for (const auto& member : value.items()) json[member.key()] = emptied(member.value());
    return json;
  }
  if (value.is_array()) return OrderedJson::array();
  return value.is_string() ? OrderedJson("…") : value.is_boolean() ? OrderedJson(false) : OrderedJson(0);
}

std::string first_prompt(const InitGuess& guess) {
  const Column& target = guess.target;
  if (!guess.system_text.empty()) return guess.system_text;
  const std::string read = "Read " + things_to_read(guess);
  switch (guess.evaluator) {
    case Type::json_fields:
      if (target.is_list)
        return read + fmt::format(" and answer with a JSON list of the {} that fit{}, and nothing else, such as {}.",
                                  answer_name(guess), target.has_labels() ? ", out of " + alternatives(target.labels) : "",
                                  target.example);
      return read + " and answer with a JSON object of this form, and nothing else:\n" +
             emptied(OrderedJson::parse(target.example)).dump(2);
    case Type::number: {
      const std::string ask = read + fmt::format(" and give the {} as a number.", answer_name(guess));
      return ask + (target.has_labels() ? " It is one of " + alternatives(target.labels) + "." : "") +
             " Answer with the number alone.";
    }
    case Type::exact_match:
      if (target.has_labels())
        return read + fmt::format(" and choose the {} that fits: {}. Answer with the {} alone.", answer_name(guess),
                                  alternatives(target.labels), answer_name(guess));
      return read + fmt::format(" and give the {}. Answer in as few words as you can.", answer_name(guess));
    default:
      return read + fmt::format(" and write the {}.", answer_name(guess));
  }
}

std::string user_message(const InitGuess& guess) {
  if (guess.inputs.size() == 1) return "{" + guess.inputs[0].first + "}";
  std::vector<std::string> parts;
  for (const auto& [name, column] : guess.inputs) parts.push_back(fmt::format("{}: {{{}}}", column.name(), name));
  return tgd::detail::join(parts, "\n\n");
}

bool is_lower_case(const std::vector<std::string>& labels) {
  return std::none_of(labels.begin(), labels.end(), [](const std::string& label) { return detail::has_upper_case(label); });
}

std::string output_text(const InitGuess& guess) {
  if (guess.evaluator == Type::json_fields) {
    return "  // The JSON is taken out of the reply, whatever stands around it.\n  \"output\": \"fenced_json\",\n";
  }
  if (guess.evaluator == Type::number)
    return "  // The last number in the reply is the answer, written as people do: 1,200 or $1,200.50 or 12 %. Where a comma "
           "is the\n"
           "  // decimal mark: \"comma_number\", and \"decimal_mark\": \"comma\" in the evaluator.\n"
           "  \"output\": \"number\",\n";
  if (guess.target.has_labels() && is_lower_case(guess.target.labels))
    return "  // All answers are in lower case, so a capital letter is no mistake.\n  \"output\": \"lower_case\",\n";
  return {};
}

std::string judge_text(const InitGuess& guess) {
  const std::string question =
      user_message(guess) +
      "\n\nExpected answer:\n{target}\n\nAnswer:\n{prediction}\n\nDoes the answer say what the expected one says? "
      "Reply with JSON: {\"score\": a number from 0 to 1, \"explanation\": \"what is missing or wrong\"}";
  return "{\n    // Asked is the model \"judge\", or the teacher where \"models\" has none.\n    \"type\": \"judge\",\n    "
         "\"messages\": "
         "[{\"role\": \"user\", \"content\": " +
         quoted(question) + "}]\n  }";
}

std::string evaluator_text(const InitGuess& guess) {
  switch (guess.evaluator) {
    case Type::judge:
      return judge_text(guess);
    case Type::json_fields:
      return guess.target.is_list ? R"({"type": "json_fields", "lists": "f1", "ignore_case": true})"
                                  : R"({"type": "json_fields"})";
    case Type::number:
      return R"({"type": "number", "tolerance": 0})";
    default:
      return guess.target.has_labels() && is_lower_case(guess.target.labels)
                 ? R"({"type": "exact_match"})"
                 : R"({"type": "exact_match", "ignore_case": true})";
  }
}

std::string role_text(const InitGuess& guess) {
  return fmt::format("system prompt of a program that reads {} and answers with the {}", things_to_read(guess),
                     answer_name(guess));
}

}  // namespace

std::string starter_task(const InitGuess& guess, const fs::path& task) {
  const std::string prompt = first_prompt(guess);
  const std::string texts[] = {guess.file.filename().string(),
                               task.string(),
                               quoted(placeholder_for(guess.file.stem().string())),
                               quoted(data_path(guess.file, task)),
                               inputs_text(guess),
                               quoted(guess.target.source),
                               split_text(guess),
                               file_options_text(guess),
                               quoted(role_text(guess)),
                               quoted(prompt),
                               quoted(user_message(guess)),
                               output_text(guess),
                               evaluator_text(guess),
                               models_text(guess),
                               std::to_string(std::max<std::size_t>(1500, (prompt.size() / 500 + 3) * 500)),
                               std::to_string(epochs(guess.samples)),
                               std::to_string(batch_size(guess.samples))};
  const char* names[] = {"data_name", "task_name",    "name",       "file",   "inputs",       "target",
                         "split",     "file_options", "role",       "prompt", "user_message", "output",
                         "evaluator", "models",       "max_length", "epochs", "batch_size"};
  std::vector<TemplateInput> inputs;
  for (std::size_t i = 0; i < std::size(names); ++i) inputs.push_back({names[i], texts[i]});
  return fill_template(task_text, inputs);
}

}  // namespace tgd::cli
