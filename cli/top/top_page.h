#ifndef BELLWIRE_CLI_TOP_TOP_PAGE_H_
#define BELLWIRE_CLI_TOP_TOP_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ops/overview/watch.h"

namespace bellwire::cli {

enum class TopStyle : uint8_t { kPlain, kBold, kDim, kGood, kBad };

struct TopLine {
  TopStyle style = TopStyle::kPlain;
  // At most as many characters as the page has columns, all of them printable ASCII.
  std::string text;
};

// A look as a page. `columns`: at least 40; longer lines are cut. Times are in `zone`. Pure.
std::vector<TopLine> RenderTop(const metrics::Look& look, size_t columns, absl::TimeZone zone);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_TOP_TOP_PAGE_H_
