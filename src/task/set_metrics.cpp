#include "task/set_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <tgd/random.hpp>

#include "core/mean.hpp"
#include "core/number_text.hpp"
#include "task/scores.hpp"

namespace tgd::cli {

namespace {

using Indices = std::vector<std::size_t>;
/// A figure of some of the samples; nothing where it is not defined for them.
using Measure = std::function<std::optional<double>(const Indices&)>;

constexpr std::size_t drawn_parts = 1000;
constexpr double share_below = 0.025;

// ---- Classes ---------------------------------------------------------------------------------------------------------------

/// Labels as numbers: those of targets from 0 on; a prediction that is none of them is `none`.
struct Classes {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<std::string> names = {};
  Indices predicted = {};
  Indices expected = {};
};

Classes classes_of(const EvaluatorSpec& spec, const std::vector<std::string>& predictions,
                   const std::vector<std::string>& targets) {
  Classes classes;
  std::map<std::string, std::string> names;  // by what is compared
  for (const std::string& target : targets) names.try_emplace(compared_text(spec, target), target);
  std::map<std::string, std::size_t> numbers;
  for (const auto& [compared, name] : names) {
    numbers.emplace(compared, classes.names.size());
    classes.names.push_back(name);
  }
  for (const std::string& target : targets) classes.expected.push_back(numbers.at(compared_text(spec, target)));
  for (const std::string& prediction : predictions) {
    const auto found = numbers.find(compared_text(spec, prediction));
    classes.predicted.push_back(found == numbers.end() ? Classes::none : found->second);
  }
  return classes;
}

struct Hits {
  double right = 0;
  double predicted = 0;
  double expected = 0;

  std::optional<double> f1() const {
    return predicted + expected == 0 ? std::nullopt : std::optional(2 * right / (predicted + expected));
  }
};

std::vector<Hits> hits_of(const Classes& classes, const Indices& samples) {
  std::vector<Hits> hits(classes.names.size());
  for (const std::size_t i : samples) {
    const std::size_t predicted = classes.predicted[i];
    const std::size_t expected = classes.expected[i];
    hits[expected].expected += 1;
    if (predicted != Classes::none) hits[predicted].predicted += 1;
    if (predicted == expected) hits[expected].right += 1;
  }
  return hits;
}

/// The mean over the classes that are there.
std::optional<double> macro_f1(const std::vector<Hits>& hits) {
  double sum = 0;
  double count = 0;
  for (const Hits& of_class : hits) {
    const auto f1 = of_class.f1();
    sum += f1.value_or(0);
    count += f1 ? 1 : 0;
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

std::optional<double> micro_f1(const std::vector<Hits>& hits) {
  Hits all;
  for (const Hits& of_class : hits) {
    all.right += of_class.right;
    all.predicted += of_class.predicted;
    all.expected += of_class.expected;
  }
  return all.f1();
}

// ---- Numbers ---------------------------------------------------------------------------------------------------------------

/// Samples with a number on both sides.
struct Pairs {
  std::vector<double> predicted = {};
  std::vector<double> expected = {};
};

Pairs pairs_of(const EvaluatorSpec& spec, const std::vector<std::string>& predictions,
               const std::vector<std::string>& targets) {
  Pairs pairs;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const auto predicted = detail::last_number(predictions[i], spec.decimal_mark);
    const auto expected = detail::last_number(targets[i], spec.decimal_mark);
    if (!predicted || !expected) continue;
    pairs.predicted.push_back(predicted->real());
    pairs.expected.push_back(expected->real());
  }
  return pairs;
}

std::vector<double> at(const std::vector<double>& values, const Indices& samples) {
  std::vector<double> chosen;
  for (const std::size_t i : samples) chosen.push_back(values[i]);
  return chosen;
}

/// From 1 on; equal values share the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  Indices order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + end + 1) / 2;
    first = end;
  }
  return ranks;
}

std::optional<double> correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = detail::mean(a);
  const double mean_b = detail::mean(b);
  double together = 0;
  double of_a = 0;
  double of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    together += (a[i] - mean_a) * (b[i] - mean_b);
    of_a += (a[i] - mean_a) * (a[i] - mean_a);
    of_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  const double both = std::sqrt(of_a) * std::sqrt(of_b);
  return both > 0 && std::isfinite(both) ? std::optional(std::clamp(together / both, -1.0, 1.0)) : std::nullopt;
}

/// How often a sample of the greater target has the greater prediction; ties count half (Mann and Whitney).
std::optional<double> area_under_curve(const std::vector<double>& predicted, const std::vector<double>& expected,
                                       double positive) {
  const std::vector<double> ranks = ranks_of(predicted);
  double positives = 0;
  double sum = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (expected[i] != positive) continue;
    positives += 1;
    sum += ranks[i];
  }
  const double negatives = static_cast<double>(ranks.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (sum - positives * (positives + 1) / 2) / (positives * negatives);
}

