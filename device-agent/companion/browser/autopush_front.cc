#include "device-agent/companion/browser/autopush_front.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/log.h"

namespace bellwire::companion {
namespace {

constexpr size_t kUaidBytes = 16;
constexpr size_t kLifeBytes = 4;

// What Firefox's log shows of an answer.
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kConflict = 409;
constexpr int kTooMany = 429;
constexpr int kInternalError = 500;
constexpr int kUnavailable = 503;

// The acknowledgement of a browser that could not decrypt the message.
constexpr int kNotDecrypted = 101;

int StatusOf(agent::v1::Error::Code code) {
  switch (code) {
    case agent::v1::Error::VAPID_REQUIRED:
      return kBadRequest;
    case agent::v1::Error::SUBSCRIPTIONS_OFF:
      return kForbidden;
    case agent::v1::Error::LIMIT_REACHED:
      return kTooMany;
    default:
      return kInternalError;
  }
}

// Enough to tell profiles apart in a log.
absl::string_view Short(absl::string_view uaid) { return uaid.substr(0, 8); }

int64_t DaysOf(absl::Duration time) { return time / absl::Hours(24); }

}  // namespace

AutopushFront::AutopushFront(SubscriptionHub* hub, const Clock* clock,
                             std::function<std::string(size_t)> random_hex)
    : hub_(hub),
      clock_(clock),
      random_hex_(std::move(random_hex)),
      refusals_(clock),
      failures_(clock) {
  for (const Subscription& known : hub_->List(kBrowserInstancePrefix)) {
    // "push", UAID, CHANNEL, LIFE.
    const std::vector<std::string> parts = absl::StrSplit(known.instance, ':');
    // One without endpoint was never answered: its browser asks anew, or has gone.
    if (parts.size() != 4 || known.endpoint.empty()) {
      (void)hub_->Unsubscribe(known.instance);
      continue;
    }
    profiles_[parts[1]].channels[parts[2]] = {known.instance, known.vapid_key, known.endpoint};
    places_[known.instance] = {parts[1], parts[2]};
  }
  EndOldProfiles();
  hub_->Attach(kBrowserInstancePrefix, this);
}

AutopushFront::~AutopushFront() { hub_->Attach(kBrowserInstancePrefix, nullptr); }

AutopushFront::Session AutopushFront::Open(AutopushPeer* peer) {
  EndOldProfiles();
  const Session session = ++last_session_;
  Conversation& conversation = sessions_[session];
  conversation.peer = peer;
  conversation.hello_deadline = clock_->Monotonic() + kHelloPatience;
  return session;
}

void AutopushFront::OnText(Session session, absl::string_view text) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const absl::StatusOr<AutopushRequest> request = ParseAutopushRequest(text);
  if (!request.ok()) return Fail(session, kCloseProtocolError, request.status().message());
  const bool is_hello = std::holds_alternative<AutopushHello>(*request);
  if (is_hello != it->second.uaid.empty()) {
    return Fail(session, kCloseProtocolError, "the first message, and only it, is hello");
  }
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, AutopushHello>) {
          OnHello(session, body);
        } else if constexpr (std::is_same_v<Body, AutopushRegister>) {
          OnRegister(session, body);
        } else if constexpr (std::is_same_v<Body, AutopushUnregister>) {
          OnUnregister(session, body);
        } else if constexpr (std::is_same_v<Body, AutopushAck>) {
          OnAck(session, body);
        } else if constexpr (std::is_same_v<Body, AutopushNack>) {
          OnNack(it->second, body);
        } else if constexpr (std::is_same_v<Body, AutopushPing>) {
          it->second.peer->Send(RenderPong());
        }
      },
      *request);
}

void AutopushFront::OnClosed(Session session) { Forget(session); }

void AutopushFront::OnHello(Session session, const AutopushHello& hello) {
  Conversation& conversation = sessions_.at(session);
  auto profile = profiles_.find(hello.uaid);
  if (profile != profiles_.end() && profile->second.session) {
    Fail(*profile->second.session, kCloseReplaced, "the browser has connected anew");
    profile = profiles_.find(hello.uaid);
  }
  if (profile == profiles_.end()) {
    profile = profiles_.emplace(random_hex_(kUaidBytes), Profile()).first;
  }
  conversation.uaid = profile->first;
  profile->second.session = session;
  conversation.peer->Send(RenderHello(conversation.uaid));
  LogInfo("browser_connected", {{"uaid", Short(conversation.uaid)},
                                {"subscriptions", profile->second.channels.size()},
                                {"waiting", profile->second.messages.size()}});
  NoteSeen(profile->second);
  Pump(conversation.uaid);
}

