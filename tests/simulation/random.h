#ifndef BELLWIRE_TESTS_SIMULATION_RANDOM_H_
#define BELLWIRE_TESTS_SIMULATION_RANDOM_H_

#include <cmath>
#include <cstdint>
#include <random>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::simulation {

// The chance of one part of a simulation. Each part has its own, made from the run's seed, its name
// and its number, so that what one part draws does not change what another one gets.
// Thread-compatible.
class Random {
 public:
  using result_type = uint64_t;

  Random(uint64_t seed, absl::string_view part, uint64_t number = 0) {
    uint64_t hash = 0xcbf29ce484222325 ^ seed;
    for (const char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    engine_.seed(hash ^ (number * 0x9e3779b97f4a7c15));
  }

  // As the standard's generators.
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }
  uint64_t operator()() { return engine_(); }

  // 0 <= result < bound. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  // [0, 1).
  double Fraction() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  bool Chance(double probability) { return Fraction() < probability; }
  absl::Duration Between(absl::Duration from, absl::Duration to) {
    return from + (to - from) * Fraction();
  }
  // The time to the next of events that come at random, `mean` apart.
  absl::Duration Until(absl::Duration mean) { return mean * -std::log1p(-Fraction()); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_RANDOM_H_
