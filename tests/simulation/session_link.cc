#include "tests/simulation/session_link.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "rpc/session_ends.h"
#include "rpc/stream_pulse.h"

namespace bellwire::simulation {
namespace {

constexpr char kRegistry[] = "registry";
// A stream is slow and its buffer small, so that a burst runs over it.
constexpr absl::Duration kWriteTime = absl::Milliseconds(1);
constexpr size_t kBufferBytes = size_t{8} * 1024;
// Between attempts to reach the registry.
constexpr absl::Duration kRedial = absl::Seconds(1);
// How long a connection to a process that died lives on.
constexpr absl::Duration kReset = absl::Milliseconds(10);

}  // namespace

// One stream, from its dial on. Lives as long as either end or a frame on its way holds it.
class SessionLink final : public std::enable_shared_from_this<SessionLink> {
 public:
  // What its connector hears. Neither is called after Abandon.
  struct Events {
    std::function<void()> on_opened;
    std::function<void()> on_ended;
  };

  static std::shared_ptr<SessionLink> Dial(Backbone* backbone, std::string caller,
                                           SessionPort* port, const internal::v1::Attach& attach,
                                           ConnectorApi* connector, Events events) {
    std::shared_ptr<SessionLink> link(
        new SessionLink(backbone, std::move(caller), port, attach, connector, std::move(events)));
    const std::weak_ptr<SessionLink> weak = link;
    link->server_ = std::make_shared<SessionServer>(
        port->registry(),
        [weak] {
          if (const auto strong = weak.lock()) strong->WriteDown();
        },
        kBufferBytes);
    link->WriteUp();
    return link;
  }

  SessionCaller* caller() { return &caller_; }
  bool HandOver(internal::v1::ConnectorRequest request) {
    return server_->HandOver(std::move(request));
  }

  // The connector is dead.
  void Abandon() {
    connector_ = nullptr;
    caller_.End();
    Break(kReset);
  }
  // The registry is dead.
  void OnPortGone() {
    port_ = nullptr;
    server_->End();
    Break(backbone_->Reaches(name_, kRegistry) ? kReset : StreamPulse::kSilence);
  }
  // Another stream of the connector has come.
  void Cut() { Break(kReset); }

 private:
  SessionLink(Backbone* backbone, std::string name, SessionPort* port,
              const internal::v1::Attach& attach, ConnectorApi* connector, Events events)
      : backbone_(backbone),
        name_(std::move(name)),
        incarnation_(attach.connector_incarnation()),
        port_(port),
        connector_(connector),
        events_(std::move(events)),
        caller_(attach, connector, [this] { WriteUp(); }) {}

  // Calls `event` when a frame arrives that leaves now; a frame that is lost for good breaks it.
  void Carry(const std::string& from, const std::string& to, MonotonicTime* last_arrival,
             std::function<void()> event) {
    const std::optional<absl::Duration> there = backbone_->TravelOnStream(from, to);
    if (!there.has_value()) return Break(StreamPulse::kSilence);
    const MonotonicTime now = backbone_->Now();
    *last_arrival = std::max(*last_arrival, now + *there);
    backbone_->scheduler().After(*last_arrival - now,
                                 [self = shared_from_this(), event = std::move(event)] {
                                   if (!self->broken_) event();
                                 });
  }

  void WriteUp() {
    if (weak_from_this().expired()) return;  // Not dialled yet.
    while (std::optional<internal::v1::SessionRequest> next = caller_.Next()) {
      if (broken_) return;
      Carry(name_, kRegistry, &last_up_, [this, frame = *std::move(next)] {
        if (port_ == nullptr) return;
        if (frame.has_attach()) {
          port_->OnAttach(incarnation_, shared_from_this());
          // The word that it is there.
          Carry(kRegistry, name_, &last_down_, [this] {
            if (connector_ != nullptr) events_.on_opened();
          });
          return;
        }
        server_->OnRequest(frame);
      });
    }
  }

  void WriteDown() {
    if (writing_ || broken_) return;
    std::optional<internal::v1::SessionEvent> next = server_->Next();
    if (!next.has_value()) return;
    writing_ = true;
    backbone_->scheduler().After(kWriteTime, [self = shared_from_this()] {
      self->writing_ = false;
      self->WriteDown();
    });
    Carry(kRegistry, name_, &last_down_, [this, frame = *std::move(next)] {
      if (connector_ != nullptr) caller_.OnEvent(frame);
    });
  }

