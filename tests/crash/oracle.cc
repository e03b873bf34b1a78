#include "tests/crash/oracle.h"

#include <memory>
#include <sstream>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/shape.h"
#include "tests/model.h"

namespace sealkv::crash {
namespace {

using testing::Model;

absl::StatusOr<std::unique_ptr<Store>> Open(std::span<std::byte> image) {
  return Store::Attach(daxfile::DaxFile::OverMemory(image));
}

// Empty, or what the assertion says.
std::string Complaint(const ::testing::AssertionResult& result) { return result ? "" : result.message(); }

// The allowed state that a forward scan shows; nullptr (and why) if it shows none of them.
const Model* FindState(const Store& store, std::span<const State* const> allowed, std::string* complaint) {
  const std::unique_ptr<Iterator> iterator = store.NewIterator();
  std::vector<Model::const_iterator> positions;
  std::vector<const Model*> candidates;
  for (const State* state : allowed) {
    if (!state->has_value()) continue;
    candidates.push_back(&**state);
    positions.push_back((*state)->begin());
  }
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i] == nullptr) continue;
      Model::const_iterator& at = positions[i];
      if (at != candidates[i]->end() && at->first == iterator->key() && at->second == iterator->value()) {
        ++at;
        continue;
      }
      *complaint =
          "the scan shows " + testing::Printable(iterator->key()) + " = " + testing::Printable(iterator->value());
      candidates[i] = nullptr;
    }
  }
  if (!iterator->status().ok()) {
    *complaint = iterator->status().ToString();
    return nullptr;
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i] != nullptr && positions[i] == candidates[i]->end()) return candidates[i];
    if (candidates[i] != nullptr) *complaint = "the scan doesn't show " + testing::Printable(positions[i]->first);
  }
  return nullptr;
}

// Every key of every state that was allowed, through get: there, or not there.
std::string CompareGets(const Store& store, const Model& model, std::span<const State* const> allowed) {
  if (std::string complaint = Complaint(testing::GetsAs(store, model)); !complaint.empty()) return complaint;
  for (const State* state : allowed) {
    if (!state->has_value() || &**state == &model) continue;
    for (const auto& [key, value] : **state) {
      if (model.contains(key)) continue;
      const absl::StatusOr<std::string> got = store.Get(key);
      if (!absl::IsNotFound(got.status())) return "get finds " + testing::Printable(key) + ", the scan doesn't";
    }
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
    if (const absl::Status status = store.Delete(key); !status.ok()) return check(status);
    model->erase(middle);
    if (std::string complaint = put(key + "+", "after the crash"); !complaint.empty()) return complaint;
    if (std::string complaint = put(key, testing::WordValue(1)); !complaint.empty()) return complaint;
  }
  return put("8 bytes:after the crash", "x");
}

std::string JudgeStore(std::unique_ptr<Store> store, std::span<std::byte> image,
                       std::span<const State* const> allowed) {
  std::string complaint;
  const Model* model = FindState(*store, allowed, &complaint);
  if (model == nullptr) return complaint.empty() ? "a store where there should be none" : complaint;
  if (complaint = CompareGets(*store, *model, allowed); !complaint.empty()) return complaint;
  if (complaint = ShapeOf(image).contradiction; !complaint.empty()) return complaint;
  if (complaint = Complaint(testing::IsClean(image)); !complaint.empty()) return complaint;
  if (complaint = FindLeak(*store, image); !complaint.empty()) return complaint;
  // Open again: identical, in both directions.
  store.reset();
  absl::StatusOr<std::unique_ptr<Store>> again = Open(image);
  if (!again.ok()) return "the second open: " + again.status().ToString();
  if (complaint = Complaint(testing::ScansAs(**again, *model)); !complaint.empty()) return complaint;
  Model continued = *model;
  if (complaint = GoOn(**again, &continued); !complaint.empty()) return complaint;
  if (complaint = Complaint(testing::ScansAs(**again, continued)); !complaint.empty()) return "going on: " + complaint;
  return Complaint(testing::IsClean(image));
}

}  // namespace

std::string Judge(std::span<std::byte> image, std::span<const State* const> allowed) {
  absl::StatusOr<std::unique_ptr<Store>> store = Open(image);
  if (store.ok()) return JudgeStore(*std::move(store), image, allowed);
  const bool may_be_no_store =
      std::any_of(allowed.begin(), allowed.end(), [](const State* state) { return !state->has_value(); });
  if (may_be_no_store && absl::IsFailedPrecondition(store.status())) return "";
  return store.status().ToString();
}

}  // namespace sealkv::crash