void AutopushFront::OnRegister(Session session, const AutopushRegister& request) {
  Conversation& conversation = sessions_.at(session);
  const auto answer = [&](int status, absl::string_view reason) {
    conversation.peer->Send(RenderNotRegistered(request.channel_id, status, reason));
  };
  const Profile& profile = profiles_.at(conversation.uaid);
  if (const auto it = profile.channels.find(request.channel_id); it != profile.channels.end()) {
    if (it->second.vapid_key != request.vapid_key) return answer(kConflict, "another key");
    conversation.peer->Send(RenderRegistered(request.channel_id, it->second.endpoint));
    return;
  }
  if (const auto it = conversation.registering.find(request.channel_id);
      it != conversation.registering.end()) {
    if (it->second.vapid_key != request.vapid_key) answer(kConflict, "another key");
    return;
  }
  if (request.vapid_key.empty()) {
    return answer(kBadRequest, "VAPID_REQUIRED: subscribe with an applicationServerKey");
  }
  if (conversation.registering.size() >= kMaxRegistering) {
    return answer(kTooMany, "too many registrations wait for their endpoints");
  }
  Registering registering{
      .instance = absl::StrCat(kBrowserInstancePrefix, conversation.uaid, ":", request.channel_id,
                               ":", random_hex_(kLifeBytes)),
      .vapid_key = request.vapid_key,
      .deadline = clock_->Monotonic() + kBrowserRegisterPatience};
  const absl::Status status = hub_->Subscribe({.instance = registering.instance,
                                               .owner = absl::StrCat("browser ", conversation.uaid),
                                               .vapid_key = request.vapid_key,
                                               .note = Today()});
  if (!status.ok()) {
    if (const auto unsaid = failures_.Take()) {
      LogWarning(
          "browser_register_failed",
          {{"uaid", Short(conversation.uaid)}, {"error", status.message()}, {"unsaid", *unsaid}});
    }
    const bool is_full = absl::IsResourceExhausted(status);
    return answer(is_full ? kTooMany : kInternalError, status.message());
  }
  conversation.registering.emplace(request.channel_id, std::move(registering));
}

void AutopushFront::OnUnregister(Session session, const AutopushUnregister& request) {
  Conversation& conversation = sessions_.at(session);
  if (const auto it = conversation.registering.find(request.channel_id);
      it != conversation.registering.end()) {
    Refuse(&conversation, request.channel_id, kConflict, "unregistered");
  }
  Profile& profile = profiles_.at(conversation.uaid);
  if (const auto it = profile.channels.find(request.channel_id); it != profile.channels.end()) {
    if (const absl::Status s = hub_->Unsubscribe(it->second.instance); !s.ok()) {
      LogError("browser_unregister_failed",
               {{"uaid", Short(conversation.uaid)}, {"error", s.message()}});
      conversation.peer->Send(RenderUnregistered(request.channel_id, kInternalError));
      return;
    }
    DropChannel(&profile, request.channel_id);
  }
  conversation.peer->Send(RenderUnregistered(request.channel_id, 200));
  Pump(conversation.uaid);
}

void AutopushFront::OnAck(Session session, const AutopushAck& ack) {
  const std::string uaid = sessions_.at(session).uaid;
  Profile& profile = profiles_.at(uaid);
  for (const AutopushAck::Update& update : ack.updates) {
    const auto it =
        std::find_if(profile.messages.begin(), profile.messages.end(), [&](const Waiting& waiting) {
          return waiting.is_in_flight && waiting.channel_id == update.channel_id &&
                 waiting.version == update.version;
        });
    if (it == profile.messages.end()) continue;
    if (update.code == kNotDecrypted) {
      if (const auto unsaid = failures_.Take()) {
        LogWarning("browser_could_not_decrypt",
                   {{"uaid", Short(uaid)}, {"message", update.version}, {"unsaid", *unsaid}});
      }
    }
    hub_->Ack(it->message.instance, it->message.delivery_id);
    profile.messages.erase(it);
    profile.in_flight.erase(update.channel_id);
  }
  Pump(uaid);
}

void AutopushFront::OnNack(const Conversation& conversation, const AutopushNack& nack) {
  // The browser acknowledged it before: it has the message, and its page did not cope.
  LogDebug("browser_page_failed",
           {{"uaid", Short(conversation.uaid)}, {"message", nack.version}, {"code", nack.code}});
}

