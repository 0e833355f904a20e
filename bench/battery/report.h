#ifndef BELLWIRE_BENCH_BATTERY_REPORT_H_
#define BELLWIRE_BENCH_BATTERY_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/battery/simulation.h"

// What people and programs get to see of a simulation.
namespace bellwire::bench {

// Of one wake of the radio, Joule: a good LTE or 5G modem, 3G, LTE with its long tail.
inline constexpr double kJoulePerWake[] = {3, 9, 13};
// Of 4,000 mAh.
inline constexpr double kBatteryJoule = 55'000;

struct Row {
  std::string contender;
  Outcome outcome;
};
struct Section {
  std::string scenario;
  std::vector<Row> rows;
};
struct Report {
  int days = 0;
  uint64_t seed = 0;
  std::vector<Section> sections;
};

std::string Table(const Report& report);
std::string Json(const Report& report);
// Energy and deafness of each contender, a panel for each scenario.
std::string Svg(const Report& report);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_BATTERY_REPORT_H_
