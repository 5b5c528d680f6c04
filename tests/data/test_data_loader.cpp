#include <iterator>

#include <tgd/data/data_loader.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::Variable;
using tgd::data::DataLoader;
using tgd::data::InMemory;
using tgd::data::RandomSampler;
using tgd::data::SequentialSampler;
using tgd::data::WeightedRandomSampler;
using Texts = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;

namespace {

using Pair = std::tuple<Variable, Variable>;

const std::vector<int> ten{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

/// The items of all batches, one after the other.
template <class Loader>
Integers items(const Loader& loader) {
  Integers all;
  for (const Variable& batch : loader) all.insert(all.end(), batch.data().integers().begin(), batch.data().integers().end());
  return all;
}

template <class Loader>
std::vector<std::size_t> batch_sizes(const Loader& loader) {
  std::vector<std::size_t> sizes;
  for (const Variable& batch : loader) sizes.push_back(batch.size());
  return sizes;
}

/// A dataset that tells which samples were read.
struct Counted {
  std::shared_ptr<std::vector<std::size_t>> read = std::make_shared<std::vector<std::size_t>>();

  std::size_t size() const { return 6; }
  std::string operator[](std::size_t i) const {
    read->push_back(i);
    return std::to_string(i);
  }
};

}  // namespace

static_assert(std::input_iterator<DataLoader<std::vector<int>>::Iterator>);
static_assert(std::is_same_v<DataLoader<std::vector<Pair>>::Batch, Pair>);

TEST_CASE("DataLoader collates samples position by position", "[data_loader]") {
  SECTION("tuples of Variables") {
    const std::vector<Pair> samples{{Variable("good", "review"), Variable(1, "stars")},
                                    {Variable("bad", "review"), Variable(0, "stars")},
                                    {Variable("fine", "review"), Variable(1, "stars")}};
    std::vector<Texts> texts;
    for (auto [text, label] : DataLoader(samples, {.batch_size = 2})) {
      texts.push_back(text.texts());
      CHECK(text.role() == "review");
      CHECK(label.role() == "stars");
      CHECK(label.size() == text.size());
      CHECK(text.is_leaf());
      CHECK_FALSE(text.requires_grad());
    }
    CHECK(texts == std::vector<Texts>{{"good", "bad"}, {"fine"}});
  }
  SECTION("pairs, arrays and tuples of plain values") {
    const std::vector<std::pair<std::string, int>> pairs{{"a", 1}, {"b", 2}};
    const auto [texts, numbers] = *DataLoader(pairs, {.batch_size = 2}).begin();
    CHECK(texts.texts() == Texts{"a", "b"});
    CHECK(numbers.data() == Data(std::vector{1, 2}));

    const std::vector<std::array<const char*, 2>> arrays{{"a", "b"}};
    const auto [first, second] = *DataLoader(arrays).begin();
    CHECK(first.texts() == Texts{"a"});
    CHECK(second.texts() == Texts{"b"});
  }
  SECTION("Variables, Data and plain values by themselves") {
    CHECK((*DataLoader(std::vector<Variable>{"a", "b"}, {.batch_size = 2}).begin()).texts() == Texts{"a", "b"});
    CHECK((*DataLoader(std::vector<Data>{1, 0.5}, {.batch_size = 2}).begin()).data() == Data(std::vector{1.0, 0.5}));
    CHECK((*DataLoader(Texts{"a"}).begin()).texts() == Texts{"a"});
  }
  SECTION("maps, whose names are the roles") {
    const std::vector<std::map<std::string, Data>> samples{{{"text", "a"}, {"stars", 5}}, {{"text", "b"}, {"stars", 1}}};
    auto batch = *DataLoader(samples, {.batch_size = 2}).begin();
    CHECK(batch.at("text").texts() == Texts{"a", "b"});
    CHECK(batch.at("text").role() == "text");
    CHECK(batch.at("stars").data() == Data(std::vector{5, 1}));
  }
  SECTION("with the given roles") {
    const std::vector<Pair> pairs{{Variable("a", "own role"), "b"}};
    const auto [a, b] = *DataLoader(pairs, {.roles = {"question", "answer"}}).begin();
    CHECK(a.role() == "question");
    CHECK(b.role() == "answer");

    const std::vector<std::map<std::string, Variable>> maps{{{"x", "1"}, {"y", Variable("2", "own role")}}};
    auto batch = *DataLoader(maps, {.roles = {"first", "second"}}).begin();
    CHECK(batch.at("x").role() == "first");
    CHECK(batch.at("y").role() == "second");
    CHECK((*DataLoader(maps).begin()).at("y").role() == "own role");
  }
  SECTION("requiring grad where a sample does") {
    const std::vector<Variable> samples{"a", Variable("b", "", true)};
    const Variable batch = *DataLoader(samples, {.batch_size = 2}).begin();
    CHECK(batch.requires_grad());
    CHECK(batch.is_leaf());
  }
  SECTION("with the caller's own function") {
    const auto count = [](const std::vector<int>& samples) { return samples.size(); };
    std::vector<std::size_t> counts;
    for (const std::size_t n : DataLoader(ten, {.batch_size = 4}, count)) counts.push_back(n);
    CHECK(counts == std::vector<std::size_t>{4, 4, 2});
  }
}

TEST_CASE("DataLoader cuts an epoch into batches", "[data_loader]") {
  CHECK(batch_sizes(DataLoader(ten)) == std::vector<std::size_t>(10, 1));
  CHECK(batch_sizes(DataLoader(ten, {.batch_size = 4})) == std::vector<std::size_t>{4, 4, 2});
  CHECK(batch_sizes(DataLoader(ten, {.batch_size = 4, .drop_last = true})) == std::vector<std::size_t>{4, 4});
  CHECK(batch_sizes(DataLoader(ten, {.batch_size = 5, .drop_last = true})) == std::vector<std::size_t>{5, 5});
  CHECK(batch_sizes(DataLoader(ten, {.batch_size = 100})) == std::vector<std::size_t>{10});
  CHECK(batch_sizes(DataLoader(ten, {.batch_size = 100, .drop_last = true})).empty());
  CHECK(batch_sizes(DataLoader(std::vector<int>())).empty());

  CHECK(DataLoader(ten, {.batch_size = 4}).size() == 3);
  CHECK(DataLoader(ten, {.batch_size = 4, .drop_last = true}).size() == 2);
  CHECK(DataLoader(ten, {.sampler = std::make_shared<RandomSampler>(3)}).size() == 3);
}

TEST_CASE("DataLoader shuffles anew every epoch and alike in every run", "[data_loader]") {
  const tgd::data::DataLoaderOptions options{.batch_size = 3, .shuffle = true, .seed = 42};
  const DataLoader loader(ten, options);
  const Integers first = items(loader);
  CHECK(first == Integers{1, 0, 4, 9, 6, 5, 8, 2, 3, 7});
  const Integers second = items(loader);
  CHECK(second != first);

  const DataLoader again(ten, options);
  CHECK(items(again) == first);
  CHECK(items(again) == second);
  CHECK(items(DataLoader(ten)) == Integers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("DataLoader follows its sampler", "[data_loader]") {
  const std::vector<int> samples{10, 11, 12, 13, 14, 15};
  const auto sampler = std::make_shared<WeightedRandomSampler>(std::vector{0.1, 0.9, 0.4, 0.7, 3.0, 0.6}, 5, true, 7);
  CHECK(items(DataLoader(samples, {.batch_size = 2, .sampler = sampler})) == Integers{13, 11, 14, 11, 14});
}

TEST_CASE("Iterations of a DataLoader are independent", "[data_loader]") {
  SECTION("of each other") {
    const DataLoader loader(ten, {.shuffle = true, .seed = 1});
    const DataLoader twin(ten, {.shuffle = true, .seed = 1});
    const Integers epoch_1 = items(twin);
    const Integers epoch_2 = items(twin);
    Integers outer_items;
    for (const Variable& outer : loader) {
      outer_items.push_back(outer.data().integers()[0]);
      if (outer_items.size() == 3) CHECK(items(loader) == epoch_2);
    }
    CHECK(outer_items == epoch_1);
  }
  SECTION("of the loader's life") {
    auto loader = std::make_unique<DataLoader<std::vector<int>>>(ten);
    auto it = loader->begin();
    loader.reset();
    ++it;
    CHECK(it->data().integers() == Integers{1});
  }
  SECTION("and a batch may be written to") {
    for (Variable& batch : DataLoader(ten)) batch.set_data("read");
    for (auto it = DataLoader(ten).begin(); it != std::default_sentinel; it++) CHECK(it->size() == 1);
  }
}

TEST_CASE("DataLoader reads a sample when its batch is due", "[data_loader]") {
  const Counted dataset;
  const DataLoader loader(dataset, {.batch_size = 2});
  CHECK(dataset.read->empty());
  auto it = loader.begin();
  CHECK(*dataset.read == std::vector<std::size_t>{0, 1});
  ++it;
  CHECK(*dataset.read == std::vector<std::size_t>{0, 1, 2, 3});
  SECTION("and does not read the batches that from() leaves out") {
    dataset.read->clear();
    CHECK(batch_sizes(loader.from(2)) == std::vector<std::size_t>{2});
    CHECK(*dataset.read == std::vector<std::size_t>{4, 5});
    CHECK(batch_sizes(loader.from(3)).empty());
    CHECK(batch_sizes(loader.from(100)).empty());
  }
}

TEST_CASE("DataLoader continues in the middle of an epoch of another run", "[data_loader]") {
  const DataLoader loader(ten, {.batch_size = 3, .shuffle = true, .seed = 5});
  items(loader);
  const tgd::Json state = loader.state_dict();
  const Integers second = items(loader);
  const Integers third = items(loader);

  DataLoader continued(ten, {.batch_size = 3, .shuffle = true, .seed = 99});
  continued.load_state_dict(tgd::Json::parse(state.dump()));
  CHECK(items(continued.from(2)) == Integers(second.begin() + 6, second.end()));
  CHECK(items(continued) == third);
}

TEST_CASE("DataLoader refuses options that contradict each other", "[data_loader]") {
  const auto sampler = std::make_shared<SequentialSampler>(10);
  CHECK_THROWS_WITH(DataLoader(ten, {.shuffle = true, .sampler = sampler}), ContainsSubstring("sampler and shuffle"));
  CHECK_THROWS_AS(DataLoader(ten, {.shuffle = true, .sampler = sampler}), tgd::ValueError);
  CHECK_THROWS_WITH(DataLoader(ten, {.batch_size = 0}), ContainsSubstring("batch_size of 0"));
}

TEST_CASE("DataLoader refuses samples that do not fit together", "[data_loader]") {
  const auto first_batch = [](const auto& samples, std::vector<std::string> roles = {}) {
    DataLoader(samples, {.batch_size = 10, .roles = std::move(roles)}).begin();
  };
  SECTION("texts and numbers in one position") {
    const std::vector<Pair> samples{{"a", Variable(1)}, {"b", "2"}};
    CHECK_THROWS_WITH(first_batch(samples), ContainsSubstring("sample 1") && ContainsSubstring("position 1"));
    CHECK_THROWS_AS(first_batch(samples), tgd::TypeError);
  }
  SECTION("lists") {
    const std::vector<Variable> samples{"a", Variable(std::vector<std::string>{"b", "c"})};
    CHECK_THROWS_WITH(first_batch(samples), ContainsSubstring("sample 1") && ContainsSubstring("is a list already"));
  }
  SECTION("maps with different names") {
    const std::vector<std::map<std::string, Data>> samples{{{"a", 1}, {"b", 2}}, {{"a", 1}}};
    CHECK_THROWS_WITH(first_batch(samples),
                      ContainsSubstring("sample 1 of the batch has \"a\"") && ContainsSubstring("\"a\", \"b\""));
  }
  SECTION("more or fewer roles than positions") {
    CHECK_THROWS_WITH(first_batch(std::vector<Pair>{{"a", "b"}}, {"one"}),
                      ContainsSubstring("1 roles for samples of 2 values"));
    CHECK_THROWS_AS(first_batch(ten, {"one", "two"}), tgd::ValueError);
  }
  SECTION("a sampler for a larger dataset") {
    const DataLoader loader(ten, {.sampler = std::make_shared<SequentialSampler>(11)});
    CHECK_THROWS_WITH(loader.begin(), ContainsSubstring("index 10") && ContainsSubstring("10 samples"));
  }
}
