#ifndef BELLWIRE_REGISTRY_KEYS_FEEDS_H_
#define BELLWIRE_REGISTRY_KEYS_FEEDS_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace bellwire::registry {

// The feeds of each team (keys.h), as the registry that asks has them. What is counted, such as
// subscribers of topics, messages of a day and devices, has a number in each feed; the sum counts.
// A number of one feed may be below zero: it is stored as its two's complement.
struct Feeds {
  // Where receipts go, and what is counted.
  uint32_t own = 0;
  // Which there are. Thread-safe.
  std::function<std::vector<uint32_t>()> all = [] { return std::vector<uint32_t>{0}; };

  bool IsOnlyOne() const { return own == 0 && all().size() <= 1; }
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_KEYS_FEEDS_H_
