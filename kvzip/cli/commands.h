// The commands of the program, one cmd_*.cpp each.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace kvzip::cli {

/// Adds a command's options and help to `command`; returns what runs it, once they are parsed. It throws kvzip::Error.
using AddCommand = std::function<void()> (*)(CLI::App& command);

std::function<void()> add_ask(CLI::App& command);
std::function<void()> add_chat(CLI::App& command);
std::function<void()> add_compress(CLI::App& command);
std::function<void()> add_verify(CLI::App& command);
std::function<void()> add_store(CLI::App& command);
std::function<void()> add_scores(CLI::App& command);
std::function<void()> add_learn(CLI::App& command);
std::function<void()> add_view(CLI::App& command);
std::function<void()> add_attention(CLI::App& command);
std::function<void()> add_embed(CLI::App& command);
std::function<void()> add_tokenize(CLI::App& command);
std::function<void()> add_tokenizer(CLI::App& command);
std::function<void()> add_info(CLI::App& command);
std::function<void()> add_generate(CLI::App& command);
std::function<void()> add_profile(CLI::App& command);
std::function<void()> add_bench(CLI::App& command);
std::function<void()> add_eval(CLI::App& command);
std::function<void()> add_report(CLI::App& command);
std::function<void()> add_check(CLI::App& command);
/// A command of `bench`.
std::function<void()> add_bench_kv_cache(CLI::App& command);

}  // namespace kvzip::cli
