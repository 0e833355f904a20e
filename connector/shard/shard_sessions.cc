#include "connector/shard/shard_sessions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace bellwire::connector {

using internal::v1::ConnectorRequest;
using internal::v1::HandedOverRequest;

ShardSessions::ShardSessions(Options options)
    : options_(std::move(options)),
      inbox_(std::make_shared<ShardInbox>(std::move(options_.wake_inbox))),
      calls_(
          options_.environment->sessions, options_.environment->networks,
          options_.environment->topics, inbox_,
          [this](uint64_t session_id) { return Find(session_id); }, [this] { ResumeMore(); }),
      shared_{.owner = this,
              .environment = options_.environment,
              .context = options_.context,
              .registry = &calls_,
              .logins = &logins_,
              .loop = options_.loop,
              .log = options_.log} {}

ShardSessions::~ShardSessions() {
  for (const uint64_t session_id : ids()) connections_.erase(session_id);
}

void ShardSessions::Accept(uint64_t session_id, std::unique_ptr<net::Stream> stream,
                           const net::Arrival& arrival) {
  connections_.emplace(session_id, std::make_unique<SocketConnection>(&shared_, session_id,
                                                                      std::move(stream), arrival));
}

DeviceConnection* ShardSessions::Find(uint64_t session_id) {
  const auto it = connections_.find(session_id);
  return it == connections_.end() ? nullptr : &it->second->core();
}

std::vector<uint64_t> ShardSessions::ids() const {
  std::vector<uint64_t> ids;
  ids.reserve(connections_.size());
  for (const auto& [session_id, connection] : connections_) ids.push_back(session_id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

void ShardSessions::DrainInbox() {
  for (ShardInbox::Entry& entry : inbox_->Take()) {
    if (auto* const answer = std::get_if<ShardInbox::Answer>(&entry)) {
      std::move (*answer)();
    } else {
      Handle(std::get<ConnectorRequest>(entry));
    }
  }
}

void ShardSessions::Handle(const ConnectorRequest& request) {
  const bool is_message = request.has_deliver();
  if (is_message && options_.on_message) options_.on_message();
  DeviceConnection* const connection = Find(request.route().session_id());
  const bool taken = connection != nullptr && connection->HandOver(request);
  if (!is_message) return;
  options_.environment->counters.OnHandOver(taken);
  if (taken) return;
  HandedOverRequest nobody;
  nobody.set_device_id(request.device_id());
  *nobody.mutable_route() = request.route();
  nobody.set_seq(request.deliver().message().seq());
  nobody.set_outcome(HandedOverRequest::NO_SESSION);
  calls_.HandedOver(std::move(nobody));
}

void ShardSessions::Flush() {
  for (const uint64_t id : std::exchange(to_flush_, {})) {
    if (DeviceConnection* const connection = Find(id)) connection->OnFlush();
  }
}

void ShardSessions::OnStreamBroken(const Devices& devices) {
  inbox_->AddAnswer([this, devices] {
    for (const uint64_t id : IdsOf(devices)) Find(id)->OnRegistryLost();
  });
}

void ShardSessions::OnStreamOpened(const Devices& devices) {
  inbox_->AddAnswer([this, devices] {
    // Those that wait for their turn already keep it.
    std::vector<uint64_t> waiting = to_resume_;
    std::sort(waiting.begin(), waiting.end());
    for (const uint64_t id : IdsOf(devices)) {
      if (!std::binary_search(waiting.begin(), waiting.end(), id)) to_resume_.push_back(id);
    }
    ResumeMore();
  });
}

std::vector<uint64_t> ShardSessions::IdsOf(const Devices& devices) {
  std::vector<uint64_t> of = ids();
  if (!devices) return of;
  of.erase(std::remove_if(of.begin(), of.end(),
                          [&](uint64_t id) { return !devices(Find(id)->device_id().bytes()); }),
           of.end());
  return of;
}

void ShardSessions::ResumeMore() {
  while (!to_resume_.empty() && calls_.resuming() < kMaxResumes) {
    const uint64_t id = to_resume_.back();
    to_resume_.pop_back();
    // One that has come since has nothing to ask.
    if (DeviceConnection* const connection = Find(id)) connection->Resume();
  }
}

void ShardSessions::Remove(SocketConnection* connection) {
  const auto it = connections_.find(connection->core().session_id());
  options_.loop->DeleteLater(std::move(it->second));
  connections_.erase(it);
  if (options_.on_removed) options_.on_removed();
}

void ShardSessions::FlushSoon(uint64_t session_id) {
  if (to_flush_.empty()) options_.wake_flush();
  to_flush_.push_back(session_id);
}

}  // namespace bellwire::connector
