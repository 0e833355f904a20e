// A device, its sessions and a registry in one thread, from a seed: the stream between them is slow
// and breaks, hand-overs become marks, the registry is away, connections break, acknowledgements
// come late and in any form, a person picks the device up and lays it down. Whatever happens, a
// session sends each message once, those of one priority in order and without a gap, within its
// window, none of LOW priority to an idle device; and in the end the device has everything.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "common/simulated_clock.h"
#include "connector/doors/bellwire/device_connection.h"
#include "connector/session/delivery_order.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"
#include "rpc/priority.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::Envelope;

class World;

// One connection: the core, and the wire to the agent.
class Session final : public ConnectionHost {
 public:
  Session(World* world, const Clock* clock, absl::BitGenRef random, uint64_t session_id)
      : world_(world),
        context_{.clock = clock,
                 .random = random,
                 .connector_address = "connector",
                 .connector_incarnation = 1,
                 .bytes_in_flight = &bytes_in_flight},
        core(&context_, session_id, this) {}

  void Send(absl::string_view frames) override;
  void PauseReading() override {}
  void ResumeReading() override {}
  size_t unsent_bytes() const override { return 0; }
  std::string tls_exporter() const override { return std::string(); }
  std::string resumed_ticket_data() const override;
  void SendTicket(absl::string_view) override {}
  void Close(const CloseRecord&) override;
  void ArmTimer(MonotonicTime deadline) override;
  void FlushSoon() override;
  void SessionStarted(const DeviceId&, uint64_t) override {}
  void Bind(internal::v1::BindRequest request) override;
  void Pull(internal::v1::PullRequest request) override;
  void Resume(internal::v1::ResumeRequest request) override;
  void HandedOver(internal::v1::HandedOverRequest) override {}
  void Ack(internal::v1::AckRequest request) override;
  void AppAck(internal::v1::AppAckRequest) override {}
  void RegisterApp(uint32_t, internal::v1::RegisterAppRequest) override {}
  void RemoveApp(uint32_t, internal::v1::RemoveAppRequest) override {}
  void ChangeTopic(uint32_t, internal::v1::ChangeSubscriptionRequest) override {}
  void ReportSent(internal::v1::ReportSentRequest) override {}
  void ReportNetwork(internal::v1::ReportNetworkRequest) override {}
  void Unbind(internal::v1::UnbindRequest request) override;

  World* const world_;
  Gauge bytes_in_flight;
  ConnectionContext context_;
  bool open = true;
  uint64_t timer_generation = 0;
  // What was sent in this session, as the connector wrote it, and what the agent acknowledged.
  std::set<uint64_t> sent;
  std::set<uint64_t> acked;
  // By priority; and of all, as the agent received it.
  std::map<push::v1::Priority, uint64_t> last_sent;
  uint64_t greatest_received = 0;
  // What the connector was told last.
  device::v1::Activity activity = device::v1::ACTIVE;
  DeviceConnection core;
};

