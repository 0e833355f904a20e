#ifndef BELLWIRE_TESTS_SIMULATION_SEEDED_KEY_H_
#define BELLWIRE_TESTS_SIMULATION_SEEDED_KEY_H_

#include <memory>
#include <string>

#include "crypto/device_key.h"
#include "tests/simulation/random.h"

namespace bellwire::simulation {

// A device key that is the same for the same random numbers: device ids are the keys of stored
// records, so what is next to what depends on them. Passes through a file at `path`.
std::unique_ptr<DeviceKey> SeededKey(Random random, const std::string& path);

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_SEEDED_KEY_H_
