#include "device-agent/companion/unifiedpush/session_bus.h"

#include <errno.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "boost/asio/error.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "common/error.h"
#include "common/log.h"

namespace bellwire::companion {
namespace {

constexpr char kObject[] = "/org/unifiedpush/Distributor";
constexpr char kConnectorObject[] = "/org/unifiedpush/Connector";
constexpr char kDistributor1[] = "org.unifiedpush.Distributor1";
constexpr char kDistributor2[] = "org.unifiedpush.Distributor2";
constexpr char kBusName[] = "org.freedesktop.DBus";
constexpr char kBusObject[] = "/org/freedesktop/DBus";

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
struct UnrefSlot {
  void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};
using BusPtr = std::unique_ptr<sd_bus, CloseBus>;
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;
using SlotPtr = std::unique_ptr<sd_bus_slot, UnrefSlot>;

absl::Status BusError(absl::string_view what, int negative_errno) {
  return absl::InternalError(absl::StrCat(what, ": ", strerror(-negative_errno)));
}

// The strings of an a{sv}; what has another type is left out, unless it is one of the keys that
// must be strings.
struct Dictionary {
  std::map<std::string, std::string> strings;
  // A key of the protocol whose value is no string; "" if there is none.
  std::string mistyped;

  std::string Get(const std::string& key) const {
    const auto it = strings.find(key);
    return it == strings.end() ? "" : it->second;
  }
};

bool IsOurKey(absl::string_view key) {
  return key == "service" || key == "token" || key == "description" || key == "vapid";
}

// A negative errno if the message is malformed.
int ReadDictionary(sd_bus_message* message, Dictionary* dictionary) {
  int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r >= 0) {
    r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
    if (r <= 0) break;
    const char* key = nullptr;
    if (r = sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &key); r < 0) return r;
    const char* contents = nullptr;
    if (r = sd_bus_message_peek_type(message, nullptr, &contents); r < 0) return r;
    if (IsOurKey(key) && strcmp(contents, "s") == 0) {
      const char* value = nullptr;
      if (r = sd_bus_message_read(message, "v", "s", &value); r < 0) return r;
      dictionary->strings[key] = value;
    } else {
      if (IsOurKey(key)) dictionary->mistyped = key;
      if (r = sd_bus_message_skip(message, "v"); r < 0) return r;
    }
    r = sd_bus_message_exit_container(message);
  }
  return r < 0 ? r : sd_bus_message_exit_container(message);
}

// {"key": "value", …}; pairs with an empty value are left out.
int AppendStrings(sd_bus_message* message,
                  std::initializer_list<std::pair<const char*, std::string>> pairs) {
  for (const auto& [key, value] : pairs) {
    if (value.empty()) continue;
    const int r = sd_bus_message_append(message, "{sv}", key, "s", value.c_str());
    if (r < 0) return r;
  }
  return 0;
}

// A dictionary with the message's bytes as "message".
int AppendPayload(sd_bus_message* message, absl::string_view payload) {
  int r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
  if (r >= 0) r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, "message");
  if (r >= 0) r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, "ay");
  if (r >= 0) {
    r = sd_bus_message_append_array(message, SD_BUS_TYPE_BYTE, payload.data(), payload.size());
  }
  if (r >= 0) r = sd_bus_message_close_container(message);
  if (r >= 0) r = sd_bus_message_close_container(message);
  return r;
}

int AppendArguments1(sd_bus_message* message, const ConnectorCall& call) {
  int r = sd_bus_message_append(message, "s", call.token.c_str());
  if (r >= 0 && call.method == ConnectorCall::Method::kMessage) {
    r = sd_bus_message_append_array(message, SD_BUS_TYPE_BYTE, call.payload.data(),
                                    call.payload.size());
  }
  if (r >= 0 && call.method != ConnectorCall::Method::kUnregistered) {
    r = sd_bus_message_append(message, "s", call.text.c_str());
  }
  return r;
}

