#include "cli/task.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "cli/models.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

void expect_identifier(const TaskValue& place, const std::string& name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_inner = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; };
  if (name.empty() || !is_letter(name.front()) || !std::all_of(name.begin(), name.end(), is_inner)) {
    place.fail(fmt::format("\"{}\" cannot be a name; use letters, digits, _ and -, and a letter first", name));
  }
}

void expect_file(const TaskValue& place, const std::filesystem::path& file) {
  if (std::filesystem::is_regular_file(file)) return;
  std::vector<std::string> siblings;
  std::error_code no_folder;
  for (const auto& entry :
       std::filesystem::directory_iterator(file.parent_path().empty() ? "." : file.parent_path(), no_folder)) {
    if (entry.is_regular_file()) siblings.push_back(entry.path().filename().string());
  }
  std::sort(siblings.begin(), siblings.end());
  place.fail(fmt::format("there is no file {} (paths start at the task file's folder){}", file.string(),
                         did_you_mean(file.filename().string(), siblings)));
}

void read_split(const TaskValue& split, DataSpec& data) {
  split.expect_object({"train", "validation", "test", "seed", "stratify"});
  const auto share = [&](const std::string& key) { return split.at(key, "0.3").real(0, 1); };
  data.train = share("train");
  data.validation = share("validation");
  data.test = share("test");
  const double sum = data.train + data.validation + data.test;
  if (std::abs(sum - 1) > 1e-6)
    split.fail(fmt::format("train, validation and test add up to {:.6g}; expected shares that add up to 1", sum));
  if (const auto seed = split.find("seed")) data.seed = seed->count();
  if (const auto stratify = split.find("stratify")) data.stratify = stratify->flag();
}

DataSpec read_data(const TaskValue& value) {
  value.expect_object({"file", "inputs", "target", "split"});
  DataSpec data{.place = value};
  const TaskValue file = value.at("file", "\"data.jsonl\"");
  data.file = file.path();
  const std::vector<std::string> endings{".jsonl", ".json", ".csv"};
  if (std::find(endings.begin(), endings.end(), data.file.extension().string()) == endings.end()) {
    file.fail(fmt::format("the ending of {} is not known; there are {}", data.file.filename().string(), quoted_list(endings)));
  }
  expect_file(file, data.file);
  for (const auto& [name, source] :
       value.at("inputs", R"({"ticket": "text"}, a placeholder and its field of the data)").members()) {
    expect_identifier(source, name);
    data.inputs.emplace_back(name, source.nonempty_text());
  }
  if (data.inputs.empty())
    value.at("inputs", "").fail("no inputs; write for example {\"ticket\": \"text\"}, a placeholder and its field of the data");
  data.target = value.at("target", "\"label\", the field with the expected answer").nonempty_text();
  read_split(value.at("split", R"({"train": 0.4, "validation": 0.25, "test": 0.35})"), data);
  return data;
}

ParameterSpec read_parameter(const std::string& name, const TaskValue& value) {
  expect_identifier(value, name);
  value.expect_object({"role", "value", "file"});
  ParameterSpec parameter{name, value.at("role", "\"instructions of a classifier\"").nonempty_text(), {}};
  if (value.has("value") == value.has("file"))
    value.fail("expected either \"value\", the first text, or \"file\", where it stands");
  if (const auto file = value.find("file")) {
    expect_file(*file, file->path());
    parameter.value = detail::trim(detail::read_file(file->path()));
    if (parameter.value.empty()) file->fail("the file is empty");
  } else {
    parameter.value = value.at("value", "").nonempty_text();
  }
  return parameter;
}

std::vector<ParameterSpec> read_parameters(const TaskValue& value, const DataSpec& data) {
  std::vector<ParameterSpec> parameters;
  for (const auto& [name, member] : value.members()) {
    for (const auto& input : data.inputs) {
      if (input.first == name)
        member.fail(fmt::format("\"{}\" is an input of the data, too; give one of them another name", name));
    }
    parameters.push_back(read_parameter(name, member));
  }
  if (parameters.empty()) value.fail("no parameters: there is nothing to optimize");
  return parameters;
}

std::vector<MessageSpec> read_messages(const TaskValue& value) {
  std::vector<MessageSpec> messages;
  for (const TaskValue& item : value.items()) {
    item.expect_object({"role", "content"});
    MessageSpec message{item.at("role", "\"user\"").one_of({"system", "developer", "user", "assistant"}), {}};
    const TaskValue content = item.at("content", "\"{ticket}\"");
    if (content.json().is_array()) {
      for (const TaskValue& part : content.items()) message.content.push_back(part.text());
    } else {
      message.content.push_back(content.text());
    }
    messages.push_back(std::move(message));
  }
  if (messages.empty()) value.fail("no messages; write for example [{\"role\": \"user\", \"content\": \"{ticket}\"}]");
  return messages;
}

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
void expect_use(const TaskValue& place, const std::string& name, const std::vector<std::string>& texts) {
  std::vector<std::string> words;
  for (const std::string& text : texts) {
    if (has_placeholder(text, name)) return;
    for (std::string& word : braced_words(text)) words.push_back(std::move(word));
  }
  const std::string near = did_you_mean(name, words);
  place.fail(fmt::format(
      "no message uses {{{}}}{}", name,
      near.empty() ? "; put it into the \"content\" of one, or leave it out" : near.substr(0, near.size() - 1) + " there?"));
}

