#include "bench/load/load_session.h"

#include <arpa/inet.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/limits.h"
#include "net/socket/address.h"

namespace bellwire::bench {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(1);
// Registrations that are under way.
constexpr size_t kRegistrationsAtOnce = 256;

int64_t Number(const std::map<std::string, std::string>& arguments, const std::string& key,
               int64_t otherwise) {
  const auto found = arguments.find(key);
  int64_t value = otherwise;
  if (found != arguments.end() && !absl::SimpleAtoi(found->second, &value)) return otherwise;
  return value;
}

void AddLatency(const Histogram& histogram, const std::string& name, nlohmann::json* out) {
  if (histogram.count() == 0) return;
  (*out)[name + "_p50_us"] = histogram.Percentile(0.5);
  (*out)[name + "_p99_us"] = histogram.Percentile(0.99);
  (*out)[name + "_p999_us"] = histogram.Percentile(0.999);
}

// "host:port,host:port", with numeric hosts. Empty: one of them isn't.
std::vector<sockaddr_in> ParseServers(absl::string_view list) {
  std::vector<sockaddr_in> servers;
  for (const absl::string_view text : absl::StrSplit(list, ',')) {
    const auto address = net::ParseHostPort(text);
    sockaddr_in server = {};
    server.sin_family = AF_INET;
    if (!address.ok() || inet_pton(AF_INET, address->host.c_str(), &server.sin_addr) != 1)
      return {};
    server.sin_port = htons(address->port);
    servers.push_back(server);
  }
  return servers;
}

}  // namespace

LoadSession::LoadSession(net::EpollLoop* loop, LoadProtocol* protocol, TlsSwarm* swarm,
                         Answer answer)
    : loop_(loop),
      protocol_(protocol),
      swarm_(swarm),
      answer_(std::move(answer)),
      tick_(loop->NewTimer([this] { OnTick(); })) {
  swarm_->SetOnLost([this](size_t member) { OnLost(member); });
}

void LoadSession::OnLine(absl::string_view line) {
  waiting_.emplace_back(line);
  if (running_ == nullptr) StartNext();
}

void LoadSession::StartNext() {
  while (running_ == nullptr && !waiting_.empty()) {
    const std::string line = std::move(waiting_.front());
    waiting_.pop_front();
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty()) continue;
    Arguments arguments;
    for (size_t i = 1; i < words.size(); ++i) {
      arguments.insert(absl::StrSplit(words[i], absl::MaxSplits('=', 1)));
    }
    Start(words[0], arguments);
  }
}

void LoadSession::Start(const std::string& name, const Arguments& arguments) {
  if (name == "connect") return Connect(arguments);
  if (name == "await") return Await(arguments);
  if (name == "heartbeats") return Heartbeats(arguments);
  if (name == "register") return Register(arguments);
  if (name == "servers") {
    std::vector<sockaddr_in> servers =
        arguments.count("to") > 0 ? ParseServers(arguments.at("to")) : std::vector<sockaddr_in>();
    if (servers.empty()) return answer_({{"error", "servers: to=IP:PORT,... expected"}});
    swarm_->SetServers(std::move(servers));
    return answer_(nlohmann::json::object());
  }
  if (name == "reconnect") {
    reconnect_ = Number(arguments, "on", 1) != 0;
    swarm_->options().resume = Number(arguments, "resume", 1) != 0;
    swarm_->options().at_once = static_cast<size_t>(Number(arguments, "at_once", 32));
    return answer_(nlohmann::json::object());
  }
  if (name == "abort") {
    comebacks_.clear();
    for (size_t i = 0; i < swarm_->size(); ++i) swarm_->Abort(i);
    return answer_(nlohmann::json::object());
  }
  if (name == "counts") {
    answer_(Counts());
    if (Number(arguments, "reset", 0) != 0) {
      swarm_->ResetCounts();
      protocol_->ResetCounts();
    }
    return;
  }
  answer_({{"error", absl::StrCat("there is no command ", name)}});
}

