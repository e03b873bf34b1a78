// `kvbench report`: result files in, a page out.
#ifndef SEALKV_BENCH_REPORT_COMMAND_H_
#define SEALKV_BENCH_REPORT_COMMAND_H_

namespace sealkv::bench {

// main() of `kvbench report …`: argv[1] is "report". Returns the exit code.
int ReportMain(int argc, char** argv);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_COMMAND_H_
