// How long threads that have nothing to do wait for work before they sleep. Stateless.
#pragma once

namespace kvzip::cli {

/// Lets OpenMP's threads spin for some 10 µs rather than 3 ms, so that on a busy machine those that wait leave
/// their core to those that work. libgomp reads that from the environment as it is loaded: the program starts itself
/// anew, as the same process with the same `arguments`. Returns where that was done already, where the user chose
/// (OMP_WAIT_POLICY or GOMP_SPINCOUNT), and where it can't be done. For the beginning of main().
void limit_spinning(char** arguments);

}  // namespace kvzip::cli