// ---- Figures ---------------------------------------------------------------------------------------------------------------

/// Each name with its measure, of so many samples, and the interval by drawing parts; the draws are the same for all of them.
class Figures {
 public:
  explicit Figures(std::size_t samples) : samples_(samples) {
    Random random(0);
    for (std::size_t part = 0; part < drawn_parts && samples > 0; ++part) {
      Indices& drawn = parts_.emplace_back(samples);
      for (std::size_t& i : drawn) i = static_cast<std::size_t>(random.randbelow(samples));
    }
  }

  void add(const std::string& name, const Measure& measure, std::vector<SetFigure>& figures) const {
    Indices all(samples_);
    std::iota(all.begin(), all.end(), std::size_t{0});
    const auto value = samples_ > 0 ? measure(all) : std::nullopt;
    if (!value) return;
    std::vector<double> drawn;
    for (const Indices& part : parts_) {
      if (const auto of_part = measure(part)) drawn.push_back(*of_part);
    }
    std::sort(drawn.begin(), drawn.end());
    const auto end = [&](double share) {
      if (drawn.empty()) return *value;
      return drawn[static_cast<std::size_t>(std::round(share * static_cast<double>(drawn.size() - 1)))];
    };
    figures.push_back({name, *value, end(share_below), end(1 - share_below), samples_});
  }

 private:
  std::size_t samples_;
  std::vector<Indices> parts_;
};

void add_f1(const Task& task, const std::vector<std::string>& predictions, const std::vector<std::string>& targets,
            std::vector<SetFigure>& figures) {
  const Classes classes = classes_of(task.evaluator, predictions, targets);
  const Figures all(predictions.size());
  all.add(
      "macro F1", [&](const Indices& samples) { return macro_f1(hits_of(classes, samples)); }, figures);
  all.add(
      "micro F1", [&](const Indices& samples) { return micro_f1(hits_of(classes, samples)); }, figures);
  constexpr std::size_t most_classes = 50;
  if (classes.names.size() > most_classes) return;  // no labels, but answers of their own
  for (std::size_t i = 0; i < classes.names.size(); ++i)
    all.add(
        "F1 of " + classes.names[i], [&](const Indices& samples) { return hits_of(classes, samples)[i].f1(); }, figures);
}

}  // namespace

std::vector<SetFigure> set_figures(const Task& task, const std::vector<std::string>& predictions,
                                   const std::vector<std::string>& targets) {
  std::vector<SetFigure> figures;
  const Pairs pairs = pairs_of(task.evaluator, predictions, targets);
  const Figures numbers(pairs.predicted.size());
  for (const SetMetric metric : task.report_metrics) {
    switch (metric) {
      case SetMetric::f1:
        add_f1(task, predictions, targets, figures);
        break;
      case SetMetric::auc: {
        const std::set<double> values(pairs.expected.begin(), pairs.expected.end());
        if (values.size() != 2) break;
        numbers.add(
            "AUC",
            [&](const Indices& samples) {
              return area_under_curve(at(pairs.predicted, samples), at(pairs.expected, samples), *values.rbegin());
            },
            figures);
        break;
      }
      case SetMetric::correlation:
        numbers.add(
            "correlation",
            [&](const Indices& samples) { return correlation(at(pairs.predicted, samples), at(pairs.expected, samples)); },
            figures);
        break;
      case SetMetric::rank_correlation:
        numbers.add(
            "rank correlation",
            [&](const Indices& samples) {
              return correlation(ranks_of(at(pairs.predicted, samples)), ranks_of(at(pairs.expected, samples)));
            },
            figures);
        break;
      case SetMetric::mean_absolute_error:
        numbers.add(
            "mean absolute error",
            [&](const Indices& samples) -> std::optional<double> {
              double sum = 0;
              for (const std::size_t i : samples) sum += std::abs(pairs.predicted[i] - pairs.expected[i]);
              return sum / static_cast<double>(samples.size());
            },
            figures);
        break;
    }
  }
  return figures;
}

OrderedJson figures_json(const std::vector<SetFigure>& figures) {
  OrderedJson json = OrderedJson::array();
  for (const SetFigure& figure : figures)
    json.push_back({{"name", figure.name},
                    {"value", figure.value},
                    {"low", figure.low},
                    {"high", figure.high},
                    {"samples", figure.samples}});
  return json;
}

std::string figure_text(const SetFigure& figure) {
  return fmt::format("{:.3g} [{:.3g}, {:.3g}]", figure.value, figure.low, figure.high);
}

}  // namespace tgd::cli
