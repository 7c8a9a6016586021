#include "kvzip/cli/spinning.h"

#include <unistd.h>

#include <cstdlib>

namespace kvzip::cli {

void limit_spinning(char** arguments) {
  constexpr const char* kSpins = "1000";  // docs/adr/0018-waiting-threads.md
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::setenv("GOMP_SPINCOUNT", kSpins, 0) == 0) ::execv("/proc/self/exe", arguments);
}

}  // namespace kvzip::cli