void LoadSession::Run(const Arguments& arguments, std::function<bool()> done,
                      std::function<nlohmann::json()> result) {
  const MonotonicTime now = loop_->clock().Monotonic();
  running_ = std::make_unique<Running>(
      Running{.done = std::move(done),
              .result = std::move(result),
              .started = now,
              .deadline = now + absl::Seconds(Number(arguments, "timeout_s", 300))});
  tick_->Arm(kTick);
}

void LoadSession::Finish(const nlohmann::json& answer) {
  running_.reset();
  answer_(answer);
  StartNext();
}

void LoadSession::OnTick() {
  const MonotonicTime now = loop_->clock().Monotonic();
  while (!comebacks_.empty() && comebacks_.begin()->first <= now) {
    const size_t member = comebacks_.begin()->second;
    comebacks_.erase(comebacks_.begin());
    swarm_->Connect(member);
  }
  if (running_ != nullptr) {
    if (running_->done()) {
      Finish(running_->result());
    } else if (now >= running_->deadline) {
      Finish({{"error", absl::StrCat("not done in time: ", Counts().dump())}});
    }
  }
  if (reconnect_) swarm_->GiveUpOnAttemptsBefore(now + -kConnectTimeout);
  if (running_ != nullptr || !comebacks_.empty() || swarm_->pending_count() > 0) tick_->Arm(kTick);
}

double LoadSession::Seconds() const {
  return absl::ToDoubleSeconds(loop_->clock().Monotonic() - running_->started);
}

nlohmann::json LoadSession::Counts() const {
  const LoadCounts& counts = protocol_->counts();
  nlohmann::json out = {
      {"ready", swarm_->ready_count()},    {"pending", swarm_->pending_count() + comebacks_.size()},
      {"logins", swarm_->logins()},        {"resumed", swarm_->resumptions()},
      {"losses", swarm_->losses()},        {"heartbeats", counts.heartbeats},
      {"messages", counts.messages},       {"repeats", counts.repeats},
      {"doubled", counts.doubled},         {"go_aways", counts.go_aways},
      {"last_error", swarm_->last_error()}};
  AddLatency(swarm_->login_latency(), "login", &out);
  AddLatency(counts.heartbeat_latency, "heartbeat", &out);
  AddLatency(counts.message_latency, "message", &out);
  return out;
}

void LoadSession::Connect(const Arguments& arguments) {
  const size_t count = static_cast<size_t>(Number(arguments, "count", 1));
  swarm_->options().at_once = static_cast<size_t>(Number(arguments, "at_once", 32));
  swarm_->options().resume = Number(arguments, "resume", 0) != 0;
  swarm_->Resize(count);
  protocol_->Resize(count);
  attempts_.resize(swarm_->size());
  swarm_->ResetCounts();
  Run(
      arguments,
      [this, count] {
        // Without "reconnect" nobody comes back, and waiting is in vain.
        return swarm_->ready_count() >= count ||
               (swarm_->pending_count() == 0 && comebacks_.empty());
      },
      [this, count]() -> nlohmann::json {
        if (swarm_->ready_count() < count) {
          return {{"error", absl::StrCat(swarm_->ready_count(), " of ", count, " connected; ",
                                         swarm_->last_error())}};
        }
        nlohmann::json out = Counts();
        out["seconds"] = Seconds();
        return out;
      });
  for (size_t i = 0; i < count; ++i) swarm_->Connect(i);
}

void LoadSession::Await(const Arguments& arguments) {
  const auto at_least = [&](const std::string& key) {
    return static_cast<uint64_t>(Number(arguments, key, 0));
  };
  Run(
      arguments,
      [this, ready = at_least("ready"), losses = at_least("losses"),
       messages = at_least("messages")] {
        return swarm_->ready_count() >= ready && swarm_->losses() >= losses &&
               protocol_->counts().messages >= messages;
      },
      [this]() -> nlohmann::json {
        nlohmann::json out = Counts();
        out["seconds"] = Seconds();
        return out;
      });
}

