"""Writes native histograms of all shapes to a Prometheus and keeps what it answers; always the same.

    prometheus --enable-feature=native-histograms --web.enable-remote-write-receiver \
        --storage.tsdb.path=$(mktemp -d) --storage.tsdb.retention.time=100y --config.file=/dev/null &
    python3 made.py http://127.0.0.1:9090
"""

import struct
import sys
import urllib.request

START_MS = 1_700_000_000_000
STALE = struct.unpack(">d", bytes.fromhex("7ff0000000000002"))[0]
UNKNOWN, YES, NO, GAUGE = range(4)

state = 7


def dice(sides):
    """A pseudo-random number from 0 to sides - 1."""
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    return (state >> 33) % sides


# --- protobuf and snappy, as little of them as it takes ---------------------------------------------------------


def varint(value):
    value %= 1 << 64
    out = bytearray()
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + bytes([value]))


def zigzag(value):
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def number(field, value):
    return varint(field * 8) + varint(value)


def double(field, value):
    return varint(field * 8 + 1) + struct.pack("<d", value)


def message(field, *parts):
    body = b"".join(parts)
    return varint(field * 8 + 2) + varint(len(body)) + body


def block(raw):
    """A snappy block: literals of up to 60 bytes, and copies of what was there up to 65,535 bytes before."""
    out, seen, at, start = bytearray(varint(len(raw))), {}, 0, 0

    def literal(end):
        for piece in range(start, end, 60):
            length = min(60, end - piece)
            out.append((length - 1) * 4)
            out.extend(raw[piece : piece + length])

    while at < len(raw):
        key = raw[at : at + 8]
        before = seen.get(key, at)
        seen[key] = at
        if not 0 < at - before < 65_536 or len(key) < 8:
            at += 1
            continue
        length = 8
        while length < 64 and at + length < len(raw) and raw[at + length] == raw[before + length]:
            length += 1
        literal(at)
        out.append((length - 1) * 4 + 2)
        out.extend((at - before).to_bytes(2, "little"))
        at += length
        start = at
    literal(len(raw))
    return bytes(out)


# --- histograms -------------------------------------------------------------------------------------------------


class Histogram:
    """Populations by index of the bucket; everything else as in the message."""

    def __init__(self, t_ms, positive, negative=None, zero=0, total=None, schema=3, threshold=2.0**-128, hint=UNKNOWN, is_float=False):
        self.t_ms, self.positive, self.negative, self.zero = t_ms, positive, negative or {}, zero
        self.total, self.schema, self.threshold, self.hint, self.is_float = total, schema, threshold, hint, is_float

    def encode(self):
        count = sum(self.positive.values()) + sum(self.negative.values()) + self.zero
        total = self.total if self.total is not None else count * 0.37
        out = double(2, count) if self.is_float else number(1, count)
        out += double(3, total)
        out += varint(4 * 8) + zigzag(self.schema) + double(5, self.threshold)
        out += double(7, self.zero) if self.is_float else number(6, self.zero)
        out += self.side(8, self.negative) + self.side(11, self.positive)
        return out + number(14, self.hint) + number(15, self.t_ms)

    def side(self, field, populations):
        out, next_index, first, before = b"", 0, None, 0
        deltas, counts, spans = b"", b"", []
        for index in sorted(populations):
            if first is None or index != next_index:
                spans.append([index - next_index, 0])
                first = index
            spans[-1][1] += 1
            next_index = index + 1
            deltas += zigzag(populations[index] - before) if not self.is_float else b""
            counts += struct.pack("<d", populations[index])
            before = populations[index]
        for offset, length in spans:
            out += message(field, varint(8) + zigzag(offset), number(2, length))
        return out + (message(field + 2, counts) if self.is_float else message(field + 1, deltas))


def stale(t_ms, is_float=False):
    return Histogram(t_ms, {}, total=STALE, is_float=is_float)


def times(count, step_ms=15_000, jitter_ms=200):
    return [START_MS + step_ms * n + dice(2 * jitter_ms + 1) - jitter_ms for n in range(count)]


