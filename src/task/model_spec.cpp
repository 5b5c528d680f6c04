// "models" of a task.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "core/text.hpp"
#include "lm/openai/endpoint.hpp"
#include "net/secrets.hpp"
#include "task/models.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

// ---- The environment -------------------------------------------------------------------------------------------------------

std::string variable(const TaskValue& value, const std::string& name) {
  const char* text = std::getenv(name.c_str());
  if (text == nullptr || *text == '\0')
    value.fail(fmt::format("the variable {} is not set in the environment; set it with: export {}=…", name, name));
  return text;
}

/// The text with each ${NAME} replaced.
std::string with_variables(const TaskValue& value, const std::string& text) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t open = text.find("${"); open != text.npos; open = text.find("${", at)) {
    const std::size_t close = text.find('}', open);
    if (close == text.npos || close == open + 2) value.fail("a variable of the environment is written as ${NAME}");
    result += text.substr(at, open - at) + variable(value, text.substr(open + 2, close - open - 2));
    at = close + 1;
  }
  return result + text.substr(at);
}

bool is_one_variable(const std::string& text) {
  return text.starts_with("${") && text.size() > 3 && text.find_first_of("}$", 2) == text.size() - 1 && text.back() == '}';
}

/// What is refused may be a key, so it is never shown.
void read_key(const TaskValue& value, ModelSpec& spec) {
  if (!value.json().is_string() || !is_one_variable(value.text()))
    value.fail(
        "keys do not belong into task files; write \"${OPENAI_API_KEY}\", the variable of the environment that holds the key");
  spec.api_key_source = value.text();
  spec.api_key = with_variables(value, spec.api_key_source);
}

/// What is left of a text without its variables, and without the word before a key in a header.
std::string literal_part(const std::string& text) {
  std::string rest;
  std::size_t at = 0;
  for (std::size_t open = text.find("${"); open != text.npos; open = text.find("${", at)) {
    rest += text.substr(at, open - at);
    at = std::min(text.find('}', open), text.size() - 1) + 1;
  }
  rest = detail::lower_case(detail::trim(rest + text.substr(at)));
  for (const char* scheme : {"bearer", "basic", "token", "apikey", "api-key", "key"}) {
    if (rest == scheme) return {};
  }
  return rest;
}

/// Keys have beginnings of their own, wherever they stand.
bool looks_like_key(const std::string& text) {
  constexpr std::array beginnings = {"sk-",  "bearer ", "basic ", "gsk_",        "hf_",
                                     "xai-", "nvapi-",  "ghp_",   "github_pat_", "aiza"};
  const std::string rest = literal_part(text);
  constexpr std::size_t least = 12;
  return rest.size() >= least &&
         std::any_of(beginnings.begin(), beginnings.end(), [&](const char* beginning) { return rest.starts_with(beginning); });
}

/// {"name": "text with ${VARIABLES}"}. A literal that may be a secret is refused, and never shown.
void read_settings(const TaskValue& value, std::vector<NamedSetting>& settings, bool are_secret) {
  settings.clear();
  for (const auto& [name, member] : value.members()) {
    const std::string source = member.nonempty_text();
    const bool is_secret = are_secret || tgd::net::may_hold_secret(name);
    if ((is_secret && !literal_part(source).empty()) || looks_like_key(source)) {
      member.fail(
          "secrets do not belong into task files; write \"${NAME}\", the variable of the environment that holds it (\"Bearer "
          "${NAME}\" where a word goes before it)");
    }
    settings.push_back({name, with_variables(member, source), source});
  }
}

OrderedJson written_settings(const std::vector<NamedSetting>& settings) {
  if (settings.empty()) return {};
  OrderedJson json = OrderedJson::object();
  for (const NamedSetting& setting : settings) json[setting.name] = setting.source;
  return json;
}

}  // namespace

void describe_settings(Members& in, const std::string& key, std::vector<NamedSetting>& settings, bool are_secret) {
  in.member(
      key, [&settings, are_secret](const TaskValue& at) { read_settings(at, settings, are_secret); },
      [&settings] { return written_settings(settings); });
}

