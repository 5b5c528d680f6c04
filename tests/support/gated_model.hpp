// A model that answers when the test says so: it shows what is asked before what is answered, without any clock.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <tgd/lm/chat_model.hpp>

namespace tgd::test {

class GatedModel : public lm::ChatModel {
 public:
  ~GatedModel() override;

  void start(lm::Request request, Done done) override;
  std::string provider() const override { return "gated"; }
  std::string class_type() const override { return "GatedModel"; }

  /// Waits until something is asked whose messages contain `text`, and answers the first of these.
  void reply(const std::string& text, std::string content);
  void fail(const std::string& text, const LMError& error);
  /// Waits until something with `text` is asked, and leaves it open.
  void wait_for(const std::string& text);
  /// Whether something with `text` was ever asked.
  bool was_asked(const std::string& text) const;
  /// The questions that were cancelled.
  std::vector<std::string> cancelled() const;

 private:
  struct Question {
    std::string text;
    Done done;
    std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop;
  };
  using Questions = std::list<Question>;

  void finish(const std::string& text, lm::Outcome outcome);
  void cancel(const Question* question);

  mutable std::mutex mutex_;
  std::condition_variable asked_;
  Questions open_;
  std::vector<std::string> all_;
  std::vector<std::string> cancelled_;
};

}  // namespace tgd::test
