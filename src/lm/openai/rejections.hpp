// Whose fault it is when an endpoint turns a request down and gives no reason that is known: that request's, where others like it are
// answered; the endpoint's, or that of the arguments that they have in common, where none is.
// Thread-safety: every member may be called from any thread. Verdicts are given without a lock held.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace tgd::lm::detail {

class Rejections {
 public:
  /// What becomes of one that was turned down.
  struct Verdict {
    std::stop_source known = {};  ///< stopped when the rest is known
    bool is_of_request = false;   ///< its own fault

    bool is_known() const { return known.stop_requested(); }
  };
  using VerdictPtr = std::shared_ptr<Verdict>;

  /// Of calls that are `like` each other, so that what is wrong with all of them is wrong with each.
  void begin(const std::string& like);
  void end(const std::string& like, bool was_answered);
  /// One that has begun was turned down. Known at once where others were answered, otherwise as soon as one is, or too many are turned
  /// down, or expect_others() finds none. It has not ended by that.
  VerdictPtr reject(const std::string& like);
  /// After a while in which others could begin: gives the verdict where all that are under way were turned down.
  void expect_others(const std::string& like);

 private:
  struct Group {
    bool is_answered = false;
    std::size_t under_way = 0;
    std::size_t in_a_row = 0;  // turned down since one was answered
    std::vector<VerdictPtr> waiting = {};
  };

  static std::vector<VerdictPtr> decided(Group& group, bool is_of_request);
  static void tell(const std::vector<VerdictPtr>& verdicts);

  std::mutex mutex_;
  std::map<std::string, Group> groups_;
};

}  // namespace tgd::lm::detail
