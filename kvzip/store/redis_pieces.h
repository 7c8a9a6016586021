// The bytes of a context on a Redis server: strings of 1 MiB, all but the last, that are written once. Each is read and
// written by one RedisConnection.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "kvzip/base/byte_sink.h"
#include "kvzip/store/byte_source.h"
#include "kvzip/store/redis_connection.h"

namespace kvzip {

/// A file on the server: a random name of its own, so that a new version never mixes with an old one.
struct RedisPieces {
  static constexpr uint64_t kPieceBytes = uint64_t{1} << 20U;
  /// Sizes beyond this are no context's; sums of them stay far from overflow.
  static constexpr uint64_t kMostBytes = uint64_t{1} << 40U;

  std::string upload;  ///< 32 hexadecimal digits
  uint64_t bytes = 0;

  uint64_t count() const { return (bytes + kPieceBytes - 1) / kPieceBytes; }
  std::string key(uint64_t piece) const;
};

/// Sends pieces as they become complete. They expire by themselves, unless somebody makes them stay once all are there.
class RedisPieceWriter : public ByteSink {
 public:
  explicit RedisPieceWriter(RedisConnection& connection);
  /// Removes what was sent, where keep() was never reached.
  ~RedisPieceWriter() override;

  void write(std::span<const std::byte> bytes) override;
  /// Within the first piece, which is sent last.
  void rewrite(uint64_t offset, std::span<const std::byte> bytes) override;
  /// Sends what is left.
  RedisPieces finish();
  void keep() { kept_ = true; }

 private:
  void send(uint64_t piece, const std::string& bytes);
  void send_full_piece();

  RedisConnection* connection_;
  RedisPieces pieces_;
  std::string first_;
  std::string filling_;
  uint64_t filling_piece_ = 0;
  bool kept_ = false;
};

/// Fetches ranges into memory that is only taken up where they lie.
class RedisByteSource : public ByteSource {
 public:
  /// `path` is the name that errors give.
  RedisByteSource(std::shared_ptr<RedisConnection> connection, RedisPieces pieces, std::string path);
  ~RedisByteSource() override;

  std::span<const std::byte> bytes() const override { return {memory_, pieces_.bytes}; }
  void fetch(std::span<const ByteRange> ranges) override;

 private:
  /// What must still be fetched, piece by piece.
  struct Part {
    uint64_t piece;
    uint64_t offset;  // in the piece
    uint64_t bytes;
  };
  std::vector<Part> missing_parts(std::span<const ByteRange> ranges);
  void take_missing(ByteRange range, std::vector<ByteRange>& missing);
  void fetch_parts(std::span<const Part> parts);

  std::shared_ptr<RedisConnection> connection_;
  RedisPieces pieces_;
  std::string path_;
  std::byte* memory_;
  std::mutex mutex_;
  std::map<uint64_t, uint64_t> fetched_;  // begin -> end, apart from each other
};

}  // namespace kvzip
