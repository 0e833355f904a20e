#include "tests/simulation/phone_stream.h"

#include <cassert>
#include <utility>

#include "common/limits.h"

namespace bellwire::simulation {

PhoneStream::PhoneStream(std::unique_ptr<net::Stream> stream, net::EventLoop* loop,
                         PhoneStream** place, absl::AnyInvocable<void()> on_beat)
    : stream_(std::move(stream)),
      loop_(loop),
      place_(place),
      on_beat_(std::move(on_beat)),
      decoder_(kMaxFrameBytes) {
  stream_->SetDelegate(this);
  *place_ = this;
}

PhoneStream::~PhoneStream() {
  *alive_ = false;
  if (*place_ == this) *place_ = nullptr;
}

void PhoneStream::Write(absl::string_view data) {
  [[maybe_unused]] const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
    if (body.empty()) on_beat_();
    return true;
  });
  assert(status.ok());
  stream_->Write(data);
}

void PhoneStream::Suspend() {
  suspended_ = true;
  stream_->PauseReading();
}

void PhoneStream::Resume() {
  suspended_ = false;
  if (!paused_) stream_->ResumeReading();
  TellNext();
}

void PhoneStream::Close() {
  untold_.clear();
  delegate_ = nullptr;
  stream_->Close();
}

void PhoneStream::PauseReading() {
  paused_ = true;
  stream_->PauseReading();
}

void PhoneStream::ResumeReading() {
  paused_ = false;
  if (!suspended_) stream_->ResumeReading();
}

void PhoneStream::OnOpen() {
  Tell([](net::Stream::Delegate* delegate) { delegate->OnOpen(); });
}

void PhoneStream::OnData(absl::string_view data) {
  if (!suspended_ && untold_.empty()) return delegate_->OnData(data);
  Tell([copy = std::string(data)](net::Stream::Delegate* delegate) { delegate->OnData(copy); });
}

void PhoneStream::OnDrained() {
  Tell([](net::Stream::Delegate* delegate) { delegate->OnDrained(); });
}

void PhoneStream::OnClosed(const absl::Status& status) {
  Tell([status](net::Stream::Delegate* delegate) { delegate->OnClosed(status); });
}

void PhoneStream::Tell(absl::AnyInvocable<void(net::Stream::Delegate*)> what) {
  if (suspended_ || !untold_.empty()) {
    untold_.push_back(std::move(what));
  } else {
    what(delegate_);
  }
}

// One at a time, each from the loop, as every stream does.
void PhoneStream::TellNext() {
  if (suspended_ || untold_.empty()) return;
  loop_->Post([this, alive = std::shared_ptr<const bool>(alive_)] {
    if (!*alive || suspended_ || untold_.empty() || delegate_ == nullptr) return;
    auto what = std::move(untold_.front());
    untold_.pop_front();
    what(delegate_);
    if (*alive) TellNext();
  });
}

}  // namespace bellwire::simulation
