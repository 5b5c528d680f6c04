#include <tgd/trainer.hpp>

#include <list>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tgd/data/stream_loader.hpp>
#include <tgd/progress.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

data::StreamLoader<test::Samples> stream(const std::vector<std::string>& answers, std::size_t batch_size) {
  return data::StreamLoader<test::Samples>(test::samples_with(answers), {.batch_size = batch_size});
}

}  // namespace

TEST_CASE("a run trains on a stream without knowing how long it is", "[train][stream][concurrent]") {
  const test::TemporaryFolder folder;
  const auto notes = std::make_shared<test::Notes>();
  std::ostringstream out;
  test::ScriptedAgent agent({"a", "b", "c", "d"});
  Trainer trainer({.max_epochs = 2,
                   .backward = {.model = test::critic()},
                   .callbacks = {notes, std::make_shared<Progress>(out)},
                   .run_folder = folder.path() / "run"});
  const FitResult result = trainer.fit(agent, stream({"x", "y", "z"}, 2), stream({"c", "d", "d"}, 2));
  CHECK(result.steps == 4);
  CHECK(result.best->metrics.score == Approx(2.0 / 3));
  CHECK(notes->info.steps_in_epoch == 0);
  CHECK(notes->info.samples_in_epoch == 0);
  REQUIRE(notes->steps.size() == 4);
  CHECK(notes->steps[2].epoch == 2);
  CHECK(notes->steps[2].step_in_epoch == 1);
  CHECK(notes->steps[2].steps_in_epoch == 0);
  CHECK(notes->steps[3].samples_in_epoch == 3);
  CHECK_THAT(out.str(), ContainsSubstring("epoch 2/2  step 4  samples 3  score 0 "));
  CHECK_THAT(out.str(), !ContainsSubstring("left)"));
  const auto config = nlohmann::json::parse(detail::read_file(folder.path() / "run" / "config.json"));
  CHECK(config.at("batches_in_epoch").is_null());
}

TEST_CASE("an error in training on a stream says at which step", "[train][stream]") {
  test::ScriptedAgent agent({"a"});
  Trainer trainer({.backward = {.model = test::critic()}});
  CHECK_THROWS_WITH(trainer.fit(agent, stream({"x", "y"}, 1)), ContainsSubstring("epoch 1, step 2: "));
}

TEST_CASE("validation, test and prediction take streams and any range of batches", "[train][stream]") {
  test::ScriptedAgent agent({});
  const std::vector<std::string> answers{"start", "start", "no", "start", "start"};
  CHECK(Trainer().validate(agent, stream(answers, 2)).score == Approx(0.8));
  CHECK(Trainer().test(agent, stream(answers, 3)).samples == 5);

  const std::list<test::Batch> batches{
      {Variable(Data(std::vector<std::string>{"q", "q"})), {Data(std::vector<std::string>{"start", "no"})}}};
  CHECK(Trainer().validate(agent, batches).score == 0.5);

  struct Reader {
    std::size_t predict_step(test::Batch& batch) { return std::get<0>(batch).size(); }
  } reader;
  CHECK(Trainer().predict(reader, stream(answers, 2)) == std::vector<std::size_t>{2, 2, 1});
}

TEST_CASE("of a long stream a thousand samples are on their way at a time", "[train][stream]") {
  test::ScriptedAgent agent({});
  agent.student = std::make_shared<lm::Stub>();
  agent.student->otherwise("start").latency(std::chrono::milliseconds(50));
  const Metrics metrics = Trainer().validate(agent, stream(std::vector<std::string>(2'500, "start"), 100));
  CHECK(metrics.samples == 2'500);
  CHECK(metrics.score == 1.0);
  CHECK(agent.student->max_in_flight() <= 1'000);
}
