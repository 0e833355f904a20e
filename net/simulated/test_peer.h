#ifndef BELLWIRE_NET_SIMULATED_TEST_PEER_H_
#define BELLWIRE_NET_SIMULATED_TEST_PEER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "net/socket/stream.h"

namespace bellwire::net {

// For tests: the owner of one stream, which notes what it hears.
class TestPeer final : public Stream::Delegate {
 public:
  void Take(std::unique_ptr<Stream> stream) {
    this->stream = std::move(stream);
    this->stream->SetDelegate(this);
  }

  void OnOpen() override {
    open = true;
    if (!first_words.empty()) stream->Write(first_words);
  }
  void OnData(absl::string_view data) override {
    received.append(data.data(), data.size());
    ++pieces;
  }
  void OnDrained() override { ++drained; }
  void OnClosed(const absl::Status& status) override {
    ++closed;
    this->status = status;
    reason = status.ok() ? "OK" : ErrorReason(status);
  }

  // What it says as soon as it may.
  std::string first_words;
  std::unique_ptr<Stream> stream;
  bool open = false;
  std::string received;
  // Calls of OnData, OnDrained and OnClosed.
  int pieces = 0;
  int drained = 0;
  int closed = 0;
  // Of OnClosed; "OK" for a clean end, "" before it.
  std::string reason;
  absl::Status status;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SIMULATED_TEST_PEER_H_
