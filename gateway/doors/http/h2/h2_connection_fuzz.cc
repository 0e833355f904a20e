// Any bytes, in any pieces, to an HTTP/2 connection whose door answers in different ways: nothing
// crashes, memory stays within its bound, and everything is given back.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/testing/h2_harness.h"

namespace bellwire::http {
namespace {

constexpr size_t kMemoryBytes = 4 * 1024 * 1024;
constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void Require(bool condition) {
  if (!condition) std::abort();
}

// Answers each request as the input says.
class FuzzDoor final : public Door {
 public:
  bool Matches(const RequestHead&) const override { return true; }
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
    ++open_;
    return std::make_unique<Handler>(this, exchange);
  }
  int open() const { return open_; }
  uint8_t choice = 0;

 private:
  class Handler final : public ExchangeHandler {
   public:
    Handler(FuzzDoor* door, Exchange* exchange)
        : door_(door), exchange_(exchange), choice_(door->choice++) {
      if (choice_ % 7 == 1) exchange_->RespondOnly(200, {{"x", "y"}});
      if (choice_ % 7 == 2) exchange_->Reset(Exchange::ResetReason::kCancel);
      if (choice_ % 5 == 3) exchange_->AllowPauses(true);
      if (choice_ % 3 == 0) exchange_->Push("/pushed", 204, {{"x", "y"}});
    }
    void OnBody(absl::string_view data) override {
      if (choice_ % 3 == 0) return exchange_->Consume(data.size());
      held_ += data.size();
      if (choice_ % 3 == 1) Answer();
    }
    void OnBodyEnd() override {
      exchange_->Consume(held_);
      held_ = 0;
      Answer();
    }
    void OnTimeout(Timeout) override {
      if (choice_ % 2 == 0) Answer();
    }
    void OnClosed() override { --door_->open_; }

   private:
    void Answer() {
      exchange_->Respond(200, {{"content-type", "text/plain"}});
      exchange_->Write(std::string(size_t{choice_} * 100, 'x'));
      exchange_->End({{"trailer", "t"}});
    }
    FuzzDoor* const door_;
    Exchange* const exchange_;
    const uint8_t choice_;
    size_t held_ = 0;
  };
  int open_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const auto mode = static_cast<uint8_t>(input.front());
  input.remove_prefix(1);
  FuzzDoor door;
  door.choice = mode;
  H2Harness harness({&door}, kMemoryBytes);
  if (mode % 2 == 0) {
    harness.Send(kPreface);
    harness.Send(RawFrame(NGHTTP2_SETTINGS, 0, 0, ""));
  }
  const size_t piece = 1 + mode % 64;
  for (size_t at = 0; at < input.size() && !harness.connection->done(); at += piece) {
    harness.Send(input.substr(at, piece));
    if (at % 3 == 0) harness.TakeOutput();
    if (at % 128 == 0) {
      harness.clock.Advance(absl::Seconds(mode % 30));
      if (harness.connection->next_deadline() <= harness.clock.Monotonic()) {
        harness.connection->OnTimer();
      }
    }
    Require(harness.memory() <= kMemoryBytes + 2 * size_t{kHttpConnectionWindowBytes});
  }
  harness.connection->Drain();
  harness.TakeOutput();
  harness.connection->EndExchanges();
  harness.TakeOutput();
  harness.connection.reset();
  Require(door.open() == 0);
  Require(harness.memory() == 0);
  return 0;
}

}  // namespace bellwire::http
