"""The day when everybody reconnects at once."""
import statistics
import time

import load
import proc_stats
import scheduling
import senders
import servers
from harness import OURS, Goal
from idle_memory import settle

SUMMARY = "logins per second, full and resumed, and a killed connector whose devices all come back"
PEERS = ["openssl"]
PROGRAMS = [*servers.SEPARATE, load.PROGRAM, load.LOOP, senders.STEADY_SEND]
# Of the crowds, within a round; and of --quick.
LOGIN_TURNS, QUICK_LOGIN_TURNS = 4, 1
# Goals are for what one machine makes of all of it. Metrics with these suffixes say what becomes of
# them if the devices, which are other machines, are kept from the servers' processor time, one way
# or the other.
APART = "_apart"
GIVEN_WAY = "_given_way"
GOALS = [
    Goal("logins_full_per_second", peer="openssl", ratio_at_least=0.85),
    Goal("resumed_to_full", value_at_least=1.5),
    Goal("all_back_s", value_at_most=60),
    Goal("send_p99_growth", value_at_most=2),
    Goal("all_back_s_full", value_at_most=60),
    Goal("send_p99_growth_full", value_at_most=2),
]


def run(bench):
    devices = 100 if bench.quick else 3000
    for round_number in range(bench.rounds):
        measure_logins(bench, round_number, devices)
        # In turns: the machine's speed changes from one minute to the next.
        ways = [False, True] if round_number % 2 == 0 else [True, False]
        for shared_tickets in True, False:
            for crowd_gives_way in ways:
                kill_a_connector(bench, round_number, shared_tickets, crowd_gives_way)


