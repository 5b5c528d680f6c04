#include "lm/openai/reply_end.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "lm/openai/errors.hpp"

namespace tgd::lm::detail {

namespace {

struct Word {
  std::string_view word;
  ReplyEnd end;
  bool is_of_model = false;
};

// In lower case. OpenAI, Azure, Anthropic, Bedrock, Gemini, Vertex, Mistral, Cohere, DeepSeek, Qwen, GLM, Moonshot, Ollama, TGI,
// vLLM, SGLang, llama.cpp, and the routers that pass their words on.
constexpr std::array known_words = {
    Word{"", ReplyEnd::whole},
    Word{"stop", ReplyEnd::whole},
    Word{"stop_sequence", ReplyEnd::whole},
    Word{"stop_token", ReplyEnd::whole},
    Word{"end_turn", ReplyEnd::whole},
    Word{"eos", ReplyEnd::whole},
    Word{"eos_token", ReplyEnd::whole},
    Word{"complete", ReplyEnd::whole},
    Word{"completed", ReplyEnd::whole},
    Word{"finished", ReplyEnd::whole},
    Word{"done", ReplyEnd::whole},
    Word{"finish_reason_unspecified", ReplyEnd::whole},
    Word{"length", ReplyEnd::cut},
    Word{"max_tokens", ReplyEnd::cut},
    Word{"max_output_tokens", ReplyEnd::cut},
    Word{"max_completion_tokens", ReplyEnd::cut},
    Word{"max_new_tokens", ReplyEnd::cut},
    Word{"max_length", ReplyEnd::cut},
    Word{"max_tokens_reached", ReplyEnd::cut},
    Word{"token_limit", ReplyEnd::cut},
    Word{"token_limit_reached", ReplyEnd::cut},
    Word{"model_length", ReplyEnd::cut},
    Word{"model_context_window_exceeded", ReplyEnd::cut},
    Word{"context_length_exceeded", ReplyEnd::cut},
    Word{"context_window_exceeded", ReplyEnd::cut},
    Word{"error_limit", ReplyEnd::cut},
    Word{"incomplete", ReplyEnd::cut},
    Word{"truncated", ReplyEnd::cut},
    Word{"repetition", ReplyEnd::cut},  // vLLM has found a loop
    Word{"content_filter", ReplyEnd::filtered},
    Word{"content_filtered", ReplyEnd::filtered},
    Word{"safety", ReplyEnd::filtered},
    Word{"image_safety", ReplyEnd::filtered},
    Word{"prohibited_content", ReplyEnd::filtered},
    Word{"recitation", ReplyEnd::filtered},
    Word{"blocklist", ReplyEnd::filtered},
    Word{"blocked", ReplyEnd::filtered},
    Word{"spii", ReplyEnd::filtered},
    Word{"language", ReplyEnd::filtered},
    Word{"model_armor", ReplyEnd::filtered},
    Word{"sensitive", ReplyEnd::filtered},
    Word{"guardrail_intervened", ReplyEnd::filtered},
    Word{"guardrails", ReplyEnd::filtered},
    Word{"moderation", ReplyEnd::filtered},
    Word{"refusal", ReplyEnd::filtered},
    Word{"error_toxic", ReplyEnd::filtered},
    Word{"error", ReplyEnd::failed},
    Word{"failed", ReplyEnd::failed},
    Word{"insufficient_system_resource", ReplyEnd::failed},
    Word{"network_error", ReplyEnd::failed},
    Word{"internal_error", ReplyEnd::failed},
    Word{"server_error", ReplyEnd::failed},
    Word{"abort", ReplyEnd::failed},
    Word{"aborted", ReplyEnd::failed},
    Word{"cancelled", ReplyEnd::failed},
    Word{"canceled", ReplyEnd::failed},
    Word{"user_cancel", ReplyEnd::failed},
    Word{"interrupted", ReplyEnd::failed},
    Word{"timeout", ReplyEnd::failed},
    Word{"time_limit", ReplyEnd::failed},
    Word{"load", ReplyEnd::failed},
    Word{"unload", ReplyEnd::failed},
    Word{"other", ReplyEnd::failed, true},
    Word{"malformed_function_call", ReplyEnd::failed, true},
    Word{"malformed_model_output", ReplyEnd::failed, true},
    Word{"function_call_filter", ReplyEnd::failed, true},
    Word{"unexpected_tool_call", ReplyEnd::tool},
    Word{"tool_calls", ReplyEnd::tool},
    Word{"tool_call", ReplyEnd::tool},
    Word{"tool_use", ReplyEnd::tool},
    Word{"function_call", ReplyEnd::tool},
};

/// "content_filter: PROHIBITED_CONTENT" and "FinishReason.MAX_TOKENS" are the words they hold.
std::string plain_word(std::string_view word) {
  word = tgd::detail::trim(word.substr(0, word.find(':')));
  if (const auto dot = word.rfind('.'); dot != std::string_view::npos) word.remove_prefix(dot + 1);
  std::string plain = tgd::detail::lower_case(word);
  std::replace(plain.begin(), plain.end(), '-', '_');
  std::replace(plain.begin(), plain.end(), ' ', '_');
  return plain;
}

const Word* known_word(std::string_view word) {
  const std::string plain = plain_word(word);
  const auto known = std::find_if(known_words.begin(), known_words.end(), [&](const Word& each) { return each.word == plain; });
  return known == known_words.end() ? nullptr : &*known;
}

/// What the parts of a word that nobody knows say all the same. What speaks of failure goes first: a limit of time cuts, too, and
/// yet another try may bring all of it.
struct Sign {
  std::string_view part;
  ReplyEnd end;
};
constexpr std::array signs = {
    Sign{"timeout", ReplyEnd::failed},
    Sign{"timed_out", ReplyEnd::failed},
    Sign{"time_limit", ReplyEnd::failed},
    Sign{"cancel", ReplyEnd::failed},
    Sign{"abort", ReplyEnd::failed},
    Sign{"unload", ReplyEnd::failed},
    Sign{"shutdown", ReplyEnd::failed},
    Sign{"malformed", ReplyEnd::failed},
    Sign{"error", ReplyEnd::failed},
    Sign{"fail", ReplyEnd::failed},
    Sign{"filter", ReplyEnd::filtered},
    Sign{"safety", ReplyEnd::filtered},
    Sign{"prohibit", ReplyEnd::filtered},
    Sign{"policy", ReplyEnd::filtered},
    Sign{"blacklist", ReplyEnd::filtered},
    Sign{"blocked", ReplyEnd::filtered},
    Sign{"flagged", ReplyEnd::filtered},
    Sign{"moderat", ReplyEnd::filtered},
    Sign{"guardrail", ReplyEnd::filtered},
    Sign{"refus", ReplyEnd::filtered},
    Sign{"sensitive", ReplyEnd::filtered},
    Sign{"tool", ReplyEnd::tool},
    Sign{"function", ReplyEnd::tool},
    Sign{"length", ReplyEnd::cut},
    Sign{"max", ReplyEnd::cut},
    Sign{"limit", ReplyEnd::cut},
    Sign{"truncat", ReplyEnd::cut},
    Sign{"context", ReplyEnd::cut},
    Sign{"not_finished", ReplyEnd::cut},
    Sign{"unfinished", ReplyEnd::cut},
    Sign{"incomplete", ReplyEnd::cut},
    Sign{"pause", ReplyEnd::cut},
};

/// "contextLengthReached" is "context_length_reached".
std::string with_underscores(std::string_view word) {
  std::string result;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool begins_word = i > 0 && word[i] >= 'A' && word[i] <= 'Z' && word[i - 1] >= 'a' && word[i - 1] <= 'z';
    if (begins_word) result += '_';
    result += word[i];
  }
  return result;
}

/// Azure's verdicts on the choice itself.
bool is_withheld(const nlohmann::json& choice) {
  const nlohmann::json& verdicts = member(choice, "content_filter_results");
  return verdicts.is_object() && std::any_of(verdicts.begin(), verdicts.end(), [](const nlohmann::json& verdict) {
           return member(verdict, "filtered") == nlohmann::json(true);
         });
}

}  // namespace

