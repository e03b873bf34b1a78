// Results as one page with charts, for people: HTML that needs nothing from anywhere.
#ifndef SEALKV_BENCH_REPORT_HTML_REPORT_H_
#define SEALKV_BENCH_REPORT_HTML_REPORT_H_

#include <string>

#include "bench/report/results.h"

namespace sealkv::bench {

// `results` has measurements.
std::string HtmlReport(const Results& results);

// The command that makes such a file again, as far as the file says how it was made.
std::string CommandLineOf(const Source& source);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_HTML_REPORT_H_