namespace {

/// Whether a password or a key stands in the URL itself. That of a variable does not.
bool has_literal_secret(const std::string& url) {
  std::string blanked;  // a variable is a part without '/', '@', ':', '&' and '='
  for (std::size_t at = 0; at < url.size();) {
    const std::size_t open = std::min(url.find("${", at), url.size());
    blanked += url.substr(at, open - at);
    const std::size_t close = std::min(url.find('}', open), url.size());
    at = std::min(close + 1, url.size());
  }
  const std::size_t begin = blanked.find("://") == blanked.npos ? 0 : blanked.find("://") + 3;
  const std::string authority = blanked.substr(begin, blanked.find_first_of("/?#", begin) - begin);
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
    const std::string user = authority.substr(0, at);
    if (!user.substr(user.find(':') == user.npos ? 0 : user.find(':') + 1).empty()) return true;
  }
  std::string_view query = std::string_view(blanked).substr(std::min(blanked.find('?'), blanked.size()));
  while (!query.empty()) {
    query.remove_prefix(1);  // the question mark, or an ampersand
    const std::string_view part = query.substr(0, query.find('&'));
    const std::size_t equals = part.find('=');
    if (equals < part.size() - 1 && equals != part.npos && tgd::net::may_hold_secret(part.substr(0, equals))) return true;
    query.remove_prefix(part.size());
  }
  return false;
}

void read_url(const TaskValue& value, ModelSpec& spec) {
  spec.base_url_source = value.nonempty_text();
  if (has_literal_secret(spec.base_url_source))
    value.fail(
        "passwords and keys do not belong into task files; write \"http://${USER}:${PASSWORD}@host/v1\", with the variables of "
        "the environment that hold them");
  spec.base_url = with_variables(value, spec.base_url_source);
  if (!spec.base_url.starts_with("http://") && !spec.base_url.starts_with("https://"))
    value.fail("expected a URL that begins with http:// or https://, such as \"http://localhost:8000/v1\"");
}

// ---- A model ---------------------------------------------------------------------------------------------------------------

Words<std::string> providers() {
  Words<std::string> words;
  for (const std::string& name : model_providers()) words.emplace_back(name, name);
  return words;
}

void describe_price(Members& in, lm::Price& price) {
  in.real("input", price.input, {}, "0.15, USD for 1,000,000 tokens");
  in.real("output", price.output, {}, "0.6, USD for 1,000,000 tokens");
  in.real("cached_input", price.cached_input, {});
}

