// kvzip: read a document once, keep what its repetition needs, answer any number of questions from what is left.
//
//   auto backend = kvzip::make_cpu_backend();
//   auto model = kvzip::Model::load(kvzip::find_model("smollm2"), *backend);
//   auto reading = kvzip::prefill(model, text);
//   auto scores = kvzip::score(model, reading);
//   auto context = kvzip::compress(model, std::move(reading), std::move(scores), 0.3);  // keep 30 %
//   std::cout << kvzip::answer(model, context, "Who signed the contract?").text << '\n';
//
// Every failure is a kvzip::Error with one line that says what was expected and what was found. Objects made with a
// backend or a model must not outlive it. One backend serves one thread at a time.
#pragma once

#include "kvzip/backend/backend.h"
#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/base/progress.h"
#include "kvzip/cache/context.h"
#include "kvzip/model/find_model.h"
#include "kvzip/model/model.h"
#include "kvzip/policy/kept_pairs.h"
#include "kvzip/policy/level.h"
#include "kvzip/policy/methods.h"
#include "kvzip/stages/answer.h"
#include "kvzip/stages/answer_together.h"
#include "kvzip/stages/compress.h"
#include "kvzip/stages/encode.h"
#include "kvzip/stages/gate.h"
#include "kvzip/stages/memory.h"
#include "kvzip/stages/prefill.h"
#include "kvzip/stages/score.h"
#include "kvzip/stages/score_method.h"
#include "kvzip/stages/score_plus.h"
#include "kvzip/stages/stream.h"
#include "kvzip/store/context_file.h"
#include "kvzip/store/context_writer.h"
#include "kvzip/store/fingerprint.h"
