#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_CONNECTION_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_CONNECTION_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "boost/asio/buffer.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/empty_body.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/string_body.hpp"
#include "boost/beast/http/write.hpp"
#include "boost/beast/websocket/stream.hpp"
#include "device-agent/companion/browser/autopush_front.h"
#include "device-agent/companion/browser/browser_door.h"

namespace bellwire::companion {

// The head of a request. Firefox's has some 700 bytes.
inline constexpr uint32_t kMaxUpgradeHeadBytes = 8 * 1024;

// One connection to the browsers' door: the HTTP request is checked (browser_door.h) before it
// becomes a WebSocket, whose texts go to the front. Nothing is read while something is to be
// written, so what a peer can make us hold is one message and its answer, and what the front has in
// flight.
//
// `Stream` is a Boost.Beast TCP stream, or a stream of a test. Single-threaded; lives as long as it
// has a connection, by the operations that hold it.
template <typename Stream>
class AutopushConnection final : public AutopushPeer,
                                 public std::enable_shared_from_this<AutopushConnection<Stream>> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The request was refused; for the log.
    virtual void OnRefused(const absl::Status& why) = 0;
    // Something was said to the front: its deadline may be another one.
    virtual void OnTurn() = 0;
    // The last call.
    virtual void OnEnd(AutopushConnection* connection) = 0;
  };

  // All but the stream outlive the connection, or End() is called before they go.
  AutopushConnection(Stream stream, const BrowserDoor* door, AutopushFront* front, Owner* owner)
      : socket_(std::move(stream)), door_(door), front_(front), owner_(owner) {
    parser_.header_limit(kMaxUpgradeHeadBytes);
    parser_.body_limit(0);
    // Of the upgrade, and of a closing that the peer doesn't answer.
    auto timeout = boost::beast::websocket::stream_base::timeout();
    timeout.handshake_timeout = absl::ToChronoSeconds(kHelloPatience);
    timeout.idle_timeout = boost::beast::websocket::stream_base::none();
    timeout.keep_alive_pings = false;
    socket_.set_option(timeout);
  }

  // Begins to read.
  void Start() {
    namespace http = boost::beast::http;
    http::async_read(socket_.next_layer(), head_, parser_,
                     [self = this->shared_from_this()](boost::beast::error_code error, size_t) {
                       self->OnHead(error);
                     });
  }

  // Closes at once; the front has forgotten its session, the owner hears nothing more.
  void End() {
    owner_ = nullptr;
    if (session_) front_->OnClosed(*std::exchange(session_, std::nullopt));
    boost::beast::get_lowest_layer(socket_).close();
  }

  // Whether it is a WebSocket.
  bool is_open() const { return session_.has_value(); }

  void Send(std::string text) override {
    outgoing_.push_back(std::move(text));
    Write();
  }

  void Close(uint16_t code, absl::string_view reason) override {
    session_.reset();
    closing_ = boost::beast::websocket::close_reason(
        static_cast<boost::beast::websocket::close_code>(code),
        // What fits in a control frame.
        boost::beast::string_view(reason.data(), std::min<size_t>(reason.size(), 120)));
    Write();
  }

 private:
  using Error = boost::beast::error_code;

  void OnHead(Error error) {
    namespace http = boost::beast::http;
    if (owner_ == nullptr) return;
    if (error) return Finish();
    const auto& request = parser_.get();
    const absl::Status allowed = Check();
    if (!allowed.ok()) {
      owner_->OnRefused(allowed);
      return Answer(http::status::forbidden);
    }
    // A WebSocket client waits for the answer before it sends more.
    if (!boost::beast::websocket::is_upgrade(request) || head_.size() != 0) {
      return Answer(http::status::bad_request);
    }
    socket_.read_message_max(kMaxAutopushMessageBytes);
    socket_.text(true);
    const bool names_protocol = request.count(http::field::sec_websocket_protocol) > 0;
    socket_.set_option(boost::beast::websocket::stream_base::decorator(
        [names_protocol](boost::beast::websocket::response_type& response) {
          response.set(http::field::server, "bellwire-companion");
          // Firefox asks for this one, and for no other.
          if (names_protocol) {
            response.set(http::field::sec_websocket_protocol, "push-notification");
          }
        }));
    socket_.async_accept(
        request, [self = this->shared_from_this()](Error error) { self->OnAccepted(error); });
  }

  absl::Status Check() const {
    namespace http = boost::beast::http;
    const auto& request = parser_.get();
    UpgradeRequest upgrade;
    upgrade.target = absl::string_view(request.target().data(), request.target().size());
    for (const auto& field : request) {
      const absl::string_view value(field.value().data(), field.value().size());
      if (field.name() == http::field::host) upgrade.hosts.push_back(value);
      if (field.name() == http::field::origin) upgrade.origins.push_back(value);
    }
    return CheckUpgrade(*door_, upgrade);
  }

  void Answer(boost::beast::http::status status) {
    namespace http = boost::beast::http;
    auto response = std::make_shared<http::response<http::string_body>>(status, 11);
    response->keep_alive(false);
    response->set(http::field::content_type, "text/plain");
    response->body() = "This port is for the user's own browser.\n";
    response->prepare_payload();
    http::async_write(
        socket_.next_layer(), *response,
        [self = this->shared_from_this(), response](Error, size_t) { self->Finish(); });
  }

  void OnAccepted(Error error) {
    if (owner_ == nullptr) return;
    if (error) return Finish();
    session_ = front_->Open(this);
    Read();
    owner_->OnTurn();
  }

  void Read() {
    if (is_reading_ || is_writing_ || closing_) return;
    is_reading_ = true;
    socket_.async_read(
        incoming_, [self = this->shared_from_this()](Error error, size_t) { self->OnRead(error); });
  }

  void OnRead(Error error) {
    is_reading_ = false;
    if (owner_ == nullptr) return;
    if (error) {
      // The close that we sent is answered, or the peer has gone: an operation that still writes
      // fails by itself.
      return Finish();
    }
    const auto data = incoming_.cdata();
    const std::string text(static_cast<const char*>(data.data()), data.size());
    incoming_.consume(incoming_.size());
    if (session_) {
      // Of binary frames the protocol has none.
      front_->OnText(*session_, socket_.got_text() ? text : std::string("binary"));
    }
    Read();
    if (owner_ != nullptr) owner_->OnTurn();
  }

  void Write() {
    if (is_writing_ || owner_ == nullptr) return;
    if (!outgoing_.empty()) {
      is_writing_ = true;
      socket_.async_write(
          boost::asio::buffer(outgoing_.front()),
          [self = this->shared_from_this()](Error error, size_t) { self->OnWritten(error); });
    } else if (closing_) {
      is_writing_ = true;
      socket_.async_close(*closing_, [self = this->shared_from_this()](Error) { self->Finish(); });
    }
  }

  void OnWritten(Error error) {
    is_writing_ = false;
    if (owner_ == nullptr) return;
    if (error) return Finish();
    outgoing_.pop_front();
    Write();
    Read();
  }

  // Once.
  void Finish() {
    if (owner_ == nullptr) return;
    Owner* const owner = std::exchange(owner_, nullptr);
    if (session_) front_->OnClosed(*std::exchange(session_, std::nullopt));
    boost::beast::get_lowest_layer(socket_).close();
    owner->OnEnd(this);
  }

  boost::beast::websocket::stream<Stream> socket_;
  const BrowserDoor* const door_;
  AutopushFront* const front_;
  // Null: it has ended.
  Owner* owner_;
  boost::beast::flat_buffer head_{kMaxUpgradeHeadBytes + 1024};
  boost::beast::http::request_parser<boost::beast::http::empty_body> parser_;
  boost::beast::flat_buffer incoming_{kMaxAutopushMessageBytes};
  std::optional<AutopushFront::Session> session_;
  std::deque<std::string> outgoing_;
  std::optional<boost::beast::websocket::close_reason> closing_;
  bool is_reading_ = false;
  bool is_writing_ = false;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_CONNECTION_H_
