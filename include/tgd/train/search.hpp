// Search by short chains: what it is asked for, and what it says of its steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tgd {

/// Steps are taken in chains of a few, and only where a chain ends is its last version tried on the validation data: a single
/// step is too small to show there, and a prompt that a step has spoilt is found out all the same.
///
/// 1. A step takes a batch and asks the optimizers for several proposals, each with an aim of its own (optim::Aim). What says
///    the same as another one, or as a version that has lost before, is dropped. They are screened on the batch, by halving: all on the
///    first half of the samples that failed, the better half of them on the rest of these, the best on as many samples that
///    were solved. Unless it does worse there, it is taken.
/// 2. After `chain` steps the head of the chain runs against the values that the chain began with, the incumbent, sample by
///    sample in an order that `seed` decides, until a test that may stop at any moment shows which is more often better, or all samples are
///    used up: then the mean decides. If the head loses, its steps are taken back, and the optimizers remember it as rejected.
/// 3. When the run ends, the incumbent is compared with the first values on `confirm` samples that were kept apart, and that
///    nothing before has seen. If it cannot be shown to be better, the first values are kept, unless `keep_unconfirmed` says otherwise.
///
/// Where one of two versions breaks limits on metrics (TrainerOptions::keep), the other one wins, whatever they score.
/// No score is measured twice. A step begins only where limits leave room for it, for the race of its chain and for the
/// confirmation (TrainerOptions::has_room). The optimizers have to be TGD, the evaluators have to give each sample its score
/// (Reduction::none), and the validation loader has to keep its order and to know its length. Not to be had together with a
/// gate, or with validate_every.
struct Search {
  std::size_t chain = 0;      ///< steps of a chain that take a proposal, such as 3; 0: no search
  std::size_t proposals = 2;  ///< of each step
  std::size_t confirm = 0;    ///< samples of the validation data, at most half of them; 0: nothing is confirmed
  double confidence = 0.9;    ///< of the race's early end, and of the confirmation
  bool keep_unconfirmed = false;
  std::uint64_t seed = 0;  ///< of the order of the validation data
};

/// A head against its incumbent.
struct ChainRace {
  bool accepted = false;
  std::size_t steps = 0;    ///< of the chain that took a proposal
  std::size_t samples = 0;  ///< that both were tried on
  std::size_t wins = 0;     ///< of them: the head was better
  std::size_t losses = 0;
  double incumbent = 0;  ///< means over the samples
  double head = 0;
  double evidence = 1;  ///< for the head being more often better: an e-value, see EProcess in the sources
};

/// The last version of a run against its first values.
struct Confirmation {
  bool confirmed = false;
  bool kept = false;        ///< whether the last version was
  std::size_t samples = 0;  ///< 0: there were no calls left for it
  double first = 0;         ///< means over the samples
  double last = 0;
  double p_value = 1;  ///< how likely chance alone would give as large a gain
};

/// What a search made of a step. The race stands with the last step of its chain; where a run ends within one, race and
/// confirmation are steps of their own, without a batch.
struct SearchReport {
  struct Proposal {
    std::string aim;
    std::size_t samples = 0;  ///< that it was screened on
    double gain = 0;          ///< the mean over them
    std::string reason = {};  ///< why it was not taken; empty for the one that was
  };
  std::size_t step = 0;  ///< of its chain, from 1, those that took none among them; 0: no batch
  std::vector<Proposal> proposals = {};
  std::optional<ChainRace> race = {};
  std::optional<Confirmation> confirmation = {};

  bool took_one() const {
    for (const Proposal& proposal : proposals) {
      if (proposal.reason.empty()) return true;
    }
    return false;
  }
};

}  // namespace tgd
