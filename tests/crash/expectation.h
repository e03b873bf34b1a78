// What a store may hold after a crash: told where operations begin and end, asked at each crash point.
#ifndef SEALKV_TESTS_CRASH_EXPECTATION_H_
#define SEALKV_TESTS_CRASH_EXPECTATION_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/log.h"
#include "tests/crash/operation.h"

namespace sealkv::crash {

class Expectation {
 public:
  virtual ~Expectation() = default;

  // The mark is behind us: an operation has begun, or was acknowledged.
  virtual void Apply(const Event& mark) = 0;
  // Changes with what is allowed.
  virtual uint64_t version() const = 0;

  // Why a store may not hold this; empty: it may.
  virtual std::string Complaint(const Contents& contents) const = 0;
  // Whether the image may be no store at all.
  virtual bool MayBeNoStore() const = 0;
  // All keys that a store might hold by anything allowed.
  virtual const std::set<std::string>& keys() const = 0;
};

// What was allowed when the first crash came, whatever is done to recover from it.
class Frozen : public Expectation {
 public:
  explicit Frozen(const Expectation& frozen) : frozen_(frozen) {}
  void Apply(const Event&) override {}
  uint64_t version() const override { return frozen_.version(); }
  std::string Complaint(const Contents& contents) const override { return frozen_.Complaint(contents); }
  bool MayBeNoStore() const override { return frozen_.MayBeNoStore(); }
  const std::set<std::string>& keys() const override { return frozen_.keys(); }

 private:
  const Expectation& frozen_;
};

// A run over the recorder, ready to be explored.
struct Recording {
  virtual ~Recording() = default;
  virtual std::unique_ptr<Expectation> NewExpectation() const = 0;
  // What operation `number` of the log was, for people.
  virtual std::string Describe(uint64_t number) const = 0;

  Log log;
  uint64_t first_operation = 0;       // the first that is to be crashed
  std::vector<std::string> problems;  // statuses, strays, stores that bypassed the seam
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_EXPECTATION_H_
