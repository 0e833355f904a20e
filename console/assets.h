#ifndef BELLWIRE_CONSOLE_ASSETS_H_
#define BELLWIRE_CONSOLE_ASSETS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The files of the console's page (dist/), compiled in.
namespace bellwire::console {

struct Asset {
  // "/assets/index-1a2b3c4d.js"
  absl::string_view path;
  // "text/javascript; charset=utf-8"
  absl::string_view content_type;
  absl::string_view body;
};

absl::Span<const Asset> Assets();

}  // namespace bellwire::console

#endif  // BELLWIRE_CONSOLE_ASSETS_H_
