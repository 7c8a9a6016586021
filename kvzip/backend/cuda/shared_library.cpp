#include "kvzip/backend/cuda/shared_library.h"

#include <dlfcn.h>

#include <utility>

#include "kvzip/base/error.h"

namespace kvzip {

SharedLibrary::SharedLibrary(std::string name, const std::string& missing)
    : name_(std::move(name)), library_(dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (library_ == nullptr) throw Error(ErrorCode::unsupported, "device cuda: " + missing + ": " + dlerror());
}

void* SharedLibrary::address(const char* function_name) const {
  void* const found = dlsym(library_, function_name);
  if (found == nullptr)
    throw Error(ErrorCode::unsupported, "device cuda: " + name_ + " has no " + function_name + ": it is too old");
  return found;
}

}  // namespace kvzip
