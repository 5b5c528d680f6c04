#include "support/simulated_loop.hpp"

#include <algorithm>
#include <random>

namespace tgd::test {

namespace {

const Prompts& prompts() {
  static const Prompts texts;
  return texts;
}

std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

// Several texts that reach one value arrive as items.
std::string as_items(const std::vector<std::string>& texts) {
  return texts.size() == 1 ? texts.front() : "<ITEM>" + joined(texts, "</ITEM><ITEM>") + "</ITEM>";
}

std::vector<std::string> critiques(const lm::Simulated& model, const std::string& value, const std::vector<Sample>& batch) {
  constexpr std::size_t samples_per_request = 8;
  std::vector<std::string> failed;
  for (const Sample& sample : batch) {
    const std::string reply = model.reply_to(task_request(value, sample.text));
    if (reply != sample.label) failed.push_back(failed_sample(sample, reply));
  }
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < failed.size(); at += samples_per_request) {
    const std::size_t end = std::min(at + samples_per_request, failed.size());
    const std::vector<std::string> shown(failed.begin() + static_cast<std::ptrdiff_t>(at),
                                         failed.begin() + static_cast<std::ptrdiff_t>(end));
    texts.push_back(model.reply_to(critique_request(value, shown)));
  }
  return texts;
}

}  // namespace

lm::Request task_request(const std::string& prompt, const std::string& message) {
  return {.messages = {{"system", prompt}, {"user", message}}, .args = {}};
}

std::string failed_sample(const Sample& sample, const std::string& reply) {
  const std::string placeholder(prompts().get("backward_placeholder"));
  const std::string conversation = "<SYSTEM>\n" + placeholder + "\n</SYSTEM>\n<USER>\n" + sample.text + "\n</USER>";
  const std::string feedback = prompts().render(
      "exact_match_feedback", {{"role", "label"}, {"score", "0"}, {"target", sample.label}, {"prediction", reply}});
  return prompts().render("backward_sample", {{"conversation", conversation}, {"reply", reply}, {"feedback", feedback}});
}

lm::Request critique_request(const std::string& value, const std::vector<std::string>& failed_samples) {
  const std::string samples = joined(failed_samples, "\n\n");
  const std::string user =
      prompts().render("backward_user", {{"role", "system prompt"}, {"value", value}, {"samples", samples}});
  return {.messages = {{"system", std::string(prompts().get("backward_system"))}, {"user", user}}, .args = {}};
}

lm::Request rewrite_request(const Rewrite& rewrite) {
  std::vector<std::string> feedback, constraints, earlier, rejected;
  for (const std::string& text : rewrite.feedback) {
    feedback.push_back(prompts().render("tgd_feedback_item", {{"feedback", text}}));
  }
  for (const std::string& text : rewrite.constraints) {
    constraints.push_back(std::to_string(constraints.size() + 1) + ". " + text);
  }
  for (const Rewrite::Version& version : rewrite.earlier) {
    const std::string number = std::to_string(earlier.size() + 1);
    earlier.push_back(prompts().render(
        "tgd_momentum_item", {{"number", number}, {"value", version.value}, {"feedback", version.feedback}, {"score", ""}}));
  }
  for (const std::string& value : rewrite.rejected) {
    const std::string number = std::to_string(rejected.size() + 1);
    rejected.push_back(prompts().render("tgd_rejected_item",
                                        {{"number", number}, {"value", value}, {"reason", "It scored less."}, {"score", ""}}));
  }
  const auto section = [](std::string_view name, const std::vector<std::string>& items, const std::string& separator) {
    return items.empty() ? std::string() : prompts().render(name, {{"items", joined(items, separator)}});
  };
  const TemplateInput open_tag{"open_tag", "<IMPROVED_VALUE>"};
  const TemplateInput close_tag{"close_tag", "</IMPROVED_VALUE>"};
  const std::string user = prompts().render("tgd_user", {{"role", "system prompt"},
                                                         {"value", rewrite.value},
                                                         {"feedback", section("tgd_feedback", feedback, "\n\n")},
                                                         {"constraints", section("tgd_constraints", constraints, "\n")},
                                                         {"momentum", section("tgd_momentum", earlier, "\n")},
                                                         {"rejected", section("tgd_rejected", rejected, "\n")},
                                                         {"objective", ""},
                                                         {"instructions", ""},
                                                         {"siblings", ""},
                                                         {"examples", ""},
                                                         {"boldness", rewrite.boldness},
                                                         open_tag,
                                                         close_tag});
  return {.messages = {{"system", prompts().render("tgd_system", {open_tag, close_tag})}, {"user", user}}, .args = {}};
}

std::string improved_value(const std::string& reply) {
  const std::string open = "<IMPROVED_VALUE>\n";
  const std::size_t begin = reply.find(open);
  const std::size_t end = reply.find("\n</IMPROVED_VALUE>");
  if (begin == std::string::npos || end == std::string::npos || end < begin + open.size()) return {};
  return reply.substr(begin + open.size(), end - begin - open.size());
}

std::string optimized(const lm::Simulated& model, const std::string& prompt, std::vector<Sample> train, std::uint64_t seed,
                      const LoopOptions& options) {
  Rewrite next{.value = prompt};
  for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
    shuffle(train, seed + epoch);
    for (std::size_t at = 0; at < train.size(); at += options.batch_size) {
      const std::size_t end = std::min(at + options.batch_size, train.size());
      const std::vector<Sample> batch(train.begin() + static_cast<std::ptrdiff_t>(at),
                                      train.begin() + static_cast<std::ptrdiff_t>(end));
      const std::vector<std::string> feedback = critiques(model, next.value, batch);
      if (feedback.empty()) continue;
      next.feedback = options.gives_feedback ? feedback : std::vector<std::string>{};
      const std::string improved = improved_value(model.reply_to(rewrite_request(next)));
      if (improved.empty() || improved == next.value) continue;
      next.earlier.push_back({next.value, as_items(feedback)});
      if (next.earlier.size() > options.momentum) next.earlier.erase(next.earlier.begin());
      next.value = improved;
    }
  }
  return next.value;
}

double accuracy(const lm::Simulated& model, const std::string& prompt, const std::vector<Sample>& samples) {
  const auto right = std::count_if(samples.begin(), samples.end(), [&](const Sample& sample) {
    return model.reply_to(task_request(prompt, sample.text)) == sample.label;
  });
  return static_cast<double>(right) / static_cast<double>(samples.size());
}

void shuffle(std::vector<Sample>& samples, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = samples.size(); i > 1; --i) std::swap(samples[i - 1], samples[random() % i]);
}

}  // namespace tgd::test
