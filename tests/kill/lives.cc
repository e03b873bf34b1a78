#include "tests/kill/lives.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kv/sealkv.h"
#include "tests/kill/victim.h"
#include "tests/run_name.h"

namespace sealkv::kill {

Lives::Lives(const Plan& plan)
    : plan_(plan),
      path_(absl::StrCat(plan.directory, "/sealkv-kill-test-", testing::RunName(), "-", plan.seed, ".store")),
      random_(plan.seed),
      oracle_(plan.seed, plan.writers),
      begin_(std::chrono::steady_clock::now()) {}

Lives::~Lives() {
  if (!is_evidence_) Store::Remove(path_).IgnoreError();
}

std::string Lives::Begin() {
  Store::Remove(path_).IgnoreError();  // in a container, a run that was ended may have had this process's number
  const absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Create(path_, {.capacity_bytes = plan_.capacity_bytes,
                            .max_bytes = std::max(plan_.capacity_bytes, plan_.max_bytes),
                            .change_log_bytes = plan_.change_log_bytes,
                            .weakest_tier = daxfile::Tier::kVolatile});
  if (!store.ok()) return store.status().ToString();
  tier_ = daxfile::TierName((*store)->GetStats().tier);
  Life& life = journal_->life;
  if (path_.size() >= life.store_path.size()) return absl::StrCat(path_, ": too long");
  std::memcpy(life.store_path.data(), path_.c_str(), path_.size() + 1);
  life.seed = plan_.seed;
  life.writers = plan_.writers;
  return "";
}

void Lives::Draw(Life& life) {
  life.number = count_;
  life.killer = plan_.may_kill_itself ? Killer{static_cast<uint32_t>(random_.Below(3))} : Killer::kTest;
  life.moment = random_.Below((uint64_t{1} << random_.Between(0, plan_.most_moment_log2)) + 1);
  life.waits_for_pass = random_.OneIn(3);
}

std::string Lives::Next() {
  Draw(journal_->life);
  const uint64_t pauses = random_.Below(plan_.most_pauses + 1);
  journal_->progress = 0;
  journal_->is_open = false;
  journal_->pass_is_through = false;
  std::string complaint = Victim(journal_).AwaitDeath(pauses);
  ++count_;
  if (complaint.empty() && journal_->has_failed) complaint = "the victim found something wrong; what it said is above";
  if (complaint.empty()) complaint = oracle_.Judge(journal_);
  if (complaint.empty()) return "";
  is_evidence_ = true;
  return absl::StrCat(
      "life ", count_ - 1, " of seed ", plan_.seed, ": ", complaint, "\nThe store as it was found: ", path_,
      " (kvdump check).\nTo replay it, as far as threads do:\n  bazel-bin/tests/kill_test --gtest_filter=KillTest.",
      plan_.test, " --seed=", plan_.seed, " --lives=", count_);
}

std::string Lives::Summary() const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const Tally& all = oracle_.tally();
  const auto trails = std::count_if(journal_->deaths.begin(), journal_->deaths.end(),
                                    [](const std::atomic<uint32_t>& deaths) { return deaths > 0; });
  return absl::StrFormat(
      "tier %s, seed %d: %d kills, %d operations (%d found no space), %d in flight, %d of these there (of batches and "
      "transactions %d, %d there; %d to be finished by the next open); killed before "
      "the store was open %d, before an operation ended %d, during the background pass %d, at %d different trails; %d "
      "keys, at most %d segments in use "
      "and %d parts; %.0f kills/s",
      tier_, plan_.seed, count_, all.operations, all.no_space, all.in_flight, all.in_flight_there,
      all.together_in_flight, all.together_there, all.batches_to_finish, all.before_open, all.before_end,
      all.during_pass, trails, oracle_.keys(), all.most_segments, all.most_parts,
      static_cast<double>(count_) / seconds);
}

}  // namespace sealkv::kill
