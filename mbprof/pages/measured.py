"""Networks that were run on this machine: measured times beside predicted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mbprof.device.calibrate import Measurement, counts_of, fitted, spelled_fit
from mbprof.device.latency import latency
from mbprof.device.profiles import Fit
from mbprof.errors import UsageError, nearest
from mbprof.exchange.onnx_out.run import Settings, Times, timed
from mbprof.language import fmt
from mbprof.language.fmt import Value
from mbprof.language.record import record
from mbprof.network.load import Network, SpecLike, as_network
from mbprof.network.measures import traffics
from mbprof.output.formats import stamp
from mbprof.output.model import Column, Report
from mbprof.output.writers import Result

WAYS = ("layer", "net")
TERMS = ("mac", "activation", "param", "constant")


@record
class Measured(Result):
    """Networks with their measured times, and what was predicted of each layer and in total.

    ``source`` says where the prediction comes from: a device, or a fit to these very layers.
    """

    networks: tuple[Network, ...]
    times: tuple[Times, ...]
    predicted: tuple[Mapping[str, float], ...]
    totals: tuple[float, ...]
    source: str
    settings: Settings
    by: str

    @property
    def brief(self) -> str:
        """The networks and their times."""
        pairs = zip(self.networks, self.times, strict=True)
        return "; ".join(f"{n.brief}: {_ms(t.seconds)} ms" for n, t in pairs)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each layer that takes time, or for each network."""
        for network, times, guess, total in zip(
            self.networks, self.times, self.predicted, self.totals, strict=True
        ):
            knobs = {name: fmt.plain(network.knobs[name]) for name in network.changed}
            named = {"spec": network.spec.address or network.spec.name, **knobs}
            moved = traffics(network.compiled)
            if self.by == "net":
                counts = counts_of(moved.values())
                yield named | _row(network.brief, counts, times.seconds, total)
                continue
            for layer, seconds in times.layers.items():
                if seconds:
                    counts = counts_of([moved[layer]])
                    yield named | _row(layer, counts, seconds, guess[layer]) | {"layer": layer}

    def report(self, layout: str = "page") -> Report:
        """Lay measured beside predicted out; data has what `mbprof.calibrate` reads."""
        rows = tuple(self.rows())
        knobs = dict.fromkeys(name for network in self.networks for name in network.changed)
        called = ("spec", *knobs, *(["layer"] if self.by == "layer" else []))
        plain = [Column(n, n, f"the {n}", str, False, absent="") for n in called]
        first = Column("name", self.by, f"the {self.by}", shrinks=True)
        columns = (*plain, *COLUMNS[:3]) if layout == "data" else (first, *COLUMNS)
        several = len(self.networks) > 1 and self.by == "layer"
        shown = (plain[0], *columns) if several and layout != "data" else columns
        total = None
        if len(self.networks) == 1 and self.by == "layer" and layout != "data":
            counts = counts_of(traffics(self.networks[0].compiled).values())
            total = _row("total", counts, self.times[0].seconds, self.totals[0])
        one = len(self.networks) == 1
        title = self.networks[0].brief if one else fmt.several(len(self.networks), "network")
        data = {
            **stamp(),
            "runtime": self.times[0].runtime,
            **self.settings._asdict(),
            "predicted_by": self.source,
            "networks": [
                {
                    "spec": network.spec.address or network.spec.name,
                    "knobs": {name: fmt.plain(value) for name, value in network.knobs.items()},
                    "ms": times.seconds * 1e3,
                    "predicted_ms": guess * 1e3,
                    "other_ms": times.other * 1e3,
                }
                for network, times, guess in zip(
                    self.networks, self.times, self.totals, strict=True
                )
            ],
            "rows": [{n: v for n, v in row.items() if n not in ("name", "error")} for row in rows],
        }
        return Report(
            f"{title}, measured on this machine", shown, rows, data, total,
            notes=tuple(self.notes()), known=(*columns, *plain), listed="rows",
        )  # fmt: skip

    def notes(self) -> Iterator[str]:
        """Say how it was measured, what belongs to no layer, and what predicted."""
        runs = f"{fmt.several(self.settings.repeats, 'run')} of one image, float32"
        threads = fmt.several(self.settings.threads, "thread")
        yield f"Measured: {self.times[0].runtime}, {threads}; medians of {runs}."
        if self.by == "layer":
            layers = sum(sum(times.layers.values()) for times in self.times)
            other = sum(times.other for times in self.times)
            yield (
                f"By its profiler layers take {_ms(layers)} ms, and {_ms(other)} ms are of no "
                "layer; a total is of runs without it."
            )
        yield f"Predicted: {self.source}."


