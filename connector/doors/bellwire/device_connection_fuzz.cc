// What an agent sends never crashes a connection, never leaves it in two minds about whether it is
// closed, and costs no more than its bounds. The first byte of the input chooses the state in which
// the rest arrives, the second one the size of the pieces.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "connector/doors/bellwire/connection_state.h"
#include "connector/testing/connection_harness.h"

namespace {

using bellwire::connector::ConnectionHarness;
using bellwire::connector::ConnectionState;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ConnectionHarness h;
  constexpr ConnectionState kStates[] = {ConnectionState::kAwaitingLogin, ConnectionState::kActive,
                                         ConnectionState::kDraining, ConnectionState::kBinding};
  h.BringTo(kStates[data[0] % 4]);
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    h.Deliver(seq == 3 ? ConnectionHarness::NowOrNever(seq) : ConnectionHarness::Message(seq));
  }
  const size_t chunk_bytes = 1 + data[1] % 64;
  absl::string_view stream(reinterpret_cast<const char*>(data + 2), size - 2);
  while (!stream.empty()) {
    const absl::string_view chunk = stream.substr(0, chunk_bytes);
    stream.remove_prefix(chunk.size());
    h.connection.OnData(chunk);
    h.Flush();
    // The registry keeps up, and fails now and then.
    if (!h.host.acks.empty()) {
      h.host.acks.clear();
      h.connection.OnAckTaken(chunk.size() % 2 == 0 ? absl::OkStatus()
                                                    : absl::UnavailableError("away"));
    }
    if (!h.host.binds.empty() && h.connection.state() == ConnectionState::kBinding) {
      h.host.binds.clear();
      h.connection.OnBound(ConnectionHarness::Bound());
    }
    Require(
        h.host.registrations.size() + h.host.removals.size() <= bellwire::kMaxPendingAppRequests,
        "app requests beyond their bound");
    Require((h.connection.state() == ConnectionState::kClosed) == h.host.closed.has_value(),
            "closed, and not closed");
  }
  h.Advance(absl::Hours(3));
  Require(h.host.closed.has_value(), "a silent peer stays for ever");
  Require(!h.host.broken_framing, "bytes that are no frames");
  return 0;
}
