"""Memory of the processes of an instance and of its broker."""

from collections import defaultdict
from pathlib import Path

from redis import Redis

from supervisor import instance

_MIB = 2**20


def resident_mib(var: Path, *roles: str) -> float:
    """Resident memory of the roles and all their child processes."""
    running = instance.load(var)
    children = defaultdict(list)
    sizes = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text(encoding="utf-8")
            except OSError:
                continue  # it ended meanwhile
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            children[int(fields["PPid"])].append(int(entry.name))
            sizes[int(entry.name)] = int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    pending = [pid for name, pid in (running.processes if running else {}).items() if name in roles]
    total = 0.0
    while pending:
        pid = pending.pop()
        total += sizes.get(pid, 0.0)
        pending += children[pid]
    return total


def broker_mib(var: Path) -> float:
    """What the broker says it uses."""
    running = instance.load(var)
    if running is None:
        return 0.0
    with Redis.from_url(running.environment["REDIS_URL"]) as broker:
        return float(broker.info("memory")["used_memory"]) / _MIB
