"""Time of /healthz while forty connections send bodies byte by byte, and while 1,100 never end their headers.

python -m bench.attacks                       three rounds
python -m bench.attacks --runs 1 --seconds 3  a quick run

No nginx is in front: the server is that of the Procfile.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.attacks import clients
from bench.report import figures
from bench.testbed.installation import installed
from bench.testbed.served import served

ATTACKS: dict[str, Callable[[int], AbstractContextManager[object]]] = {
    "slow bodies": clients.slow_bodies,
    "half-open headers": clients.half_open_headers,
}


def main() -> None:
    """Run the command line: print each measurement, then the figure as a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement (default: %(default)s)")
    options = parser.parse_args()
    with installed(smtp_port=9) as installation, served(installation) as server:
        idle = _p99_ms("no attack", server.port, options.seconds)
        worst = [_under_attack(server.port, options.seconds) for _ in range(options.runs)]
    print(figures.of("healthz_p99_ms_under_attack", worst, digits=1, idle_p99_ms=round(idle, 1)).line, flush=True)


def _under_attack(port: int, seconds: float) -> float:
    """Return the p99 of the worse of both attacks, in ms."""
    waits = []
    for name, attack in ATTACKS.items():
        with attack(port):
            waits.append(_p99_ms(name, port, seconds))
    return max(waits)


def _p99_ms(name: str, port: int, seconds: float) -> float:
    waits = clients.waits_s(port, "/healthz", seconds=seconds)
    p99 = clients.percentile(waits, 99) * 1_000
    print(f"{name:<18} p50 {clients.percentile(waits, 50) * 1_000:6.1f} ms   p99 {p99:6.1f} ms   of {len(waits)}")
    return p99


if __name__ == "__main__":
    main()
