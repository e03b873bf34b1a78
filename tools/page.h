// The structures of the format, decoded one at a time, for `kvdump page`. Nothing here follows more than one reference,
// or expects what it reads to be sound.
#ifndef SEALKV_TOOLS_PAGE_H_
#define SEALKV_TOOLS_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>

#include "kv/image.h"

namespace sealkv::tools {

// Each is an object with "what", "offset", and the fields in the order of the format.
nlohmann::ordered_json DescribeHeader(const internal::Image& image, internal::Offset offset);
nlohmann::ordered_json DescribeNode(const internal::Image& image, internal::Offset node);
nlohmann::ordered_json DescribeRecord(const internal::Image& image, internal::Offset record);
// A part of a batch's blob; there must be one (kv/lanes.h).
nlohmann::ordered_json DescribeRedoChunk(const internal::Image& image, internal::Offset chunk);

// Such an object as aligned lines.
std::string PageForPeople(const nlohmann::ordered_json& page);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_PAGE_H_