void describe_simulated(Members& in, lm::SimulatedOptions& options) {
  in.count("seed", options.seed);
  in.real("slip_rate", options.slip_rate, {.least = 0, .most = 1});
  in.real("error_rate", options.error_rate, {.least = 0, .most = 1});
  const auto read_latency = [&](const TaskValue& at) {
    options.latency = std::chrono::microseconds(static_cast<std::int64_t>(at.real({.least = 0, .most = 60'000}) * 1000));
  };
  in.member("latency_ms", read_latency, [&] { return OrderedJson(static_cast<double>(options.latency.count()) / 1000); });
}

void describe_endpoint(Members& in, ModelSpec& spec) {
  in.text("model", spec.model, "\"gpt-4o-mini\"");
  in.member(
      "base_url", [&](const TaskValue& at) { read_url(at, spec); },
      [&] {
        // A literal one came from the command line, where it may have a password.
        const std::string text =
            spec.base_url_source.empty() ? lm::detail::url_without_secrets(spec.base_url) : spec.base_url_source;
        return text.empty() ? OrderedJson() : OrderedJson(text);
      });
  in.member(
      "api_key", [&](const TaskValue& at) { read_key(at, spec); },
      [&] { return spec.api_key_source.empty() ? OrderedJson() : OrderedJson(spec.api_key_source); });
  in.args("args", spec.args);
  in.count("max_in_flight", spec.max_in_flight, {.least = 1});
  in.count("requests_per_minute", spec.requests_per_minute, {.least = 1});
  in.count("tokens_per_minute", spec.tokens_per_minute, {.least = 1});
  in.seconds("timeout_seconds", spec.timeout_seconds);
  in.count("max_retries", spec.max_retries, {.least = 0, .most = 1000});
  in.seconds("max_retry_after_seconds", spec.max_retry_after_seconds);
  in.seconds("max_retry_time_seconds", spec.max_retry_time_seconds);
  describe_settings(in, "headers", spec.headers, false);
  describe_settings(in, "secret_headers", spec.secret_headers, true);
  describe_settings(in, "query", spec.query, false);
  in.member(
      "system_role", [&](const TaskValue& at) { spec.system_role = at.flag(); },
      [&] { return spec.system_role ? OrderedJson(*spec.system_role) : OrderedJson(); });
  in.word("reasoning", spec.reasoning, {{"strip", lm::Thoughts::strip}, {"keep", lm::Thoughts::keep}});
}

void describe_model(Members& in, ModelSpec& spec) {
  in.one_of("provider", spec.provider, model_providers(), "\"openai\"");
  if (spec.provider == "simulated") {
    describe_simulated(in, spec.simulated);
  } else {
    describe_endpoint(in, spec);
  }
  in.object("price", spec.price, describe_price);
}

/// "provider/model".
void read_short_form(const TaskValue& value, ModelSpec& spec) {
  const std::string text = value.nonempty_text();
  const std::size_t slash = text.find('/');
  const std::vector<std::string> known = model_providers();
  spec.provider = text.substr(0, slash);
  if (slash != text.npos) spec.model = text.substr(slash + 1);
  if (std::find(known.begin(), known.end(), spec.provider) == known.end()) {
    value.fail(fmt::format("no provider \"{}\"; write \"provider/model\" with one of {}{}", spec.provider, quoted_list(known),
                           did_you_mean(spec.provider, known)));
  }
  if (spec.provider == "simulated" && !spec.model.empty())
    value.fail("there is only one simulated model; write \"simulated\", or an object with its settings");
  if (spec.provider == "openai" && spec.model.empty())
    value.fail("the model's name is missing; write for example \"openai/gpt-4o-mini\"");
}

ModelSpec read_model(const TaskValue& value) {
  ModelSpec spec{.place = value.place()};
  if (value.json().is_string()) {
    read_short_form(value, spec);
  } else {
    read_variant(value, spec, &ModelSpec::provider, "provider", providers(), describe_model, "\"openai\"");
  }
  if (spec.model.find("${") != spec.model.npos)
    value.fail(
        "${NAME} stands for a variable of the environment in \"base_url\", \"api_key\", \"headers\", \"secret_headers\" and "
        "\"query\" "
        "only; write the model's name itself, "
        "or give it with --model");
  return spec;
}

// ---- Who uses which --------------------------------------------------------------------------------------------------------

/// Those that another one stands in for where they are not given.
const std::vector<std::string> roles{"student", "teacher", "judge"};

bool is_role(const std::string& name) { return std::find(roles.begin(), roles.end(), name) != roles.end(); }

void expect_model(const TaskValue& place, const std::string& name, const Task& task) {
  if (is_role(name) || task.models.count(name) > 0) return;
  std::vector<std::string> known = roles;
  for (const auto& model : task.models) {
    if (!is_role(model.first)) known.push_back(model.first);
  }
  place.fail(fmt::format("there is no model \"{}\"; \"models\" can have it beside {}{}", name, quoted_list(known),
                         did_you_mean(name, known)));
}

}  // namespace

std::map<std::string, ModelSpec> read_models(const TaskValue& value) {
  std::map<std::string, ModelSpec> models;
  for (const auto& [name, member] : value.members()) {
    expect_identifier(member, name);
    models.emplace(name, read_model(member));
  }
  value.at("student", "\"openai/gpt-4o-mini\"");
  return models;
}

OrderedJson written_models(const std::map<std::string, ModelSpec>& models) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, spec] : models) json[name] = written_object(spec, describe_model);
  return json;
}

void check_models(const TaskValue& root, const Task& task) {
  std::set<std::string> used{"student", "teacher"};
  for (std::size_t i = 0; i < task.stages.size(); ++i) {
    const std::string& name = task.stages[i].model;
    used.insert(name);
    if (root.has("stages") && root.at("stages", "").items()[i].has("model"))
      expect_model(root.at("stages", "").items()[i].at("model", ""), name, task);
  }
  if (task.evaluator.type == EvaluatorSpec::Type::judge) {
    used.insert(task.evaluator.model);
    const TaskValue evaluator = root.at("evaluator", "");
    if (const auto model = evaluator.find("model")) expect_model(*model, task.evaluator.model, task);
  }
  for (const auto& model : task.models) {
    if (used.count(model.first) > 0) continue;
    std::vector<std::string> near(used.begin(), used.end());
    near.insert(near.end(), roles.begin(), roles.end());
    root.at("models", "")
        .at(model.first, "")
        .fail(fmt::format("no stage and no judge uses the model \"{}\"; name it in the \"model\" of one, or leave it out{}",
                          model.first, did_you_mean(model.first, near)));
  }
}

}  // namespace tgd::cli
