#include "lm/request_key.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/digest.hpp"
#include "net/secrets.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::ordered_json;

// Arguments are shallow; whoever nests them deeply enough to end the stack would not get them parsed either.
void make_canonical(Value& value) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) < exact) value = static_cast<std::int64_t>(number);
  } else if (value.is_structured()) {
    for (Value& member : value) make_canonical(member);
  }
}

void add_pairs(tgd::detail::Digest& digest, net::NamedValues pairs) {
  std::sort(pairs.begin(), pairs.end());
  digest.add(pairs.size());
  for (const auto& [name, value] : pairs) digest.add(name).add(value);
}

}  // namespace

std::string requested_model(const std::string& model_name, const Request& request) {
  std::string name = request.args.get_text("model");
  return name.empty() ? model_name : name;
}

Json canonical_args(const Json& args) {
  if (args.empty()) return {};
  Value given = args.value();
  make_canonical(given);
  if (!given.is_object()) return given;
  std::map<std::string, Value> by_name;
  for (auto& [name, value] : given.get_ref<Value::object_t&>()) {
    if (name != "stream" && name != "stream_options") by_name.emplace(name, std::move(value));
  }
  Value canonical = Value::object();
  for (auto& [name, value] : by_name) canonical[name] = std::move(value);
  return canonical;
}

RequestKeys::RequestKeys(const Json& identity) {
  Value own = identity.value();
  if (own.is_object() && own.contains("args")) {
    if (own["args"].is_object()) default_args_ = own["args"];
    own.erase("args");
  }
  // The name among the arguments is the one that counts.
  if (const std::string model = identity.get_text("model"); !model.empty() && !default_args_.contains("model")) {
    default_args_ = default_args_.with("model", model);
  }
  if (own.is_object()) own.erase("model");
  identity_ = nlohmann::json(own).dump();  // what a model says of itself has no order
  default_args_text_ = canonical_args(default_args_).dump();
}

std::string RequestKeys::args_text(const Json& args) const {
  return args.empty() ? default_args_text_ : canonical_args(default_args_.merged(args)).dump();
}

std::string RequestKeys::key(const Request& request) const {
  tgd::detail::Digest digest;
  digest.add("tgd request 1").add(identity_).add(args_text(request.args)).add(request.sample);
  add_pairs(digest, net::without_secrets(request.options.query));
  add_pairs(digest, net::without_secrets(request.options.headers));
  for (const Message& message : request.messages) digest.add(message.role).add(message.content);
  return digest.hex();
}

}  // namespace tgd::lm::detail