class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed),
        streams_break_(seed % 2 == 0),
        device_id_(*DeviceIdOf(ConnectionHarness::PublicKey())) {}

  // Wild seconds and quiet ones by turns. When it is quiet everything works, and the device gets
  // what is left.
  void Run() {
    Connect();
    for (int turn = 0; turn < 8; ++turn) {
      faults_ = true;
      for (int i = 0; i < 40; ++i) Schedule(absl::Milliseconds(Uniform(0, 3'000)));
      RunFor(absl::Seconds(4));
      faults_ = false;
      registry_away_ = false;
      RunFor(absl::Seconds(40));
      CheckNoneWaits({push::v1::PRIORITY_HIGH});
      // Either way NORMAL need not wait for a person.
      if (Uniform(0, 1) == 0) {
        Beat();
        RunFor(absl::Seconds(5));
      } else {
        RunFor(kMaxNormalWait + absl::Seconds(5));
      }
      CheckNoneWaits({push::v1::PRIORITY_HIGH, push::v1::PRIORITY_NORMAL});
      SetActivity(device::v1::ACTIVE);
      RunFor(absl::Seconds(5));
      CheckRest();
    }
  }
  void Schedule(absl::Duration when) {
    switch (Uniform(0, 24)) {
      case 20:
      case 21:
        return After(when, [this] { SetActivity(device::v1::ACTIVE); });
      case 22:
      case 23:
        return After(when, [this] { SetActivity(device::v1::IDLE); });
      case 24:
        return After(when, [this] { Beat(); });
      case 0:
        return After(when, [this] { Break(); });
      case 1:
        return After(when, [this] { registry_away_ = !registry_away_; });
      case 2:
        return After(when, [this] { SettleOne(); });
      // A burst fills the window.
      case 3:
        return After(when, [this] {
          for (int n = Uniform(1, 100); n > 0; --n) Append(false);
        });
      default:
        return After(when, [this] { Append(Uniform(0, 9) == 0); });
    }
  }

  // --- The registry: what it does it does at one moment, for one device. ---

  struct Route {
    uint64_t session_id = 0;
    uint64_t login_number = 0;
  };

  template <typename Request>
  internal::v1::Page PageAfter(uint64_t after, const Request& request) {
    const PrioritySet priorities = PrioritySet::Of(request.priorities());
    std::map<push::v1::Priority, internal::v1::PassedOver> passed_over;
    internal::v1::Page page;
    page.set_complete_to_seq(last_seq_);
    size_t bytes = 0;
    for (auto it = mailbox_.upper_bound(after); it != mailbox_.end(); ++it) {
      const push::v1::Priority priority = PriorityOf(it->second);
      if (!priorities.Contains(priority)) {
        internal::v1::PassedOver& entry = passed_over[priority];
        entry.set_priority(priority);
        if (entry.first_seq() == 0) entry.set_first_seq(it->first);
        entry.set_last_seq(it->first);
        continue;
      }
      bytes += it->second.payload().size();
      if (page.messages_size() > 0 &&
          (bytes > request.max_bytes() ||
           page.messages_size() >= static_cast<int>(request.max_messages()))) {
        page.set_more(true);
        page.set_complete_to_seq(it->first - 1);
        break;
      }
      *page.add_messages() = it->second;
    }
    for (const auto& [priority, entry] : passed_over) *page.add_passed_over() = entry;
    return page;
  }
  uint64_t SettledSeq() const { return mailbox_.empty() ? last_seq_ : mailbox_.begin()->first - 1; }

  void Append(bool now_or_never) {
    Envelope message = now_or_never ? ConnectionHarness::NowOrNever(++last_seq_)
                                    : ConnectionHarness::Message(++last_seq_, Uniform(0, 4096));
    if (!now_or_never && Uniform(0, 30) == 0) {
      message.set_gap_dropped(3);
      message.clear_payload();
    }
    if (message.gap_dropped() == 0) {
      message.set_priority(static_cast<push::v1::Priority>(Uniform(0, 3)));
      if (!now_or_never && Uniform(0, 5) == 0) {
        message.set_collapse_key(std::string(1, static_cast<char>('a' + Uniform(0, 2))));
        Collapse(message.collapse_key());
      }
    }
    if (!now_or_never) {
      mailbox_[message.seq()] = message;
      accepted_.insert(message.seq());
    }
    if (route_.session_id == 0) return;
    if (faults_ && streams_break_ && Uniform(0, 60) == 0) BreakStream();
    ConnectorRequest request;
    request.mutable_route()->set_session_id(route_.session_id);
    request.set_device_id(std::string(device_id_.bytes()));
    *request.mutable_deliver()->mutable_message() = message;
    // Its buffer is full, or the shard's inbox.
    if (faults_ && Uniform(0, 40) == 0) request.mutable_missed();
    Down([this, request] {
      Session* const session = FindSession(request.route().session_id());
      if (session != nullptr) session->core.HandOver(request);
    });
  }
  void Collapse(const std::string& key) {
    for (auto it = mailbox_.begin(); it != mailbox_.end(); ++it) {
      if (it->second.collapse_key() != key) continue;
      accepted_.erase(it->first);
      mailbox_.erase(it);
      return;
    }
  }
  // Recalled, expired: it leaves the mailbox without the device.
  void SettleOne() {
    if (mailbox_.empty()) return;
    auto it = mailbox_.begin();
    std::advance(it, Uniform(0, static_cast<int>(mailbox_.size()) - 1));
    accepted_.erase(it->first);
    mailbox_.erase(it);
  }

  // --- The stream: each way keeps its order. What is on it when it breaks is lost. ---

  void Up(std::function<void()> event) { OnStream(&up_time_, std::move(event)); }
  void Down(std::function<void()> event) { OnStream(&down_time_, std::move(event)); }
  void OnStream(MonotonicTime* time, std::function<void()> event) {
    if (!stream_open_) return;
    *time = std::max(*time, clock_.Monotonic() + Delay());
    At(*time, [this, stream = stream_, event] {
      if (stream_open_ && stream == stream_) event();
    });
  }
  void BreakStream() {
    if (!stream_open_) return;
    stream_open_ = false;
    ++stream_;
    After(absl::ZeroDuration(), [this] {
      for (auto& [id, fail] : std::exchange(unanswered_, {})) fail();
      for (const auto& session : sessions_) session->core.OnRegistryLost();
    });
    After(absl::Milliseconds(Uniform(1, 1000)), [this] {
      stream_open_ = true;
      for (const auto& session : sessions_) session->core.Resume();
    });
  }

  // A call, whose answer finds the session only if it is still there.
  template <typename Response>
  void Call(uint64_t session_id, std::function<absl::StatusOr<Response>()> effect,
            std::function<void(DeviceConnection&, absl::StatusOr<Response>)> answer) {
    const absl::Status away =
        MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "away");
    const auto finish = [this, session_id, answer](const absl::StatusOr<Response>& response) {
      if (Session* session = FindSession(session_id)) answer(session->core, response);
    };
    if (!stream_open_) return After(absl::ZeroDuration(), [finish, away] { finish(away); });
    const uint64_t id = ++last_call_;
    unanswered_[id] = [finish, away] { finish(away); };
    Up([this, id, effect, finish, away] {
      const absl::StatusOr<Response> response =
          registry_away_ ? absl::StatusOr<Response>(away) : effect();
      Down([this, id, finish, response] {
        if (unanswered_.erase(id) > 0) finish(response);
      });
    });
  }

  absl::StatusOr<internal::v1::ResumeResponse> Resume(
      const internal::v1::ResumeRequest& request) const {
    internal::v1::ResumeResponse response;
    response.set_behind(mailbox_.upper_bound(request.after_seq()) != mailbox_.end());
    return response;
  }
  absl::StatusOr<internal::v1::BindResponse> Bind(const internal::v1::BindRequest& request) {
    const internal::v1::Route& route = request.route();
    if (route_.login_number >= route.login_number() && route_.session_id != route.session_id()) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "");
    }
    route_ = Route{route.session_id(), route.login_number()};
    internal::v1::BindResponse response;
    response.set_mailbox_id(std::string(16, 'm'));
    response.set_settled_seq(SettledSeq());
    *response.mutable_page() = PageAfter(SettledSeq(), request);
    return response;
  }
  absl::StatusOr<internal::v1::AckResponse> Ack(const internal::v1::AckRequest& request) {
    for (const auto& item : request.items()) {
      // Only what the device has leaves the mailbox.
      EXPECT_TRUE(device_has_.contains(item.seq()));
      mailbox_.erase(item.seq());
    }
    if (route_.session_id != request.route().session_id() && route_.session_id != 0) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "");
    }
    return internal::v1::AckResponse();
  }
  void Unbind(const internal::v1::UnbindRequest& request) {
    if (route_.session_id == request.route().session_id()) route_.session_id = 0;
  }

  // --- The device. ---

  void Connect() {
    ++last_login_number_;
    sessions_.push_back(std::make_unique<Session>(this, &clock_, random_, last_login_number_ << 8));
    Session& session = *sessions_.back();
    session.core.OnOpen();
    session.activity = activity_;
    device::v1::AgentFrame login = ConnectionHarness::LoginFrame(last_login_number_);
    login.mutable_login()->set_activity(activity_);
    session.core.OnData(ConnectionHarness::Bytes(login));
  }
  void SetActivity(device::v1::Activity activity) {
    device::v1::AgentFrame frame;
    frame.mutable_activity_change()->set_activity(activity);
    if (!SendToConnector(frame, [activity](Session* s) { s->activity = activity; })) return;
    activity_ = activity;
  }
  void Beat() {
    SendToConnector(device::v1::AgentFrame(), [](Session*) {});
  }
  // What the agent says besides its acknowledgements; the wire keeps the order. An empty frame is a
  // heartbeat. `before` is called just before the connector reads it. False: there is no session.
  bool SendToConnector(device::v1::AgentFrame frame, std::function<void(Session*)> before) {
    Session* session = sessions_.back().get();
    if (!session->open || session->core.state() != ConnectionState::kActive) return false;
    agent_wire_time_ = std::max(agent_wire_time_, clock_.Monotonic() + Delay());
    At(agent_wire_time_, [session, frame, before] {
      if (!session->open) return;
      before(session);
      session->core.OnData(ConnectionHarness::Bytes(frame));
    });
    return true;
  }
  // The device leaves; the connector may hear of it at once, late, or through the next session
  // only.
  void Break() {
    Session* session = sessions_.back().get();
    After(Delay(), [session] { session->core.OnTransportClosed(absl::OkStatus()); });
    Connect();
  }
  void OnSessionClosed(Session* session) {
    if (sessions_.back().get() != session) return;
    After(absl::Milliseconds(Uniform(100, 2000)), [this, session] {
      if (sessions_.back().get() == session) Connect();
    });
  }

  void OnFrameSent(Session* session, const device::v1::ConnectorFrame& frame) {
    uint64_t seq = 0;
    bool now_or_never = false;
    if (frame.has_push()) {
      seq = frame.push().seq();
      now_or_never = frame.push().expires_at_ms() == frame.push().accepted_at_ms();
    } else if (frame.has_gap()) {
      seq = frame.gap().seq();
    } else {
      return;
    }
    EXPECT_TRUE(session->sent.insert(seq).second) << "sent twice in one session: " << seq;
    const push::v1::Priority priority =
        frame.has_push() ? static_cast<push::v1::Priority>(frame.push().priority())
                         : push::v1::PRIORITY_NORMAL;
    if (!now_or_never) {
      uint64_t& last = session->last_sent[priority];
      EXPECT_GT(seq, last) << "out of order";
      // What waits in the mailbox before it was sent before it, in this session.
      for (auto it = mailbox_.upper_bound(last); it != mailbox_.end() && it->first < seq; ++it) {
        if (PriorityOf(it->second) != priority) continue;
        ADD_FAILURE() << it->first << " was passed over by " << seq;
      }
      last = seq;
      if (session->activity == device::v1::IDLE) {
        EXPECT_NE(priority, push::v1::PRIORITY_LOW) << seq << " to an idle device";
      }
    }
    EXPECT_LE(session->sent.size() - session->acked.size(),
              kSessionWindowMessages + kMaxNowOrNeverInFlight);
    // The wire keeps the order; what is on it when the device leaves is lost.
    session_wire_time_ = std::max(session_wire_time_, clock_.Monotonic() + Delay());
    At(session_wire_time_,
       [this, session, seq, now_or_never, priority, key = frame.push().collapse_key()] {
         if (sessions_.back().get() != session || !session->open) return;
         ReceivePush(session, seq, now_or_never, priority, key);
       });
  }
  void ReceivePush(Session* session, uint64_t seq, bool now_or_never, push::v1::Priority priority,
                   const std::string& key) {
    if (device_has_.insert(seq).second && !now_or_never) {
      EXPECT_GT(seq, last_first_seen_[priority]) << "the device sees them out of order";
      last_first_seen_[priority] = seq;
      if (!key.empty()) {
        EXPECT_GT(seq, last_of_key_[key]) << "an old one takes the place of a newer";
        last_of_key_[key] = seq;
      }
    }
    session->acked.insert(seq);
    const bool in_turn = !now_or_never && seq > session->greatest_received;
    if (in_turn) session->greatest_received = seq;
    device::v1::AgentFrame frame;
    const int form = Uniform(0, 3);
    if (!in_turn || form == 0) {
      frame.mutable_ack()->add_ranges()->set_first(seq);
      frame.mutable_ack()->mutable_ranges(0)->set_last(seq);
    }
    if (form != 0) frame.mutable_ack()->set_up_to_seq(session->greatest_received);
    After(Delay(), [session, frame] {
      if (session->open) session->core.OnData(ConnectionHarness::Bytes(frame));
    });
  }

  void CheckNoneWaits(const std::set<push::v1::Priority>& priorities) {
    for (const auto& [seq, message] : mailbox_) {
      if (priorities.contains(PriorityOf(message))) ADD_FAILURE() << seq << " still waits";
    }
  }
  void CheckRest() {
    EXPECT_TRUE(mailbox_.empty()) << mailbox_.size() << " left, from " << mailbox_.begin()->first;
    for (const uint64_t seq : accepted_) EXPECT_TRUE(device_has_.contains(seq)) << seq;
    // Only the last session is there, at rest.
    EXPECT_EQ(sessions_.back()->bytes_in_flight.value(), 0);
    int active = 0;
    for (const auto& session : sessions_) {
      active += session->core.state() == ConnectionState::kActive ? 1 : 0;
    }
    EXPECT_EQ(active, 1);
  }

  // --- Time and chance. ---

  int Uniform(int min, int max) { return std::uniform_int_distribution<int>(min, max)(random_); }
  absl::Duration Delay() {
    // Mostly quick, sometimes far too late.
    return absl::Microseconds(Uniform(0, 20) == 0 ? Uniform(0, 400'000) : Uniform(0, 5'000));
  }
  void At(MonotonicTime time, std::function<void()> event) {
    events_.emplace(time, std::move(event));
  }
  void After(absl::Duration delay, std::function<void()> event) {
    At(clock_.Monotonic() + delay, std::move(event));
  }
  void RunFor(absl::Duration d) {
    const MonotonicTime end = clock_.Monotonic() + d;
    while (!events_.empty() && events_.begin()->first <= end) {
      const auto event = events_.extract(events_.begin());
      if (event.key() > clock_.Monotonic()) clock_.Advance(event.key() - clock_.Monotonic());
      event.mapped()();
    }
    clock_.Advance(end - clock_.Monotonic());
  }
  Session* FindSession(uint64_t session_id) {
    for (const auto& session : sessions_) {
      if (session->core.session_id() == session_id && session->open) return session.get();
    }
    return nullptr;
  }

  SimulatedClock clock_;
  std::mt19937_64 random_;
  // Between an Append and its hand-over.
  const bool streams_break_;
  const DeviceId device_id_;
  std::multimap<MonotonicTime, std::function<void()>> events_;
  bool faults_ = false;
  bool registry_away_ = false;

  uint64_t last_seq_ = 0;
  std::map<uint64_t, Envelope> mailbox_;
  std::set<uint64_t> accepted_;
  Route route_;
  bool stream_open_ = true;
  // How many there were before.
  int stream_ = 0;
  MonotonicTime up_time_;
  MonotonicTime down_time_;
  uint64_t last_call_ = 0;
  // What answers them if the stream breaks.
  std::map<uint64_t, std::function<void()>> unanswered_;

  uint64_t last_login_number_ = 0;
  std::set<uint64_t> device_has_;
  std::map<push::v1::Priority, uint64_t> last_first_seen_;
  std::map<std::string, uint64_t> last_of_key_;
  device::v1::Activity activity_ = device::v1::ACTIVE;
  MonotonicTime session_wire_time_;
  MonotonicTime agent_wire_time_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

