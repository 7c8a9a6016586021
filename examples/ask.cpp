// The library in five lines: read a document, keep 30 % of its memory, answer from that.
// usage: ask [FILE QUESTION]
#include <fstream>
#include <iostream>
#include <iterator>

#include "kvzip/kvzip.h"

int main(int count, char** arguments) {
  std::string text =
      "The lighthouse at Skerry Rock was lit in 1887. Its keeper is Ada Lind, and her cat is called Pepper.";
  if (count > 1) {
    std::ifstream file(arguments[1]);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::string question = count > 2 ? arguments[2] : "What is the cat called?";
  try {
    const auto backend = kvzip::make_cpu_backend();
    const auto model = kvzip::Model::load(kvzip::find_model("smollm2"), *backend);
    auto reading = kvzip::prefill(model, text);
    auto scores = kvzip::score(model, reading);
    const auto context = kvzip::compress(model, std::move(reading), std::move(scores), 0.3);
    std::cout << kvzip::answer(model, context, question).text << '\n';
  } catch (const kvzip::Error& error) {
    std::cerr << "ask: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
