#include "kvzip/base/mapped_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <utility>

#include "kvzip/base/error.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

std::string make_file(const TempFolder& folder, const std::string& name, const std::string& content) {
  std::ofstream(folder.file(name), std::ios::binary) << content;
  return folder.file(name);
}

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheBytes) {
  const TempFolder folder;
  for (const size_t size : {1U, 4095U, 4096U, 4097U, 100003U}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31);
    const MappedFile file(make_file(folder, "f", content));
    EXPECT_EQ(text_of(file), content);
    EXPECT_EQ(file.path(), folder.file("f"));
  }
}

TEST(MappedFile, LinksCanBeRefused) {
  const TempFolder folder;
  const std::string target = make_file(folder, "target", "content");
  std::filesystem::create_symlink(target, folder.file("link"));
  EXPECT_EQ(text_of(MappedFile(folder.file("link"))), "content");
  EXPECT_EQ(text_of(MappedFile(target, Links::refuse)), "content");
  EXPECT_THROW(MappedFile(folder.file("link"), Links::refuse), Error);
}

TEST(MappedFile, MovesKeepTheBytesWhereTheyAre) {
  const TempFolder folder;
  MappedFile first(make_file(folder, "a", "first"));
  MappedFile second(make_file(folder, "b", "second"));
  const std::byte* place = first.bytes().data();
  MappedFile moved(std::move(first));
  EXPECT_EQ(moved.bytes().data(), place);
  second = std::move(moved);
  EXPECT_EQ(second.bytes().data(), place);
  EXPECT_EQ(text_of(second), "first");
  EXPECT_EQ(second.path(), folder.file("a"));
  MappedFile& same = second;
  second = std::move(same);
  EXPECT_EQ(text_of(second), "first");
}

TEST(MappedFile, StaysReadableAfterTheNameIsGone) {
  const TempFolder folder;
  const MappedFile file(make_file(folder, "a", "still here"));
  std::filesystem::remove(folder.file("a"));
  EXPECT_EQ(text_of(file), "still here");
}

TEST(MappedFile, WhatCannotBeMappedIsNamed) {
  const TempFolder folder;
  const auto message = [](const std::string& path) -> std::string {
    try {
      const MappedFile file(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(message(folder.file("absent")), folder.file("absent") + ": No such file or directory");
  EXPECT_EQ(message(folder.path()), folder.path() + ": expected a file, found a folder");
  EXPECT_EQ(message(make_file(folder, "empty", "")), folder.file("empty") + ": the file is empty");
  EXPECT_EQ(message("/dev/null"), "/dev/null: expected a regular file");
}

}  // namespace
}  // namespace kvzip
