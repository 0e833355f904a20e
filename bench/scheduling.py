"""Which processor time the processes of a bench get. Devices, and servers that die, are other
machines' work, and have to run on this one."""
import contextlib
import os


def keep_apart(generator, server):
    """The load generator gets a processor of its own from now on, and the server all others. With
    one for all, nothing."""
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        _for_each_thread(generator, lambda thread: os.sched_setaffinity(thread, {first}))
        _for_each_thread(server, lambda thread: os.sched_setaffinity(thread, others))


def share(*processes):
    """All have all processors from now on."""
    for process in processes:
        _for_each_thread(
            process, lambda thread: os.sched_setaffinity(thread, os.sched_getaffinity(0))
        )


def give_way(process):
    """Little while others have something to do: nice 19."""
    _for_each_thread(process, lambda thread: os.setpriority(os.PRIO_PROCESS, thread, 19))


def _for_each_thread(process, change):
    """Threads that these start later are as they are."""
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # It ended meanwhile.
            change(int(thread))
