#include "kvzip/cli/spinning.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace kvzip::cli {

void limit_spinning(char** arguments) {
  constexpr const char* kSpins = "1000";  // docs/adr/0018-waiting-threads.md
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code failure;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failure);  // as ps names it
  if (!failure && ::setenv("GOMP_SPINCOUNT", kSpins, 0) == 0) ::execv(program.c_str(), arguments);
}

}  // namespace kvzip::cli