def counter(count, buckets, step, is_float=False, **more):
    """Grows, and the further it is the more buckets it has."""
    populations, zero = {}, 0
    for n, t_ms in enumerate(times(count)):
        for _ in range(1 + dice(step)):
            index = dice(1 + buckets * (n + 10) // count) * 2 - buckets // 2
            grown = dice(5) / 8 + 0.125 if is_float else 1 + dice(4)
            populations[index] = populations.get(index, 0) + grown
        zero += dice(2) * (0.5 if is_float else 1)
        yield Histogram(t_ms, dict(populations), zero=zero, is_float=is_float, **more)


def all_series():
    yield "h_growing", counter(400, 30, 6)
    yield "h_float_growing", counter(300, 20, 4, is_float=True)
    yield "h_steady", (
        Histogram(t_ms, {0: 10 * n, 1: 20 * n, 5: 7 * n}, zero=n) for n, t_ms in enumerate(times(300, jitter_ms=0))
    )
    yield "h_empty", (Histogram(t_ms, {}, zero=0, total=0.0) for t_ms in times(150))
    yield "h_single", [Histogram(START_MS, {3: 4}, {1: 2}, zero=1)]
    yield "h_pair", [Histogram(START_MS, {3: 4}), Histogram(START_MS + 5_000, {3: 5, 9: 1})]

    def resets():
        populations = {}
        for n, t_ms in enumerate(times(300)):
            if n % 70 == 69:
                populations = {}
            for _ in range(3):
                index = dice(12)
                populations[index] = populations.get(index, 0) + 1 + dice(3)
            yield Histogram(t_ms, dict(populations), hint=YES if n == 200 else UNKNOWN)

    yield "h_resets", resets()

    def gauge(is_float):
        for t_ms in times(250):
            positive = {dice(20): 1 + dice(9) * (0.75 if is_float else 1) for _ in range(5)}
            negative = {dice(9) - 4: 1 + dice(9) for _ in range(3)}
            yield Histogram(t_ms, positive, negative, zero=dice(5), hint=GAUGE, is_float=is_float, total=dice(1 << 20) / 7)

    yield "h_gauge", gauge(False)
    yield "h_float_gauge", gauge(True)

    def negative(is_float):
        sides = [{0: 0, 1: 0, 2: 0, 8: 0, 9: 0, 40: 0} for _ in range(2)]
        for t_ms in times(200):
            for side in sides:
                side[list(side)[dice(6)]] += 1 + dice(100)
            yield Histogram(t_ms, dict(sides[0]), dict(sides[1]), zero=0, threshold=0.001, schema=-4, is_float=is_float)

    yield "h_negative", negative(False)
    yield "h_float_negative", negative(True)

    def layouts():
        n = 0
        for schema in (0, 8, -1):
            for threshold in (0.0, 1.0, 1024.0, 2048.0, 2.0**-243, 2.0**-244, 0.3):
                for _ in range(12):
                    n += 1
                    yield Histogram(START_MS + 10_000 * n, {0: n, 7: 2 * n}, threshold=threshold, schema=schema)

    yield "h_layouts", layouts()

    def jumps():
        """Changes of all sizes, of times too."""
        t_ms, positive, zero = START_MS, {index: 0 for index in range(6)}, 0
        for n in range(240):
            t_ms += 1_000 + (1 << dice(15))
            for index in positive:
                positive[index] += dice(1 << dice(28)) << dice(20)
            zero += dice(1 << dice(20))
            yield Histogram(t_ms, dict(positive), zero=zero, total=dice(1 << 30) / 3 * 10.0 ** dice(20))

    yield "h_jumps", jumps()

    def stops(is_float):
        for n, histogram in enumerate(counter(100, 10, 3, is_float=is_float)):
            if n in (50, 51, 98):
                yield stale(histogram.t_ms, is_float)
            elif n != 99:
                yield histogram

    yield "h_stops", stops(False)
    yield "h_float_stops", stops(True)
    yield "h_stale_only", (stale(t_ms) for t_ms in times(3))


# --- to the server and back -------------------------------------------------------------------------------------


def post(url, raw):
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    with urllib.request.urlopen(urllib.request.Request(url, block(raw), headers)) as answer:
        return answer.read()


def main(server):
    all_samples, written = [], b""
    for name, histograms in all_series():
        labels = message(1, message(1, b"__name__"), message(2, name.encode()))
        samples = [(h.t_ms, labels, message(4, h.encode())) for h in histograms]
        written += message(1, labels, *(sample[2] for sample in samples))
        all_samples += samples
    # By time: what is more than an hour behind is refused.
    all_samples.sort(key=lambda sample: sample[0])
    # This Prometheus cannot serve the chunk that is still open if there are gauges in it, so something has to come
    # after what is asked for.
    closing = message(4, Histogram(START_MS + 10_000_000, {}).encode())
    names = sorted({sample[1] for sample in all_samples})
    all_samples += [(START_MS + 10_000_000, labels, closing) for labels in names]
    # This Prometheus loses histograms that come in one request with a stale marker that follows them.
    requests = [{}]
    for _, labels, histogram in all_samples:
        if labels in requests[-1]:
            requests.append({})
        requests[-1][labels] = histogram
    for request in requests:
        post(server + "/api/v1/write", b"".join(message(1, *series) for series in request.items()))

    matcher = message(3, number(1, 2), message(2, b"__name__"), message(3, b"h_.+"))
    query = message(1, number(1, START_MS - 10_000), number(2, START_MS + 7_000_000), matcher)
    with open("made-streamed.answer", "wb") as file:
        file.write(post(server + "/api/v1/read", query + message(2, varint(1))))
    with open("made.written", "wb") as file:
        file.write(block(written))


if __name__ == "__main__":
    main(sys.argv[1])
