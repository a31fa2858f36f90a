"""Prints OpenMetrics text whose series take every branch of the XOR encoding; always the same."""

import struct

START_MS = 1_700_000_000_000
# Where the change of a difference of timestamps needs more bits, and the milliseconds next to that.
EDGES_MS = [
    sign * (edge + step)
    for edge in (0, 1 << 13, 1 << 16, 1 << 19)
    for step in (-1, 0, 1)
    for sign in (1, -1)
] + [1_200_000]
SPECIAL_BITS = [
    0x0000000000000000, 0x8000000000000000,  # zeros
    0x7FF8000000000001, 0x7FF0000000000000, 0xFFF0000000000000,  # NaN, infinities
    0x0000000000000001, 0x8000000000000001,  # the smallest
    0x7FEFFFFFFFFFFFFF, 0x0010000000000000,  # the largest, the smallest normal
    0x3FF0000000000000, 0x3FF0000000000001, 0xBFF0000000000000,  # 1, the next, -1
]

state = 42


def dice(sides):
    """A pseudo-random number from 0 to sides - 1."""
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    return (state >> 33) % sides


def number(bits):
    value = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, "NaN" if value != value else repr(value))


def series(name, samples):
    print(f"# TYPE {name} gauge")
    for t_ms, value in samples:
        print(f'{name}{{kind="made"}} {value} {t_ms // 1000}.{t_ms % 1000:03d}')


series("edge_constant", [(START_MS + 60_000 * i, 7) for i in range(240)])
series("edge_counter", [(START_MS + 15_000 * i, 3 * i) for i in range(500)])

t_ms, samples = START_MS, [(START_MS, 0)]
for _ in range(2):
    for edge_ms in EDGES_MS:
        for step_ms in (600_000 + edge_ms, 600_000):
            t_ms += step_ms
            samples.append((t_ms, dice(5)))
series("edge_delta", samples)

series("edge_jitter", [(START_MS + 15_000 * i + dice(401) - 200, dice(1000)) for i in range(500)])
series("edge_pair", [(START_MS + 5_000, 0.1), (START_MS + 65_000, 0.2)])
series(
    "edge_random",
    [(START_MS + 15_000 * i, number(dice(1 << 31) << 33 | dice(1 << 31) << 2 | dice(4))) for i in range(300)],
)
series("edge_single", [(START_MS + 5_000, 0.1)])
series(
    "edge_special",
    [(START_MS + 1_000 * i, number(SPECIAL_BITS[dice(len(SPECIAL_BITS))])) for i in range(300)],
)
print("# EOF")
