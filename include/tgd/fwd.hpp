// Names of tgd's types, for headers of your own that only speak of them. What uses one includes <tgd/tgd.hpp>, or the type's
// header.
#pragma once

#include <memory>

namespace tgd {

class Data;
class Json;
class Module;
class Parameter;
class Progress;
class Prompts;
class Trainer;
class TrainerCallback;
class Variable;
struct Notice;
struct Problem;

class Error;
class TypeError;
class ValueError;
class GraphError;
class StateError;
class ParseError;
class LMError;
class BudgetError;

namespace lm {

class Budget;
class Budgeted;
class Cache;
class Cached;
class Call;
class Cassette;
class ChatModel;
class Cost;
class Ledger;
class Observed;
class OpenAI;
class Outcome;
class PriceTable;
class Recorded;
class Simulated;
class Stub;
struct Message;
struct OpenAIOptions;
struct Reply;
struct Request;
struct Usage;

using ChatModelPtr = std::shared_ptr<ChatModel>;

}  // namespace lm

namespace optim {

class Constraint;
class Optimizer;
class TGD;
struct TGDOptions;

}  // namespace optim

}  // namespace tgd
