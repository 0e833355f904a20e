#ifndef BELLWIRE_REGISTRY_WRITER_THREAD_H_
#define BELLWIRE_REGISTRY_WRITER_THREAD_H_

#include <thread>

#include "common/clock.h"
#include "registry/group_commit.h"
#include "registry/store.h"

namespace bellwire::registry {

// The one thread that uses the store: runs batches as they come and, between them, sweeps away what is
// due, a bounded step each kSweepInterval or as long as more is due.
class WriterThread {
 public:
  // Starts it. All must outlive this object.
  WriterThread(GroupCommit* group_commit, Store* store, const Clock* clock);
  // Lets it finish what is queued, and waits for that.
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

 private:
  void Loop();
  // Whether more is due.
  bool SweepStep();

  GroupCommit* const group_commit_;
  Store* const store_;
  const Clock* const clock_;
  std::thread thread_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_WRITER_THREAD_H_
