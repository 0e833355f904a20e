#include "device-agent/companion/unifiedpush/distributor.h"

#include <algorithm>
#include <memory>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/error.h"
#include "common/log.h"

namespace bellwire::companion {
namespace {

std::string ReasonOf(agent::v1::Error::Code code) {
  switch (code) {
    case agent::v1::Error::VAPID_REQUIRED:
      return "VAPID_REQUIRED";
    // A person has to do something: take registrations away, or see the operator.
    case agent::v1::Error::LIMIT_REACHED:
    case agent::v1::Error::SUBSCRIPTIONS_OFF:
      return "ACTION_REQUIRED";
    default:
      return "INTERNAL_ERROR";
  }
}

absl::string_view NameOf(ConnectorCall::Method method) {
  switch (method) {
    case ConnectorCall::Method::kMessage:
      return "Message";
    case ConnectorCall::Method::kNewEndpoint:
      return "NewEndpoint";
    default:
      return "Unregistered";
  }
}

}  // namespace

Distributor::Distributor(SubscriptionHub* hub, Connectors* connectors, const Clock* clock,
                         absl::BitGenRef random)
    : hub_(hub), connectors_(connectors), clock_(clock), random_(random) {}

Distributor::~Distributor() { hub_->Attach(kPrefix, nullptr); }

void Distributor::Start() {
  for (const Subscription& subscription : hub_->List(kPrefix)) {
    const std::optional<RegistrationNote> note = DecodeNote(subscription.note);
    if (!note.has_value()) {
      LogError("registration_unreadable", {{"instance", subscription.instance}});
      continue;
    }
    Registration registration;
    registration.note = *note;
    registration.vapid_key = subscription.vapid_key;
    registration.endpoint = subscription.endpoint;
    registration.tell_endpoint =
        !subscription.endpoint.empty() && subscription.endpoint != note->told_endpoint;
    Insert(subscription.instance, std::move(registration));
  }
  hub_->Attach(kPrefix, this);
  for (const auto& entry : by_instance_) Proceed(entry.first);
}

// --- What apps ask for. ---

void Distributor::Register(const RegisterRequest& request, const std::string& sender,
                           std::function<void(const RegisterAnswer&)> answer) {
  if (waiting_registers_ >= kMaxWaitingRegisters) return answer({"INTERNAL_ERROR"});
  ++waiting_registers_;
  connectors_->FindOwner(request.service,
                         [this, request, sender, answer](const std::string& owner) {
                           --waiting_registers_;
                           if (owner != sender || owner.empty()) return answer({"UNAUTHORIZED"});
                           Admit(request, answer);
                         });
}

void Distributor::Admit(const RegisterRequest& request,
                        std::function<void(const RegisterAnswer&)> answer) {
  const auto name = by_name_.find({request.service, request.token});
  if (name == by_name_.end()) return Add(request, std::move(answer));
  const std::string instance = name->second;
  const auto it = by_instance_.find(instance);
  Registration& registration = it->second;
  if (registration.vapid_key != request.vapid_key) {
    // An endpoint has one key for its whole life: this is another one.
    if (absl::Status s = hub_->Unsubscribe(instance); !s.ok()) return answer({"INTERNAL_ERROR"});
    Remove(it, "INTERNAL_ERROR");
    return Add(request, std::move(answer));
  }
  if (registration.note.generation != request.generation ||
      registration.note.description != request.description) {
    registration.note.generation = request.generation;
    registration.note.description = request.description;
    if (std::string reason = Keep(instance, registration); !reason.empty()) {
      return answer({reason});
    }
  }
  if (registration.endpoint.empty()) {
    ++waiting_registers_;
    registration.askers.push_back({std::move(answer), clock_->Monotonic() + kRegisterPatience});
    return;
  }
  answer({});
  registration.tell_endpoint = true;
  // The app is there: whatever failed before may work now.
  registration.rests_until.reset();
  Proceed(instance);
}

void Distributor::Add(const RegisterRequest& request,
                      std::function<void(const RegisterAnswer&)> answer) {
  const auto first = by_name_.lower_bound({request.service, ""});
  size_t of_app = 0;
  for (auto it = first; it != by_name_.end() && it->first.first == request.service; ++it) ++of_app;
  if (of_app >= kMaxRegistrationsPerApp || by_instance_.size() >= kMaxRegistrations) {
    LogWarning("registration_refused", {{"service", request.service},
                                        {"registrations_of_app", of_app},
                                        {"registrations", by_instance_.size()}});
    return answer({"ACTION_REQUIRED"});
  }
  const std::string instance = absl::StrFormat(
      "%s%016x%016x", kPrefix, absl::Uniform<uint64_t>(random_), absl::Uniform<uint64_t>(random_));
  Registration registration;
  registration.note = {request.generation, request.service, request.token, request.description, ""};
  registration.vapid_key = request.vapid_key;
  if (std::string reason = Keep(instance, registration); !reason.empty()) return answer({reason});
  ++waiting_registers_;
  registration.askers.push_back({std::move(answer), clock_->Monotonic() + kRegisterPatience});
  Insert(instance, std::move(registration));
  LogInfo("registered", {{"service", request.service}, {"instance", instance}});
}

std::string Distributor::Keep(const std::string& instance, const Registration& registration) {
  Subscription subscription;
  subscription.instance = instance;
  subscription.owner = registration.note.service;
  subscription.vapid_key = registration.vapid_key;
  subscription.note = EncodeNote(registration.note);
  const absl::Status status = hub_->Subscribe(subscription);
  if (status.ok()) return "";
  LogError("registration_not_kept",
           {{"service", registration.note.service}, {"error", status.message()}});
  return ErrorReason(status) == "TOO_MANY_SUBSCRIPTIONS" ? "ACTION_REQUIRED" : "INTERNAL_ERROR";
}

Distributor::ByInstance::iterator Distributor::Insert(const std::string& instance,
                                                      Registration registration) {
  const std::string service = registration.note.service;
  const auto first = by_name_.lower_bound({service, ""});
  if (first == by_name_.end() || first->first.first != service) connectors_->Watch(service);
  by_name_[{service, registration.note.token}] = instance;
  registration.backoff.emplace(kFirstRest, kLongestRest, random_);
  return by_instance_.emplace(instance, std::move(registration)).first;
}

void Distributor::Remove(ByInstance::iterator it, absl::string_view reason) {
  Registration registration = std::move(it->second);
  const std::string service = registration.note.service;
  by_name_.erase({service, registration.note.token});
  by_instance_.erase(it);
  const auto first = by_name_.lower_bound({service, ""});
  if (first == by_name_.end() || first->first.first != service) connectors_->Unwatch(service);
  waiting_registers_ -= registration.askers.size();
  AnswerAll(&registration, reason);
}

void Distributor::AnswerAll(Registration* registration, absl::string_view reason) {
  std::vector<Asker> askers;
  askers.swap(registration->askers);
  for (const Asker& asker : askers) asker.answer({std::string(reason)});
}

void Distributor::Unregister(Generation generation, const std::string& token,
                             const std::string& sender,
                             std::function<void(const absl::Status&)> answer) {
  // By service: whose is the token?
  std::map<std::string, std::vector<std::string>> services;
  for (const auto& [name, instance] : by_name_) {
    if (name.second == token) services[name.first].push_back(instance);
  }
  if (services.empty()) return Kill({}, generation, token, sender, answer);
  struct Search {
    size_t unanswered = 0;
    bool found = false;
  };
  const auto search = std::make_shared<Search>();
  search->unanswered = services.size();
  for (const auto& [service, instances] : services) {
    connectors_->FindOwner(service, [=, this, instances = instances](const std::string& owner) {
      --search->unanswered;
      if (owner == sender && !owner.empty()) {
        search->found = true;
        Kill(instances, generation, token, sender, answer);
      } else if (search->unanswered == 0 && !search->found) {
        answer(absl::PermissionDeniedError("the token is of an app whose bus name you don't own"));
      }
    });
  }
}

void Distributor::Kill(const std::vector<std::string>& instances, Generation generation,
                       const std::string& token, const std::string& sender,
                       const std::function<void(const absl::Status&)>& answer) {
  for (const std::string& instance : instances) {
    const auto it = by_instance_.find(instance);
    if (it == by_instance_.end()) continue;
    if (absl::Status s = hub_->Unsubscribe(instance); !s.ok()) return answer(s);
    LogInfo("unregistered", {{"service", it->second.note.service}, {"instance", instance}});
    Remove(it, "INTERNAL_ERROR");
  }
  answer(absl::OkStatus());
  ConnectorCall call;
  call.method = ConnectorCall::Method::kUnregistered;
  call.generation = generation;
  // To the one who asked, who may have given up the name by now.
  call.destination = sender;
  // In the first generation a token would mean that the distributor wanted it so.
  if (generation == Generation::k2) call.token = token;
  connectors_->Call(call, [](CallOutcome) {});
}

// --- What the hub says. ---

void Distributor::OnEndpoint(const std::string& instance, const std::string& endpoint) {
  const auto it = by_instance_.find(instance);
  if (it == by_instance_.end()) return;
  Registration& registration = it->second;
  registration.endpoint = endpoint;
  if (!registration.askers.empty() || registration.note.told_endpoint != endpoint) {
    registration.tell_endpoint = true;
  }
  waiting_registers_ -= registration.askers.size();
  AnswerAll(&registration, "");
  Proceed(instance);
}

void Distributor::OnMessage(const Message& message) {
  const auto it = by_instance_.find(message.instance);
  if (it == by_instance_.end()) return;
  // On a new connection the agent gives again what is still waiting here.
  std::deque<Message>& messages = it->second.messages;
  const bool known = std::any_of(messages.begin(), messages.end(), [&](const Message& waiting) {
    return waiting.delivery_id == message.delivery_id && waiting.message_id == message.message_id;
  });
  if (known) return;
  messages.push_back(message);
  Proceed(message.instance);
}

void Distributor::OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) {
  // UnifiedPush has no word for it.
  LogWarning("messages_dropped", {{"instance", instance}, {"dropped", dropped}});
  hub_->Ack(instance, delivery_id);
}

