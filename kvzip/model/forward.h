// One pass of a batch of tokens through a model. The only layer loop there is.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/tail.h"
#include "kvzip/model/model.h"

namespace kvzip {

/// Which positions of a batch get logits.
enum class Logits : uint8_t { none, last, all };

/// Appends what the tokens of a batch see of one KV layer beside the tail they are appended to: a context, or another
/// tail. Empty = nothing.
using PastFn = std::function<void(size_t kv_layer, std::vector<Segment>& segments)>;

/// The score request of one KV layer (null = none), asked for just before each attention over it.
using ScoreFn = std::function<const ScoreRequest*(size_t kv_layer)>;

/// What enters one layer's attention. The views are gone when the layer goes on.
struct LayerInput {
  size_t layer = 0;           ///< of the model
  size_t first_position = 0;  ///< of the first row
  ConstView hidden;           ///< `[rows, hidden]` f32: the residual stream
  ConstView queries;          ///< `[rows, heads * head_dim]` activations, rotated
};

/// Sees the input of every layer's attention.
using ObserveFn = std::function<void(const LayerInput& input)>;

struct Batch {
  std::span<const TokenId> tokens{};  ///< all below the vocabulary's size; of an encoder, the whole input
  /// Which text each token belongs to, below the model's token_types; empty = the first, or there are none.
  std::span<const TokenId> token_types{};
  Tail* tail = nullptr;  ///< gets the batch's keys and values; its end is the first token's position
  /// In place of `tail`, one for each token: these are then of as many conversations over one past.
  std::span<Tail* const> tails{};
  PastFn past{};
  ScoreFn score{};
  ObserveFn observe{};
  Logits logits = Logits::none;
  /// Called after every layer with the number of layers done, of those that the batch runs through; may throw to stop
  /// the pass.
  std::function<void(size_t done, size_t layers)> on_layer{};
};

class Forward {
 public:
  /// `model` must outlive it.
  explicit Forward(const Model& model);

  /// Runs the batch; returns the logits asked for, `[positions, vocab]` (empty for none), valid until the next run. If
  /// anything throws, the tail is as it was. Throws Error{input} beyond the last learned position.
  std::span<const float> run(const Batch& batch);

  /// The same, on the device.
  View run_on_device(const Batch& batch);

  /// The same for the tokens that are likeliest to follow, one for each position that logits were asked for, of the
  /// first `tokens` of the vocabulary, without bringing logits to the host; `tokens` itself where no logit is a number.
  std::span<const size_t> likeliest(const Batch& batch, size_t tokens);

  /// The same for what leaves the last layer, before any norm: `[positions, hidden]` f32 on the device, of the
  /// positions that logits were asked for. Valid until the next run.
  ConstView hidden(const Batch& batch);

  /// Makes ready, while the device still works on `batch`, one token with logits behind one tail, what the token after
  /// it will need: the next run() then queues its layers in one step, if it is that token's. Until then the tail and
  /// what `batch.past` shows must stay as they are; forget() ends that. Does nothing where a device gains nothing.
  void anticipate(const Batch& batch);
  void forget() { anticipated_.reset(); }
  /// Makes ready the angles of `rows` tokens at positions from `first` on, while the device still works on the batch
  /// before: a next run() of such a batch behind one tail then begins at once.
  void anticipate(size_t first, size_t rows);

  /// What became of it.
  struct Replays {
    size_t tokens = 0;      ///< whose layers were queued in one step
    bool given_up = false;  ///< the device would have gained, but something in the layers can't be repeated there
  };
  const Replays& replays() const { return replays_; }

 private:
  /// Runs the layers, then finish(rows with logits), whose result it returns.
  template <class Finish>
  auto run(const Batch& batch, const Finish& finish);
  // `in` and `out` count the last rows of the batch: those that enter a layer, and those that leave it.
  void begin(const Batch& batch);
  void layers(const Batch& batch, size_t with_logits);
  void embed(const Batch& batch);
  void add_embedding(std::span<const int32_t> ids, const ConstView& table);
  void layer(const Batch& batch, size_t index, size_t in, size_t out);
  void project(size_t index, size_t in);
  void prepare_heads(size_t index, size_t kv_layer, const View& q, const View& k, const View& v);
  std::span<const KvRows> extend_tails(size_t kv_layer);
  void make_shared_kv();
  void attend(const Batch& batch, size_t index, size_t in, size_t out);
  void attend_each(const AttendArgs& all, size_t kv_layer);
  void feed_forward(size_t index, size_t rows);
  void add_product(const ConstView& in, const ConstView& weight, const float* bias, const float* norm);
  LinearInput normed_input(const ConstView& x, const NormWeights& weights);
  void norm_sum(const View& x, const NormWeights& weights);
  View last(const View& of_batch, size_t rows) const { return rows_of(of_batch, rows_ - rows, rows); }
  View last(const Tensor& of_batch, size_t rows) const { return last(of_batch.view(), rows); }
  View logits_on_device(size_t rows);
  bool replay(const Batch& batch);
  void prepare();
  template <class Fill>
  void send_angles(size_t rows, const Fill& fill);
  void ensure(size_t rows);

  const Model* model_;
  Rope rope_, local_rope_;
  size_t rows_ = 0;                // of the batch that runs
  size_t first_position_ = 0;      // of its first row, where all are of one conversation
  std::span<Tail* const> tails_;   // one, or one for each row
  std::vector<size_t> tail_ends_;  // before the batch
  size_t capacity_ = 0;            // rows that the tensors and views below hold
  Tensor x_, normed_, cos_sin_, local_cos_sin_;
  Buffer memory_;                       // of the views: attention is over before the feed-forward part begins
  View q_, k_, v_, attended_;           // of attention
  View gate_, up_;                      // of the feed-forward part
  std::vector<KvRows> heads_of_tails_;  // of several tails
  Tensor logits_;
  std::vector<float> host_angles_, host_logits_;
  size_t angles_first_ = 0, angles_rows_ = 0;  // of the angles that the device has; no rows where they aren't in a row
  std::vector<int32_t> positions_, token_types_;
  std::vector<size_t> likeliest_;
  std::vector<Segment> segments_;

  struct NextToken {
    const Tail* tail;
    size_t position;
  };
  std::unique_ptr<Recording> recording_;  // of one token's layers; null until it is first needed
  std::optional<NextToken> anticipated_;  // what was recorded last, and not replayed yet
  Replays replays_;
};

}  // namespace kvzip
