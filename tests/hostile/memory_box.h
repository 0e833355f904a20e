#ifndef BELLWIRE_TESTS_HOSTILE_MEMORY_BOX_H_
#define BELLWIRE_TESTS_HOSTILE_MEMORY_BOX_H_

#include <cstdint>
#include <string>

namespace bellwire::tests {

// A machine of so much memory: a cgroup (v1 or v2) whose processes the kernel kills beyond it,
// where this process may make one, as root outside of a sandbox. Not thread-safe.
class MemoryBox {
 public:
  explicit MemoryBox(uint64_t bytes);
  // What is in it must have ended.
  ~MemoryBox();
  MemoryBox(const MemoryBox&) = delete;
  MemoryBox& operator=(const MemoryBox&) = delete;

  // False: there is no cgroup, and nothing is limited.
  bool limits() const { return limits_; }

  // While it lives, this process is inside, and so is what it starts.
  class Inside {
   public:
    explicit Inside(MemoryBox* box);
    ~Inside();

   private:
    MemoryBox* const box_;
  };

  // How often the kernel killed something in it.
  uint64_t kills() const;
  // The most that it had at a time: processes, their sockets, and the page cache, which gives way.
  uint64_t peak_bytes() const;

 private:
  bool Write(const std::string& path, const std::string& text) const;

  bool v2_ = false;
  bool limits_ = false;
  std::string dir_;
  // Where this process was before.
  std::string home_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_MEMORY_BOX_H_