int AppendArguments2(sd_bus_message* message, const ConnectorCall& call) {
  const bool is_message = call.method == ConnectorCall::Method::kMessage;
  int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
  if (r >= 0) {
    r = AppendStrings(message,
                      {{"token", call.token}, {is_message ? "id" : "endpoint", call.text}});
  }
  if (r >= 0 && is_message) r = AppendPayload(message, call.payload);
  return r < 0 ? r : sd_bus_message_close_container(message);
}

const char* MemberOf(ConnectorCall::Method method) {
  switch (method) {
    case ConnectorCall::Method::kMessage:
      return "Message";
    case ConnectorCall::Method::kNewEndpoint:
      return "NewEndpoint";
    default:
      return "Unregistered";
  }
}

class SdBus final : public SessionBus {
 public:
  SdBus(boost::asio::io_context* loop, const Clock* clock, absl::Duration app_patience, BusPtr bus)
      : loop_(loop),
        clock_(clock),
        app_patience_(app_patience),
        bus_(std::move(bus)),
        descriptor_(*loop),
        bus_timer_(*loop),
        distributor_timer_(*loop) {}

  ~SdBus() override {
    // Slots first: they are the bus's.
    calls_.clear();
    searches_.clear();
    watches_.clear();
    objects_.clear();
  }

  absl::Status Serve(Distributor* distributor,
                     std::function<void(const absl::Status&)> on_lost) override;

  void FindOwner(const std::string& service,
                 std::function<void(const std::string& owner)> found) override;
  void Call(const ConnectorCall& call, std::function<void(CallOutcome)> done) override;
  void Watch(const std::string& service) override;
  void Unwatch(const std::string& service) override { watches_.erase(service); }

 private:
  // Something that is asked of the bus, and whom to tell.
  struct PendingCall {
    SdBus* self;
    uint64_t id;
    SlotPtr slot;
    MonotonicTime since;
    std::function<void(CallOutcome)> done;
  };
  struct PendingSearch {
    SdBus* self;
    uint64_t id;
    SlotPtr slot;
    std::function<void(const std::string&)> found;
  };

  // The distributor's methods.
  static int OnRegister1(sd_bus_message* message, void* self, sd_bus_error* error);
  static int OnRegister2(sd_bus_message* message, void* self, sd_bus_error* error);
  static int OnUnregister1(sd_bus_message* message, void* self, sd_bus_error* error);
  static int OnUnregister2(sd_bus_message* message, void* self, sd_bus_error* error);
  static const sd_bus_vtable kMethods1[];
  static const sd_bus_vtable kMethods2[];

  static int OnCallEnd(sd_bus_message* reply, void* pending, sd_bus_error* error);
  static int OnSearchEnd(sd_bus_message* reply, void* pending, sd_bus_error* error);
  static int OnOwnerChanged(sd_bus_message* signal, void* self, sd_bus_error* error);

  void Register(sd_bus_message* message, const absl::StatusOr<RegisterRequest>& request);
  void Unregister(sd_bus_message* message, Generation generation, const std::string& token);
  static void AnswerRegister(sd_bus_message* message, Generation generation,
                             const RegisterAnswer& answer);
  static void AnswerError(sd_bus_message* message, const char* name, absl::string_view text);

  // In a turn of its own, if this object lives by then.
  void Later(std::function<void()> work);
  // Ends a call that could not be made.
  void Fail(std::function<void(CallOutcome)> done);
  // Whatever was asked of the bus or of the distributor: its work goes on in a turn of its own.
  void Kick();
  // Does what waits on the bus and in the distributor, then waits for more.
  void Turn();
  void WaitForBus();
  void WaitForDistributor();

  boost::asio::io_context* const loop_;
  const Clock* const clock_;
  const absl::Duration app_patience_;
  const BusPtr bus_;
  // A duplicate of the bus's descriptor: sd-bus closes its own.
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer bus_timer_;
  boost::asio::steady_timer distributor_timer_;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  bool kicked_ = false;

