// What a context's rows depend on beside the document: named values of the model, its tokenizer, its template and its
// RoPE settings. A context answers rightly only with a model of the same values. Pure functions.
#pragma once

#include <string>

#include "kvzip/model/model.h"
#include "kvzip/store/context_description.h"

namespace kvzip {

/// Takes milliseconds: of the weights, names, shapes and a few hundred bytes of each are looked at.
Fingerprint fingerprint_of(const Model& model);

/// Throws Error{input} that names `path` and every value that differs, as the file and as the model has it.
void require_fit(const std::string& path, const Fingerprint& file, const Fingerprint& model);

}  // namespace kvzip