void LoadSession::Heartbeats(const Arguments& arguments) {
  struct Pace {
    size_t next_member = 0;
    uint64_t sent = 0;
    uint64_t wanted;
    double per_second;
    uint64_t answered_before;
    uint64_t wire_sent_before, wire_received_before;
  };
  const auto pace = std::make_shared<Pace>();
  pace->wanted = static_cast<uint64_t>(Number(arguments, "count", 1000));
  pace->per_second = static_cast<double>(Number(arguments, "per_second", 1000));
  protocol_->ResetCounts();
  pace->wire_sent_before = swarm_->wire_bytes_sent();
  pace->wire_received_before = swarm_->wire_bytes_received();
  Run(
      arguments,
      [this, pace] {
        const auto due =
            std::min(pace->wanted, static_cast<uint64_t>(Seconds() * pace->per_second) + 1);
        // A round in which nobody can must end too.
        for (size_t tried = 0; pace->sent < due && tried < swarm_->size(); ++tried) {
          const size_t member = pace->next_member++ % swarm_->size();
          if (!swarm_->ready(member) || !protocol_->SendHeartbeat(swarm_, member)) continue;
          ++pace->sent;
          tried = 0;
        }
        return protocol_->counts().heartbeats >= pace->wanted;
      },
      [this, pace]() -> nlohmann::json {
        nlohmann::json out = Counts();
        out["seconds"] = Seconds();
        out["wire_bytes_sent"] = swarm_->wire_bytes_sent() - pace->wire_sent_before;
        out["wire_bytes_received"] = swarm_->wire_bytes_received() - pace->wire_received_before;
        return out;
      });
}

void LoadSession::Register(const Arguments& arguments) {
  const auto asked = std::make_shared<size_t>(0);
  const auto answered = std::make_shared<size_t>(0);
  const auto app = arguments.find("app");
  const auto vapid_key = arguments.find("vapid_key");
  const auto file = arguments.find("tokens");
  const bool subscribes = vapid_key != arguments.end();
  std::string key;
  if (file == arguments.end() || subscribes == (app != arguments.end()) ||
      (subscribes && !absl::WebSafeBase64Unescape(vapid_key->second, &key))) {
    return answer_(
        {{"error", "register: app=ID or vapid_key=BASE64URL, and tokens=FILE expected"}});
  }
  Run(
      arguments,
      [this, asked, answered, subscribes, key, app_id = subscribes ? std::string() : app->second] {
        while (*answered < *asked && !protocol_->token(*answered).empty()) ++*answered;
        while (*asked < swarm_->size() && *asked - *answered < kRegistrationsAtOnce) {
          const size_t member = (*asked)++;
          if (subscribes) {
            protocol_->RegisterSubscription(swarm_, member, key);
          } else {
            protocol_->RegisterApp(swarm_, member, app_id);
          }
        }
        return *answered == swarm_->size();
      },
      [this, path = file->second]() -> nlohmann::json {
        std::ofstream out(path);
        for (size_t i = 0; i < swarm_->size(); ++i) out << protocol_->token(i) << '\n';
        out.close();
        if (!out.good()) return {{"error", absl::StrCat("can't write ", path)}};
        return {{"tokens", swarm_->size()}, {"seconds", Seconds()}};
      });
}

void LoadSession::OnLost(size_t member) {
  if (!reconnect_) return;
  absl::Duration delay;
  if (const auto asked = protocol_->TakeRetryAfter(member); asked.has_value()) {
    attempts_[member] = 0;
    delay = *asked;
  } else {
    // As an agent does.
    const int attempt = attempts_[member]++;
    delay = absl::Uniform(random_, 0.0, 1.0) *
            std::min(kReconnectMax, kReconnectBase * (1 << std::min(attempt, 16)));
  }
  swarm_->MoveToNextServer(member);
  comebacks_.emplace(loop_->clock().Monotonic() + delay, member);
  if (!tick_->armed()) tick_->Arm(kTick);
}

}  // namespace bellwire::bench
