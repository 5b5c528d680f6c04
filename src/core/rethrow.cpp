#include "core/rethrow.hpp"

#include <tgd/error.hpp>

namespace tgd::detail {

void rethrow_with_prefix(const std::string& prefix) {
  try {
    throw;
  } catch (const LMError& error) {
    throw LMError(error.kind(), prefix + error.what(), error.status(), error.retryable(), error.retry_after());
  } catch (const BudgetError& error) {
    throw BudgetError(prefix + error.what());
  } catch (const TypeError& error) {
    throw TypeError(prefix + error.what());
  } catch (const ValueError& error) {
    throw ValueError(prefix + error.what());
  } catch (const GraphError& error) {
    throw GraphError(prefix + error.what());
  } catch (const StateError& error) {
    throw StateError(prefix + error.what());
  } catch (const ParseError& error) {
    throw ParseError(prefix + error.what());
  } catch (const std::exception& error) {
    throw Error(prefix + error.what());
  } catch (...) {
    throw Error(prefix + "an exception that is no std::exception");
  }
}

}  // namespace tgd::detail
