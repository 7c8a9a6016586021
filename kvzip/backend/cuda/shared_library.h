// A library of CUDA that is opened when it is first needed, so that the program starts without it. Never closed: its
// threads can't be undone. Safe from any number of threads once made.
#pragma once

#include <string>

namespace kvzip {

class SharedLibrary {
 public:
  /// Throws Error{unsupported} where there is none: `missing` says what for, and where it comes from.
  SharedLibrary(std::string name, const std::string& missing);

  /// Throws Error{unsupported} where the library has no function of that name.
  template <class Function>
  void find(const char* function_name, Function& function) const {
    function = reinterpret_cast<Function>(address(function_name));
  }

 private:
  void* address(const char* function_name) const;

  std::string name_;
  void* library_;
};

}  // namespace kvzip
