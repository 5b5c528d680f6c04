// What code knows of a task by its training part: what right answers look like, and what can be tried before a model is asked.
// Nothing of the other parts reaches it but which texts are in them.
#pragma once

#include <vector>

#include <tgd/optim/diagnosis.hpp>
#include <tgd/trainer.hpp>

#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// The right answers of the training part, and how the program reads answers out of replies.
optim::DiagnosisOptions known_facts(const Task& task, const TaskData& data, const Prompts& prompts);

/// For a parameter of the last stage, whose replies are compared. None where the task wants none, has no targets or no such parameter.
std::vector<FirstProposal> first_proposals(const Task& task, const TaskData& data, const TaskAgent& agent,
                                           const Prompts& prompts);

/// What became of a part, for people: what right answers look like is that of the training part.
optim::Diagnosis diagnosis_of(const Task& task, const TaskData& data, const std::string& part, const SampleResults& results,
                              const Prompts& prompts);

}  // namespace tgd::cli
