#include "ops/metrics/catalogue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bellwire::metrics {
namespace {

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "";
}

const char* TitleOf(Part part) {
  switch (part) {
    case Part::kEvery:
      return "Every program";
    case Part::kServers:
      return "Every server";
    case Part::kGateway:
      return "Gateway";
    case Part::kConnector:
      return "Connector";
    case Part::kRegistry:
      return "Registry";
    case Part::kAgent:
      return "Agent";
    case Part::kCompanion:
      return "Companion";
  }
  return "";
}

}  // namespace

const std::vector<const Metric*>& AllMetrics() {
  static const auto& all = *new std::vector<const Metric*>{
      &kBuildInfo,      &kReady,          &kCpuSeconds,      &kResidentBytes,
      &kThreads,        &kOpenDescriptors, &kMaxDescriptors, &kStartTime,
      &kQueueLength,    &kQueueBound,     &kCertificateExpiry,
      &kMessages,       &kSendSeconds,    &kHttpConnections,
      &kSessions,       &kHandshakes,     &kLogins,          &kSessionsEnded,
      &kPushes,         &kHandOversTaken, &kHeartbeats,      &kBytesInFlight,
      &kStoreOk,        &kCommits,        &kCommitSeconds,   &kBatchOperations,
      &kRefused,        &kQuotaRefused,   &kSteps,          &kMailboxMessages, &kToAgentSeconds,
      &kToAppSeconds,   &kStoreMemoryBytes,
      &kDatabaseReadSeconds, &kUnknownCommits, &kStoreResumed,
      &kDeviceCacheBytes, &kDeviceCacheLookUps,
      &kDevices,        &kDevicesAdmitted, &kDevicesRefused, &kRegistrationsRefused,
      &kAgentConnected, &kAgentInbox,      &kAgentHeartbeatInterval,
      &kAgentHeartbeats, &kAgentBytes,    &kCompanionConnected,
      &kCompanionSubscriptions,           &kCompanionMessages};
  return all;
}

bool IsListed(const Metric& metric) {
  const std::vector<const Metric*>& all = AllMetrics();
  return std::find(all.begin(), all.end(), &metric) != all.end();
}

std::vector<std::string> LabelsOf(const Metric& metric) {
  return absl::StrSplit(metric.labels, ' ', absl::SkipEmpty());
}

std::string RenderTable() {
  std::string table;
  const Metric* before = nullptr;
  for (const Metric* metric : AllMetrics()) {
    if (before == nullptr || before->part != metric->part) {
      absl::StrAppend(&table, before == nullptr ? "" : "\n", "### ", TitleOf(metric->part),
                      "\n\n| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n");
    }
    const std::vector<std::string> labels = LabelsOf(*metric);
    absl::StrAppend(&table, "| `", metric->name, "` | ", NameOf(metric->kind), " | ",
                    absl::StrJoin(labels, ", "), " | ", metric->help, " |\n");
    before = metric;
  }
  return table;
}

}  // namespace bellwire::metrics