void AutopushFront::OnEndpoint(const std::string& instance, const std::string& endpoint) {
  if (const auto place = places_.find(instance); place != places_.end()) {
    const Channel& channel = profiles_.at(place->second.uaid).channels.at(place->second.channel_id);
    if (channel.endpoint != endpoint) {
      EndProfile(std::string(place->second.uaid), "an endpoint has changed");
    }
    return;
  }
  for (auto& [session, conversation] : sessions_) {
    for (auto it = conversation.registering.begin(); it != conversation.registering.end(); ++it) {
      if (it->second.instance != instance) continue;
      profiles_.at(conversation.uaid).channels[it->first] = {instance, it->second.vapid_key,
                                                             endpoint};
      places_[instance] = {conversation.uaid, it->first};
      conversation.peer->Send(RenderRegistered(it->first, endpoint));
      conversation.registering.erase(it);
      return;
    }
  }
}

// The browser has had its answer.
void AutopushFront::OnUnsubscribed(const std::string&) {}

void AutopushFront::OnMessage(const Message& message) {
  const auto place = places_.find(message.instance);
  if (place == places_.end()) return;
  const std::string uaid = place->second.uaid;
  Profile& profile = profiles_.at(uaid);
  const std::string version =
      message.message_id.empty() ? absl::StrCat(message.delivery_id) : message.message_id;
  const auto it =
      std::find_if(profile.messages.begin(), profile.messages.end(), [&](const Waiting& waiting) {
        return waiting.message.delivery_id == message.delivery_id &&
               waiting.message.instance == message.instance;
      });
  if (it != profile.messages.end()) {
    // It comes again on each connection to the agent.
    if (it->version == version) return;
    // An agent that lost its inbox counts anew: the other message is not there any more.
    if (it->is_in_flight) profile.in_flight.erase(it->channel_id);
    profile.messages.erase(it);
  }
  profile.messages.push_back({place->second.channel_id, version, message});
  Pump(uaid);
}

void AutopushFront::OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) {
  // The protocol has no word for it.
  const auto place = places_.find(instance);
  LogWarning(
      "browser_messages_dropped",
      {{"uaid", place == places_.end() ? "" : Short(place->second.uaid)}, {"dropped", dropped}});
  hub_->Ack(instance, delivery_id);
}

void AutopushFront::OnError(const std::string& instance, agent::v1::Error::Code code,
                            const std::string& text) {
  for (auto& [session, conversation] : sessions_) {
    for (const auto& [channel_id, registering] : conversation.registering) {
      if (registering.instance != instance) continue;
      const std::string channel = channel_id;
      conversation.registering.erase(channel);
      conversation.peer->Send(RenderNotRegistered(
          channel, StatusOf(code), absl::StrCat(agent::v1::Error::Code_Name(code), ": ", text)));
      return;
    }
  }
  if (const auto unsaid = refusals_.Take()) {
    LogWarning("browser_subscription_refused",
               {{"code", agent::v1::Error::Code_Name(code)}, {"why", text}, {"unsaid", *unsaid}});
  }
}

void AutopushFront::OnAgent(bool) {}

std::optional<MonotonicTime> AutopushFront::NextDeadline() const {
  std::optional<MonotonicTime> next;
  const auto consider = [&next](MonotonicTime time) { next = next ? std::min(*next, time) : time; };
  for (const auto& [session, conversation] : sessions_) {
    if (conversation.uaid.empty()) consider(conversation.hello_deadline);
    for (const auto& [channel_id, registering] : conversation.registering) {
      consider(registering.deadline);
    }
  }
  return next;
}

void AutopushFront::OnDeadline() {
  const MonotonicTime now = clock_->Monotonic();
  std::vector<Session> silent;
  for (auto& [session, conversation] : sessions_) {
    if (conversation.uaid.empty() && conversation.hello_deadline <= now) silent.push_back(session);
    std::vector<std::string> late;
    for (const auto& [channel_id, registering] : conversation.registering) {
      if (registering.deadline <= now) late.push_back(channel_id);
    }
    for (const std::string& channel_id : late) {
      Refuse(&conversation, channel_id, kUnavailable,
             hub_->agent_connected() ? "no endpoint yet: is the agent connected to its server?"
                                     : "the agent of this phone is not running");
    }
  }
  for (Session session : silent) Fail(session, kCloseProtocolError, "no hello");
}

void AutopushFront::Fail(Session session, uint16_t code, absl::string_view reason) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  if (const auto unsaid = refusals_.Take()) {
    LogInfo(
        "browser_closed",
        {{"uaid", Short(it->second.uaid)}, {"code", code}, {"why", reason}, {"unsaid", *unsaid}});
  }
  AutopushPeer* const peer = it->second.peer;
  Forget(session);
  peer->Close(code, reason);
}

