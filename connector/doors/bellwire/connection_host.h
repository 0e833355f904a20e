#ifndef BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_HOST_H_
#define BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_HOST_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "connector/doors/bellwire/connection_state.h"

namespace bellwire::connector {

// How a connection ended, for the log.
struct CloseRecord {
  // When it ended.
  ConnectionState state;
  CloseReason reason;
  // For a person; may be empty.
  std::string detail;
};

// What a DeviceConnection does to the world. Everything happens after the call returns: no answer,
// and no other input, reaches the connection from inside a call. Single-threaded, as the
// connection.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;

  // --- The transport. ---

  // Sends frames to the agent, in order.
  virtual void Send(absl::string_view frames) = 0;
  // Stops and resumes DeviceConnection::OnData: back-pressure. What was read already may still
  // come.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
  // What Send took and the socket did not.
  virtual size_t unsent_bytes() const = 0;
  // See net::Stream.
  virtual std::string tls_exporter() const = 0;
  virtual std::string resumed_ticket_data() const = 0;
  virtual void SendTicket(absl::string_view data) = 0;
  // Sends what is unsent, then closes. The connection is in kClosed; calls of the registry that it
  // made just before are still carried out.
  virtual void Close(const CloseRecord& record) = 0;

  // --- Time. ---

  // DeviceConnection::OnTimer is to be called at `deadline`, instead of when it was last armed for.
  virtual void ArmTimer(MonotonicTime deadline) = 0;
  // DeviceConnection::OnFlush is to be called once, soon: after the input that is at hand.
  virtual void FlushSoon() = 0;

  // --- The session. ---

  // The device is bound to this session: an older one in this process is to be evicted.
  virtual void SessionStarted(const DeviceId& device_id, uint64_t login_number) = 0;

  // --- The registry. Each answer comes back through the On… method named, unless the connection is
  // closed by then. ---

  virtual void Bind(internal::v1::BindRequest request) = 0;      // OnBound
  virtual void Pull(internal::v1::PullRequest request) = 0;      // OnPulled
  virtual void Resume(internal::v1::ResumeRequest request) = 0;  // OnResumed
  virtual void Ack(internal::v1::AckRequest request) = 0;        // OnAckTaken
  virtual void AppAck(internal::v1::AppAckRequest request) = 0;  // OnAppAckTaken
  // OnAppRegistered and OnAppRemoved, with this request id and the name of the app or subscription.
  virtual void RegisterApp(uint32_t request_id, internal::v1::RegisterAppRequest request) = 0;
  virtual void RemoveApp(uint32_t request_id, internal::v1::RemoveAppRequest request) = 0;
  // OnTopicChanged, with this request id.
  virtual void ChangeTopic(uint32_t request_id,
                           internal::v1::ChangeSubscriptionRequest request) = 0;
  // OnNetworkHint, if it tells no interval and the registry answers.
  virtual void ReportNetwork(internal::v1::ReportNetworkRequest request) = 0;
  // No answer is needed.
  virtual void ReportSent(internal::v1::ReportSentRequest request) = 0;
  virtual void HandedOver(internal::v1::HandedOverRequest request) = 0;
  virtual void Unbind(internal::v1::UnbindRequest request) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_HOST_H_
