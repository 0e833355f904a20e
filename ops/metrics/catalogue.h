#ifndef BELLWIRE_OPS_METRICS_CATALOGUE_H_
#define BELLWIRE_OPS_METRICS_CATALOGUE_H_

#include <cstdint>
#include <string>
#include <vector>

// Every metric of every program: the one place that names them. docs/operate/metrics.md holds the
// same list, and a test compares the two (RenderTable).
//
// Names follow Prometheus: base units (seconds, bytes), counters end with _total. Labels take
// values from small fixed sets.
namespace bellwire::metrics {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

// Which programs have a metric. `bellwire serve` has what gateway, connector and registry have.
enum class Part : uint8_t {
  kEvery,
  kServers,
  kGateway,
  kConnector,
  kRegistry,
  kAgent,
  kCompanion,
};

struct Metric {
  const char* name;
  Kind kind;
  Part part;
  // Separated by spaces; empty: none.
  const char* labels;
  // One sentence.
  const char* help;
};

// --- Every program. ---

inline constexpr Metric kBuildInfo = {"bellwire_build_info", Kind::kGauge, Part::kEvery,
                                      "program version", "Always 1: which program this is."};
inline constexpr Metric kReady = {"bellwire_ready", Kind::kGauge, Part::kEvery, "",
                                  "1 while /readyz says 200, and 0 otherwise."};
inline constexpr Metric kCpuSeconds = {"process_cpu_seconds_total", Kind::kCounter, Part::kEvery,
                                       "", "CPU time of the process, user and system."};
inline constexpr Metric kResidentBytes = {"process_resident_memory_bytes", Kind::kGauge,
                                          Part::kEvery, "", "Memory that the process has in RAM."};
inline constexpr Metric kThreads = {"process_threads", Kind::kGauge, Part::kEvery, "",
                                    "Threads of the process."};
inline constexpr Metric kOpenDescriptors = {"process_open_fds", Kind::kGauge, Part::kEvery, "",
                                            "Open file descriptors."};
inline constexpr Metric kMaxDescriptors = {"process_max_fds", Kind::kGauge, Part::kEvery, "",
                                           "How many file descriptors may be open."};
inline constexpr Metric kStartTime = {"process_start_time_seconds", Kind::kGauge, Part::kEvery, "",
                                      "When the process started, in Unix time."};

// --- Every server. ---

inline constexpr Metric kQueueLength = {
    "bellwire_queue_length", Kind::kGauge, Part::kServers, "queue",
    "How much of a bounded resource is taken; the table of queues says of which."};
inline constexpr Metric kQueueBound = {
    "bellwire_queue_bound", Kind::kGauge, Part::kServers, "queue",
    "How much of it there is. What comes beyond the bound is refused."};
inline constexpr Metric kCertificateExpiry = {
    "bellwire_certificate_expiry_timestamp_seconds", Kind::kGauge, Part::kServers, "certificate",
    "When a certificate in the data directory ends, in Unix time; 0: it can't be read."};

// --- Gateway. ---

inline constexpr Metric kMessages = {
    "bellwire_gateway_messages_total", Kind::kCounter, Part::kGateway, "door sender outcome",
    "Messages that were answered, by the door they came through, who sent them (team or "
    "subscription) and the answer."};
inline constexpr Metric kSendSeconds = {
    "bellwire_gateway_send_seconds", Kind::kHistogram, Part::kGateway, "door",
    "Time from the Send to its answer, without what was refused for lack of room."};
inline constexpr Metric kHttpConnections = {
    "bellwire_gateway_connections_total", Kind::kCounter, Part::kGateway, "result",
    "Connections that came to the ports of the gateway: accepted, or refused for lack of room."};

// --- Connector. ---

inline constexpr Metric kSessions = {"bellwire_connector_sessions", Kind::kGauge,
                                     Part::kConnector, "", "Devices with a live session."};
inline constexpr Metric kHandshakes = {
    "bellwire_connector_handshakes_total", Kind::kCounter, Part::kConnector, "kind",
    "TLS handshakes that ended: full, resumed with a ticket, or failed."};
inline constexpr Metric kLogins = {
    "bellwire_connector_logins_total", Kind::kCounter, Part::kConnector, "result",
    "Logins that ended: ok, or why the connection closed before it had a session."};
inline constexpr Metric kSessionsEnded = {
    "bellwire_connector_sessions_ended_total", Kind::kCounter, Part::kConnector, "reason",
    "Sessions that ended, and why."};
inline constexpr Metric kPushes = {"bellwire_connector_pushes_total", Kind::kCounter,
                                   Part::kConnector, "",
                                   "Messages that were written to a device's connection."};
inline constexpr Metric kHandOversTaken = {
    "bellwire_connector_hand_overs_total", Kind::kCounter, Part::kConnector, "result",
    "Messages that registries handed over: taken for a session, or there was none (no_session)."};
inline constexpr Metric kHeartbeats = {"bellwire_connector_heartbeats_total", Kind::kCounter,
                                       Part::kConnector, "", "Heartbeats that devices sent."};
inline constexpr Metric kBytesInFlight = {
    "bellwire_connector_bytes_in_flight", Kind::kGauge, Part::kConnector, "",
    "Bytes of messages that were sent to devices and not acknowledged."};

// --- Registry. ---

inline constexpr Metric kStoreOk = {
    "bellwire_registry_store_ok", Kind::kGauge, Part::kRegistry, "",
    "1 while the store can be read and written, 0 after it failed."};
inline constexpr Metric kCommits = {
    "bellwire_registry_commits_total", Kind::kCounter, Part::kRegistry, "result",
    "Commits of the store, each with one sync of its log: ok or failed."};
inline constexpr Metric kCommitSeconds = {
    "bellwire_registry_commit_seconds", Kind::kHistogram, Part::kRegistry, "",
    "Time of a commit, the sync included."};
inline constexpr Metric kBatchOperations = {
    "bellwire_registry_batch_operations", Kind::kHistogram, Part::kRegistry, "",
    "Operations that one commit made durable."};
inline constexpr Metric kRefused = {
    "bellwire_registry_refused_total", Kind::kCounter, Part::kRegistry, "",
    "Operations that were refused because their owner's room in the queue was full."};
inline constexpr Metric kQuotaRefused = {
    "bellwire_registry_quota_refused_total", Kind::kCounter, Part::kRegistry, "of",
    "Messages, topics and streams of receipts that were refused for a quota, by whose it is."};
inline constexpr Metric kSteps = {
    "bellwire_registry_steps_total", Kind::kCounter, Part::kRegistry, "step",
    "Steps in the life of messages (receipts), as docs/reference lists them."};
inline constexpr Metric kMailboxMessages = {
    "bellwire_registry_mailbox_messages", Kind::kHistogram, Part::kRegistry, "",
    "Messages of one app that waited on one device, each time that one was added."};
inline constexpr Metric kToAgentSeconds = {
    "bellwire_registry_to_agent_seconds", Kind::kHistogram, Part::kRegistry, "",
    "Time from the acceptance of a message, or its deliver_at, until its device acknowledged it."};
inline constexpr Metric kToAppSeconds = {
    "bellwire_registry_to_app_seconds", Kind::kHistogram, Part::kRegistry, "",
    "The same until its app acknowledged it."};
inline constexpr Metric kDevices = {"bellwire_registry_devices", Kind::kGauge, Part::kRegistry, "",
                                    "Devices of the store, revoked ones too."};
inline constexpr Metric kDevicesAdmitted = {
    "bellwire_registry_new_devices_total", Kind::kCounter, Part::kRegistry, "",
    "Devices that came in and that nobody had seen before."};
inline constexpr Metric kDevicesRefused = {
    "bellwire_registry_devices_refused_total", Kind::kCounter, Part::kRegistry, "reason",
    "New devices that were turned away: not_enrolled, too_many_devices or too_many_new_devices."};
inline constexpr Metric kRegistrationsRefused = {
    "bellwire_registry_registrations_refused_total", Kind::kCounter, Part::kRegistry, "",
    "Apps and subscriptions that were refused because their device has as many as it may."};

inline constexpr Metric kStoreMemoryBytes = {
    "bellwire_registry_store_memory_bytes", Kind::kGauge, Part::kRegistry, "",
    "Memory of RocksDB: what is in no table yet, and blocks of tables; 384 MiB at most."};
inline constexpr Metric kDatabaseReadSeconds = {
    "bellwire_registry_database_read_seconds", Kind::kHistogram, Part::kRegistry, "",
    "Time of a round trip to the database for reads; none where the store is in RocksDB, as of the "
    "next four."};
inline constexpr Metric kUnknownCommits = {
    "bellwire_registry_unknown_commits_total", Kind::kCounter, Part::kRegistry, "result",
    "Commits whose answer was lost, by what the database said of them later: made, or not."};
inline constexpr Metric kStoreResumed = {
    "bellwire_registry_store_resumed_total", Kind::kCounter, Part::kRegistry, "",
    "How often the registry took its partitions anew, after the database or a commit failed."};
inline constexpr Metric kDeviceCacheBytes = {
    "bellwire_registry_device_cache_bytes", Kind::kGauge, Part::kRegistry, "",
    "Memory of the devices that are held in front of the database (--database_cache_mib)."};
inline constexpr Metric kDeviceCacheLookUps = {
    "bellwire_registry_device_cache_look_ups_total", Kind::kCounter, Part::kRegistry, "result",
    "Looks for the records of a device in front of the database: hit, or a round trip."};

// --- Agent. ---

inline constexpr Metric kAgentConnected = {"bellwire_agent_connected", Kind::kGauge, Part::kAgent,
                                           "", "1 while the agent has a session."};
inline constexpr Metric kAgentInbox = {"bellwire_agent_inbox_messages", Kind::kGauge, Part::kAgent,
                                       "", "Messages on disk that their app has not taken."};
inline constexpr Metric kAgentHeartbeatInterval = {
    "bellwire_agent_heartbeat_interval_seconds", Kind::kGauge, Part::kAgent, "",
    "Silence after which the agent sends a heartbeat now."};
inline constexpr Metric kAgentHeartbeats = {"bellwire_agent_heartbeats_total", Kind::kCounter,
                                            Part::kAgent, "", "Heartbeats that the agent sent."};
inline constexpr Metric kAgentBytes = {
    "bellwire_agent_bytes_total", Kind::kCounter, Part::kAgent, "direction",
    "Bytes of frames on the connection to the server: sent or received."};

// --- Companion. ---

inline constexpr Metric kCompanionConnected = {
    "bellwire_companion_connected", Kind::kGauge, Part::kCompanion, "",
    "1 while the companion is connected to the phone's agent."};
inline constexpr Metric kCompanionSubscriptions = {
    "bellwire_companion_subscriptions", Kind::kGauge, Part::kCompanion, "front",
    "Subscriptions that live: of apps over D-Bus (unifiedpush), or of browsers."};
inline constexpr Metric kCompanionMessages = {
    "bellwire_companion_messages_total", Kind::kCounter, Part::kCompanion, "front outcome",
    "Messages that came from the agent (received), that an app or browser took (taken), and that "
    "were dropped on their way (dropped)."};

// All of the above.
const std::vector<const Metric*>& AllMetrics();
bool IsListed(const Metric& metric);

std::vector<std::string> LabelsOf(const Metric& metric);

// The tables of docs/operate/metrics.md, in Markdown.
std::string RenderTable();

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_CATALOGUE_H_
