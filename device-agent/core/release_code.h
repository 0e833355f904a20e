#ifndef BELLWIRE_DEVICE_AGENT_CORE_RELEASE_CODE_H_
#define BELLWIRE_DEVICE_AGENT_CORE_RELEASE_CODE_H_

#include <cstddef>

namespace bellwire::agent {

// Gives the pages of code that this process has touched back to the page cache: starting up and
// logging in run through megabytes of libraries that an idle agent needs a few kilobytes of. Costs
// some minor faults when code runs again, and touches no data. The bytes of code that were looked
// at; 0 if /proc can't be read.
size_t ReleaseCode();

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_RELEASE_CODE_H_
