#include "kvzip/backend/group.h"

namespace kvzip {

std::vector<uint64_t> Group::gather(uint64_t number) {
  std::vector<uint64_t> all(size());
  gather_on_host(std::as_bytes(std::span(&number, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

std::unique_ptr<Group> make_group(Backend& backend, RankMemory& memory, size_t rank) {
  return backend.name() == "cpu" ? make_cpu_group(memory, rank) : make_cuda_group(backend, memory, rank);
}

}  // namespace kvzip
