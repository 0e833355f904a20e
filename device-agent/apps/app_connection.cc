#include "device-agent/apps/app_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"

namespace bellwire::agent {

AppConnection::AppConnection(std::unique_ptr<net::Stream> stream, AppOwner who,
                             net::EventLoop* loop, Owner* owner)
    : stream_(std::move(stream)),
      who_(std::move(who)),
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
  answered_bytes_ += bytes.size();
  if (stream_->buffered_bytes() + answered_bytes_ > 2 * kMaxAppWriteBytes) {
    LogWarning("app_closed", {{"app", app_id_}, {"why", "it does not read its answers"}});
    return Close();
  }
  stream_->Write(bytes);
}

void AppConnection::SendError(v1::Error::Code code, absl::string_view message) {
  v1::AgentFrame frame;
  frame.mutable_error()->set_code(code);
  frame.mutable_error()->set_message(std::string(message));
  Send(frame);
}

void AppConnection::Fail(v1::Error::Code code, absl::string_view message) {
  if (state_ == State::kClosed) return;
  LogInfo("app_refused", {{"app", app_id_}, {"uid", who_.uid}, {"code", code}, {"why", message}});
  SendError(code, message);
  Close();
}

void AppConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  hello_timer_->Cancel();
  stream_->Close();
  owner_->OnAppClosed(this);
}

void AppConnection::Name(absl::string_view app_id) {
  app_id_ = std::string(app_id);
  state_ = State::kNamed;
  if (!app_id.empty()) hello_timer_->Cancel();
}

bool AppConnection::has_room() const {
  return stream_->buffered_bytes() + kMaxFrameBytes <= kMaxAppWriteBytes;
}

void AppConnection::OnData(absl::string_view data) {
  answered_bytes_ = 0;
  const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
    if (body.empty()) return true;
    v1::AppFrame frame;
    if (!frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      Fail(v1::Error::PROTOCOL_ERROR, "a frame is no AppFrame");
    } else {
      owner_->OnAppFrame(this, frame);
    }
    return state_ != State::kClosed;
  });
  answered_bytes_ = 0;
  if (!status.ok()) Fail(v1::Error::PROTOCOL_ERROR, status.message());
}

void AppConnection::OnDrained() { owner_->OnAppDrained(this); }

void AppConnection::OnClosed(const absl::Status&) {
  state_ = State::kClosed;
  hello_timer_->Cancel();
  owner_->OnAppClosed(this);
}

}  // namespace bellwire::agent
