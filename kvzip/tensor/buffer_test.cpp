// Buffers, and the matrices and views on top of them.
#include "kvzip/tensor/buffer.h"

#include <gtest/gtest.h>

#include <map>
#include <new>
#include <utility>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

/// Counts what is out, and notices what comes back wrong.
class CountingMemory : public Memory {
 public:
  void* acquire(size_t bytes) override {
    if (bytes > kLimit) throw Error(ErrorCode::memory, "too much");
    void* data = ::operator new (bytes, std::align_val_t{64});
    out_.emplace(data, bytes);
    return data;
  }
  void release(void* data, size_t bytes) noexcept override {
    const auto found = out_.find(data);
    if (found == out_.end() || found->second != bytes) {
      ADD_FAILURE() << "released what was never acquired";
      return;
    }
    out_.erase(found);
    ::operator delete (data, std::align_val_t{64});
  }
  size_t out() const { return out_.size(); }

  static constexpr size_t kLimit = 1 << 20;

 private:
  std::map<void*, size_t> out_;
};

TEST(Buffer, GivesBackExactlyOnce) {
  CountingMemory memory;
  {
    Buffer first(memory, 100);
    EXPECT_EQ(first.bytes(), 100U);
    EXPECT_EQ(memory.out(), 1U);
    void* const place = first.data();
    Buffer second(std::move(first));
    EXPECT_EQ(second.data(), place);
    EXPECT_EQ(memory.out(), 1U);
    Buffer third(memory, 7);
    third = std::move(second);
    EXPECT_EQ(third.data(), place);
    EXPECT_EQ(third.bytes(), 100U);
    third = Buffer();
    third = Buffer(memory, 3);
    EXPECT_EQ(third.bytes(), 3U);
  }
  EXPECT_EQ(memory.out(), 0U);
}

TEST(Buffer, NothingTakesNothing) {
  CountingMemory memory;
  const Buffer none(memory, 0);
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(memory.out(), 0U);
  EXPECT_THROW(Buffer(memory, CountingMemory::kLimit + 1), Error);
  EXPECT_EQ(memory.out(), 0U);
}

TEST(Tensor, ViewsHaveItsShape) {
  CountingMemory memory;
  {
    Tensor tensor(memory, DType::q4_1, 5, 96);
    EXPECT_EQ(tensor.bytes(), 5U * 3 * 20);
    const View all = tensor.view();
    EXPECT_EQ(all.rows, 5U);
    EXPECT_EQ(all.cols, 96U);
    EXPECT_EQ(all.stride, 60U);
    EXPECT_EQ(all.dtype, DType::q4_1);
    EXPECT_EQ(tensor.view(2).rows, 2U);
    EXPECT_EQ(tensor.view(2).data, all.data);
    const Tensor moved = std::move(tensor);
    EXPECT_EQ(moved.view().data, all.data);
  }
  EXPECT_EQ(memory.out(), 0U);
}

TEST(View, RowsOfStepsByTheStride) {
  float values[6][7] = {};
  const View all{&values[0][0], DType::f32, 6, 5, sizeof(values[0])};  // two values of each row are padding
  const View part = rows_of(all, 2, 3);
  EXPECT_EQ(part.data, &values[2][0]);
  EXPECT_EQ(part.rows, 3U);
  EXPECT_EQ(part.cols, 5U);
  EXPECT_EQ(part.stride, all.stride);
  const ConstView constant = all;
  const ConstView nested = rows_of(rows_of(constant, 1, 5), 4, 1);
  EXPECT_EQ(nested.data, &values[5][0]);
  EXPECT_EQ(nested.rows, 1U);
  EXPECT_EQ(nested.dtype, DType::f32);
}

}  // namespace
}  // namespace kvzip
