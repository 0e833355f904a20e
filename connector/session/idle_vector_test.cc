#include "connector/session/idle_vector.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

TEST(IdleVectorTest, IsAPointer) { EXPECT_EQ(sizeof(IdleVector<std::string>), sizeof(void*)); }

TEST(IdleVectorTest, BehavesAsAVector) {
  IdleVector<int> numbers;
  EXPECT_TRUE(numbers.empty());
  EXPECT_EQ(numbers.begin(), numbers.end());
  for (const int n : {1, 2, 4}) numbers.push_back(n);
  numbers.insert(numbers.begin() + 2, 3);
  numbers.insert(numbers.end(), 5);
  numbers.emplace_back() = 6;
  EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.end()), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(numbers.back(), 6);
  numbers.erase(numbers.begin() + 1, numbers.begin() + 3);
  EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.end()), (std::vector<int>{1, 4, 5, 6}));
  numbers.erase(numbers.begin(), numbers.begin());
  EXPECT_EQ(numbers.size(), 4u);
}

TEST(IdleVectorTest, EmptyOneWayOrTheOther) {
  IdleVector<std::unique_ptr<int>> owners;
  owners.erase(owners.begin(), owners.end());
  owners.insert(owners.end(), std::make_unique<int>(1));
  owners.erase(owners.begin(), owners.end());
  EXPECT_TRUE(owners.empty());
  owners.push_back(std::make_unique<int>(2));
  owners.clear();
  EXPECT_TRUE(owners.empty());
  owners.push_back(std::make_unique<int>(3));
  const std::vector<std::unique_ptr<int>> taken = owners.Take();
  EXPECT_EQ(*taken.at(0), 3);
  EXPECT_TRUE(owners.empty());
  EXPECT_TRUE(owners.Take().empty());
}

}  // namespace
}  // namespace bellwire::connector
