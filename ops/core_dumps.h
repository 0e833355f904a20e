#ifndef BELLWIRE_OPS_CORE_DUMPS_H_
#define BELLWIRE_OPS_CORE_DUMPS_H_

namespace bellwire {

// Whether a crash may leave this process's memory in a core dump: payloads, tokens and private keys
// are in it. False also keeps everybody but root from reading it, by /proc/PID/mem or a debugger.
//
// It is the process's "dumpable" attribute (prctl(2)) and not a limit: programs that take dumps
// over a pipe, such as apport, don't look at RLIMIT_CORE, and a limit would be handed on to the
// apps that an agent starts. The attribute ends with the exec of another program. Thread-safe.
void SetCoreDumps(bool allowed);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_CORE_DUMPS_H_
