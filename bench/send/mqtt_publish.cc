// A publisher of MQTT 3.1.1 over TLS: QoS 1 to the topics d/0 … d/N-1 in turn, over one connection
// or several in turn, with a window of unacknowledged messages, or at a rate. The payload begins
// with the time at which it was sent, as send_load's does. One JSON object on stdout.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {
namespace {

struct Flags {
  int port = 0;
  std::string ca;
  int topics = 1;
  int window = 100;
  int connections = 1;
  double rate = 0;
  double seconds = 5;
  int payload_bytes = 256;
};

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

int Fail(const char* what) {
  std::cerr << "mqtt_publish: " << what << "\n";
  return 1;
}

// Of MQTT 3.1.1, 2.2.3.
void AppendLength(size_t length, std::string* out) {
  do {
    out->push_back(static_cast<char>((length & 0x7f) | (length > 0x7f ? 0x80 : 0)));
    length >>= 7;
  } while (length > 0);
}

void AppendPublish(uint16_t id, const std::string& topic, const std::string& payload,
                   std::string* out) {
  out->push_back('\x32');  // PUBLISH, QoS 1.
  AppendLength(2 + topic.size() + 2 + payload.size(), out);
  out->push_back(static_cast<char>(topic.size() >> 8));
  out->push_back(static_cast<char>(topic.size()));
  absl::StrAppend(out, topic);
  out->push_back(static_cast<char>(id >> 8));
  out->push_back(static_cast<char>(id));
  absl::StrAppend(out, payload);
}

bool WriteAll(SSL* ssl, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const int n = SSL_write(ssl, bytes.data() + done, static_cast<int>(bytes.size() - done));
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (SSL_get_error(ssl, n) == SSL_ERROR_WANT_WRITE) {
      pollfd wait = {.fd = SSL_get_fd(ssl), .events = POLLOUT, .revents = 0};
      poll(&wait, 1, 1000);
    } else {
      return false;
    }
  }
  return true;
}

// One connection to the broker, as one client.
class Connection {
 public:
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  // Null, or what failed. `client_id` has two characters.
  const char* Open(SSL_CTX* context, int port, const std::string& client_id) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      return "no connection";
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), fd_);
    if (SSL_connect(ssl_.get()) != 1) return "no TLS";
    // CONNECT: level 4, clean session, no keep-alive.
    if (!WriteAll(ssl_.get(),
                  std::string("\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02", 14) + client_id))
      return "no CONNECT";
    char connack[4];
    if (SSL_read(ssl_.get(), connack, 4) != 4 || connack[3] != 0) return "no CONNACK";
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    return nullptr;
  }

  // Adds a PUBLISH to what Flush writes.
  void Publish(const std::string& topic, const std::string& payload) {
    AppendPublish(static_cast<uint16_t>(published_++ % 65535 + 1), topic, payload, &unwritten_);
  }
  // False: the broker closed.
  bool Flush() {
    if (unwritten_.empty()) return true;
    const bool written = WriteAll(ssl_.get(), unwritten_);
    unwritten_.clear();
    return written;
  }
  // How many PUBACKs came since the last call.
  uint64_t TakeAcks() {
    char buffer[16 * 1024];
    for (int n; (n = SSL_read(ssl_.get(), buffer, sizeof(buffer))) > 0;)
      acked_bytes_ += static_cast<uint64_t>(n);
    // A PUBACK has four bytes, and nothing else comes.
    const uint64_t acks = acked_bytes_ / 4;
    acked_bytes_ %= 4;
    return acks;
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::unique_ptr<SSL, Free> ssl_;
  std::string unwritten_;
  uint64_t published_ = 0;
  uint64_t acked_bytes_ = 0;
};

int Run(const Flags& flags) {
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_load_verify_locations(context.get(), flags.ca.c_str(), nullptr) != 1)
    return Fail("bad CA");
  std::vector<Connection> connections(static_cast<size_t>(flags.connections));
  std::vector<pollfd> readable;
  for (size_t i = 0; i < connections.size(); ++i) {
    const std::string client_id = {'p', static_cast<char>('0' + i)};
    if (const char* failed = connections[i].Open(context.get(), flags.port, client_id))
      return Fail(failed);
    readable.push_back({.fd = connections[i].fd(), .events = POLLIN, .revents = 0});
  }

  std::string payload(static_cast<size_t>(flags.payload_bytes), 'x');
  const MonotonicTime began = RealClock()->Monotonic();
  const MonotonicTime end = began + absl::Seconds(flags.seconds);
  uint64_t sent = 0;
  uint64_t acked = 0;
  for (;;) {
    const MonotonicTime now = RealClock()->Monotonic();
    if (now >= end && (acked == sent || now >= end + absl::Seconds(10))) break;
    const uint64_t due =
        flags.rate > 0 ? static_cast<uint64_t>(absl::ToDoubleSeconds(now - began) * flags.rate)
                       : UINT64_MAX;
    const uint64_t sent_before = sent;
    while (now < end && sent < due && sent - acked < static_cast<uint64_t>(flags.window)) {
      // At a rate it counts from when it was due.
      const MonotonicTime from =
          flags.rate > 0 ? began + absl::Seconds(static_cast<double>(sent) / flags.rate) : now;
      const int64_t from_ns = from.nanoseconds();
      std::memcpy(payload.data(), &from_ns, std::min(payload.size(), sizeof(from_ns)));
      connections[sent % connections.size()].Publish(
          absl::StrCat("d/", sent % static_cast<uint64_t>(flags.topics)), payload);
      ++sent;
    }
    for (Connection& connection : connections) {
      if (!connection.Flush()) return Fail("the broker closed");
    }
    if (sent == sent_before) {
      // A millisecond at most, so that what is due goes out in time.
      poll(readable.data(), readable.size(), 1);
    }
    for (Connection& connection : connections) acked += connection.TakeAcks();
  }
  std::cout << nlohmann::json{{"succeeded", acked}, {"failed", sent - acked}} << std::endl;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("mqtt_publish: QoS 1 over TLS to the subscribers of device_load --protocol mqtt");
  bellwire::bench::Flags flags;
  app.add_option("--port", flags.port, "Of the broker, on 127.0.0.1")->required();
  app.add_option("--ca", flags.ca, "PEM file of its CA")->required();
  app.add_option("--topics", flags.topics, "d/0 to d/N-1, in turn")->capture_default_str();
  app.add_option("--window", flags.window, "Messages sent and not acknowledged")
      ->capture_default_str();
  app.add_option("--connections", flags.connections, "That messages go over, in turn")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--rate", flags.rate, "Messages a second [as many as the window allows]");
  app.add_option("--seconds", flags.seconds, "How long")->capture_default_str();
  app.add_option("--payload_bytes", flags.payload_bytes, "Of one message")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return bellwire::bench::Run(flags);
}
