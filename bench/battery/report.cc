#include "bench/battery/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {
namespace {

double Seconds(absl::Duration d) { return absl::ToDoubleSeconds(d); }

double DeafMinutesPerDay(const Outcome& outcome) {
  return absl::ToDoubleMinutes(outcome.deaf) / outcome.days();
}

std::string Reached(const Outcome& outcome) {
  if (!outcome.reached_90_after.has_value()) return "-";
  return absl::StrFormat("%.1f h", absl::ToDoubleHours(*outcome.reached_90_after));
}

// For XML. The names are ours; still, a name with an ampersand must not break a plot.
std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string Table(const Report& report) {
  std::string out;
  for (const Section& section : report.sections) {
    absl::StrAppendFormat(&out, "\n%s\n", section.scenario);
    absl::StrAppendFormat(&out, "  %-15s %9s %23s %7s %9s %13s %9s %18s\n", "", "beats/day",
                          "J/day at 3 /  9 /  13 J", "battery", "90% after", "dead windows", "deaf",
                          "message delay");
    absl::StrAppendFormat(&out, "  %-15s %9s %23s %7s %9s %13s %9s %18s\n", "", "from day 2",
                          "per wake", "at 9 J", "", "wk 1 / later", "min/day", "mean / p95, s");
    for (const auto& [name, outcome] : section.rows) {
      absl::StrAppendFormat(
          &out, "  %-15s %9.1f %8.0f %6.0f %7.0f %6.1f%% %9s %6d / %4d %9.1f %8.1f / %6.1f\n", name,
          outcome.beats_per_day_later(), outcome.joule_per_day(kJoulePerWake[0]),
          outcome.joule_per_day(kJoulePerWake[1]), outcome.joule_per_day(kJoulePerWake[2]),
          100 * outcome.joule_per_day(kJoulePerWake[1]) / kBatteryJoule, Reached(outcome),
          outcome.dead_windows_first_week(), outcome.dead_windows_later_week(),
          DeafMinutesPerDay(outcome), Seconds(outcome.mean_delay()), Seconds(outcome.p95_delay()));
    }
  }
  absl::StrAppendFormat(&out,
                        "\n%d days of virtual time, seed %d. Dead windows: of week 1, and of the "
                        "worst week later.\nEnergy: beats and connects; messages cost everyone "
                        "the same and are left out.\n",
                        report.days, report.seed);
  return out;
}

std::string Json(const Report& report) {
  nlohmann::ordered_json json = {{"days", report.days}, {"seed", report.seed}};
  json["runs"] = nlohmann::ordered_json::array();
  for (const Section& section : report.sections) {
    for (const auto& [name, outcome] : section.rows) {
      nlohmann::ordered_json run = {
          {"scenario", section.scenario},
          {"policy", name},
          {"beats_per_day", outcome.beats_per_day()},
          {"beats_per_day_from_day_2", outcome.beats_per_day_later()},
          {"connects", outcome.connects},
          {"dead_windows", outcome.dead_windows()},
          {"dead_windows_by_week", outcome.dead_windows_by_week},
          {"deaf_minutes_per_day", DeafMinutesPerDay(outcome)},
          {"messages", outcome.delays.size()},
          {"delay_mean_s", Seconds(outcome.mean_delay())},
          {"delay_p95_s", Seconds(outcome.p95_delay())},
      };
      for (const double joule : kJoulePerWake) {
        run[absl::StrFormat("joule_per_day_at_%.0f", joule)] = outcome.joule_per_day(joule);
      }
      run["reached_90_percent_after_s"] = nullptr;
      if (outcome.reached_90_after.has_value()) {
        run["reached_90_percent_after_s"] = Seconds(*outcome.reached_90_after);
      }
      json["runs"].push_back(std::move(run));
    }
  }
  return json.dump(2) + "\n";
}

std::string Svg(const Report& report) {
  constexpr int kWidth = 860;
  constexpr int kBarsLeft = 150;
  constexpr int kBarsWidth = 420;
  constexpr int kBarHeight = 16;
  constexpr int kTitleHeight = 34;
  // Logarithmic: a factor of forty lies between the best and the worst.
  constexpr double kLeast = 100;
  constexpr double kMost = 30'000;
  size_t rows = 0;
  for (const Section& section : report.sections) rows += section.rows.size();
  const int height =
      static_cast<int>(report.sections.size() * (kTitleHeight + 8) + rows * (kBarHeight + 4) + 60);
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
      "<text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Joule per day for heartbeats "
      "and "
      "reconnects, at 9 J per wake (logarithmic), and minutes deaf per day</text>\n",
      kWidth, height);
  int y = 36;
  for (const Section& section : report.sections) {
    y += kTitleHeight;
    absl::StrAppendFormat(&out, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y - 8,
                          Escaped(section.scenario));
    for (const auto& [name, outcome] : section.rows) {
      const double joule = outcome.joule_per_day(kJoulePerWake[1]);
      const double part =
          std::clamp(std::log(joule / kLeast) / std::log(kMost / kLeast), 0.005, 1.0);
      const double deaf = DeafMinutesPerDay(outcome);
      const char* color = name == section.rows.front().contender ? "#1a7f5a" : "#8a94a6";
      absl::StrAppendFormat(
          &out,
          "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>"
          "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
          "<text x=\"%.1f\" y=\"%d\">%.0f J<tspan fill=\"%s\">, deaf %.1f min</tspan></text>\n",
          kBarsLeft - 8, y + 12, Escaped(name), kBarsLeft, y, part * kBarsWidth, kBarHeight, color,
          kBarsLeft + part * kBarsWidth + 6, y + 12, joule, deaf > 10 ? "#c0392b" : "#666", deaf);
      y += kBarHeight + 4;
    }
    y += 8;
  }
  absl::StrAppendFormat(&out,
                        "<text x=\"10\" y=\"%d\" fill=\"#666\">%d days of virtual time, seed "
                        "%d</text>\n</svg>\n",
                        y + 16, report.days, report.seed);
  return out;
}

}  // namespace bellwire::bench
