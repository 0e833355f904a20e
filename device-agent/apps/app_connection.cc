#include "device-agent/apps/app_connection.h"

#include <utility>

#include "common/limits.h"

namespace bellwire::agent {

AppConnection::AppConnection(std::unique_ptr<net::Stream> stream, AppOwner who,
                             std::string executable, net::EventLoop* loop, Owner* owner)
    : stream_(std::move(stream)),
      who_(std::move(who)),
      executable_(std::move(executable)),
      owner_(owner),
      hello_timer_(loop->NewTimer(
          [this] { Fail(v1::Error::PROTOCOL_ERROR, "no Hello with an app id came in time"); })),
      decoder_(kMaxFrameBytes) {
  stream_->SetDelegate(this);
  hello_timer_->Arm(kLoginTimeout);
}

void AppConnection::Send(const v1::AgentFrame& frame) {
  if (state_ == State::kClosed) return;
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  if (stream_->buffered_bytes() + bytes.size() > kMaxAppWriteBytes) {
    owner_->OnAppRefused(*this, v1::Error::CODE_UNSPECIFIED, "it does not read what it is sent");
    return Close();
  }
  stream_->Write(bytes);
}

void AppConnection::SendError(v1::Error::Code code, absl::string_view message,
                              const std::string& instance) {
  v1::AgentFrame frame;
  frame.mutable_error()->set_code(code);
  frame.mutable_error()->set_instance(instance);
  frame.mutable_error()->set_message(std::string(message));
  Send(frame);
}

void AppConnection::Fail(v1::Error::Code code, absl::string_view message) {
  if (state_ == State::kClosed) return;
  owner_->OnAppRefused(*this, code, message);
  SendError(code, message);
  Close();
}

void AppConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  hello_timer_->Cancel();
  // Who doesn't read doesn't get last words: they would wait with the descriptor for another
  // second.
  if (has_room()) stream_->Close();
  owner_->OnAppClosed(this);
}

void AppConnection::Name(absl::string_view key) {
  key_ = std::string(key);
  state_ = State::kNamed;
  if (!key.empty()) hello_timer_->Cancel();
}

void AppConnection::OnData(absl::string_view data) { TakeFrames(&decoder_, data); }

void AppConnection::TakeFrames(net::FrameDecoder* decoder, absl::string_view data) {
  const absl::Status status = decoder->Feed(data, [this](absl::string_view body) {
    if (body.empty()) return true;
    if (!held_.empty() || !has_room()) {
      net::AppendFrame(body, &held_);
      return true;
    }
    v1::AppFrame frame;
    if (!frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      Fail(v1::Error::PROTOCOL_ERROR, "a frame is no AppFrame");
    } else {
      owner_->OnAppFrame(this, frame);
    }
    return state_ != State::kClosed;
  });
  if (!status.ok()) Fail(v1::Error::PROTOCOL_ERROR, status.message());
  if (state_ != State::kClosed && !held_.empty()) stream_->PauseReading();
}

void AppConnection::OnDrained() {
  if (!held_.empty()) {
    const std::string held = std::exchange(held_, std::string());
    net::FrameDecoder decoder(kMaxFrameBytes);
    TakeFrames(&decoder, held);
    if (state_ == State::kClosed) return;
    if (held_.empty()) stream_->ResumeReading();
  }
  owner_->OnAppDrained(this);
}

void AppConnection::OnClosed(const absl::Status&) {
  state_ = State::kClosed;
  hello_timer_->Cancel();
  owner_->OnAppClosed(this);
}

}  // namespace bellwire::agent
