#include "ops/core_dumps.h"

#include <sys/prctl.h>

namespace bellwire {

// It can't fail with these arguments.
void SetCoreDumps(bool allowed) { prctl(PR_SET_DUMPABLE, allowed ? 1 : 0, 0, 0, 0); }

}  // namespace bellwire
