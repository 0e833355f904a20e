#include "ops/metrics/daemon_metrics.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "ops/main_support.h"

namespace bellwire::metrics {

void AddMetricsFlags(CLI::App* app, MetricsFlags* flags, bool local_only) {
  app->add_option("--metrics_listen", flags->listen,
                  absl::StrCat("Where Prometheus reads /metrics, and others /healthz and /readyz, "
                               "over HTTP in clear text: HOST:PORT",
                               local_only ? " of a loopback address" : "",
                               ", or unix:PATH; port 0 takes a free one. Without it there is none"))
      ->type_name("ADDRESS");
}

absl::Status DaemonMetrics::Serve(const MetricsFlags& flags, bool local_only) {
  if (flags.listen.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Exposer>> exposer =
      Exposer::Start({.listen = flags.listen,
                      .local_only = local_only,
                      .metrics = &metrics_,
                      .readiness = &readiness_});
  if (!exposer.ok()) return WithHint(exposer.status(), "choose another --metrics_listen");
  exposer_ = *std::move(exposer);
  return absl::OkStatus();
}

void DaemonMetrics::AppendAddress(
    std::vector<std::pair<std::string, std::string>>* fields) const {
  if (exposer_ != nullptr) fields->emplace_back("metrics_address", exposer_->address());
}

void DaemonMetrics::AppendListener(std::vector<Watchdog::Listener>* listeners) {
  if (exposer_ == nullptr) return;
  listeners->push_back({.name = "metrics_port", .responds = [this](absl::Duration patience) {
                          return exposer_->Responds(patience);
                        }});
}

}  // namespace bellwire::metrics
