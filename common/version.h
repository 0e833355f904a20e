#ifndef BELLWIRE_COMMON_VERSION_H_
#define BELLWIRE_COMMON_VERSION_H_

namespace bellwire {

// The version of everything built from this tree (semver.org).
inline constexpr char kVersion[] = "0.1.0";

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_VERSION_H_
