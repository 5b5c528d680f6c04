// Everything that tgd offers, in one header.
#pragma once

#include <tgd/autograd.hpp>
#include <tgd/cognitive/black_box.hpp>
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/cognitive/module.hpp>
#include <tgd/data.hpp>
#include <tgd/data/csv.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/data/dataset.hpp>
#include <tgd/data/records.hpp>
#include <tgd/data/sampler.hpp>
#include <tgd/error.hpp>
#include <tgd/functions.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/notice.hpp>
#include <tgd/optim.hpp>
#include <tgd/prompts.hpp>
#include <tgd/random.hpp>
#include <tgd/template.hpp>
#include <tgd/variable.hpp>
#include <tgd/version.hpp>
