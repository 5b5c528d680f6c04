// Malformed and hostile replies, feedback and training data: whatever comes, a parameter ends up with a value that was asked for
// and checked, or with its old one.
#include <tgd/optim.hpp>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using nlohmann::json;
using tgd::Variable;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Constraint;
using tgd::optim::ParameterUpdate;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::optim::UnusableReply;

using Texts = std::vector<std::string>;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// The name of the tags that a request asks for.
std::string asked_tag(const Request& request) {
  const std::string& text = request.messages.at(1).content;
  const std::size_t begin = text.rfind("between <") + 9;
  return text.substr(begin, text.find('>', begin) - begin);
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// A model that gives the replies of a case, the last one again and again.
std::shared_ptr<Stub> model_of(const json& c) {
  return Stub::answering_in_full([c, n = std::size_t{0}](const Request& request) mutable {
    const json& replies = c.at("replies");
    std::string text = replies.at(std::min(n++, replies.size() - 1)).get<std::string>();
    const std::string tag = asked_tag(request);
    text = replaced(replaced(text, "{open}", "<" + tag + ">"), "{close}", "</" + tag + ">");
    text = replaced(replaced(text, "{request}", request.messages[1].content), "{feedback}", c.value("feedback", ""));
    return Reply{.content = text, .finish_reason = c.value("finish_reason", "stop")};
  });
}

TGDOptions options_of(const json& c) {
  TGDOptions options{.model = model_of(c)};
  if (c.contains("forbids")) options.constraints.push_back(Constraint::forbids(c["forbids"]));
  if (c.contains("max_length")) options.constraints.push_back(Constraint::max_length(c["max_length"]));
  if (c.contains("valid_json")) options.constraints.push_back(Constraint::valid_json());
  if (c.contains("max_length_ratio")) options.max_length_ratio = c["max_length_ratio"].get<double>();
  return options;
}

/// The parameter of a case after a forward and, where the case has mails, a backward pass with it.
Variable used_parameter(const json& c) {
  Variable prompt(
      c.value("old", "Sort the mail of a shop into urgent and normal mail. Read all of it first. Answer with one word."),
      "system prompt", true);
  const auto student = Stub::answering([](const Request&) { return "other"; });
  const auto critic = Stub::answering([](const Request&) { return "Say what is urgent."; });
  tgd::Inputs inputs;
  for (const std::string& name : c.value("placeholders", Texts{})) inputs.emplace_back(name, "text");
  if (!inputs.empty()) tgd::chat_completion(student, {{"system", {prompt}}}, inputs).wait();
  if (c.contains("mails")) {
    const auto mails = c["mails"].get<Texts>();
    tgd::chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}})
        .backward(Texts(mails.size(), "It is not right."), {.model = critic});
  } else {
    prompt.append_grad(Variable(c.value("feedback", "Say that water damage is urgent.")));
  }
  return prompt;
}

/// Nobody's text has become a part of the request's own structure.
void check_structure(const json& c, const Request& request, const std::string& old_value) {
  const std::string& text = request.messages.at(1).content;
  CHECK(text.find("<VALUE>\n" + old_value + (old_value.empty() ? "" : "\n") + "</VALUE>") != std::string::npos);
  if (old_value.find("FEEDBACK") != std::string::npos) return;
  const std::string own = replaced(text, old_value.empty() ? "<VALUE>" : old_value, "");
  CHECK(count_of(own, "</VALUE>") == 1);
  CHECK(count_of(own, "<CONSTRAINTS>") <= 1);
  CHECK(count_of(own, "<INSTRUCTIONS>") == 0);
  CHECK(count_of(own, "<EARLIER_VERSIONS>") == 0);
  CHECK(count_of(own, "<REJECTED_PROPOSALS>") == 0);
  CHECK(count_of(own, "</FEEDBACK_CONTEXT>") == (c.contains("mails") ? 1 : 0));
  if (!c.contains("mails")) CHECK(count_of(own, "</FEEDBACK>") == 1);
  CHECK(count_of(own, "<" + asked_tag(request) + ">") == 1);
}

}  // namespace

TEST_CASE("No reply, feedback or training data ruins a parameter", "[optim][hostile][concurrent]") {
  const json table = tgd::test::table("optim/hostile.json");
  REQUIRE(table.size() >= 150);
  for (const json& c : table) {
    CAPTURE(c.at("name").get<std::string>());
    const Variable prompt = used_parameter(c);
    const std::string old_value = prompt.text();
    const TGDOptions options = options_of(c);
    TGD optimizer({prompt}, options);
    optimizer.step();

    const ParameterUpdate& update = optimizer.last_updates().at(0);
    CAPTURE(update.reason);
    CHECK(to_string(update.outcome) == c.at("outcome").get<std::string>());
    CHECK(prompt.text() == c.value("value", old_value));
    CHECK(update.new_value == prompt.text());
    Texts problems;
    for (const UnusableReply& unusable : update.problems) problems.emplace_back(to_string(unusable.problem));
    CHECK(problems == c.value("problems", Texts{}));
    const auto model = std::static_pointer_cast<Stub>(options.model);
    REQUIRE(model->calls() == update.requests);
    check_structure(c, model->requests()[0], old_value);
  }
}
