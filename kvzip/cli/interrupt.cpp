#include "kvzip/cli/interrupt.h"

#include <atomic>
#include <csignal>

#include "kvzip/base/error.h"

namespace kvzip::cli {
namespace {

std::atomic<bool> pressed{false};
std::atomic<bool> sent{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int /*signal*/, siginfo_t* info, void* /*context*/) {
  sent = info->si_code == SI_USER;
  pressed = true;
}

}  // namespace

void catch_interrupt() {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  // RESETHAND: the second Ctrl-C finds the default action. No SA_RESTART: a prompt that waits for a line must wake up.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_SIGINFO;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return pressed; }

bool interrupt_was_sent() { return sent; }

void clear_interrupt() {
  pressed = false;
  catch_interrupt();
}

void throw_if_interrupted() {
  if (interrupted()) throw Error(ErrorCode::cancelled, "cancelled");
}

}  // namespace kvzip::cli