  Distributor* distributor_ = nullptr;
  std::function<void(const absl::Status&)> on_lost_;
  std::vector<SlotPtr> objects_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, PendingCall> calls_;
  std::map<uint64_t, PendingSearch> searches_;
  std::map<std::string, SlotPtr> watches_;
  // Gone with this object: what the loop still holds then does nothing.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

const sd_bus_vtable SdBus::kMethods1[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES(
        "Register", "sss", SD_BUS_PARAM(serviceName) SD_BUS_PARAM(token) SD_BUS_PARAM(description),
        "ss", SD_BUS_PARAM(registrationResult) SD_BUS_PARAM(registrationResultReason),
        SdBus::OnRegister1, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Unregister", "s", SD_BUS_PARAM(token), "", , SdBus::OnUnregister1,
                             SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_METHOD_NO_REPLY),
    SD_BUS_VTABLE_END};

const sd_bus_vtable SdBus::kMethods2[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("Register", "a{sv}", SD_BUS_PARAM(args), "a{sv}", SD_BUS_PARAM(res),
                             SdBus::OnRegister2, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Unregister", "a{sv}", SD_BUS_PARAM(args), "a{sv}", SD_BUS_PARAM(res),
                             SdBus::OnUnregister2, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END};

absl::Status SdBus::Serve(Distributor* distributor,
                          std::function<void(const absl::Status&)> on_lost) {
  distributor_ = distributor;
  on_lost_ = std::move(on_lost);
  const std::pair<const char*, const sd_bus_vtable*> interfaces[] = {{kDistributor1, kMethods1},
                                                                     {kDistributor2, kMethods2}};
  for (const auto& [interface, methods] : interfaces) {
    sd_bus_slot* slot = nullptr;
    const int r = sd_bus_add_object_vtable(bus_.get(), &slot, kObject, interface, methods, this);
    if (r < 0) return BusError(absl::StrCat("can't serve ", interface), r);
    objects_.emplace_back(slot);
  }
  const int r = sd_bus_request_name(bus_.get(), kDistributorBusName, 0);
  if (r == -EEXIST || r == -EALREADY) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "NAME_TAKEN",
                     absl::StrCat("another process has the name ", kDistributorBusName,
                                  " on the session bus: is a companion running already?"));
  }
  if (r < 0) return BusError(absl::StrCat("can't take the name ", kDistributorBusName), r);
  const int fd = dup(sd_bus_get_fd(bus_.get()));
  if (fd < 0) return BusError("can't watch the session bus", -errno);
  boost::system::error_code error;
  descriptor_.assign(fd, error);
  if (error) {
    close(fd);
    return absl::InternalError(absl::StrCat("can't watch the session bus: ", error.message()));
  }
  Kick();
  return absl::OkStatus();
}

// --- What apps ask for. ---

int SdBus::OnRegister1(sd_bus_message* message, void* self, sd_bus_error*) {
  const char* service = nullptr;
  const char* token = nullptr;
  const char* description = nullptr;
  const int r = sd_bus_message_read(message, "sss", &service, &token, &description);
  if (r < 0) return r;
  static_cast<SdBus*>(self)->Register(
      message, CheckRegister(Generation::k1, service, token, description, ""));
  return 1;
}

int SdBus::OnRegister2(sd_bus_message* message, void* self, sd_bus_error*) {
  Dictionary arguments;
  const int r = ReadDictionary(message, &arguments);
  if (r < 0) return r;
  if (!arguments.mistyped.empty()) {
    AnswerError(message, SD_BUS_ERROR_INVALID_ARGS,
                absl::StrCat(arguments.mistyped, ": a string is needed"));
    return 1;
  }
  static_cast<SdBus*>(self)->Register(
      message, CheckRegister(Generation::k2, arguments.Get("service"), arguments.Get("token"),
                             arguments.Get("description"), arguments.Get("vapid")));
  return 1;
}