void Distributor::OnError(const std::string& instance, agent::v1::Error::Code code,
                          const std::string&) {
  const auto it = by_instance_.find(instance);
  if (it == by_instance_.end()) return;
  if (it->second.endpoint.empty()) return Remove(it, ReasonOf(code));
  waiting_registers_ -= it->second.askers.size();
  AnswerAll(&it->second, ReasonOf(code));
}

// --- What apps are told. ---

void Distributor::Proceed(const std::string& instance) {
  const auto it = by_instance_.find(instance);
  if (it == by_instance_.end()) return;
  Registration& registration = it->second;
  if (registration.calling || registration.rests_until.has_value()) return;
  ConnectorCall call;
  call.generation = registration.note.generation;
  call.destination = registration.note.service;
  call.token = registration.note.token;
  uint64_t delivery_id = 0;
  if (registration.tell_endpoint) {
    call.method = ConnectorCall::Method::kNewEndpoint;
    call.text = registration.endpoint;
  } else if (!registration.messages.empty()) {
    const Message& message = registration.messages.front();
    call.method = ConnectorCall::Method::kMessage;
    call.text = message.message_id;
    call.payload = message.payload;
    delivery_id = message.delivery_id;
  } else {
    return;
  }
  registration.calling = true;
  connectors_->Call(call, [this, instance, call, delivery_id](CallOutcome outcome) {
    OnCallDone(instance, call, delivery_id, outcome);
  });
}

