// An app for a phone, in C++: gets its token, prints it, then prints every message.
//
//   bazel run //examples/cpp_app -- com.example.mail [SOCKET]
#include <iostream>
#include <string>

#include "device-agent/client/client.h"
#include "device-agent/client/notification.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: cpp_app APP_ID [SOCKET]\n";
    return 2;
  }
  bellwire::agent::ClientOptions options;
  options.app_id = argv[1];
  if (argc > 2) options.socket_path = argv[2];

  bellwire::agent::ClientCallbacks callbacks;
  callbacks.on_token = [](const std::string& token) {
    // A real app sends it to its backend, which stores it.
    std::cout << "token " << token << std::endl;
  };
  callbacks.on_message = [](const bellwire::agent::Message& message) {
    // Backends that speak APNs or FCM say what a person is to see.
    if (const auto n = bellwire::agent::ParseNotification(message.content, message.payload)) {
      std::cout << "notification " << n->title << ": " << n->body << std::endl;
    } else {
      std::cout << "message " << message.payload << std::endl;
    }
    return true;  // Taken for good: it does not come again.
  };
  callbacks.on_error = [](bellwire::agent::v1::Error::Code, const std::string& message) {
    std::cerr << "error: " << message << std::endl;
  };

  auto client = bellwire::agent::Client::Create(options, callbacks);
  if (!client.ok()) {
    std::cerr << "error: " << client.status().message() << std::endl;
    return 1;
  }
  (*client)->Register();
  const absl::Status status = (*client)->Run();
  std::cerr << "error: " << status.message() << std::endl;
  return 1;
}
