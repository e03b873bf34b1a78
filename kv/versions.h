#ifndef SEALKV_KV_VERSIONS_H_
#define SEALKV_KV_VERSIONS_H_
namespace sealkv::internal {
class Versions {};
}
#endif
