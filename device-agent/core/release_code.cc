#include "device-agent/core/release_code.h"

#include <sys/mman.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace bellwire::agent {

size_t ReleaseCode() {
  FILE* maps = fopen("/proc/self/maps", "re");
  if (maps == nullptr) return 0;
  size_t released = 0;
  // Far longer than any line but one with a very long path, whose rest is then no line of this
  // form.
  char line[1024];
  while (fgets(line, sizeof(line), maps) != nullptr) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    char rights[5] = {};
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, rights) != 3) continue;
    // Private, never written and of a file: what is dropped is read back from there. Not r--p,
    // which may be relocated data that is nowhere else.
    if (strcmp(rights, "r-xp") != 0 || strchr(line, '/') == nullptr) continue;
    if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0) {
      released += end - begin;
    }
  }
  fclose(maps);
  return released;
}

}  // namespace bellwire::agent
