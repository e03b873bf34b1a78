// The yardsticks: ordered maps in DRAM that forget everything. With 8-byte keys and values they hold plain integers.
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "absl/container/btree_map.h"
#include "bench/engine.h"

namespace sealkv::bench {
namespace {

struct Integers {
  using KeyType = uint64_t;
  using ValueType = uint64_t;
  static uint64_t ToKey(const Key& key) { return key.number; }
  static uint64_t ToLookUp(const Key& key) { return key.number; }
  static void SetValue(std::string_view value, uint64_t* to) { std::memcpy(to, value.data(), sizeof(*to)); }
  static std::string_view Bytes(const uint64_t& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
};

struct Strings {
  using KeyType = std::string;
  using ValueType = std::string;
  static std::string ToKey(const Key& key) { return std::string(key.bytes); }
  static std::string_view ToLookUp(const Key& key) { return key.bytes; }
  static void SetValue(std::string_view value, std::string* to) { to->assign(value); }
  static std::string_view Bytes(const std::string& value) { return value; }
};

template <template <typename...> typename Map, typename Types>
class VolatileEngine : public Engine {
 public:
  explicit VolatileEngine(std::string description) : description_(std::move(description)) {}

  absl::Status Open(const EngineOptions&) override { return absl::OkStatus(); }
  void Close() override { map_.clear(); }

  absl::Status Put(const Key& key, std::string_view value) override {
    const auto found = map_.lower_bound(Types::ToLookUp(key));
    if (found != map_.end() && found->first == Types::ToLookUp(key)) {
      Types::SetValue(value, &found->second);
    } else {
      Types::SetValue(value, &map_.emplace_hint(found, Types::ToKey(key), typename Types::ValueType())->second);
    }
    return absl::OkStatus();
  }

  absl::Status Get(const Key& key, std::string* value) override {
    const auto found = map_.find(Types::ToLookUp(key));
    if (found == map_.end()) return Missing();
    value->assign(Types::Bytes(found->second));
    return absl::OkStatus();
  }

  absl::Status Delete(const Key& key) override {
    return map_.erase(Types::ToKey(key)) > 0 ? absl::OkStatus() : absl::NotFoundError("no such key");
  }

  absl::Status Increment(const Key& key) override {
    const auto [found, is_new] = map_.try_emplace(Types::ToKey(key));
    if (is_new) Types::SetValue(std::string_view("\0\0\0\0\0\0\0", sizeof(uint64_t)), &found->second);
    const std::string_view bytes = Types::Bytes(found->second);
    uint64_t counter = 0;
    if (bytes.size() != sizeof(counter)) return absl::FailedPreconditionError("the value isn't 8 bytes");
    std::memcpy(&counter, bytes.data(), sizeof(counter));
    ++counter;
    Types::SetValue({reinterpret_cast<const char*>(&counter), sizeof(counter)}, &found->second);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    uint64_t seen = 0;
    if (reverse) {
      for (auto it = map_.rbegin(); it != map_.rend() && seen < count; ++it, ++seen) AddTo(it->second, sum);
      return seen;
    }
    auto it = from.has_value() ? map_.lower_bound(Types::ToLookUp(*from)) : map_.begin();
    for (; it != map_.end() && seen < count; ++it, ++seen) AddTo(it->second, sum);
    return seen;
  }

  bool is_thread_safe() const override { return false; }
  bool is_persistent() const override { return false; }
  std::string Describe() const override { return description_; }

 private:
  static void AddTo(const typename Types::ValueType& value, uint64_t* sum) {
    const std::string_view bytes = Types::Bytes(value);
    if (!bytes.empty()) *sum += static_cast<unsigned char>(bytes.back());
  }

  const std::string description_;
  Map<typename Types::KeyType, typename Types::ValueType, std::less<>> map_;
};

template <template <typename...> typename Map>
std::unique_ptr<Engine> Make(const std::string& name, bool integers) {
  if (integers) return std::make_unique<VolatileEngine<Map, Integers>>(name + "<uint64_t, uint64_t>, volatile");
  return std::make_unique<VolatileEngine<Map, Strings>>(name + "<string, string>, volatile");
}

}  // namespace

std::unique_ptr<Engine> MakeVolatileEngine(std::string_view name, KeyKind key_kind, size_t value_bytes) {
  const bool integers = key_kind == KeyKind::kU64 && value_bytes == sizeof(uint64_t);
  if (name == "std_map") return Make<std::map>("std::map", integers);
  if (name == "btree_map") return Make<absl::btree_map>("absl::btree_map", integers);
  return nullptr;
}

}  // namespace sealkv::bench
