#include "ops/metrics/exposer.h"

#include <sys/types.h>
#include <unistd.h>

#include <sstream>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/acceptor.h"
#include "net/socket/listen_tcp.h"
#include "net/socket/socket_stream.h"
#include "net/socket/transport.h"
#include "net/socket/unix_stream.h"
#include "ops/metrics/scrape_answer.h"
#include "prometheus/text_serializer.h"

namespace bellwire::metrics {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";
// The daemon's user and group, in which a Prometheus or a proxy may be.
constexpr mode_t kSocketMode = 0660;

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

class ExposerImpl;

// One connection: a request, its answer, the end. On the exposer's thread.
class Scraper final : public net::Stream::Delegate {
 public:
  Scraper(ExposerImpl* exposer, net::EpollLoop* loop, std::unique_ptr<net::Stream> stream);

  // --- net::Stream::Delegate ---
  void OnOpen() override {}
  void OnData(absl::string_view data) override;
  void OnDrained() override { End(); }
  void OnClosed(const absl::Status&) override { End(); }

 private:
  void Answer(const std::string& response);
  void End();

  ExposerImpl* const exposer_;
  const std::unique_ptr<net::Stream> stream_;
  const std::unique_ptr<net::Timer> timer_;
  std::string received_;
  bool answered_ = false;
};

class ExposerImpl final : public Exposer {
 public:
  explicit ExposerImpl(const Options& options)
      : options_(options),
        pages_{.metrics = [this] { return MetricsText(); },
               .readiness = [this] { return options_.readiness->Get(); }},
        loop_(RealClock()) {}

  ~ExposerImpl() override {
    if (thread_.joinable()) {
      loop_.Stop();
      thread_.join();
    }
    scrapers_.clear();
    acceptor_.reset();
    unix_listener_.reset();
  }

  absl::Status Listen() {
    absl::string_view path = options_.listen;
    if (absl::ConsumePrefix(&path, kUnixPrefix)) {
      auto on_accept = [this](std::unique_ptr<net::Stream> stream, const net::PeerCredentials&) {
        Accepted(std::move(stream));
      };
      BELLWIRE_ASSIGN_OR_RETURN(unix_listener_, net::UnixListener::Listen(&loop_, path, kSocketMode,
                                                                          std::move(on_accept)));
      address_ = options_.listen;
      return absl::OkStatus();
    }
    BELLWIRE_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(options_.listen));
    if (options_.local_only && !IsLoopback(parts.host)) {
      return MakeError(absl::StatusCode::kInvalidArgument, "NOT_LOOPBACK",
                       absl::StrCat(options_.listen,
                                    " is open to other machines; metrics of this "
                                    "program stay here: 127.0.0.1:PORT, [::1]:PORT "
                                    "or unix:PATH"));
    }
    BELLWIRE_ASSIGN_OR_RETURN(const net::ListeningSocket socket, net::ListenTcp(options_.listen));
    address_ = absl::StrCat(options_.listen.substr(0, options_.listen.rfind(':') + 1), socket.port);
    acceptor_ = std::make_unique<net::Acceptor>(
        &loop_, socket.fd, [this](int fd, const net::SocketAddress& peer) {
          Accepted(std::make_unique<net::SocketStream>(
              &loop_, std::make_unique<net::PlainTransport>(fd), net::FormatAddress(peer)));
        });
    return acceptor_->Start();
  }

  void Run() {
    thread_ = std::thread([this] { loop_.Run(); });
    LogInfo("metrics_listening", {{"address", address_}});
  }

  const std::string& address() const override { return address_; }
  bool Responds(absl::Duration patience) override {
    // Shared: the answer may come when nobody waits any more.
    const auto gone_round = std::make_shared<absl::Notification>();
    return loop_.Post([gone_round] { gone_round->Notify(); }) &&
           gone_round->WaitForNotificationWithTimeout(patience);
  }

  // --- Of its scrapers. ---
  const ScrapePages& pages() const { return pages_; }
  void Remove(Scraper* scraper) {
    const auto it = scrapers_.find(scraper);
    loop_.DeleteLater(std::move(it->second));
    scrapers_.erase(it);
  }

 private:
  void Accepted(std::unique_ptr<net::Stream> stream) {
    // Dropping it closes it.
    if (scrapers_.size() >= kMaxScrapers) return;
    auto scraper = std::make_unique<Scraper>(this, &loop_, std::move(stream));
    Scraper* const key = scraper.get();
    scrapers_.emplace(key, std::move(scraper));
  }

  std::string MetricsText() const {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, options_.metrics->Collect());
    return text.str();
  }

  const Options options_;
  const ScrapePages pages_;
  net::EpollLoop loop_;
  std::string address_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::unique_ptr<net::UnixListener> unix_listener_;
  absl::flat_hash_map<Scraper*, std::unique_ptr<Scraper>> scrapers_;
  std::thread thread_;
};

Scraper::Scraper(ExposerImpl* exposer, net::EpollLoop* loop, std::unique_ptr<net::Stream> stream)
    : exposer_(exposer),
      stream_(std::move(stream)),
      timer_(loop->NewTimer([this] { End(); })) {
  stream_->SetDelegate(this);
  timer_->Arm(kScrapeTime);
}

void Scraper::OnData(absl::string_view data) {
  if (answered_) return;
  absl::StrAppend(&received_, data.substr(0, kMaxScrapeHeadBytes + 1 - received_.size()));
  if (IsWholeHead(received_)) return Answer(AnswerScrape(received_, exposer_->pages()));
  if (received_.size() > kMaxScrapeHeadBytes) Answer(AnswerTooLongHead());
}

void Scraper::Answer(const std::string& response) {
  answered_ = true;
  stream_->Write(response);
  // It waits for the end of this turn to be sent, and for a peer that reads slowly.
  if (stream_->buffered_bytes() == 0) End();
}

void Scraper::End() {
  timer_->Cancel();
  stream_->Close();
  exposer_->Remove(this);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const Options& options) {
  auto exposer = std::make_unique<ExposerImpl>(options);
  BELLWIRE_RETURN_IF_ERROR(exposer->Listen());
  exposer->Run();
  return exposer;
}

}  // namespace bellwire::metrics
