#!/usr/bin/env python3
"""Reference values and tables for TwinCore.Elementary; needs mpmath (1.3.0 used).

    make_elementary.py vectors > elementary.txt
    make_elementary.py tables  > ../../../Sources/TwinCore/ElementaryTables.swift

Vectors: one case a line, `function argument [argument] result residual`. Arguments and the correctly rounded result are
64-bit patterns in hex; the residual is (exact - result) in thousandths of the result's ulp, so a test sees true errors.
"""
import math
import random
import struct
import sys

from mpmath import mp, mpf

CASES = 1400
RANDOM = random.Random(20260113)


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def from_bits(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def rounded(exact):
    """The nearest double and the rest in thousandths of an ulp; None outside the finite non-zero range."""
    if exact == 0:
        return None
    sign = -1 if exact < 0 else 1
    size = abs(exact)
    exponent = max(int(mp.floor(mp.log(size, 2))) - 52, -1074)
    if size < mpf(2) ** (exponent + 52) and exponent > -1074:
        exponent -= 1
    units = mp.ldexp(size, -exponent)
    whole = int(mp.nint(units))
    if whole == 0 or whole * mpf(2) ** exponent >= mpf(2) ** 1024:
        return None
    return sign * math.ldexp(whole, exponent), sign * int(mp.nint((units - whole) * 1000))


def log_uniform(low, high):
    return math.ldexp(1 + RANDOM.random(), RANDOM.randint(low, high - 1))


def signed(x):
    return x if RANDOM.random() < 0.5 else -x


def near(x, reach=4):
    """A neighbour of x, at most `reach` doubles away."""
    step = RANDOM.randint(-reach, reach)
    return from_bits(bits(abs(x)) + step) * (1 if x > 0 else -1)


def exp_argument():
    kind = RANDOM.randrange(6)
    if kind == 0:
        return RANDOM.uniform(-745.13, 709.78)
    if kind == 1:
        return RANDOM.uniform(-745.13, -708.0)
    if kind == 2:
        return RANDOM.uniform(709.0, 709.782712893384)
    if kind == 3:
        return signed(log_uniform(-56, 0))
    if kind == 4:  # halfway between table entries: the longest reduced argument
        return near(float((RANDOM.randint(-130000, 130000) + mpf(0.5)) * mp.log(2) / 128))
    return RANDOM.uniform(-20, 20)


def log_argument():
    kind = RANDOM.randrange(6)
    if kind == 0:
        return from_bits(RANDOM.randrange(1, 0x7FF0000000000000))
    if kind == 1:
        return from_bits(RANDOM.randrange(1, 1 << 52))
    if kind == 2:
        return 1 + signed(log_uniform(-52, -4))
    if kind == 3:
        return RANDOM.uniform(0.5, 2)
    if kind == 4:  # the edges of the table's cells
        return near(1 + RANDOM.randint(-80, 48) / 128 / (2 if RANDOM.random() < 0.5 else 1))
    return RANDOM.uniform(0.001, 1000)


def pow_arguments():
    kind = RANDOM.randrange(7)
    if kind == 0:
        return RANDOM.uniform(0.01, 100), RANDOM.uniform(-10, 10)
    if kind == 1:  # near one, with the exponent that uses the whole range
        x = 1 + signed(log_uniform(-50, -3))
        return x, RANDOM.uniform(-740, 709) / math.log(x)
    if kind == 2:
        x = from_bits(RANDOM.randrange(1, 0x7FF0000000000000))
        return x, RANDOM.uniform(-740, 709) / math.log(x)
    if kind == 3:  # results below the normal range
        x = log_uniform(-1074, 1000)
        return x, RANDOM.uniform(-745, -708) / math.log(x)
    if kind == 4:
        return -RANDOM.uniform(0.01, 100), float(RANDOM.randint(-150, 150))
    if kind == 5:
        return near(1.0, 40) or 1.5, signed(log_uniform(30, 60))
    return float(RANDOM.randint(1, 200)), RANDOM.randint(-80, 80) / 4


def trig_argument():
    kind = RANDOM.randrange(8)
    if kind == 0:
        return signed(log_uniform(-30, 0))
    if kind == 1:
        return RANDOM.uniform(-7, 7)
    if kind == 2:  # the doubles closest to multiples of pi/2
        return near(float(RANDOM.randint(1, 200_000) * mp.pi / 2), 1)
    if kind == 3:
        return near(float(int(log_uniform(17, 52)) * mp.pi / 2), 1)
    if kind == 4:
        return RANDOM.uniform(-1.1e5, 1.1e5)
    if kind == 5:
        return signed(log_uniform(16, 54))
    if kind == 6:
        return signed(log_uniform(54, 1023))
    return near((RANDOM.randint(-40, 40) + 0.5) * math.pi / 2 or 1.0)


# Cases known to be hard for range reduction (J.-M. Muller, Elementary Functions, 2nd ed., table 9.2 and others).
TRIG_HARD = [6381956970095103.0 * 2.0**797, 5.319372648326541e255, 1e22, 1e308, 2.0**1023, 1.7976931348623157e308,
             math.pi, math.pi / 2, math.pi / 4, 3 * math.pi / 4, 11.0, 22.0, 355.0, 102943.70807279, 5e-324, 1e-300]


def tanh_argument():
    kind = RANDOM.randrange(5)
    if kind == 0:
        return signed(log_uniform(-60, -4))
    if kind == 1:
        return near(signed(1 / 16), 1000)
    if kind == 2:
        return RANDOM.uniform(-20, 20)
    if kind == 3:
        return RANDOM.uniform(-1, 1)
    return signed(log_uniform(-6, 4))


def vectors():
    mp.prec = 1400
    plans = [
        ("exp", lambda: (exp_argument(),), mp.exp, []),
        ("log", lambda: (log_argument(),), mp.log, []),
        ("pow", pow_arguments, mp.power, []),
        ("sin", lambda: (trig_argument(),), mp.sin, TRIG_HARD),
        ("cos", lambda: (trig_argument(),), mp.cos, TRIG_HARD),
        ("tanh", lambda: (tanh_argument(),), mp.tanh, [5e-324, 1e-300]),
    ]
    for name, draw, function, hard in plans:
        # The sines of huge arguments need the long precision; the rest need enough for a certain rounding.
        mp.prec = 1400 if hard is TRIG_HARD else 300
        known = [(x,) for x in hard]
        done = 0
        while done < CASES:
            arguments = known.pop() if known else draw()
            if any(not math.isfinite(x) or x == 0 for x in arguments):
                continue
            answer = rounded(function(*[mpf(x) for x in arguments]))
            if answer is None:
                continue
            words = [f"{bits(x):016x}" for x in arguments] + [f"{bits(answer[0]):016x}", str(answer[1])]
            print(name, *words)
            done += 1


def literal(x):
    return float(x).hex()


def split(exact, grid=None):
    """A head (a multiple of 2^-grid when given) and the rest, both doubles."""
    head = mpf(float(exact)) if grid is None else mp.nint(exact * mpf(2) ** grid) / mpf(2) ** grid
    return literal(head), literal(exact - head)


def tables():
    mp.prec = 1400
    print("// Made by Tests/TwinCoreTests/Vectors/make_elementary.py tables; the test of the vectors covers each row.")
    print("enum ElementaryTables {")
    print("  /// Row j: 2^(j/128) as head and rest.")
    print("  static let exp2: [Double] = [")
    for j in range(128):
        head, rest = split(mpf(2) ** (mpf(j) / 128))
        print(f"    {head}, {rest},")
    print("  ]")
    print()
    print("  /// Row i, for the significands of one of 128 cells from 0.6875 to 1.375: a reciprocal c of at most 12 bits,")
    print("  /// and -log c as a multiple of 2^-42 and the rest. Both cells beside 1 have c = 1.")
    print("  static let log: [Double] = [")
    for i in range(128):
        low = from_bits(0x3FE6000000000000 + (i << 45))
        high = from_bits(0x3FE6000000000000 + ((i + 1) << 45))
        beside_one = low == 1 or high == 1
        c = mpf(1) if beside_one else mp.nint(2 / (mpf(low) + mpf(high)) * 1024) / 1024
        if beside_one:
            print("    0x1.0000000000000p+0, 0x0.0p+0, 0x0.0p+0,")
        else:
            head, rest = split(-mp.log(c), 42)
            print(f"    {literal(c)}, {head}, {rest},")
    print("  ]")
    print()
    print("  /// The binary digits of 2/π after the point, 64 a word, most significant first.")
    print("  static let twoOverPi: [UInt64] = [")
    digits = int(mp.floor(2 / mp.pi * mpf(2) ** (64 * 20)))
    for w in range(0, 20, 4):
        words = [(digits >> (64 * (19 - k))) & 0xFFFFFFFFFFFFFFFF for k in range(w, w + 4)]
        print("    " + ", ".join(f"0x{word:016x}" for word in words) + ",")
    print("  ]")
    print("}")


if __name__ == "__main__":
    {"vectors": vectors, "tables": tables}[sys.argv[1]]()
