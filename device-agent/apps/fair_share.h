#ifndef BELLWIRE_DEVICE_AGENT_APPS_FAIR_SHARE_H_
#define BELLWIRE_DEVICE_AGENT_APPS_FAIR_SHARE_H_

#include <algorithm>
#include <cstddef>

namespace bellwire::agent {

// Whether a user who has `own` of the `taken` places may take another one, where all users of the
// phone share `places`.
//
// Most of them are for anybody, so a phone with one user can use nearly all. The last eighth is
// rationed: there a user may have a quarter as many as are free. So whatever one user takes, others
// find room, and the first place of a user is there as long as there is any.
inline bool MayTakePlace(size_t places, size_t taken, size_t own) {
  if (taken >= places) return false;
  const size_t free = places - taken;
  if (free > places / 8) return true;
  return own < std::max<size_t>(1, free / 4);
}

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_FAIR_SHARE_H_
