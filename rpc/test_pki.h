#ifndef BELLWIRE_RPC_TEST_PKI_H_
#define BELLWIRE_RPC_TEST_PKI_H_

#include <string>

namespace bellwire {

// The certificates of a data directory, fresh, in a directory of their own that goes when this
// does:
//     ca.pem ca.key server.pem server.key           (SANs localhost, 127.0.0.1)
//     internal/ca.pem internal/ca.key internal/node.pem internal/node.key
class TestPki {
 public:
  TestPki();
  ~TestPki();
  TestPki(const TestPki&) = delete;
  TestPki& operator=(const TestPki&) = delete;

  const std::string& dir() const { return dir_; }
  std::string internal_dir() const { return dir_ + "/internal"; }

 private:
  std::string dir_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_TEST_PKI_H_
