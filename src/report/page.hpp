// The report of a run: one HTML file that needs nothing else, loads nothing and shows texts of the run as texts only.
#pragma once

#include <string>
#include <string_view>

#include "report/run_record.hpp"

namespace tgd::cli {

std::string report_html(const RunRecord& record);

/// The page of a document of compare_runs(), as strict.
std::string comparison_html(const OrderedJson& comparison);

/// JSON as it may stand within a <script> element, where "</script>" and "<!--" would be markup. Invalid UTF-8 is replaced.
std::string script_json(const OrderedJson& json);

/// A text's hash as a Content-Security-Policy names it: "sha256-…".
std::string content_hash(std::string_view text);

}  // namespace tgd::cli