void SdBus::Register(sd_bus_message* message, const absl::StatusOr<RegisterRequest>& request) {
  if (!request.ok()) {
    return AnswerError(message, SD_BUS_ERROR_INVALID_ARGS, request.status().message());
  }
  const std::shared_ptr<sd_bus_message> call(sd_bus_message_ref(message), UnrefMessage());
  const char* const sender = sd_bus_message_get_sender(message);
  distributor_->Register(
      *request, sender == nullptr ? "" : sender,
      [this, call, generation = request->generation](const RegisterAnswer& answer) {
        AnswerRegister(call.get(), generation, answer);
        Kick();
      });
}

void SdBus::AnswerRegister(sd_bus_message* message, Generation generation,
                           const RegisterAnswer& answer) {
  const char* const result =
      answer.reason.empty() ? "REGISTRATION_SUCCEEDED" : "REGISTRATION_FAILED";
  if (generation == Generation::k1) {
    sd_bus_reply_method_return(message, "ss", result, answer.reason.c_str());
    return;
  }
  sd_bus_message* reply = nullptr;
  if (sd_bus_message_new_method_return(message, &reply) < 0) return;
  const MessagePtr owned(reply);
  if (sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}") < 0) return;
  if (AppendStrings(reply, {{"success", result}, {"reason", answer.reason}}) < 0) return;
  if (sd_bus_message_close_container(reply) < 0) return;
  sd_bus_send(nullptr, reply, nullptr);
}

int SdBus::OnUnregister1(sd_bus_message* message, void* self, sd_bus_error*) {
  const char* token = nullptr;
  const int r = sd_bus_message_read(message, "s", &token);
  if (r < 0) return r;
  static_cast<SdBus*>(self)->Unregister(message, Generation::k1, token);
  return 1;
}

int SdBus::OnUnregister2(sd_bus_message* message, void* self, sd_bus_error*) {
  Dictionary arguments;
  const int r = ReadDictionary(message, &arguments);
  if (r < 0) return r;
  static_cast<SdBus*>(self)->Unregister(message, Generation::k2, arguments.Get("token"));
  return 1;
}

void SdBus::Unregister(sd_bus_message* message, Generation generation, const std::string& token) {
  if (absl::Status s = CheckToken(token); !s.ok()) {
    return AnswerError(message, SD_BUS_ERROR_INVALID_ARGS, s.message());
  }
  const std::shared_ptr<sd_bus_message> call(sd_bus_message_ref(message), UnrefMessage());
  const char* const sender = sd_bus_message_get_sender(message);
  distributor_->Unregister(
      generation, token, sender == nullptr ? "" : sender,
      [this, call, generation](const absl::Status& status) {
        if (!status.ok()) {
          AnswerError(
              call.get(),
              absl::IsPermissionDenied(status) ? SD_BUS_ERROR_ACCESS_DENIED : SD_BUS_ERROR_FAILED,
              status.message());
        } else if (sd_bus_message_get_expect_reply(call.get()) > 0) {
          sd_bus_reply_method_return(call.get(), generation == Generation::k1 ? "" : "a{sv}", 0);
        }
        Kick();
      });
}

void SdBus::AnswerError(sd_bus_message* message, const char* name, absl::string_view text) {
  if (sd_bus_message_get_expect_reply(message) <= 0) return;
  sd_bus_reply_method_errorf(message, name, "%s", std::string(text).c_str());
}

// --- What is asked of apps and of the bus. ---

void SdBus::Call(const ConnectorCall& call, std::function<void(CallOutcome)> done) {
  const bool first = call.generation == Generation::k1;
  sd_bus_message* message = nullptr;
  int r = sd_bus_message_new_method_call(
      bus_.get(), &message, call.destination.c_str(), kConnectorObject,
      first ? "org.unifiedpush.Connector1" : "org.unifiedpush.Connector2", MemberOf(call.method));
  if (r < 0) return Fail(std::move(done));
  const MessagePtr owned(message);
  r = first ? AppendArguments1(message, call) : AppendArguments2(message, call);
  if (r < 0) return Fail(std::move(done));
  const uint64_t id = ++last_id_;
  PendingCall& pending = calls_[id];
  pending = {this, id, nullptr, clock_->Monotonic(), std::move(done)};
  sd_bus_slot* slot = nullptr;
  r = sd_bus_call_async(bus_.get(), &slot, message, &SdBus::OnCallEnd, &pending,
                        static_cast<uint64_t>(absl::ToInt64Microseconds(app_patience_)));
  if (r < 0) {
    std::function<void(CallOutcome)> failed = std::move(pending.done);
    calls_.erase(id);
    return Fail(std::move(failed));
  }
  pending.slot.reset(slot);
  Kick();
}

