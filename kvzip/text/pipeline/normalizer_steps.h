// The builders of all normalizers, for the table in normalizer.cpp.
#pragma once

#include <memory>

#include "kvzip/text/pipeline/normalizer.h"

namespace kvzip {

std::unique_ptr<Normalizer> make_bert_normalizer(const Component& component);
std::unique_ptr<Normalizer> make_byte_level_normalizer(const Component& component);
std::unique_ptr<Normalizer> make_lowercase(const Component& component);
std::unique_ptr<Normalizer> make_nfc(const Component& component);
std::unique_ptr<Normalizer> make_nfd(const Component& component);
std::unique_ptr<Normalizer> make_nfkc(const Component& component);
std::unique_ptr<Normalizer> make_nfkd(const Component& component);
std::unique_ptr<Normalizer> make_nmt(const Component& component);
std::unique_ptr<Normalizer> make_precompiled(const Component& component);
std::unique_ptr<Normalizer> make_prepend(const Component& component);
std::unique_ptr<Normalizer> make_replace(const Component& component);
std::unique_ptr<Normalizer> make_strip(const Component& component);
std::unique_ptr<Normalizer> make_strip_accents(const Component& component);

}  // namespace kvzip
