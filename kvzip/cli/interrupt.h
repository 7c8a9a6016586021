// Ctrl-C: the first one asks the running stage to stop, a second one kills. Process-wide state.
#pragma once

namespace kvzip::cli {

/// From now on the first SIGINT only sets a flag. Call again, after a clear, to be ready for the next one.
void catch_interrupt();
/// Whether Ctrl-C was pressed. Cheap enough to ask after every token.
bool interrupted();
/// Whether that was another process's doing: a terminal tells all processes of a command by itself.
bool interrupt_was_sent();
/// Forgets it and catches the next one: for programs that go on after a cancelled answer.
void clear_interrupt();
/// Throws Error{cancelled} if Ctrl-C was pressed.
void throw_if_interrupted();

}  // namespace kvzip::cli