void Distributor::OnCallDone(const std::string& instance, const ConnectorCall& call,
                             uint64_t delivery_id, CallOutcome outcome) {
  if (outcome != CallOutcome::kUnanswered || call.generation != Generation::k1) {
    return Finish(instance, call, delivery_id, outcome == CallOutcome::kAnswered);
  }
  // It need not answer. Whoever owns the name has been given the call.
  connectors_->FindOwner(call.destination,
                         [this, instance, call, delivery_id](const std::string& owner) {
                           Finish(instance, call, delivery_id, !owner.empty());
                         });
}

void Distributor::Finish(const std::string& instance, const ConnectorCall& call,
                         uint64_t delivery_id, bool taken) {
  const auto it = by_instance_.find(instance);
  if (it == by_instance_.end()) return;
  Registration& registration = it->second;
  registration.calling = false;
  if (!taken) {
    const absl::Duration rest = registration.backoff->Next();
    LogWarning("app_fails", {{"service", call.destination},
                             {"method", NameOf(call.method)},
                             {"waiting_messages", registration.messages.size()},
                             {"next_attempt_seconds", absl::ToInt64Seconds(rest)}});
    registration.rests_until = clock_->Monotonic() + rest;
    return;
  }
  registration.backoff->Reset();
  if (call.method == ConnectorCall::Method::kMessage) {
    if (!registration.messages.empty() &&
        registration.messages.front().delivery_id == delivery_id) {
      registration.messages.pop_front();
    }
    hub_->Ack(instance, delivery_id);
  } else if (call.text == registration.endpoint) {
    registration.tell_endpoint = false;
    if (registration.note.told_endpoint != call.text) {
      registration.note.told_endpoint = call.text;
      Keep(instance, registration);
    }
  }
  Proceed(instance);
}

void Distributor::OnServiceAppeared(const std::string& service) {
  std::vector<std::string> instances;
  for (auto it = by_name_.lower_bound({service, ""});
       it != by_name_.end() && it->first.first == service; ++it) {
    instances.push_back(it->second);
  }
  for (const std::string& instance : instances) {
    by_instance_[instance].rests_until.reset();
    Proceed(instance);
  }
}

// --- Time. ---

std::optional<MonotonicTime> Distributor::next_due() const {
  std::optional<MonotonicTime> due;
  const auto consider = [&due](MonotonicTime time) {
    if (!due.has_value() || time < *due) due = time;
  };
  for (const auto& [instance, registration] : by_instance_) {
    if (registration.rests_until.has_value()) consider(*registration.rests_until);
    // The first asker came first.
    if (!registration.askers.empty()) consider(registration.askers.front().patience_ends);
  }
  return due;
}

void Distributor::RunDue() {
  const MonotonicTime now = clock_->Monotonic();
  std::vector<std::string> rested;
  std::vector<Asker> impatient;
  for (auto& [instance, registration] : by_instance_) {
    if (registration.rests_until.has_value() && *registration.rests_until <= now) {
      registration.rests_until.reset();
      rested.push_back(instance);
    }
    while (!registration.askers.empty() && registration.askers.front().patience_ends <= now) {
      impatient.push_back(std::move(registration.askers.front()));
      registration.askers.erase(registration.askers.begin());
      --waiting_registers_;
    }
  }
  // The wish stays: NewEndpoint comes once there is a connection.
  for (const Asker& asker : impatient) asker.answer({"NETWORK"});
  for (const std::string& instance : rested) Proceed(instance);
}

}  // namespace bellwire::companion
