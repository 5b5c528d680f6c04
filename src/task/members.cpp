#include "task/members.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "core/seconds.hpp"

namespace tgd::cli {

namespace {

class KeyList final : public Members {
 public:
  void member(const std::string& key, const Read&, const Write&, Example) override { keys_.push_back(key); }
  std::vector<std::string> take() { return std::move(keys_); }

 private:
  std::vector<std::string> keys_;
};

class Reader final : public Members {
 public:
  explicit Reader(const TaskValue& value) : value_(value) {}
  void member(const std::string& key, const Read& read, const Write&, Example example) override {
    if (example != nullptr) {
      read(value_.at(key, example));
    } else if (const auto found = value_.find(key)) {
      read(*found);
    }
  }

 private:
  const TaskValue& value_;
};

class Writer final : public Members {
 public:
  void member(const std::string& key, const Read&, const Write& write, Example) override {
    OrderedJson value = write();
    if (!value.is_null()) json_[key] = std::move(value);
  }
  OrderedJson take() { return std::move(json_); }

 private:
  OrderedJson json_ = OrderedJson::object();
};

bool has(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

void Members::text(const std::string& key, std::string& value, Example example) {
  member(
      key, [&](const TaskValue& at) { value = at.nonempty_text(); },
      [&] { return value.empty() ? OrderedJson() : OrderedJson(value); }, example);
}

void Members::texts(const std::string& key, std::vector<std::string>& values) {
  const Read read = [&](const TaskValue& at) {
    values.clear();
    for (const TaskValue& item : at.items()) values.push_back(item.nonempty_text());
  };
  member(key, read, [&] { return OrderedJson(values); });
}

void Members::flag(const std::string& key, bool& value) {
  member(
      key, [&](const TaskValue& at) { value = at.flag(); }, [&] { return OrderedJson(value); });
}

void Members::args(const std::string& key, Json& value) {
  member(
      key, [&](const TaskValue& at) { value = at.object(); }, [&] { return value.empty() ? OrderedJson() : value.value(); });
}

void Members::one_of(const std::string& key, std::string& value, const std::vector<std::string>& words, Example example) {
  member(
      key, [&](const TaskValue& at) { value = at.one_of(words); }, [&] { return OrderedJson(value); }, example);
}

void Members::real(const std::string& key, double& value, RealRange range, Example example) {
  member(
      key, [&](const TaskValue& at) { value = at.real(range); }, [&] { return OrderedJson(value); }, example);
}

void Members::real(const std::string& key, std::optional<double>& value, RealRange range) {
  member(
      key, [&](const TaskValue& at) { value = at.real(range); }, [&] { return value ? OrderedJson(*value) : OrderedJson(); });
}

void Members::seconds(const std::string& key, std::optional<double>& value) {
  real(key, value, {.least = 0, .most = std::chrono::duration<double>(detail::longest_span).count(), .with_least = false});
}

std::vector<std::string> keys_of(const Describe& describe) {
  KeyList keys;
  describe(keys);
  return keys.take();
}

void read_members(const TaskValue& value, const Describe& describe) {
  value.expect_object(keys_of(describe));
  Reader reader(value);
  describe(reader);
}

OrderedJson written_members(const Describe& describe) {
  Writer writer;
  describe(writer);
  return writer.take();
}

void expect_keys_of_kind(const TaskValue& value, const std::string& kind,
                         const std::map<std::string, std::vector<std::string>>& keys_by_kind) {
  const std::vector<std::string>& known = keys_by_kind.at(kind);
  for (const auto& member : value.members()) {
    if (has(known, member.first)) continue;
    std::vector<std::string> owners;
    for (const auto& [other, keys] : keys_by_kind) {
      if (has(keys, member.first)) owners.push_back(other);
    }
    if (owners.empty()) continue;  // simply unknown
    member.second.fail(fmt::format("\"{}\" goes with {}, not with \"{}\"; known here: {}", member.first, quoted_list(owners),
                                   kind, quoted_list(known)));
  }
}

}  // namespace tgd::cli
