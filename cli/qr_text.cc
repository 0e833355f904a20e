#include "cli/qr_text.h"

#include <memory>

#include "absl/status/status.h"
#include "qrencode.h"

namespace bellwire::cli {
namespace {

// ISO/IEC 18004 wants four modules; two are what readers need on a screen.
constexpr int kMargin = 2;

}  // namespace

absl::StatusOr<std::vector<std::string>> QrText(absl::string_view text) {
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeData(static_cast<int>(text.size()),
                        reinterpret_cast<const unsigned char*>(text.data()), /*version=*/0,
                        QR_ECLEVEL_M),
      &QRcode_free);
  if (code == nullptr) return absl::InvalidArgumentError("no QR code holds this text");
  const int width = code->width;
  const auto is_light = [&](int x, int y) {
    if (x < 0 || y < 0 || x >= width || y >= width) return true;
    return (code->data[y * width + x] & 1) == 0;
  };
  std::vector<std::string> lines;
  for (int y = -kMargin; y < width + kMargin; y += 2) {
    std::string line;
    for (int x = -kMargin; x < width + kMargin; ++x) {
      const bool upper = is_light(x, y);
      const bool lower = is_light(x, y + 1);
      line += upper ? (lower ? "█" : "▀") : (lower ? "▄" : " ");
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace bellwire::cli
