#ifndef BELLWIRE_TESTS_SIMULATION_PHONE_STREAM_H_
#define BELLWIRE_TESTS_SIMULATION_PHONE_STREAM_H_

#include <deque>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "net/loop/event_loop.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"

namespace bellwire::simulation {

// A phone's connection to a server: faults find it as long as it lives, and nobody hears of what
// happens to it while the phone is suspended; what the server sends waits on the way, as far as TCP
// lets it. Says when the agent beats. Single-threaded.
class PhoneStream final : public net::Stream, private net::Stream::Delegate {
 public:
  // `*place` points to it until it is destroyed, or another one has taken the place. `on_beat` is
  // called when the agent sends a heartbeat. `loop` is the simulation's, not the phone's; all must
  // outlive it.
  PhoneStream(std::unique_ptr<net::Stream> stream, net::EventLoop* loop, PhoneStream** place,
              absl::AnyInvocable<void()> on_beat);
  ~PhoneStream() override;

  void Suspend();
  void Resume();
  // For faults, as SimulatedNetwork wants it.
  net::Stream* end() { return stream_.get(); }

  void SetDelegate(net::Stream::Delegate* delegate) override { delegate_ = delegate; }
  void Write(absl::string_view data) override;
  size_t buffered_bytes() const override { return stream_->buffered_bytes(); }
  void Close() override;
  void PauseReading() override;
  void ResumeReading() override;
  std::string tls_exporter() const override { return stream_->tls_exporter(); }
  std::string peer_name() const override { return stream_->peer_name(); }

 private:
  void OnOpen() override;
  void OnData(absl::string_view data) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& status) override;
  // Tells the delegate now, or after what it is to hear first.
  void Tell(absl::AnyInvocable<void(net::Stream::Delegate*)> what);
  void TellNext();

  const std::unique_ptr<net::Stream> stream_;
  net::EventLoop* const loop_;
  PhoneStream** const place_;
  absl::AnyInvocable<void()> on_beat_;
  // Of what the agent writes.
  net::FrameDecoder decoder_;
  net::Stream::Delegate* delegate_ = nullptr;
  bool suspended_ = false;
  bool paused_ = false;
  std::deque<absl::AnyInvocable<void(net::Stream::Delegate*)>> untold_;
  // Empty once the stream is gone: posted tasks look first.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_PHONE_STREAM_H_