void Session::Send(absl::string_view frames) {
  net::FrameDecoder decoder(kMaxFrameBytes);
  EXPECT_TRUE(decoder
                  .Feed(frames,
                        [this](absl::string_view body) {
                          device::v1::ConnectorFrame frame;
                          EXPECT_TRUE(
                              frame.ParseFromArray(body.data(), static_cast<int>(body.size())));
                          world_->OnFrameSent(this, frame);
                          return true;
                        })
                  .ok());
}
std::string Session::resumed_ticket_data() const { return std::string(world_->device_id_.bytes()); }
void Session::Close(const CloseRecord&) {
  open = false;
  world_->OnSessionClosed(this);
}
void Session::ArmTimer(MonotonicTime deadline) {
  const uint64_t generation = ++timer_generation;
  world_->At(deadline, [this, generation] {
    if (generation == timer_generation) core.OnTimer();
  });
}
void Session::FlushSoon() {
  world_->After(absl::ZeroDuration(), [this] { core.OnFlush(); });
}
void Session::Bind(internal::v1::BindRequest request) {
  world_->Call<internal::v1::BindResponse>(
      core.session_id(), [world = world_, request] { return world->Bind(request); },
      [](DeviceConnection& c, absl::StatusOr<internal::v1::BindResponse> response) {
        c.OnBound(std::move(response));
      });
}
void Session::Pull(internal::v1::PullRequest request) {
  world_->Call<internal::v1::PullResponse>(
      core.session_id(),
      [world = world_, request]() -> absl::StatusOr<internal::v1::PullResponse> {
        internal::v1::PullResponse response;
        *response.mutable_page() = world->PageAfter(request.after_seq(), request);
        return response;
      },
      [](DeviceConnection& c, absl::StatusOr<internal::v1::PullResponse> response) {
        c.OnPulled(std::move(response));
      });
}
void Session::Resume(internal::v1::ResumeRequest request) {
  world_->Call<internal::v1::ResumeResponse>(
      core.session_id(), [world = world_, request] { return world->Resume(request); },
      [](DeviceConnection& c, const absl::StatusOr<internal::v1::ResumeResponse>& response) {
        c.OnResumed(response);
      });
}
void Session::Ack(internal::v1::AckRequest request) {
  world_->Call<internal::v1::AckResponse>(
      core.session_id(), [world = world_, request] { return world->Ack(request); },
      [](DeviceConnection& c, const absl::StatusOr<internal::v1::AckResponse>& response) {
        c.OnAckTaken(response.status());
      });
}
void Session::Unbind(internal::v1::UnbindRequest request) {
  world_->Up([world = world_, request] { world->Unbind(request); });
}

class DeviceConnectionSimulationTest : public testing::TestWithParam<uint64_t> {};

TEST_P(DeviceConnectionSimulationTest, NothingIsLostDoubledOrOutOfOrder) {
  World(GetParam()).Run();
}

INSTANTIATE_TEST_SUITE_P(Seeds, DeviceConnectionSimulationTest, testing::Range<uint64_t>(1, 101));

}  // namespace
}  // namespace bellwire::connector