int SdBus::OnCallEnd(sd_bus_message* reply, void* pending, sd_bus_error*) {
  auto* const call = static_cast<PendingCall*>(pending);
  SdBus* const self = call->self;
  CallOutcome outcome = CallOutcome::kAnswered;
  if (sd_bus_message_is_method_error(reply, nullptr)) {
    // The bus says NoReply too, of an app that ended: then before its time.
    const bool over = sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) &&
                      self->clock_->Monotonic() - call->since >= self->app_patience_;
    outcome = over ? CallOutcome::kUnanswered : CallOutcome::kFailed;
    const sd_bus_error* const error = sd_bus_message_get_error(reply);
    LogDebug("app_call_failed", {{"error", error->name != nullptr ? error->name : ""},
                                 {"text", error->message != nullptr ? error->message : ""}});
  }
  const std::function<void(CallOutcome)> done = std::move(call->done);
  self->calls_.erase(call->id);
  done(outcome);
  self->Kick();
  return 1;
}

void SdBus::Fail(std::function<void(CallOutcome)> done) {
  Later([this, done = std::move(done)] {
    done(CallOutcome::kFailed);
    Kick();
  });
}

void SdBus::FindOwner(const std::string& service,
                      std::function<void(const std::string& owner)> found) {
  const uint64_t id = ++last_id_;
  PendingSearch& pending = searches_[id];
  pending = {this, id, nullptr, std::move(found)};
  sd_bus_slot* slot = nullptr;
  const int r =
      sd_bus_call_method_async(bus_.get(), &slot, kBusName, kBusObject, kBusName, "GetNameOwner",
                               &SdBus::OnSearchEnd, &pending, "s", service.c_str());
  if (r < 0) {
    Later([this, failed = std::move(pending.found)] {
      failed("");
      Kick();
    });
    searches_.erase(id);
    return;
  }
  pending.slot.reset(slot);
  Kick();
}

int SdBus::OnSearchEnd(sd_bus_message* reply, void* pending, sd_bus_error*) {
  auto* const search = static_cast<PendingSearch*>(pending);
  SdBus* const self = search->self;
  const char* owner = nullptr;
  if (sd_bus_message_is_method_error(reply, nullptr) ||
      sd_bus_message_read(reply, "s", &owner) < 0) {
    owner = "";
  }
  const std::string name = owner;
  const std::function<void(const std::string&)> found = std::move(search->found);
  self->searches_.erase(search->id);
  found(name);
  self->Kick();
  return 1;
}

void SdBus::Watch(const std::string& service) {
  sd_bus_slot* slot = nullptr;
  // `service` is a bus name, so that nothing in it needs quoting.
  const std::string match =
      absl::StrCat("type='signal',sender='", kBusName, "',path='", kBusObject, "',interface='",
                   kBusName, "',member='NameOwnerChanged',arg0='", service, "'");
  const int r = sd_bus_add_match_async(bus_.get(), &slot, match.c_str(), &SdBus::OnOwnerChanged,
                                       nullptr, this);
  if (r < 0) {
    // Its messages come after the rest, and not at once.
    LogWarning("app_not_watched", {{"service", service}, {"error", strerror(-r)}});
    return;
  }
  watches_[service].reset(slot);
  Kick();
}

