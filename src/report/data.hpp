// The data document of a report: everything that the page shows, worked out and compact. Texts that occur often (values,
// predictions, inputs) are numbers of the list "strings", -1 stands for none; what there is many of are arrays with fixed places,
// which page/*.js reads.
#pragma once

#include "report/run_record.hpp"

namespace tgd::cli {

/// Pure: the same record gives the same document.
OrderedJson report_data(const RunRecord& record);

}  // namespace tgd::cli
