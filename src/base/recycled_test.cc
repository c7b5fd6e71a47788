#include "base/recycled.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace spillway {
namespace {

#ifndef __SANITIZE_ADDRESS__
TEST(Recycled, GivesWhatCameBackLastFirst) {
  void* const one = recycled::take(100);
  void* const two = recycled::take(100);
  EXPECT_NE(one, two);
  recycled::give_back(one, 100);
  recycled::give_back(two, 100);
  EXPECT_EQ(recycled::take(128), two) << "of the same size when rounded up";
  EXPECT_EQ(recycled::take(65), one);
  recycled::give_back(one, 65);
  void* const other = recycled::take(64);
  EXPECT_NE(other, one) << "too large for what is kept for smaller ones";
  recycled::give_back(other, 64);
  recycled::give_back(two, 128);
}
#endif

TEST(Recycled, EveryBlockIsOnesOwnAndLargeEnough) {
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{64}, recycled::kMostBytes, recycled::kMostBytes + 1}) {
    for (int round = 0; round < 3; ++round) {
      std::vector<char*> blocks;
      for (int i = 0; i < 3000; ++i) {  // more than are kept
        blocks.push_back(static_cast<char*>(recycled::take(bytes)));
        std::memset(blocks.back(), i % 251, bytes);
      }
      EXPECT_EQ(std::set<char*>(blocks.begin(), blocks.end()).size(), blocks.size());
      for (int i = 0; i < 3000; ++i) {
        char* const block = blocks[static_cast<std::size_t>(i)];
        EXPECT_TRUE(
            std::all_of(block, block + bytes, [i](char c) { return c == static_cast<char>(i % 251); }));
        recycled::give_back(block, bytes);
      }
    }
  }
}

TEST(Recycled, ComesBackOnAnyThread) {
  std::vector<void*> blocks;
  std::thread([&] {
    for (int i = 0; i < 2000; ++i) blocks.push_back(recycled::take(200));
  }).join();
  for (void* block : blocks) recycled::give_back(block, 200);
  std::thread([] { recycled::give_back(recycled::take(200), 200); }).join();
}

/// A thread's own objects end in the reverse order of their making: this one after the lists.
struct Late {
  ~Late() {
    std::set<void*> blocks;
    for (int i = 0; i < 100; ++i) {
      blocks.insert(recycled::take(200));
      std::memset(*blocks.rbegin(), 0xff, 200);
    }
    EXPECT_EQ(blocks.size(), 100u);
    for (void* block : blocks) recycled::give_back(block, 200);
  }
  int touched = 0;
};

TEST(Recycled, ServesWhoComesAfterTheThreadsEnd) {
  std::thread([] {
    thread_local Late late;
    late.touched = 1;
    std::vector<void*> blocks;
    for (int i = 0; i < 10; ++i) blocks.push_back(recycled::take(200));
    for (void* block : blocks) recycled::give_back(block, 200);
  }).join();
}

}  // namespace
}  // namespace spillway
