#ifndef BELLWIRE_TESTS_SIMULATION_TRACKED_STREAM_H_
#define BELLWIRE_TESTS_SIMULATION_TRACKED_STREAM_H_

#include <memory>
#include <string>
#include <utility>

#include "net/stream.h"

namespace bellwire::simulation {

// A stream whose end is known as long as it lives, so that faults can happen to it.
class TrackedStream final : public net::Stream {
 public:
  // `*place` points to the stream until it is destroyed, or another one has taken the place.
  TrackedStream(std::unique_ptr<net::Stream> stream, net::Stream** place)
      : stream_(std::move(stream)), place_(place) {
    *place_ = stream_.get();
  }
  ~TrackedStream() override {
    if (*place_ == stream_.get()) *place_ = nullptr;
  }

  void SetDelegate(Delegate* delegate) override { stream_->SetDelegate(delegate); }
  void Write(absl::string_view data) override { stream_->Write(data); }
  size_t buffered_bytes() const override { return stream_->buffered_bytes(); }
  void Close() override { stream_->Close(); }
  void PauseReading() override { stream_->PauseReading(); }
  void ResumeReading() override { stream_->ResumeReading(); }
  std::string tls_exporter() const override { return stream_->tls_exporter(); }
  std::string resumed_ticket_data() const override { return stream_->resumed_ticket_data(); }
  void SendTicket(absl::string_view data) override { stream_->SendTicket(data); }
  std::string peer_name() const override { return stream_->peer_name(); }

 private:
  const std::unique_ptr<net::Stream> stream_;
  net::Stream** const place_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_TRACKED_STREAM_H_