int SdBus::OnOwnerChanged(sd_bus_message* signal, void* self, sd_bus_error*) {
  const char* name = nullptr;
  const char* old_owner = nullptr;
  const char* new_owner = nullptr;
  const int r = sd_bus_message_read(signal, "sss", &name, &old_owner, &new_owner);
  if (r < 0) return r;
  auto* const bus = static_cast<SdBus*>(self);
  if (new_owner[0] != '\0') bus->distributor_->OnServiceAppeared(name);
  bus->Kick();
  return 0;
}

// --- The loop. ---

void SdBus::Kick() {
  if (kicked_) return;
  kicked_ = true;
  Later([this] {
    kicked_ = false;
    Turn();
  });
}

void SdBus::Later(std::function<void()> work) {
  boost::asio::post(*loop_, [weak = std::weak_ptr<bool>(alive_), work = std::move(work)] {
    if (!weak.expired()) work();
  });
}

void SdBus::Turn() {
  if (distributor_ == nullptr) return;
  distributor_->RunDue();
  int r = 1;
  while (r > 0) r = sd_bus_process(bus_.get(), nullptr);
  if (r < 0) {
    distributor_ = nullptr;
    bus_timer_.cancel();
    distributor_timer_.cancel();
    boost::system::error_code ignored;
    descriptor_.cancel(ignored);
    on_lost_(absl::UnavailableError(absl::StrCat("the session bus is gone: ", strerror(-r))));
    return;
  }
  WaitForBus();
  WaitForDistributor();
}

void SdBus::WaitForBus() {
  using boost::asio::posix::stream_descriptor;
  const int events = sd_bus_get_events(bus_.get());
  const auto wait = [this](stream_descriptor::wait_type type, bool* waits) {
    if (*waits) return;
    *waits = true;
    descriptor_.async_wait(type, [weak = std::weak_ptr<bool>(alive_), this,
                                  waits](const boost::system::error_code& error) {
      if (weak.expired()) return;
      *waits = false;
      if (error != boost::asio::error::operation_aborted) Turn();
    });
  };
  if (events > 0 && (events & POLLIN) != 0) wait(stream_descriptor::wait_read, &waits_to_read_);
  if (events > 0 && (events & POLLOUT) != 0) wait(stream_descriptor::wait_write, &waits_to_write_);

  uint64_t due_us = 0;
  if (sd_bus_get_timeout(bus_.get(), &due_us) < 0 || due_us == UINT64_MAX) {
    bus_timer_.cancel();
    return;
  }
  // Both count CLOCK_MONOTONIC.
  bus_timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::microseconds(due_us)));
  bus_timer_.async_wait(
      [weak = std::weak_ptr<bool>(alive_), this](const boost::system::error_code& error) {
        if (!weak.expired() && !error) Turn();
      });
}

void SdBus::WaitForDistributor() {
  const std::optional<MonotonicTime> due = distributor_->next_due();
  if (!due.has_value()) {
    distributor_timer_.cancel();
    return;
  }
  distributor_timer_.expires_after(
      std::chrono::nanoseconds(absl::ToInt64Nanoseconds(*due - clock_->Monotonic())));
  distributor_timer_.async_wait(
      [weak = std::weak_ptr<bool>(alive_), this](const boost::system::error_code& error) {
        if (!weak.expired() && !error) Turn();
      });
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionBus>> SessionBus::Connect(boost::asio::io_context* loop,
                                                                const Clock* clock,
                                                                absl::Duration app_patience) {
  sd_bus* bus = nullptr;
  const int r = sd_bus_open_user_with_description(&bus, "bellwire-companion");
  if (r < 0) {
    return MakeError(absl::StatusCode::kUnavailable, "NO_SESSION_BUS",
                     absl::StrCat("no session bus (DBUS_SESSION_BUS_ADDRESS, or bus in"
                                  " XDG_RUNTIME_DIR): ",
                                  strerror(-r)));
  }
  return std::make_unique<SdBus>(loop, clock, app_patience, BusPtr(bus));
}

}  // namespace bellwire::companion
