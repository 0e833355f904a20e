#include "gateway/doors/http/proxy/proxy_prefaces.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/doors/http/proxy/proxy_protocol.h"

namespace bellwire::http {

class ProxyPrefaces::Preface {
 public:
  Preface(ProxyPrefaces* owner, int fd, const net::SocketAddress& proxy, OnReady on_ready)
      : owner_(owner),
        fd_(fd),
        proxy_(proxy),
        on_ready_(std::move(on_ready)),
        timer_(owner->loop_->NewTimer([this] { owner_->Refuse(this, "no_proxy_header"); })),
        watch_(owner->loop_, [this](uint32_t) { Read(); }) {
    timer_->Arm(kProxyHeaderTimeout);
  }
  ~Preface() {
    watch_.Stop();
    if (fd_ >= 0) close(fd_);
  }

  bool Start() { return watch_.Start(fd_).ok(); }
  const net::SocketAddress& proxy() const { return proxy_; }

 private:
  void Read() {
    if (fd_ < 0) return;
    for (;;) {
      const ProxyHeader header = ReadProxyHeader(bytes_);
      if (header.state == ProxyHeader::State::kBad) {
        return owner_->Refuse(this, "bad_proxy_header");
      }
      if (header.state == ProxyHeader::State::kDone) {
        watch_.Stop();
        const int fd = std::exchange(fd_, -1);
        OnReady on_ready = std::move(on_ready_);
        owner_->Remove(this);
        return on_ready(fd, header.client);
      }
      char buffer[kMaxProxyHeaderBytes];
      const ssize_t n = recv(fd_, buffer, std::min(header.wants, sizeof(buffer)), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (n <= 0) return owner_->Refuse(this, "");
      bytes_.append(buffer, static_cast<size_t>(n));
    }
  }

  ProxyPrefaces* const owner_;
  int fd_;
  const net::SocketAddress proxy_;
  OnReady on_ready_;
  std::string bytes_;
  const std::unique_ptr<net::Timer> timer_;
  net::FdWatch watch_;
};

ProxyPrefaces::ProxyPrefaces(net::EpollLoop* loop, OnRefused on_refused)
    : loop_(loop), on_refused_(std::move(on_refused)) {}

ProxyPrefaces::~ProxyPrefaces() = default;

void ProxyPrefaces::Add(int fd, const net::SocketAddress& proxy, OnReady on_ready) {
  if (prefaces_.size() >= kMaxProxyPrefaces) {
    Refuse(prefaces_.front().get(), "too_many_without_proxy_header");
  }
  prefaces_.push_back(std::make_unique<Preface>(this, fd, proxy, std::move(on_ready)));
  if (!prefaces_.back()->Start()) prefaces_.pop_back();
}

void ProxyPrefaces::Refuse(Preface* preface, absl::string_view why) {
  if (!why.empty()) on_refused_(preface->proxy(), why);
  Remove(preface);
}

void ProxyPrefaces::Remove(Preface* preface) {
  const auto it = std::find_if(prefaces_.begin(), prefaces_.end(),
                               [preface](const auto& other) { return other.get() == preface; });
  std::unique_ptr<Preface> gone = std::move(*it);
  prefaces_.erase(it);
  // It may be the one that calls.
  loop_->DeleteLater(std::move(gone));
}

}  // namespace bellwire::http