EndOfReply end_named(std::string_view word, bool has_text) {
  if (const Word* known = known_word(word)) return {.end = known->end, .is_of_model = known->is_of_model};
  const std::string parts = plain_word(with_underscores(word));
  const auto sign =
      std::find_if(signs.begin(), signs.end(), [&](const Sign& each) { return parts.find(each.part) != std::string::npos; });
  if (sign != signs.end()) return {.end = sign->end, .is_of_model = sign->part == "malformed"};
  return {.end = has_text ? ReplyEnd::whole : ReplyEnd::failed, .is_known = false, .is_of_model = true};
}

// Routers have the word of the model's own endpoint beside theirs, and it says more where theirs says nothing. What stopped a
// model may be a text of the request's own: it counts only where nothing else is said.
std::string finish_word(const nlohmann::json& choice) {
  const nlohmann::json& reason = member(choice, "finish_reason");
  std::string word = text(reason.is_object() ? member(reason, "type") : reason);
  const Word* own = known_word(word);
  const bool says_nothing = own != nullptr && own->end == ReplyEnd::whole;
  for (const char* name : {"native_finish_reason", "done_reason", "stop_reason"}) {
    const std::string other = text(member(choice, name));
    const Word* end = other.empty() ? nullptr : known_word(other);
    if (end == nullptr || !says_nothing) continue;
    const bool may_correct =
        name != std::string_view("stop_reason") && (end->end == ReplyEnd::filtered || end->end == ReplyEnd::cut);
    if (word.empty() || may_correct) return other;
  }
  return word;
}

EndOfReply end_of_reply(const nlohmann::json& choice, bool has_text) {
  const nlohmann::json& error = member(choice, "error");
  if (!error.is_null() && !error.empty()) {
    EndpointError trouble = endpoint_error_in(0, choice);
    const bool is_filtered = trouble.cause == EndpointError::Cause::filtered;
    return {.end = is_filtered ? ReplyEnd::filtered : ReplyEnd::failed, .reason = std::move(trouble.message)};
  }
  if (is_withheld(choice)) return {.end = ReplyEnd::filtered, .reason = "content_filter_results"};
  return end_named(finish_word(choice), has_text);
}

}  // namespace tgd::lm::detail

tgd::lm::ReplyEnd tgd::lm::Reply::end() const { return detail::end_named(finish_reason, !content.empty()).end; }
