#include "lm/openai/rejections.hpp"

#include <utility>

namespace tgd::lm::detail {

namespace {

// So many in a row are no longer a matter of what is in them.
constexpr std::size_t too_many = 32;

}  // namespace

void Rejections::begin(const std::string& like) {
  const std::lock_guard lock(mutex_);
  ++groups_[like].under_way;
}

void Rejections::end(const std::string& like, bool was_answered) {
  std::vector<VerdictPtr> verdicts;
  {
    const std::lock_guard lock(mutex_);
    Group& group = groups_[like];
    --group.under_way;
    if (was_answered) {
      group.is_answered = true;
      group.in_a_row = 0;
      verdicts = decided(group, true);
    }
  }
  tell(verdicts);
}

Rejections::VerdictPtr Rejections::reject(const std::string& like) {
  auto verdict = std::make_shared<Verdict>();
  std::vector<VerdictPtr> verdicts;
  {
    const std::lock_guard lock(mutex_);
    Group& group = groups_[like];
    ++group.in_a_row;
    group.waiting.push_back(verdict);
    const bool is_too_often = group.in_a_row > too_many;
    if (is_too_often || group.is_answered) verdicts = decided(group, !is_too_often);
  }
  tell(verdicts);
  return verdict;
}

void Rejections::expect_others(const std::string& like) {
  std::vector<VerdictPtr> verdicts;
  {
    const std::lock_guard lock(mutex_);
    Group& group = groups_[like];
    if (group.waiting.size() == group.under_way) verdicts = decided(group, false);
  }
  tell(verdicts);
}

std::vector<Rejections::VerdictPtr> Rejections::decided(Group& group, bool is_of_request) {
  for (const VerdictPtr& verdict : group.waiting) verdict->is_of_request = is_of_request;
  return std::exchange(group.waiting, {});
}

void Rejections::tell(const std::vector<VerdictPtr>& verdicts) {
  for (const VerdictPtr& verdict : verdicts) verdict->known.request_stop();
}

}  // namespace tgd::lm::detail
