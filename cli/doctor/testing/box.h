#ifndef BELLWIRE_CLI_DOCTOR_TESTING_BOX_H_
#define BELLWIRE_CLI_DOCTOR_TESTING_BOX_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "tests/support/process.h"

// What tests of `bellwire doctor` share: the real program, run on a box that the test has broken.
namespace bellwire::tests {

// One finding, as --json says.
struct SeenFinding {
  std::string part;
  std::string severity;
  std::string cause;
  std::string subject;
  std::string what;
  std::string to_do;
};
std::ostream& operator<<(std::ostream& out, const SeenFinding& finding);

struct Diagnosis {
  int exit_code = -1;
  std::vector<std::string> parts;
  std::vector<SeenFinding> findings;
  std::string text;

  // Each cause once, as "part CAUSE", in the order of the alphabet.
  std::vector<std::string> causes() const;
};
std::ostream& operator<<(std::ostream& out, const Diagnosis& diagnosis);

// Runs `bellwire doctor --json` with these flags, and `environment` ("NAME=value …") besides an
// environment and configuration files that say nothing.
Diagnosis Diagnose(const std::string& flags, const std::string& environment = "");
// The same as a person sees it, of any command: what it prints.
std::string Show(const std::string& command, const std::string& environment = "");

std::string ReadText(const std::string& path);
void WriteText(const std::string& path, const std::string& text);

// Changes a file for as long as it lives; then the file is as before, with its rights.
class Changed {
 public:
  explicit Changed(std::string path);
  ~Changed();
  Changed(const Changed&) = delete;
  Changed& operator=(const Changed&) = delete;

 private:
  const std::string path_;
  const std::string text_;
  unsigned mode_ = 0;
  unsigned uid_ = 0;
};

// A TCP port of 127.0.0.1 on which this process listens. It takes connections into its backlog and
// says nothing, but answers each with `reply` if there is one.
class OtherProgram {
 public:
  explicit OtherProgram(int port = 0, std::string reply = "");
  ~OtherProgram();
  int port() const { return port_; }

 private:
  int fd_ = -1;
  int port_ = 0;
  int stop_[2] = {-1, -1};
  std::unique_ptr<class ReplyThread> thread_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_CLI_DOCTOR_TESTING_BOX_H_
