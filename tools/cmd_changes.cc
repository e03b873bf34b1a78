// kvdump changes: what was changed in a store that keeps its changes, a line each, and what is being changed.
#include <poll.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

constexpr int kMillisecondsBetweenLooks = 50;

class Printer {
 public:
  Printer(const Args& args, Output& output)
      : is_json_(args.Has("json")), is_hex_(args.Has("hex")), keys_only_(args.Has("keys-only")), output_(output) {}

  void Print(const CommittedChange& change) { is_json_ ? PrintJson(change) : PrintLines(change); }

 private:
  std::string Text(std::string_view bytes) const { return is_hex_ ? ToHex(bytes) : Escape(bytes); }

  void PrintLines(const CommittedChange& change) {
    for (const auto& [is_delete, key, value, expiry] : change.operations) {
      output_.Write(absl::StrCat(change.number, is_delete ? "\tdelete\t" : "\tput\t", Text(key)));
      if (!is_delete && !keys_only_) output_.Write(absl::StrCat("\t", Text(value)));
      if (expiry.has_value()) output_.Write(absl::StrCat("\tuntil ", expiry->time_since_epoch().count()));
      output_.Write("\n");
    }
  }

  void PrintJson(const CommittedChange& change) {
    nlohmann::ordered_json json;
    json["number"] = change.number;
    json["operations"] = nlohmann::ordered_json::array();
    for (const auto& [is_delete, key, value, expiry] : change.operations) {
      nlohmann::ordered_json operation = {{"operation", is_delete ? "delete" : "put"}, {"key", Text(key)}};
      if (!is_delete && !keys_only_) operation["value"] = Text(value);
      if (expiry.has_value()) operation["until"] = expiry->time_since_epoch().count();
      json["operations"].push_back(std::move(operation));
    }
    output_.Write(json.dump() + "\n");
  }

  const bool is_json_;
  const bool is_hex_;
  const bool keys_only_;
  Output& output_;
};

absl::StatusOr<uint64_t> SinceFromArgs(const Args& args, const Store& store) {
  if (args.Value("since") == "now") return store.LastChange();
  const absl::StatusOr<std::optional<uint64_t>> since = args.Number("since");
  if (!since.ok()) return since.status();
  if (since->has_value()) return **since;
  if (absl::Status status = store.LastChange().status(); !status.ok()) return status;
  return store.GetStats().log.first_change - 1;
}

// To the end of the log, or of what is wanted. Says what was shown last.
absl::Status Show(const Store& store, uint64_t* since, uint64_t* left, Printer& printer, Output& output) {
  if (*left == 0) return absl::OkStatus();
  const absl::Status status = store.ReadChanges(*since, [&](const CommittedChange& change) {
    printer.Print(change);
    *since = change.number;
    return --*left > 0 && output.status().ok() && !WasInterrupted();
  });
  output.Flush();
  return output.status().ok() ? status : output.status();
}

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<std::optional<uint64_t>> limit = args.Number("limit");
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(args.store());
  if (!store.ok()) return store.status();
  absl::StatusOr<uint64_t> since = SinceFromArgs(args, **store);
  if (!since.ok()) return since.status();
  CatchInterrupts();
  Output output;
  Printer printer(args, output);
  uint64_t left = limit->value_or(~uint64_t{0});
  absl::Status status = Show(**store, &*since, &left, printer, output);
  while (status.ok() && args.Has("follow") && left > 0 && !WasInterrupted()) {
    poll(nullptr, 0, kMillisecondsBetweenLooks);
    status = Show(**store, &*since, &left, printer, output);
  }
  // What was read before an error is shown.
  if (absl::Status closed = output.Close(); !closed.ok()) return closed;
  if (!status.ok()) return status;
  return WasInterrupted() ? kExitInterrupted : kExitOk;
}

constexpr Flag kFlags[] = {{"since", 0, true}, {"limit", 'n', true}, {"follow", 'f'}, {"json"}, {"hex"}, {"keys-only"}};

}  // namespace

const Command kChangesCommand = {
    "changes",
    "STORE [--since=N] [--limit=N] [--follow] [--json] [--hex] [--keys-only]",
    "what was changed, commit by commit, and what is being changed",
    R"(Writes a line for each key that was changed, in the order of the commits: the commit's number, a tab, "put" or "delete", a
tab, the key; and if it was put, a tab and the value; and if that is over some time, a tab and "until" with the seconds since 1970. Lines with the same number belong to one commit. Bytes that aren't
printable ASCII are escaped as in C (\\ \n \t \r \xff).

STORE keeps what was changed only if that was asked for when it was made: `kvdump load --change-log=BYTES`, or
Options::change_log_bytes; and no more of it than so many bytes.

  --since=N         what came after commit N; 0: all since the store was made; "now": nothing that is there already.
                    Default: all that is kept
  -n, --limit=N     N commits at most
  -f, --follow      go on: wait for more, while a process writes the store, until interrupted
  --json            a JSON object a line, for each commit
  --hex             keys and values in hex digits
  --keys-only       no values

exit codes:
  0    done
  1    not all commits after N are kept any more; those that are shown lack nothing in between
  3    STORE doesn't keep its changes, or can't be used
  4    the system refuses
  64   there was no commit N yet
  130  interrupted

examples:
  kvdump changes /mnt/pmem/users --since=120
  kvdump changes /mnt/pmem/users --since=now --follow | while read -r line; do notify "$line"; done
  kvdump changes /mnt/pmem/users --json | jq -r '.operations[].key' | sort -u
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
