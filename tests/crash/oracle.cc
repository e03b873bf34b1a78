#include "tests/crash/oracle.h"

#include <memory>
#include <set>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/image.h"
#include "kv/lanes.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/shape.h"
#include "tests/log_check.h"
#include "tests/model.h"

namespace sealkv::crash {
namespace {

using testing::Model;

absl::StatusOr<std::unique_ptr<Store>> Open(std::span<std::byte> image) {
  return Store::Attach(daxfile::DaxFile::OverMemory(image), Background::kNone);
}

// Empty, or what the assertion says.
std::string Complaint(const ::testing::AssertionResult& result) { return result ? "" : result.message(); }

// Every key that is there, and every key that might be, through get.
std::string CompareGets(const Store& store, const Model& model, const std::set<std::string>& keys) {
  if (std::string complaint = Complaint(testing::GetsAs(store, model)); !complaint.empty()) return complaint;
  for (const std::string& key : keys) {
    if (model.contains(key)) continue;
    const absl::StatusOr<std::string> got = store.Get(key);
    if (!absl::IsNotFound(got.status())) return "get finds " + testing::Printable(key) + ", the scan doesn't";
  }
  return "";
}

// What the background pass finds in use is what can be reached, and nothing more is kept.
std::string FindLeak(Store& store, std::span<std::byte> image) {
  if (const absl::Status status = store.WaitUntilSpaceIsKnown(); !status.ok()) return status.ToString();
  const Shape shape = ShapeOf(image);
  if (!shape.contradiction.empty()) return shape.contradiction;
  const Stats stats = store.GetStats();
  if (stats.node_bytes_used != shape.node_bytes) return "nodes leaked or lost";
  if (stats.record_bytes_used != shape.record_bytes) return "records leaked or lost";
  uint64_t segments = 0;
  for (const auto& [kind, count] : shape.segments) segments += count;
  if (segments != shape.live_segments.size()) return "an empty segment wasn't released";
  return "";
}

// A few operations of each kind, at both ends and in the middle.
std::string GoOn(Store& store, Model* model) {
  const auto check = [&](const absl::Status& status) {
    return status.ok() || absl::IsResourceExhausted(status) ? "" : "going on: " + status.ToString();
  };
  const auto put = [&](const std::string& key, const std::string& value) {
    const absl::Status status = store.Put(key, value);
    if (status.ok()) model->insert_or_assign(key, value);
    return check(status);
  };
  if (!model->empty()) {
    auto middle = std::next(model->begin(), static_cast<ptrdiff_t>(model->size() / 2));
    const std::string key = middle->first;
    if (const absl::Status status = store.Delete(key); !status.ok()) return "going on: " + status.ToString();
    model->erase(middle);
    if (std::string complaint = put(key + "+", "after the crash"); !complaint.empty()) return complaint;
    if (std::string complaint = put(key, testing::WordValue(1)); !complaint.empty()) return complaint;
  }
  WriteBatch batch;
  batch.Put("8 bytes:after the crash", "x");
  batch.Put("8 bytes:by a batch", testing::WordValue(2));
  batch.Delete("8 bytes:");
  if (const absl::Status status = store.Write(batch); !status.ok()) return check(status);
  model->insert_or_assign("8 bytes:after the crash", "x");
  model->insert_or_assign("8 bytes:by a batch", testing::WordValue(2));
  model->erase("8 bytes:");
  return "";
}

bool HasCommittedLanes(std::span<std::byte> image) {
  return internal::HasCommittedLanes(internal::Image(image.data()));
}

std::string JudgeStore(std::unique_ptr<Store> store, std::span<std::byte> image, const Expectation& expectation) {
  Contents contents;
  if (const absl::Status status = ReadAll(*store->NewIterator(), &contents); !status.ok()) return status.ToString();
  std::string complaint = expectation.Complaint(contents);
  if (!complaint.empty()) return complaint;
  Model model(contents.begin(), contents.end());
  if (complaint = CompareGets(*store, model, expectation.keys()); !complaint.empty()) return complaint;
  if (HasCommittedLanes(image)) return "a batch is still to be done after an open";
  if (complaint = testing::LogComplaint(*store); !complaint.empty()) return complaint;
  if (complaint = ShapeOf(image).contradiction; !complaint.empty()) return complaint;
  if (complaint = Complaint(testing::IsClean(image)); !complaint.empty()) return complaint;
  if (complaint = FindLeak(*store, image); !complaint.empty()) return complaint;
  // Open again: identical, in both directions.
  store.reset();
  absl::StatusOr<std::unique_ptr<Store>> again = Open(image);
  if (!again.ok()) return "the second open: " + again.status().ToString();
  if (complaint = Complaint(testing::ScansAs(**again, model)); !complaint.empty()) return complaint;
  if (complaint = GoOn(**again, &model); !complaint.empty()) return complaint;
  if (complaint = Complaint(testing::ScansAs(**again, model)); !complaint.empty()) return "going on: " + complaint;
  if (complaint = testing::LogComplaint(**again); !complaint.empty()) return "going on: " + complaint;
  return Complaint(testing::IsClean(image));
}

}  // namespace

std::string Judge(std::span<std::byte> image, const Expectation& expectation) {
  absl::StatusOr<std::unique_ptr<Store>> store = Open(image);
  if (store.ok()) return JudgeStore(*std::move(store), image, expectation);
  if (expectation.MayBeNoStore() && absl::IsFailedPrecondition(store.status())) return "";
  return store.status().ToString();
}

}  // namespace sealkv::crash