  void Break(absl::Duration noticed) {
    if (std::exchange(broken_, true)) return;
    backbone_->scheduler().After(noticed, [self = shared_from_this()] { self->End(); });
  }

  // Both ends know.
  void End() {
    server_->End();
    if (port_ != nullptr) port_->OnEnded(incarnation_, this);
    caller_.End();
    if (connector_ != nullptr) events_.on_ended();
  }

  Backbone* const backbone_;
  const std::string name_;
  const uint64_t incarnation_;
  // Null once it is dead.
  SessionPort* port_;
  ConnectorApi* connector_;
  const Events events_;
  SessionCaller caller_;
  std::shared_ptr<SessionServer> server_;
  bool writing_ = false;
  bool broken_ = false;
  MonotonicTime last_up_;
  MonotonicTime last_down_;
};

void SessionPort::Close() {
  for (auto& [incarnation, link] : std::exchange(links_, {})) link->OnPortGone();
}

bool SessionPort::HandOver(internal::v1::ConnectorRequest request) {
  const auto it = links_.find(request.route().connector_incarnation());
  return it != links_.end() && it->second->HandOver(std::move(request));
}

void SessionPort::OnAttach(uint64_t incarnation, std::shared_ptr<SessionLink> link) {
  const auto it = links_.find(incarnation);
  if (it != links_.end()) {
    it->second->Cut();
    links_.erase(it);
    on_gone_(incarnation);
  }
  links_.emplace(incarnation, std::move(link));
}

void SessionPort::OnEnded(uint64_t incarnation, const SessionLink* link) {
  const auto it = links_.find(incarnation);
  if (it == links_.end() || it->second.get() != link) return;
  links_.erase(it);
  on_gone_(incarnation);
}

namespace {

// As GrpcSessionClient (rpc/grpc_session_client.cc) is.
class SessionClient final : public SessionStream {
 public:
  SessionClient(Backbone* backbone, std::string caller, std::function<SessionPort*()> find)
      : backbone_(backbone), caller_(std::move(caller)), find_(std::move(find)) {}
  ~SessionClient() override { Close(); }

  void Open(const internal::v1::Attach& attach, ConnectorEnd* connector) override {
    attach_ = attach;
    connector_ = connector;
    Dial();
  }
  void Close() override {
    alive_.reset();
    if (link_ != nullptr) std::exchange(link_, nullptr)->Abandon();
  }

#define BELLWIRE_FORWARD(Contract, Method, Request, Response)     \
  void Method(Request request, Done<Response> done) override {    \
    if (link_ == nullptr) return std::move(done)(Unreachable());  \
    link_->caller()->Method(std::move(request), std::move(done)); \
  }
  BELLWIRE_SESSION_METHODS(BELLWIRE_FORWARD)
#undef BELLWIRE_FORWARD

 private:
  static absl::Status Unreachable() {
    return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                    "the registry can't be reached"),
                          kRegistryRetryAfter);
  }

  void Dial() {
    SessionPort* const port = find_();
    if (port == nullptr || !backbone_->Reaches(caller_, kRegistry)) {
      backbone_->scheduler().After(kRedial, [this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) Dial();
      });
      return;
    }
    link_ =
        SessionLink::Dial(backbone_, caller_, port, attach_, connector_,
                          {.on_opened = [this] { OnOpened(); }, .on_ended = [this] { OnEnded(); }});
  }
  void OnOpened() {
    opened_ = true;
    connector_->OnStreamOpened(/*devices=*/{});
  }
  void OnEnded() {
    if (std::exchange(opened_, false)) connector_->OnStreamBroken(/*devices=*/{});
    link_ = nullptr;
    Dial();
  }

  Backbone* const backbone_;
  const std::string caller_;
  const std::function<SessionPort*()> find_;
  internal::v1::Attach attach_;
  ConnectorEnd* connector_ = nullptr;
  std::shared_ptr<SessionLink> link_;
  bool opened_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<SessionStream> NewSessionStream(Backbone* backbone, std::string caller,
                                                std::function<SessionPort*()> find) {
  return std::make_unique<SessionClient>(backbone, std::move(caller), std::move(find));
}

}  // namespace bellwire::simulation
