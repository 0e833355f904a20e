#include "gateway/topics/fan_out_flags.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace bellwire::gateway {

void AddFanOutFlags(CLI::App* app, FanOutFlags* flags) {
  app->add_option("--fan_outs", flags->at_once,
                  "Topic messages that are sent to their subscribers at a time; 0 leaves them to "
                  "other gateways")
      ->type_name("N")
      ->check(CLI::Range(0, 64).description(""))
      ->capture_default_str();
  app->add_option("--fan_out_rate", flags->most_per_second,
                  "Messages a second that topic messages come to at most, of this gateway [as many "
                  "as nobody waits for]")
      ->type_name("N")
      ->check(CLI::Range(1.0, 1e9).description(""));
}

}  // namespace bellwire::gateway
