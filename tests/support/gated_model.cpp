#include "support/gated_model.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace tgd::test {

namespace {

using namespace std::chrono_literals;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

GatedModel::~GatedModel() = default;

void GatedModel::start(lm::Request request, Done done) {
  std::string text;
  for (const lm::Message& message : request.messages) text += (text.empty() ? "" : "\n") + message.content;
  const Question* question = nullptr;
  {
    const std::lock_guard lock(mutex_);
    all_.push_back(text);
    question = &open_.emplace_back(Question{std::move(text), std::move(done), nullptr});
  }
  if (request.stop.stop_possible()) {
    auto on_stop =
        std::make_unique<std::stop_callback<std::function<void()>>>(request.stop, [this, question] { cancel(question); });
    const std::lock_guard lock(mutex_);
    const auto still_open =
        std::find_if(open_.begin(), open_.end(), [question](const Question& other) { return &other == question; });
    if (still_open != open_.end()) still_open->on_stop = std::move(on_stop);
  }
  asked_.notify_all();
}

void GatedModel::cancel(const Question* question) {
  Questions taken;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(open_.begin(), open_.end(), [question](const Question& other) { return &other == question; });
    if (at == open_.end()) return;
    cancelled_.push_back(at->text);
    taken.splice(taken.begin(), open_, at);
  }
  taken.front().done(LMError(LMError::Kind::cancelled, "cancelled"));
}

void GatedModel::finish(const std::string& text, lm::Outcome outcome) {
  Questions taken;
  {
    std::unique_lock lock(mutex_);
    auto at = open_.end();
    const bool found = asked_.wait_for(lock, 60s, [&] {
      at = std::find_if(open_.begin(), open_.end(), [&](const Question& question) { return contains(question.text, text); });
      return at != open_.end();
    });
    if (!found) throw std::runtime_error("nobody asks about: " + text);
    taken.splice(taken.begin(), open_, at);
  }
  taken.front().on_stop.reset();
  taken.front().done(std::move(outcome));
}

void GatedModel::reply(const std::string& text, std::string content) {
  finish(text, lm::Reply{.content = std::move(content), .finish_reason = "stop", .model = "gated", .usage = {}});
}

void GatedModel::fail(const std::string& text, const LMError& error) { finish(text, error); }

void GatedModel::wait_for(const std::string& text) {
  std::unique_lock lock(mutex_);
  const auto asked = [&] {
    return std::any_of(all_.begin(), all_.end(), [&](const std::string& question) { return contains(question, text); });
  };
  if (!asked_.wait_for(lock, 60s, asked)) throw std::runtime_error("nobody asks about: " + text);
}

bool GatedModel::was_asked(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(all_.begin(), all_.end(), [&](const std::string& question) { return contains(question, text); });
}

std::vector<std::string> GatedModel::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

}  // namespace tgd::test
