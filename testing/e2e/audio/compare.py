"""Is what was heard what was said? compare.py reads [{"said": WAV, "heard": WAV}, …] from stdin and prints
one result for each:

  delayMs   where in `heard` the sentence of `said` begins, minus where it begins in `said`
  envelope  correlation of the loudness over time (10 ms steps), -1..1
  waveform  mean over windows of 0.4 s of the highest correlation of the waveform within 80 ms of `delayMs`,
            weighted by energy, 0..1: a jitter buffer may stretch time a little, but not change the sound
  pesq      ITU-T P.862.2 wide band, 1.0..4.64; 0 where it can't be had (silence)
  gainDb    level of the sentence as heard minus as said
  levelDb   RMS of the whole of `heard`, dB of full scale
  delays    the delay of each window that is recognised, ms
  missing   the part of the sentence's energy whose windows are not recognised (correlation under 0.5), 0..1

`heard` may be longer than `said` and may hold other things before and after.
"""

import json
import sys

import numpy as np
from pesq import PesqError, pesq
from scipy.signal import correlate

import wav

RATE = 16_000
STEP = RATE // 100
WINDOW = int(0.4 * RATE)
SEARCH = int(0.08 * RATE)
NOTHING = {"delayMs": 0.0, "envelope": 0.0, "waveform": 0.0, "pesq": 0.0, "gainDb": -120.0, "missing": 1.0, "delays": []}


def db(samples: np.ndarray) -> float:
    power = np.mean(samples**2) if len(samples) else 0.0
    return float(10 * np.log10(max(power, 1e-12)))


def envelope(samples: np.ndarray) -> np.ndarray:
    frames = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)
    # Compressed like hearing, so that one loud vowel does not decide alone.
    return np.sqrt(np.sqrt(np.mean(frames**2, axis=1)))


def similarity(shape: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Pearson correlation of `shape` with every stretch of `within` of the same length."""
    n = len(shape)
    shape = shape - shape.mean()
    norm = np.sqrt(np.sum(shape**2))
    ones = np.ones(n)
    cross = correlate(within, shape, mode="valid", method="fft")
    total = correlate(within, ones, mode="valid", method="fft")
    square = correlate(within**2, ones, mode="valid", method="fft")
    spread = np.sqrt(np.maximum(square - total**2 / n, 0))
    # Where `within` is silent there is nothing to correlate; rounding noise of the FFT must not pass for it.
    quiet = spread < 1e-3 * norm + 1e-9
    return np.where(quiet, 0.0, cross / np.where(quiet, 1.0, spread * norm + 1e-12))


def compare(said: np.ndarray, heard: np.ndarray) -> dict:
    result = dict(NOTHING, levelDb=db(heard))
    loud = np.flatnonzero(np.abs(said) > 0.02 * np.max(np.abs(said)))
    begin = loud[0]
    sentence = said[begin : loud[-1] + 1]
    # Room on both sides, so that a sentence at the very edge can be found.
    pad = RATE
    room = np.concatenate([np.zeros(pad), heard, np.zeros(pad + max(0, len(sentence) - len(heard)))])

    shapes = similarity(envelope(sentence), envelope(room))
    coarse = int(np.argmax(shapes)) * STEP
    result["envelope"] = float(shapes.max())

    offsets, scores, weights = [], [], []
    for at in range(0, len(sentence) - WINDOW + 1, WINDOW // 2):
        window = sentence[at : at + WINDOW]
        if db(window) < db(sentence) - 15:
            continue
        lo = max(0, coarse + at - SEARCH)
        found = similarity(window, room[lo : coarse + at + WINDOW + SEARCH])
        best = int(np.argmax(found))
        offsets.append(lo + best - at)
        scores.append(max(0.0, float(found[best])))
        weights.append(float(np.sum(window**2)))
    scores, weights = np.array(scores), np.array(weights)
    result["waveform"] = float(np.average(scores, weights=weights))
    result["missing"] = float(np.sum(weights[scores < 0.5]) / np.sum(weights))
    good = np.array(offsets)[scores >= 0.5]
    start = int(np.median(good)) if len(good) else coarse
    result["delayMs"] = (start - pad - begin) * 1000 / RATE
    result["delays"] = [round((float(o) - pad - begin) * 1000 / RATE, 2) for o in good]

    got = room[start : start + len(sentence)]
    result["gainDb"] = db(got) - db(sentence)
    if db(got) > -70:
        margin = RATE // 4
        quiet = np.zeros(margin)
        try:
            result["pesq"] = float(
                pesq(RATE, np.concatenate([quiet, sentence, quiet]), np.concatenate([quiet, got, quiet]), "wb")
            )
        except PesqError:
            pass
    return result


def main() -> None:
    pairs = json.load(sys.stdin)
    results = [compare(wav.read_at(p["said"], RATE), wav.read_at(p["heard"], RATE)) for p in pairs]
    json.dump([{k: v if isinstance(v, list) else round(v, 3) for k, v in r.items()} for r in results], sys.stdout)


if __name__ == "__main__":
    main()
