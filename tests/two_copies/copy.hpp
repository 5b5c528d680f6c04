// What a plugin offers that has a copy of tgd inside (copy.cpp): plain C, as between plugins of different origin.
#pragma once

extern "C" {

/// Makes a model whose critiques are `critique` the backward model of this copy, nullptr: none.
using SetCritique = void(const char* critique);
/// Runs backward passes on the calling thread. The number of those whose gradient is not this copy's critique; -1 for an error.
using WrongPasses = int(int passes);
/// The same, run by this copy's model in the middle of one of this copy's passes, while nothing here records history.
using Nested = int(WrongPasses* other, int passes);
}
