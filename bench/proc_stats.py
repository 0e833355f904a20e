"""What the kernel knows about a process and about sockets: /proc, nothing else."""
import os
import pathlib
import re
import subprocess

_TICK = os.sysconf("SC_CLK_TCK")


def user_bytes(pid):
    """Memory that is this process's own, and no file's: what it would give back by ending."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return 1024 * int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M)[1])


def peak_resident_bytes(pid):
    """The most that was resident since the start, or since reset_peak."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1])


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def cpu_seconds(pid):
    """User and system time of all threads, to the nanosecond where the kernel tells (schedstat)."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        except FileNotFoundError:
            continue  # That thread ended meanwhile.
    if total:
        return total / 1e9
    fields = (
        pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / _TICK


def socket_slab_bytes():
    """Kernel memory in the caches that grow with TCP sockets and watched descriptors, of the whole
    machine: take the difference. None where only root may know."""
    names = re.compile(
        r"^(TCP|TCPv6|sock_inode_cache|filp|dentry|eventpoll_epi|eventpoll_pwq|"
        r"tw_sock_TCP|request_sock_TCP|skbuff_\w+)$"
    )
    try:
        rows = pathlib.Path("/proc/slabinfo").read_text(encoding="ascii").splitlines()
    except PermissionError:
        return None
    total = 0
    for row in rows:
        fields = row.split()
        if names.match(fields[0]):
            total += int(fields[1]) * int(fields[3])
    return total


def descriptor_limit():
    """Open files that one process may have."""
    return os.sysconf("SC_OPEN_MAX")


def cpu_ticks():
    """What the machine's cores have done since it started: (all ticks, those that the host of a
    virtual machine took for somebody else). Only differences mean something."""
    ticks = [
        int(n)
        for n in pathlib.Path("/proc/stat")
        .read_text(encoding="ascii")
        .split("\n", 1)[0]
        .split()[1:9]
    ]
    return sum(ticks), ticks[7]


def machine():
    """The machine in a line."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    release = ""
    for line in pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("PRETTY_NAME="):
            release = line.partition("=")[2].strip('"')
    return (
        f"{os.cpu_count()} × {model}, {int(memory[1]) / 2**20:.0f} GiB, {release}, "
        f"Linux {os.uname().release}"
    )


def package_versions(names):
    """name → version of those Debian packages that are installed."""
    try:
        out = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *names],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except FileNotFoundError:
        return {}
    return dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
