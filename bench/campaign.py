"""Messages per second of a campaign, against smtp-source and against the naive way, and the CPU cost of each message.

python -m bench.campaign                                         five runs of 100,000 messages each
python -m bench.campaign --contacts 20000 --runs 1 --naive 0     a quick run
python -m bench.campaign --group 250,500,1000 --connections 2,4  every combination in turn, to choose settings
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.naive import pace
from bench.report import figures
from bench.report.figures import Figure
from bench.report.progress import say
from bench.testbed import postfix, trial
from bench.testbed.installation import Installation, installed
from bench.testbed.trial import Receiver, Result, Tuning


@dataclass(frozen=True)
class Round:
    """One run of each: the campaign, smtp-source and the naive way."""

    ours: Result
    source: postfix.Sent | None
    naive_per_s: float | None


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    options = _options()
    with (
        trial.receiving() as receiver,
        installed(receiver.port, NAIVE_SMTP_PORT=str(receiver.port)) as installation,
    ):
        message = trial.message()
        bench = Bench(installation, receiver, message, options.contacts)
        tunings = _tunings(options)
        if len(tunings) > 1:
            compare(bench, tunings, options.runs)
            return
        rounds = [bench.round(tunings[0], number, options.naive) for number in range(options.runs)]
    print("\n".join(figure_lines(rounds, len(message))), flush=True)


@dataclass(frozen=True)
class Bench:
    """Resources that all runs share."""

    installation: Installation
    receiver: Receiver
    message: bytes
    contacts: int

    def round(self, tuning: Tuning, number: int, naive: int) -> Round:
        """Run each once; smtp-source goes first in every other round, so that drift favours neither."""
        source = self.source() if number % 2 else None
        ours = self.ours(tuning)
        source = source or self.source()
        per_s = pace.messages_per_second(self.installation, naive) if naive else None
        if per_s:
            say(f"naive way    {naive:>8} messages {per_s:>8.0f}/s")
        return Round(ours, source, per_s)

    def ours(self, tuning: Tuning) -> Result:
        """Run the campaign."""
        result = trial.run(self.installation, self.receiver, self.contacts, tuning)
        say(str(result))
        return result

    def source(self) -> postfix.Sent | None:
        """Run smtp-source with a message of our campaign; return None if it is not installed."""
        tools = postfix.find()
        if tools is None:
            return None
        sent = postfix.send(tools, self.receiver.port, self.message, self.contacts)
        say(f"smtp-source  {self.contacts:>8} messages {sent.per_s:>8.0f}/s   its CPU {sent.cpu_us:.0f} us a message")
        return sent


def compare(bench: Bench, tunings: Sequence[Tuning], runs: int) -> None:
    """Run each tuning in turn, `runs` times, and return the medians, fastest first."""
    results = [(tuning, bench.ours(tuning)) for _ in range(runs) for tuning in tunings]
    rows = []
    for tuning in tunings:
        mine = [result for tried, result in results if tried == tuning]
        rows.append((figures.middle([each.per_s for each in mine]), figures.middle([each.us for each in mine]), tuning))
    print(f"{'messages/s':>10} {'CPU us':>7}   tuning, medians of {runs} runs of {bench.contacts} messages")
    for per_s, us, tuning in sorted(rows, key=lambda row: -row[0]):
        print(f"{per_s:>10.0f} {us:>7.1f}   {tuning}")


def figure_lines(rounds: Sequence[Round], message_bytes: int) -> list[str]:
    """Return the figures as JSON lines; a figure that could not be measured gives its reason."""
    lines = [cost([each.ours for each in rounds]).line]
    pairs = [(each.ours.per_s, each.source.per_s) for each in rounds if each.source]
    if pairs:
        theirs = round(figures.middle([each.source.cpu_us for each in rounds if each.source]), 1)
        facts = {"message_bytes": message_bytes, "smtp_source_cpu_us": theirs}
        lines.append(_ratio("campaign_over_smtp_source", pairs, **facts).line)
    else:
        lines.append(figures.skipped("campaign_over_smtp_source", postfix.MISSING))
    against = [(each.ours.per_s, each.naive_per_s) for each in rounds if each.naive_per_s]
    if against:
        lines.append(_ratio("campaign_over_naive", against).line)
    return lines


def cost(results: Sequence[Result]) -> Figure:
    """Return the CPU time of a message without the receiver's, and its split, with the receiver's."""
    split = {part: round(figures.middle([each.split_us[part] for each in results]), 1) for part in results[0].split_us}
    per_s = round(figures.middle([each.per_s for each in results]))
    facts = {"split": split, "messages": results[0].messages, "messages_per_second": per_s}
    return figures.of("cpu_us_per_message", [each.us for each in results], digits=1, **facts)


def _ratio(name: str, pairs: Sequence[tuple[float, float]], **facts: Any) -> Figure:
    ours, theirs = ([round(pair[side]) for pair in pairs] for side in (0, 1))
    facts = {"messages_per_second": ours, "against_messages_per_second": theirs, **facts}
    return figures.of(name, [mine / other for mine, other in pairs], **facts)


def _tunings(options: argparse.Namespace) -> list[Tuning]:
    return [Tuning(*each) for each in product(options.group, options.senders, options.connections)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000, help="of one campaign (default: %(default)s)")
    parser.add_argument("--naive", type=int, default=400, help="messages of the naive way (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each, in turn (default: %(default)s)")
    several = "; several with commas are compared"
    parser.add_argument("--group", type=_numbers, default=[None], help=f"messages a group{several}")
    parser.add_argument("--senders", type=_numbers, default=[3], help=f"sending processes (default: 3){several}")
    parser.add_argument("--connections", type=_numbers, default=[None], help=f"connections of each{several}")
    return parser.parse_args()


def _numbers(written: str) -> list[int]:
    return [int(each) for each in written.split(",")]


if __name__ == "__main__":
    main()