def _row(name: str, counts: Mapping[str, int], seconds: float, guess: float) -> dict[str, Any]:
    return {
        "name": name,
        "macs": counts["mac"],
        "activations": counts["activation"],
        "ms": seconds * 1e3,
        "predicted_ms": guess * 1e3,
        "error": guess / seconds - 1 if seconds else None,
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"


def _milli(value: float) -> str:
    return f"{value:.4g}"


COLUMNS = (
    Column("macs", "MACs", "multiply-accumulates", fmt.integer, True, yields=2),
    Column("activations", "activations", "outputs of layers with weights", fmt.integer, True, 3),
    Column("ms", "measured ms", "milliseconds that were measured", _milli, True),
    Column("predicted_ms", "predicted ms", "milliseconds that were predicted", _milli, True),
    Column("error", "error %", "of the prediction", lambda e: f"{100 * e:+.1f}", True, 1,
           absent="–"),
)  # fmt: skip
"""The columns of measured and predicted times."""


def measure(
    *specs: SpecLike,
    device: str | None = None,
    by: str = "layer",
    threads: int = 1,
    warmup: int = 3,
    repeats: int = 20,
    **knobs: Value,
) -> Measured:
    """Run networks on this machine, and return measured beside predicted times, by layer or net.

    They are exported to ONNX with random weights, and an image is run by onnxruntime; after
    ``warmup`` runs the medians of so many ``repeats`` count. Times are predicted for a ``device``,
    or else by a·MACs + b·activations + c·params + d for each layer, fitted to those measured.
    Raises: UsageError: no spec, grouping or device, or a number that makes no sense. ExchangeError:
    onnxruntime is missing, or a layer has no counterpart in ONNX. MbprofError: there is no network
    at these values.
    """
    if not specs:
        raise UsageError("there is nothing to measure", hint="give a spec")
    if by not in WAYS:
        raise UsageError(f"cannot measure by {by!r}", hint=nearest(by, WAYS))
    if threads < 1 or repeats < 1 or warmup < 0:
        raise UsageError("threads and repeats are at least 1, and warm-up runs at least 0")
    settings = Settings(threads, warmup, repeats)
    networks = tuple(as_network(spec, **knobs) for spec in specs)
    guesses = [latency(network, device) for network in networks] if device is not None else []
    # Without a device the layers' times are what the prediction comes from.
    layers = by == "layer" or not guesses
    times = tuple(timed(network, settings, layers) for network in networks)
    if guesses:
        by_name = [{layer.name: layer.seconds for layer in guess.layers} for guess in guesses]
        sums = tuple(g.seconds if g.fitted is None else g.fitted for g in guesses)
        return Measured(
            networks, times, tuple(by_name), sums, f"for {guesses[0].device.name}", settings, by
        )
    known = [
        Measurement(name, "", counts_of([traffic]), own.layers[name])
        for network, own in zip(networks, times, strict=True)
        for name, traffic in traffics(network.compiled).items()
        if own.layers[name]
    ]
    fit = Fit(fitted(known, TERMS, relative=False))
    made = [
        {
            name: fit.of(counts_of([traffic])) if own.layers[name] else 0.0
            for name, traffic in traffics(network.compiled).items()
        }
        for network, own in zip(networks, times, strict=True)
    ]
    sums = tuple(sum(guess.values()) for guess in made)
    said = f"{spelled_fit(fit)} for each layer, fitted to these layers"
    return Measured(networks, times, tuple(made), sums, said, settings, by)
