#ifndef BELLWIRE_CLI_DOCTOR_CHECKS_FILE_CHECKS_H_
#define BELLWIRE_CLI_DOCTOR_CHECKS_FILE_CHECKS_H_

#include <string>

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

// Checks of files and disks that all parts share. Pure.
namespace bellwire::cli {

// Less than this and nothing can be written: a store needs 256 KiB to open.
inline constexpr uint64_t kFullBelowBytes = 1024 * 1024;
// With less than both it is time to make room: a busy store writes a gigabyte an hour.
inline constexpr double kNearlyFullBelow = 0.05;
inline constexpr uint64_t kNearlyFullBelowBytes = 2ull * 1024 * 1024 * 1024;
// A store makes a few dozen files.
inline constexpr uint64_t kInodesUsedUpBelow = 64;

void CheckDisk(Part part, const DiskFacts& disk, Findings* findings);

// A file that nobody but its owner may read.
void CheckPrivate(Part part, const FileFacts& file, const std::string& cause, Findings* findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_CHECKS_FILE_CHECKS_H_