def measure_logins(bench, round_number, devices):
    """Logins per second, many at a time and one after the other, into a server that has nothing
    else to do. Ours is the embedded one: everything that a login needs is in the process. The two
    take turns every few seconds, as a shared machine's speed changes from one minute to the
    next."""
    order = bench.contenders(round_number, OURS, "openssl")
    crowds = {who: LoginCrowd(bench, who, f"logins{round_number}.{who}", devices) for who in order}
    for kind in "full", "resumed":
        rates = {(who, apart): [] for who in order for apart in (False, True)}
        for turn in range(QUICK_LOGIN_TURNS if bench.quick else LOGIN_TURNS):
            for who, apart in rates if turn % 2 == 0 else reversed(rates):
                crowds[who].keep_apart(apart)
                rates[who, apart].append(crowds[who].logins_per_second(kind, devices, at_once=64))
        for (who, apart), turns in rates.items():
            crowds[who].record(kind, statistics.fmean(turns), APART if apart else "")
        for who in order:
            crowds[who].keep_apart(False)
            one_by_one = crowds[who].logins_per_second(kind, devices // 4, at_once=1)
            crowds[who].record(kind, one_by_one, "_one_by_one")
    for crowd in crowds.values():
        crowd.stop()


class LoginCrowd:
    """Devices that log in to a server of theirs."""

    def __init__(self, bench, who, name, devices):
        self._bench, self._who, self._rates = bench, who, {}
        bellwire = servers.Bellwire(bench, name)
        if who == OURS:
            self._server, address = bellwire.serve(), bellwire.device_address
        else:
            self._server, address = servers.start_openssl_loop(bench, bellwire.data_dir)
        self._members = load.Load(bench, who, [address])
        # A device's first login makes its mailbox: that is not what a storm consists of.
        self._members.connect(devices)

    def keep_apart(self, apart):
        """Whether server and devices have processors of their own, from now on."""
        (scheduling.keep_apart if apart else scheduling.share)(self._members, self._server)

    def logins_per_second(self, kind, count, at_once):
        self._members.ask("abort")
        settle(self._server)
        resume = int(kind == "resumed")
        answer = self._members.connect(count, at_once=at_once, resume=resume)
        assert answer["resumed"] == count * resume, answer
        return count / answer["seconds"]

    def record(self, kind, rate, suffix=""):
        self._rates[kind + suffix] = rate
        self._bench.sample(f"logins_{kind}_per_second{suffix}", "1/s", rate, self._who)
        self._bench.progress(
            f"{self._who}: {rate:,.0f} {kind} logins per second{suffix.replace('_', ' ')}"
        )

    def stop(self):
        self._bench.sample(
            "resumed_to_full", "×", self._rates["resumed"] / self._rates["full"], self._who
        )
        self._members.stop()
        self._server.stop()


def kill_a_connector(bench, round_number, shared_tickets, crowd_gives_way):
    """A connector with all of the devices dies; they come back to another one, which has devices of
    its own that get messages meanwhile. They resume their TLS sessions, as both have the ticket
    keys that `bellwire init` made, unless those are taken away: then every handshake is a full
    one."""
    suffix = ("" if shared_tickets else "_full") + (GIVEN_WAY if crowd_gives_way else "")
    devices, bystanders = (150, 50) if bench.quick else (18000, 500)
    # As long as the crowd takes: p99 of a third of the Sends is another one from round to round.
    quiet_s = 2 if bench.quick else 30
    bellwire = servers.Bellwire(bench, f"kill{round_number}{suffix}")
    if not shared_tickets:
        # Then each has random ones of its own.
        bellwire.data_dir.joinpath("ticket.keys").unlink()
    registry, gateway = bellwire.registry(), bellwire.gateway()
    credentials = bellwire.provider()
    doomed = bellwire.connector("doomed")
    doomed_address = bellwire.device_address
    healthy = bellwire.connector("healthy")
    healthy_address = bellwire.device_address

    others = load.Load(bench, OURS, [healthy_address], name="load.bystanders")
    others.connect(bystanders)
    tokens = bench.dir / f"tokens{round_number}{suffix}"
    others.ask("register", app="com.example.bench", tokens=tokens)
    crowd = load.Load(bench, OURS, [doomed_address])
    crowd.connect(devices)
    if crowd_gives_way:
        for others_work in others, crowd:
            scheduling.give_way(others_work)
    settle(registry)

    sender = senders.start_steady(bench, bellwire, credentials, tokens, 100)
    time.sleep(1)
    sender.ask("report")
    time.sleep(quiet_s)
    before = sender.ask("report")
    memory_before = proc_stats.user_bytes(healthy.pid)
    proc_stats.reset_peak(healthy.pid)
    resident_before = proc_stats.peak_resident_bytes(healthy.pid)

    # Each at once, with the back-off of the agents between attempts; nobody holds them back.
    crowd.ask("reconnect", on=1, resume=1, at_once=devices)
    crowd.move_to(healthy_address)
    crowd.ask("counts", reset=1)
    if crowd_gives_way:
        scheduling.give_way(doomed)  # The kernel frees all it had as part of it.
    doomed.kill()
    back = crowd.ask("await", ready=devices, losses=devices, timeout_s=300)
    during = sender.ask("report")
    sent = sender.ask("stop")
    got = others.ask("await", messages=sent["ok"], timeout_s=30)
    assert (back["resumed"] == back["logins"]) == shared_tickets, back
    assert got["messages"] == sent["ok"] and got["doubled"] == 0, (sent, got)
    settle(healthy)  # Not before: the steady Sends keep it at work.
    peak = proc_stats.peak_resident_bytes(healthy.pid) - resident_before
    grown = proc_stats.user_bytes(healthy.pid) - memory_before

    nice = ", at nice 19," if crowd_gives_way else ""
    bench.progress(
        f"{devices:,} devices{nice} back in {back['seconds']:.1f} s, {back['resumed']:,} resumed, "
        f"{back['losses'] - devices} attempts in vain; Sends' p99 "
        f"{before['p99_us'] / 1000:.1f} ms before, {during['p99_us'] / 1000:.1f} ms meanwhile"
    )
    bench.sample("all_back_s" + suffix, "s", back["seconds"])
    if not crowd_gives_way:  # Else the same once more.
        bench.sample("attempts_per_device" + suffix, "", back["losses"] / devices)
        bench.sample("peak_bytes_per_device" + suffix, "B", peak / devices)
        bench.sample("bytes_per_device_afterwards" + suffix, "B", grown / devices)
    bench.sample("send_p99_before_ms" + suffix, "ms", before["p99_us"] / 1000)
    bench.sample("send_p99_meanwhile_ms" + suffix, "ms", during["p99_us"] / 1000)
    bench.sample("send_p99_growth" + suffix, "×", during["p99_us"] / before["p99_us"])
    for process in (crowd, others, sender, gateway, healthy, registry):
        process.stop()
