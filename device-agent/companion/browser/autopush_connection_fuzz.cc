// Whatever bytes come over a connection, the door neither crashes nor lets anybody in without the
// secret. The first byte of the input says what the rest is: with an even number the bytes of a
// whole connection, with an odd one those that follow a proper upgrade.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "boost/asio/io_context.hpp"
#include "boost/beast/_experimental/test/stream.hpp"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "device-agent/companion/browser/autopush_connection.h"
#include "device-agent/companion/browser/autopush_front.h"
#include "device-agent/companion/browser/browser_door.h"
#include "device-agent/companion/testing/fake_hub.h"

namespace {

using namespace bellwire;             // NOLINT: a program of its own.
using namespace bellwire::companion;  // NOLINT

using Stream = boost::beast::test::stream;
using Connection = AutopushConnection<Stream>;

class Owner final : public Connection::Owner {
 public:
  void OnRefused(const absl::Status&) override {}
  void OnTurn() override {}
  void OnEnd(Connection* connection) override {
    if (connection != connection_.get()) abort();
    connection_.reset();
  }
  std::shared_ptr<Connection> connection_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  SetLogLevel(LogLevel::kError);
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_upgraded = data[0] % 2 == 1;
  const BrowserDoor door{.port = 20001, .secret = "00112233445566778899aabbccddeeff"};
  const std::string upgrade = absl::StrCat(
      "GET /", door.secret, " HTTP/1.1\r\nHost: ", door.host(), "\r\nOrigin: ", door.url(),
      "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: B9qdZ8IIzGuSE06euXsCng==\r\n"
      "Sec-WebSocket-Protocol: push-notification\r\n\r\n");

  boost::asio::io_context io;
  SimulatedClock clock;
  FakeHub hub;
  AutopushFront front(&hub, &clock, [](size_t n) { return std::string(2 * n, 'a'); });
  Owner owner;
  Stream ours(io);
  Stream theirs = boost::beast::test::connect(ours);
  owner.connection_ = std::make_shared<Connection>(std::move(ours), &door, &front, &owner);
  owner.connection_->Start();

  const auto say = [&](absl::string_view text) {
    boost::system::error_code error;
    theirs.write_some(boost::asio::buffer(text.data(), text.size()), error);
    for (int i = 0; i < 16; ++i) {
      io.poll();
      io.restart();
      hub.Run();
    }
  };
  if (is_upgraded) {
    say(upgrade);
    if (owner.connection_ == nullptr || !owner.connection_->is_open()) abort();
  }
  // In two pieces, so that something is cut.
  say(bytes.substr(0, bytes.size() / 2));
  say(bytes.substr(bytes.size() / 2));
  if (!is_upgraded && owner.connection_ != nullptr && owner.connection_->is_open() &&
      !absl::StrContains(bytes, door.secret)) {
    abort();
  }
  theirs.close();
  say("");
  if (owner.connection_ != nullptr) owner.connection_->End();
  say("");
  return 0;
}