void AutopushFront::Refuse(Conversation* conversation, const std::string& channel_id, int status,
                           absl::string_view reason) {
  const auto it = conversation->registering.find(channel_id);
  (void)hub_->Unsubscribe(it->second.instance);
  conversation->registering.erase(it);
  conversation->peer->Send(RenderNotRegistered(channel_id, status, reason));
}

void AutopushFront::Forget(Session session) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  // Its browser says them again on its next connection, under another name here.
  for (const auto& [channel_id, registering] : it->second.registering) {
    (void)hub_->Unsubscribe(registering.instance);
  }
  const std::string uaid = it->second.uaid;
  sessions_.erase(it);
  const auto profile = profiles_.find(uaid);
  if (profile == profiles_.end() || profile->second.session != session) return;
  profile->second.session.reset();
  profile->second.in_flight.clear();
  for (Waiting& waiting : profile->second.messages) waiting.is_in_flight = false;
  RemoveIfEmpty(uaid);
}

void AutopushFront::Pump(const std::string& uaid) {
  Profile& profile = profiles_.at(uaid);
  if (!profile.session) return;
  AutopushPeer* const peer = sessions_.at(*profile.session).peer;
  for (Waiting& next : profile.messages) {
    if (profile.in_flight.size() >= kMaxNotificationsInFlight) break;
    if (!profile.in_flight.insert(next.channel_id).second) continue;
    next.is_in_flight = true;
    peer->Send(RenderNotification(next.channel_id, next.version, next.message));
  }
}

void AutopushFront::DropChannel(Profile* profile, const std::string& channel_id) {
  const auto it = profile->channels.find(channel_id);
  places_.erase(it->second.instance);
  profile->channels.erase(it);
  profile->in_flight.erase(channel_id);
  const auto gone =
      std::remove_if(profile->messages.begin(), profile->messages.end(),
                     [&](const Waiting& waiting) { return waiting.channel_id == channel_id; });
  profile->messages.erase(gone, profile->messages.end());
}

void AutopushFront::EndProfile(const std::string& uaid, absl::string_view why) {
  const auto it = profiles_.find(uaid);
  LogInfo("browser_profile_ended",
          {{"uaid", Short(uaid)}, {"subscriptions", it->second.channels.size()}, {"why", why}});
  for (const auto& [channel_id, channel] : it->second.channels) {
    places_.erase(channel.instance);
    if (const absl::Status s = hub_->Unsubscribe(channel.instance); !s.ok()) {
      LogError("browser_unregister_failed", {{"uaid", Short(uaid)}, {"error", s.message()}});
    }
  }
  it->second.channels.clear();
  it->second.messages.clear();
  it->second.in_flight.clear();
  if (it->second.session) {
    Fail(*it->second.session, kCloseGoingAway, why);
  } else {
    RemoveIfEmpty(uaid);
  }
}

void AutopushFront::NoteSeen(const Profile& profile) {
  const std::string today = Today();
  for (const auto& [channel_id, channel] : profile.channels) {
    const Subscription* known = hub_->Find(channel.instance);
    if (known == nullptr || known->note == today) continue;
    Subscription again = *known;
    again.note = today;
    if (const absl::Status s = hub_->Subscribe(again); !s.ok()) {
      LogWarning("browser_not_noted", {{"error", s.message()}});
      return;
    }
  }
}

void AutopushFront::EndOldProfiles() {
  const int64_t oldest = DaysOf(clock_->WallNow() - absl::UnixEpoch()) - DaysOf(kProfileLife);
  std::vector<std::string> old;
  for (const auto& [uaid, profile] : profiles_) {
    if (profile.session || profile.channels.empty()) continue;
    const bool is_old =
        std::all_of(profile.channels.begin(), profile.channels.end(), [&](const auto& channel) {
          const Subscription* known = hub_->Find(channel.second.instance);
          int64_t day = 0;
          return known != nullptr && absl::SimpleAtoi(known->note, &day) && day < oldest;
        });
    if (is_old) old.push_back(uaid);
  }
  for (const std::string& uaid : old) EndProfile(uaid, "not seen for 60 days");
}

std::string AutopushFront::Today() const {
  return absl::StrCat(DaysOf(clock_->WallNow() - absl::UnixEpoch()));
}

void AutopushFront::RemoveIfEmpty(const std::string& uaid) {
  const auto it = profiles_.find(uaid);
  if (it != profiles_.end() && it->second.channels.empty() && !it->second.session) {
    profiles_.erase(it);
  }
}

}  // namespace bellwire::companion
