// The descent for any CPU, and the choice.
#include "kv/descent_impl.h"

namespace sealkv::internal {

void Tree::DescendScalar(std::string_view key, Purpose purpose, Descent& result) const {
  Descender<ScalarSearch>::Run(*this, key, purpose, result);
}

}  // namespace sealkv::internal
