#include "cli/doctor/testing/box.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bellwire::tests {
namespace {

constexpr char kBare[] =
    "env -u BELLWIRE_DATA_DIR -u BELLWIRE_SERVER -u BELLWIRE_CA -u BELLWIRE_AGENT_SOCKET "
    "-u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR -u XDG_STATE_HOME HOME=/nonexistent";
constexpr char kNoServerConfig[] = " --server_config /nonexistent ";
constexpr char kNoAgentConfig[] = " --agent_config /nonexistent ";

std::string Bellwire() { return std::filesystem::absolute("cli/bellwire").string(); }

std::string Run(const std::string& command, int* exit_code) {
  FILE* const pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  while (pipe != nullptr) {
    const size_t n = fread(buffer, 1, sizeof(buffer), pipe);
    if (n == 0) break;
    text.append(buffer, n);
  }
  const int status = pipe == nullptr ? -1 : pclose(pipe);
  *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return text;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const SeenFinding& f) {
  return out << f.severity << " " << f.part << " " << f.cause << " (" << f.subject
             << "): " << f.what << " TO DO: " << f.to_do;
}

std::ostream& operator<<(std::ostream& out, const Diagnosis& diagnosis) {
  return out << "exit " << diagnosis.exit_code << "\n" << diagnosis.text;
}

std::vector<std::string> Diagnosis::causes() const {
  std::set<std::string> causes;
  for (const SeenFinding& finding : findings) {
    causes.insert(absl::StrCat(finding.part, " ", finding.cause));
  }
  return {causes.begin(), causes.end()};
}

Diagnosis Diagnose(const std::string& flags, const std::string& environment) {
  Diagnosis diagnosis;
  diagnosis.text =
      Run(absl::StrCat(kBare, " ", environment, " timeout 120 ", Bellwire(), " doctor --json",
                       kNoServerConfig,
                       absl::StrContains(flags, "--agent_config ") ? " " : kNoAgentConfig, flags),
          &diagnosis.exit_code);
  const auto json = nlohmann::json::parse(diagnosis.text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("findings")) return diagnosis;
  for (const auto& part : json["parts"]) diagnosis.parts.push_back(part);
  for (const auto& finding : json["findings"]) {
    diagnosis.findings.push_back({finding["part"], finding["severity"], finding["cause"],
                                  finding["subject"], finding["what"], finding["to_do"]});
  }
  return diagnosis;
}

std::string Show(const std::string& command, const std::string& environment) {
  int exit_code = 0;
  return Run(absl::StrCat(kBare, " ", environment, " timeout 120 ", Bellwire(), " ", command,
                          kNoServerConfig, kNoAgentConfig),
             &exit_code);
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

Changed::Changed(std::string path) : path_(std::move(path)), text_(ReadText(path_)) {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return;
  mode_ = info.st_mode & 07777;
  uid_ = info.st_uid;
}

Changed::~Changed() {
  if (!std::filesystem::is_directory(path_)) WriteText(path_, text_);
  chmod(path_.c_str(), mode_);
  if (chown(path_.c_str(), uid_, static_cast<gid_t>(-1)) != 0) abort();
}

class ReplyThread {
 public:
  ReplyThread(int fd, int stop, std::string reply)
      : thread_([=] {
          while (true) {
            pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
            if (poll(polled, 2, /*timeout=*/-1) < 0 || polled[1].revents != 0) return;
            const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) continue;
            char buffer[4096];
            if (read(connection, buffer, sizeof(buffer)) > 0) {
              (void)!write(connection, reply.data(), reply.size());
            }
            close(connection);
          }
        }) {}
  ~ReplyThread() { thread_.join(); }

 private:
  std::thread thread_;
};

OtherProgram::OtherProgram(int port, std::string reply) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  socklen_t size = sizeof(address);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(fd_, 64) != 0 ||
      getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      pipe2(stop_, O_CLOEXEC) != 0) {
    abort();
  }
  port_ = ntohs(address.sin_port);
  if (!reply.empty()) thread_ = std::make_unique<ReplyThread>(fd_, stop_[0], std::move(reply));
}

OtherProgram::~OtherProgram() {
  close(stop_[1]);
  thread_.reset();
  close(stop_[0]);
  close(fd_);
}

}  // namespace bellwire::tests
