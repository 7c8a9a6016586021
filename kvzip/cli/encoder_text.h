// The text that `embed` and `attention` are about: a file, or words of the command line, and a second one to pair it
// with. Stateless.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace kvzip::cli {

struct TextFlags {
  std::string file;  ///< - = standard input
  std::optional<std::string> text;
  std::optional<std::string> pair;
};
void add_text_options(CLI::App& command, TextFlags& flags);

struct Texts {
  std::string name;  ///< of the first: the file's, or --text
  std::string first;
  std::optional<std::string> second;
};
/// Throws Error{usage} where there is neither a file nor --text, Error{input} for a file that can't be read or what is
/// no text.
Texts read_texts(const TextFlags& flags);

}  // namespace kvzip::cli
