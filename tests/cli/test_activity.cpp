// How far something is: what is said, and that the calls in flight are those that have left.
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/trainer.hpp>

#include "catch.hpp"
#include "cli/activity.hpp"
#include "cli/tickets.hpp"
#include "support/gated_model.hpp"
#include "task/interruptible.hpp"
#include "train/journal.hpp"

using namespace tgd;
using namespace tgd::cli;
using Pieces = std::vector<std::string>;

TEST_CASE("an activity is told with what matters most first", "[cli]") {
  ActivityStatus status{.done = 31, .total = 73, .in_flight = 8, .has_cost = true, .cost = lm::Cost::from_usd(0.0031)};
  CHECK(activity_pieces("measuring", status, 10) ==
        Pieces{"measuring  31/73 calls", "0:13 left", "$0.0031", "8 in flight", "3.1/s", "42%", "0:10"});
  SECTION("a cost that nobody knows is none that is 0") {
    status.cost.reset();
    CHECK(activity_pieces("measuring", status, 10)[2] == "cost unknown");
  }
  SECTION("without an end there is nothing left to tell") {
    status.total = 0;
    CHECK(activity_pieces("predicting", status, 10)[0] == "predicting  31 calls");
    CHECK(activity_pieces("predicting", status, 10)[1].empty());
  }
  SECTION("more calls than were thought of are no more than all") {
    status.done = 80;
    CHECK(activity_pieces("measuring", status, 10)[0] == "measuring  73/73 calls");
  }
}

TEST_CASE("calls that wait for their turn are not in flight", "[cli]") {
  const auto endpoint = std::make_shared<test::GatedModel>();
  const std::stop_source stop;
  Trainer trainer;
  const detail::Journal& journal = detail::journal_of(trainer);
  const lm::ChatModelPtr model =
      trainer.track(std::make_shared<Interruptible>(endpoint, std::size_t{2}, stop.get_token()), "student");
  for (const char* question : {"first", "second", "third"})
    model->start({.messages = {{"user", question}}}, [](const lm::Outcome&) {});
  endpoint->wait_for("second");
  CHECK(journal.calls_in_flight() == 2);
  endpoint->reply("first", "yes");
  endpoint->wait_for("third");
  CHECK(journal.calls_in_flight() == 2);
  endpoint->reply("second", "yes");
  endpoint->reply("third", "yes");
  CHECK(journal.calls_in_flight() == 0);
}

TEST_CASE("in a log progress is a line, and quiet programs have none", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder, 30).string();
  const test::ProcessResult loud = test::run_tgd({"evaluate", task});
  CHECK(loud.out.find("measuring 1 prompt\n") != std::string::npos);
  CHECK(loud.out.find('\r') == std::string::npos);
  const test::ProcessResult quiet = test::run_tgd({"evaluate", task, "-q"});
  CHECK(quiet.status == 0);
  CHECK(quiet.out.find("measuring") == std::string::npos);
}
