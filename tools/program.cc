#include "tools/program.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/output.h"

namespace sealkv::tools {
namespace {

std::string GeneralHelp(const Program& program) {
  std::string text = absl::StrCat("usage: ", program.name, " ", program.synopsis, "\n\ncommands:\n");
  for (const Command* command : program.commands) {
    std::string name = command->name;
    name.resize(10, ' ');
    absl::StrAppend(&text, "  ", name, command->summary, "\n");
  }
  return text + program.help_end;
}

std::string UsageOf(const Program& program, const Command& command) {
  return absl::StrCat("usage: ", program.name, " ", command.name, " ", command.synopsis, "\n");
}

int PrintHelp(const Program& program, const std::string& text) {
  Output output;
  output.Write(text);
  const absl::Status status = output.Close();
  return status.ok() ? 0 : program.exit_code_of(status.code());
}

int FailUsage(const Program& program, const std::string& message, const std::string& usage) {
  std::fprintf(stderr, "%s: %s\n%s", program.name, message.c_str(), usage.c_str());
  return program.exit_usage;
}

int RunCommand(const Program& program, const Command& command, std::span<const char* const> words) {
  for (const char* word : words) {
    if (std::strcmp(word, "--") == 0) break;
    if (std::strcmp(word, "--help") == 0 || std::strcmp(word, "-h") == 0) {
      return PrintHelp(program, absl::StrCat(UsageOf(program, command), "\n", command.help));
    }
  }
  const absl::StatusOr<Args> args = Args::Parse(words, command.flags);
  const std::string usage =
      absl::StrCat(UsageOf(program, command), "`", program.name, " ", command.name, " --help` says more.\n");
  if (!args.ok()) return FailUsage(program, std::string(args.status().message()), usage);
  const size_t count = args->positionals().size();
  if (count < command.positionals_min) return FailUsage(program, "an argument is missing", usage);
  if (count > command.positionals_max) {
    return FailUsage(program, absl::StrCat("one argument too many: ", args->positionals().back()), usage);
  }
  const absl::StatusOr<int> code = command.run(*args);
  if (code.ok()) return *code;
  std::fprintf(stderr, "%s: %s\n", program.name, std::string(code.status().message()).c_str());
  return program.exit_code_of(code.status().code());
}

int Dispatch(const Program& program, std::span<const char* const> words) {
  if (words.empty()) return FailUsage(program, "which command?", GeneralHelp(program));
  const std::string name = words[0];
  if (name == "--help" || name == "-h" || name == "help") return PrintHelp(program, GeneralHelp(program));
  for (const Command* command : program.commands) {
    if (name == command->name) return RunCommand(program, *command, words.subspan(1));
  }
  return FailUsage(program, absl::StrCat("no such command: ", name),
                   absl::StrCat("`", program.name, " --help` lists the commands.\n"));
}

}  // namespace

int RunProgram(const Program& program, std::span<const char* const> words) {
  try {
    return Dispatch(program, words);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program.name);
    return program.exit_code_of(absl::StatusCode::kUnavailable);
  }
}

}  // namespace sealkv::tools
