#include "kvzip/store/redis_pieces.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr const char* kLifetime = "3600";  // seconds that pieces of a writer that died stay
constexpr size_t kMostCommands = 256;      // that are under way at once
constexpr uint64_t kMostPayload = uint64_t{16} << 20U;

std::string random_name() {
  std::random_device random;
  std::string name;
  for (int word = 0; word < 4; ++word) name += fmt::format("{:08x}", random());
  return name;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string RedisPieces::key(uint64_t piece) const { return fmt::format("kvzip:1:piece:{}:{}", upload, piece); }

RedisPieceWriter::RedisPieceWriter(RedisConnection& connection) : connection_(&connection) {
  pieces_.upload = random_name();
}

RedisPieceWriter::~RedisPieceWriter() {
  if (kept_) return;
  RedisCommand remove = {"UNLINK"};
  for (uint64_t piece = 0; piece < pieces_.count(); ++piece) remove.push_back(pieces_.key(piece));
  try {
    if (remove.size() > 1) connection_->command(remove);
  } catch (const Error&) {
    return;  // they expire by themselves
  }
}

void RedisPieceWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto taken = bytes.first(std::min<size_t>(bytes.size(), RedisPieces::kPieceBytes - filling_.size()));
    filling_ += as_text(taken);
    pieces_.bytes += taken.size();
    bytes = bytes.subspan(taken.size());
    if (filling_.size() == RedisPieces::kPieceBytes) send_full_piece();
  }
}

void RedisPieceWriter::send_full_piece() {
  if (filling_piece_ == 0) {
    first_ = std::exchange(filling_, {});
  } else {
    send(filling_piece_, filling_);
    filling_.clear();
  }
  ++filling_piece_;
}

void RedisPieceWriter::rewrite(uint64_t offset, std::span<const std::byte> bytes) {
  std::string& held = filling_piece_ == 0 ? filling_ : first_;
  check(offset + bytes.size() <= held.size(), "only the first piece can still be changed");
  std::memcpy(held.data() + offset, bytes.data(), bytes.size());
}

RedisPieces RedisPieceWriter::finish() {
  if (!filling_.empty()) send_full_piece();
  send(0, first_);
  return pieces_;
}

void RedisPieceWriter::send(uint64_t piece, const std::string& bytes) {
  connection_->command({"SET", pieces_.key(piece), bytes, "EX", kLifetime});
}

RedisByteSource::RedisByteSource(std::shared_ptr<RedisConnection> connection, RedisPieces pieces, std::string path)
    : connection_(std::move(connection)), pieces_(std::move(pieces)), path_(std::move(path)) {
  void* memory =
      ::mmap(nullptr, pieces_.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw Error(ErrorCode::memory, fmt::format("{}: {} bytes of address space can't be had", path_, pieces_.bytes));
  memory_ = static_cast<std::byte*>(memory);
}

RedisByteSource::~RedisByteSource() { ::munmap(memory_, pieces_.bytes); }

void RedisByteSource::fetch(std::span<const ByteRange> ranges) {
  const std::lock_guard lock(mutex_);
  const std::vector<Part> parts = missing_parts(ranges);
  std::span<const Part> left = parts;
  while (!left.empty()) {
    uint64_t payload = 0;
    size_t count = 0;
    while (count < std::min(left.size(), kMostCommands) && payload < kMostPayload) payload += left[count++].bytes;
    fetch_parts(left.first(count));
    left = left.subspan(count);
  }
  for (const ByteRange& range : ranges) {
    auto [first, last] = std::pair(range.offset, range.offset + range.bytes);
    auto next = fetched_.lower_bound(first);
    if (next != fetched_.begin() && std::prev(next)->second >= first) first = (--next)->first;
    while (next != fetched_.end() && next->first <= last) {
      last = std::max(last, next->second);
      next = fetched_.erase(next);
    }
    fetched_[first] = last;
  }
}

void RedisByteSource::take_missing(ByteRange range, std::vector<ByteRange>& missing) {
  uint64_t at = range.offset;
  const uint64_t end = range.offset + range.bytes;
  auto next = fetched_.upper_bound(at);
  if (next != fetched_.begin()) at = std::max(at, std::prev(next)->second);
  for (; at < end && next != fetched_.end() && next->first < end; ++next) {
    if (next->first > at) missing.push_back({at, next->first - at});
    at = next->second;
  }
  if (at < end) missing.push_back({at, end - at});
}

std::vector<RedisByteSource::Part> RedisByteSource::missing_parts(std::span<const ByteRange> ranges) {
  std::vector<ByteRange> missing;
  for (const ByteRange& range : ranges) {
    check(range.offset + range.bytes <= pieces_.bytes, "ranges lie within the file");
    take_missing(range, missing);
  }
  std::vector<Part> parts;
  for (auto [offset, bytes] : missing) {
    while (bytes > 0) {
      const uint64_t within = offset % RedisPieces::kPieceBytes;
      const uint64_t part = std::min(bytes, RedisPieces::kPieceBytes - within);
      parts.push_back({offset / RedisPieces::kPieceBytes, within, part});
      offset += part;
      bytes -= part;
    }
  }
  return parts;
}

void RedisByteSource::fetch_parts(std::span<const Part> parts) {
  std::vector<RedisCommand> commands;
  uint64_t payload = 0;
  for (const Part& part : parts) {
    commands.push_back({"GETRANGE", pieces_.key(part.piece), std::to_string(part.offset),
                        std::to_string(part.offset + part.bytes - 1)});
    payload += part.bytes;
  }
  const std::vector<RedisReply> replies = connection_->exchange(commands, payload);
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto bytes = replies[i].text();
    if (!bytes || bytes->size() != parts[i].bytes) {
      throw Error(ErrorCode::input, fmt::format("{}: damaged: piece {}: expected {} bytes, found {}; it was removed "
                                                "meanwhile, or the server dropped it",
                                                path_, parts[i].piece, parts[i].bytes, bytes ? bytes->size() : 0));
    }
    std::memcpy(memory_ + parts[i].piece * RedisPieces::kPieceBytes + parts[i].offset, bytes->data(), bytes->size());
  }
}

}  // namespace kvzip