void expect_all_used(const TaskValue& root, const Task& task) {
  std::vector<std::string> texts;
  for (const MessageSpec& message : task.stages.front().messages) texts.insert(texts.end(), message.content.begin(), message.content.end());
  for (const ParameterSpec& parameter : task.parameters) {
    expect_use(root.at("parameters", "").at(parameter.name, ""), parameter.name, texts);
  }
  for (const ParameterSpec& parameter : task.parameters) texts.push_back(parameter.value);
  for (const auto& input : task.data.inputs)
    expect_use(task.data.place.at("inputs", "").at(input.first, ""), input.first, texts);
}

lm::SimulatedOptions read_simulated(const TaskValue& value) {
  value.expect_object({"provider", "seed", "slip_rate", "error_rate", "latency_ms"});
  lm::SimulatedOptions options;
  if (const auto seed = value.find("seed")) options.seed = seed->count();
  if (const auto rate = value.find("slip_rate")) options.slip_rate = rate->real(0, 1);
  if (const auto rate = value.find("error_rate")) options.error_rate = rate->real(0, 1);
  if (const auto latency = value.find("latency_ms")) {
    options.latency = std::chrono::microseconds(static_cast<std::int64_t>(latency->real(0, 60'000) * 1000));
  }
  return options;
}

/// "openai/gpt-4o", or an object with more settings.
ModelSpec read_model(const TaskValue& value) {
  const std::vector<std::string> providers = model_providers();
  ModelSpec spec{.place = value.pointer()};
  if (value.json().is_string()) {
    const std::string name = value.nonempty_text();
    spec.provider = name.substr(0, name.find('/'));
    if (name.size() > spec.provider.size()) spec.model = name.substr(spec.provider.size() + 1);
    if (std::find(providers.begin(), providers.end(), spec.provider) == providers.end()) {
      value.fail(fmt::format("no provider \"{}\"; write \"provider/model\" with one of {}{}", spec.provider,
                             quoted_list(providers), did_you_mean(spec.provider, providers)));
    }
  } else {
    spec.provider = value.at("provider", "\"openai\"").one_of(providers);
    if (spec.provider == "simulated") {
      spec.simulated = read_simulated(value);
      return spec;
    }
    if (value.has("api_key"))
      value.at("api_key", "").fail("keys do not belong into task files; set OPENAI_API_KEY in the environment");
    value.expect_object({"provider", "model", "base_url", "args"});
    spec.model = value.at("model", "\"gpt-4o-mini\"").nonempty_text();
    if (const auto url = value.find("base_url")) spec.base_url = url->nonempty_text();
    if (const auto args = value.find("args")) spec.args = args->object();
  }
  if (spec.provider == "openai" && spec.model.empty())
    value.fail("the model's name is missing; write for example \"openai/gpt-4o-mini\"");
  return spec;
}

std::map<std::string, ModelSpec> read_models(const std::optional<TaskValue>& value) {
  if (!value) return {{"student", {.place = "no models in the task"}}};
  value->expect_object({"student", "teacher"});
  std::map<std::string, ModelSpec> models;
  models.emplace("student", read_model(value->at("student", "\"openai/gpt-4o-mini\"")));
  if (const auto teacher = value->find("teacher")) models.emplace("teacher", read_model(*teacher));
  return models;
}

optim::Constraint read_constraint(const TaskValue& value) {
  if (value.json().is_string()) return value.nonempty_text();
  value.expect_object({"max_length", "forbids", "forbids_pattern", "keeps_placeholders", "valid_json"});
  if (value.json().size() != 1) value.fail("expected a text or an object with one member, such as {\"max_length\": 1500}");
  if (const auto length = value.find("max_length")) return optim::Constraint::max_length(length->count(1));
  if (const auto text = value.find("forbids")) return optim::Constraint::forbids(text->nonempty_text());
  if (const auto pattern = value.find("forbids_pattern")) {
    try {
      return optim::Constraint::forbids_pattern(pattern->nonempty_text());
    } catch (const ValueError& error) {
      pattern->fail(error.what());
    }
  }
  if (const auto names = value.find("keeps_placeholders")) {
    std::vector<std::string> words;
    for (const TaskValue& name : names->items()) words.push_back(name.nonempty_text());
    return optim::Constraint::keeps_placeholders(std::move(words));
  }
  const TaskValue json = value.at("valid_json", "true");
  if (!json.flag()) json.fail("only true says something here; leave the constraint out instead");
  return optim::Constraint::valid_json();
}

OptimizerSpec read_optimizer(const std::optional<TaskValue>& value) {
  OptimizerSpec optimizer;
  if (!value) return optimizer;
  value->expect_object({"type", "momentum", "max_reasks", "show_context", "constraints", "args"});
  if (const auto type = value->find("type")) type->one_of({"tgd"});
  if (const auto momentum = value->find("momentum")) optimizer.momentum = momentum->count(0, 1000);
  if (const auto reasks = value->find("max_reasks")) optimizer.max_reasks = reasks->count(0, 100);
  if (const auto context = value->find("show_context")) optimizer.show_context = context->flag();
  if (const auto args = value->find("args")) optimizer.args = args->object();
  if (const auto constraints = value->find("constraints")) {
    for (const TaskValue& item : constraints->items()) optimizer.constraints.push_back(read_constraint(item));
  }
  return optimizer;
}

TrainingSpec read_training(const std::optional<TaskValue>& value) {
  TrainingSpec training;
  if (!value) return training;
  value->expect_object({"epochs", "batch_size", "seed", "validate_every"});
  if (const auto epochs = value->find("epochs")) training.epochs = epochs->count(1);
  if (const auto size = value->find("batch_size")) training.batch_size = size->count(1);
  if (const auto seed = value->find("seed")) training.seed = seed->count();
  if (const auto steps = value->find("validate_every")) training.validate_every = steps->count();
  return training;
}

void read_evaluator(const TaskValue& value) {
  value.expect_object({"type"});
  value.at("type", "\"exact_match\"").one_of({"exact_match"});
}

OrderedJson model_json(const ModelSpec& spec) {
  if (spec.provider == "simulated") {
    return {{"provider", spec.provider},
            {"seed", spec.simulated.seed},
            {"slip_rate", spec.simulated.slip_rate},
            {"error_rate", spec.simulated.error_rate},
            {"latency_ms", static_cast<double>(spec.simulated.latency.count()) / 1000}};
  }
  OrderedJson json{{"provider", spec.provider}, {"model", spec.model}};
  if (!spec.base_url.empty()) json["base_url"] = spec.base_url;
  if (!spec.args.empty()) json["args"] = spec.args.value();
  return json;
}

}  // namespace

Task parse_task(const TaskDocument& document, const std::filesystem::path& file) {
  const TaskValue root = document.root();
  root.expect_object({"name", "data", "parameters", "messages", "evaluator", "models", "optimizer", "training"});
  Task task{.file = file,
            .name = file.stem().string(),
            .data = read_data(root.at("data", R"({"file": "data.jsonl", …})")),
            .parameters = {},
            .stages = {},
            .evaluator = {},
            .models = read_models(root.find("models")),
            .optimizer = read_optimizer(root.find("optimizer")),
            .training = read_training(root.find("training")),
            .budget = {},
            .cache = {},
            .prompts = {},
            .json = root.json()};
  if (const auto name = root.find("name")) {
    task.name = name->nonempty_text();
    expect_identifier(*name, task.name);
  }
  task.parameters = read_parameters(root.at("parameters", R"({"instructions": {"role": "…", "value": "…"}})"), task.data);
  task.stages = {{.name = "answer", .messages = read_messages(root.at("messages", R"([{"role": "user", "content": "…"}])"))}};
  read_evaluator(root.at("evaluator", R"({"type": "exact_match"})"));
  expect_all_used(root, task);
  return task;
}

Task read_task(const std::filesystem::path& file) { return parse_task(TaskDocument::read(file), file); }

OrderedJson resolved_json(const Task& task) {
  OrderedJson json = task.json;
  json["name"] = task.name;
  json["data"]["file"] = std::filesystem::absolute(task.data.file).lexically_normal().string();
  json["data"]["split"]["seed"] = task.data.seed;
  json["data"]["split"]["stratify"] = task.data.stratify;
  for (const ParameterSpec& parameter : task.parameters) {
    json["parameters"][parameter.name] = {{"role", parameter.role}, {"value", parameter.value}};
  }
  json["models"] = OrderedJson::object();
  for (const auto& [role, spec] : task.models) json["models"][role] = model_json(spec);
  json["optimizer"]["type"] = "tgd";
  json["optimizer"]["momentum"] = task.optimizer.momentum;
  json["optimizer"]["max_reasks"] = task.optimizer.max_reasks;
  json["optimizer"]["show_context"] = task.optimizer.show_context;
  json["training"] = {{"epochs", task.training.epochs},
                      {"batch_size", task.training.batch_size},
                      {"seed", task.training.seed},
                      {"validate_every", task.training.validate_every}};
  return json;
}

}  // namespace tgd::cli
