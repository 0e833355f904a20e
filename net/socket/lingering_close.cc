#include "net/socket/lingering_close.h"

#include <errno.h>

#include <utility>

namespace bellwire::net {

void LingeringClose::Start(EpollLoop* loop, std::unique_ptr<Transport> transport,
                           WriteBuffer rest) {
  auto close = std::unique_ptr<LingeringClose>(
      new LingeringClose(loop, std::move(transport), std::move(rest)));
  if (!close->watch_.Start(close->transport_->socket().fd()).ok()) return;  // Closes at once.
  close->watch_.Wake();
  close->deadline_->Arm(kLingerTime);
  loop->AddResident(std::move(close));
}

LingeringClose::LingeringClose(EpollLoop* loop, std::unique_ptr<Transport> transport,
                               WriteBuffer rest)
    : loop_(loop),
      transport_(std::move(transport)),
      rest_(std::move(rest)),
      deadline_(loop->NewTimer([this] { Remove(); })),
      watch_(loop, [this](uint32_t events) { OnReady(events); }) {}

void LingeringClose::OnReady(uint32_t events) {
  transport_->socket().OnEvents(events);
  if (!Step()) Remove();
}

bool LingeringClose::Step() {
  while (!rest_.empty()) {
    const Transport::Result result = transport_->Write(rest_.data());
    if (result.kind == Transport::Result::kBlocked) return true;
    if (result.kind != Transport::Result::kDone) return false;
    rest_.Take(result.bytes);
  }
  if (!finished_writing_) {
    finished_writing_ = true;
    transport_->FinishWriting();
  }
  // Past the transport: nobody wants to know what comes now. One piece a turn, for fairness.
  transport_->socket().AllowReading(Socket::kNoLimit);
  const ssize_t n = transport_->socket().Read(loop_->scratch().data(), loop_->scratch().size());
  if (n > 0) watch_.Wake();
  return n > 0 || (n < 0 && errno == EAGAIN);
}

void LingeringClose::Remove() {
  watch_.Stop();
  deadline_->Cancel();
  loop_->RemoveResident(this);
}

}  // namespace bellwire::net
