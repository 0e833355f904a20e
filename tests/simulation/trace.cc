#include "tests/simulation/trace.h"

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::simulation {

void Trace::Note(int device, const char* what, uint64_t a, uint64_t b, bool of_message) {
  const int64_t at_ms = absl::ToInt64Milliseconds(clock_->Monotonic() - start_);
  Mix(static_cast<uint64_t>(at_ms));
  Mix(static_cast<uint64_t>(device));
  for (const char c : absl::string_view(what)) Mix(static_cast<uint8_t>(c));
  Mix(a);
  Mix(b);
  ++events_;
  last_.push_back({at_ms, device, what, a, b, of_message});
  if (last_.size() > kKept) last_.pop_front();
}

void Trace::Print(int device, uint64_t message, size_t lines, std::ostream& out) const {
  if (message != 0) {
    out << "All of message " << message << ":\n";
    for (const Event& event : last_) {
      if (event.of_message && event.a == message) PrintEvent(event, out);
    }
    out << "All of its device, at last:\n";
  }
  std::vector<const Event*> chosen;
  for (auto it = last_.rbegin(); it != last_.rend() && chosen.size() < lines; ++it) {
    if (it->device == device || it->device == kEverybody) chosen.push_back(&*it);
  }
  for (auto it = chosen.rbegin(); it != chosen.rend(); ++it) PrintEvent(**it, out);
}

void Trace::PrintEvent(const Event& event, std::ostream& out) {
  const std::string who =
      event.device == kEverybody ? "-" : absl::StrFormat("device %d", event.device);
  out << absl::StreamFormat("%14.3f s  %-12s %-28s %d %d\n",
                            static_cast<double>(event.at_ms) / 1000, who, event.what, event.a,
                            event.b);
}

}  // namespace bellwire::simulation
