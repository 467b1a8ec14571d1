"""A sending worker's memory at 100,000 contacts against 1,000: it must not grow with the campaign.

python -m bench.memory
python -m bench.memory --small 10000 --large 1000000
"""

import argparse
import json

from bench import campaign, sink
from bench.installation import Installation, family, installed, peak_mib, wait_until_idle
from engine import bell


def main() -> None:
    """The command line: the table, then a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1_000, help="contacts (default: %(default)s)")
    parser.add_argument("--large", type=int, default=100_000, help="contacts (default: %(default)s)")
    options = parser.parse_args()
    with sink.running() as server, installed(server.port) as installation:
        small, large = (peak(installation, count) for count in (options.small, options.large))
    figure = {
        "figure": "worker_memory_large_over_small",
        "value": round(large / small, 3),
        "bar": 1.2,
        "contacts": [options.small, options.large],
        "peak_mib": [round(small, 1), round(large, 1)],
    }
    print(json.dumps(figure))


def peak(installation: Installation, count: int) -> float:
    """The peak of resident memory of the processes that send a campaign to `count` contacts, in MiB."""
    campaign.prepare(installation, count)
    senders = installation.sending()
    bell.ring("sequence")
    wait_until_idle(campaign.BUSY, within_s=900)
    mib = peak_mib(family(senders.pid)[1:])
    installation.stop_workers()
    print(f"{count:>8} contacts: a sending process used {mib:.1f} MiB at most", flush=True)
    return mib


if __name__ == "__main__":
    main()
