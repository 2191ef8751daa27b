"""The judge is judged first: what is broken must be told from what is good. Run by audio.test.mjs with the
folder of the spoken sentences as argument; prints {name: result}."""

import json
import sys

import numpy as np

import wav
from compare import RATE, compare


def main(said_path: str, other_path: str) -> None:
    said, other = wav.read_at(said_path, RATE), wav.read_at(other_path, RATE)
    rng = np.random.default_rng(1)
    silence = np.zeros(RATE)
    frame = RATE // 50

    def late(samples: np.ndarray) -> np.ndarray:
        return np.concatenate([silence, silence[: RATE // 4], samples, silence])

    def stretched(samples: np.ndarray) -> np.ndarray:
        """Two frames repeated with a short cross-fade, as a growing jitter buffer does."""
        for at in (RATE, 2 * RATE):
            fade = np.linspace(0, 1, frame)
            joint = samples[at : at + frame] * (1 - fade) + samples[at - frame : at] * fade
            samples = np.concatenate([samples[:at], joint, samples[at:]])
        return samples

    def gappy(samples: np.ndarray, every: int, gone: int) -> np.ndarray:
        out = samples.copy()
        for k in range(0, len(out) // frame, every):
            out[k * frame : (k + gone) * frame] = 0
        return out

    cases = {
        "same": said,
        "late": late(said),
        "quieter, with a little noise": late(0.5 * said + rng.normal(0, 0.001, len(said))),
        "stretched": late(stretched(said)),
        "other speech": late(other),
        "other speech over silence": np.concatenate([other, other]),
        "silence": np.zeros(len(said)),
        "nothing": np.zeros(0),
        "noise": rng.normal(0, 0.1, len(said)),
        "noise shaped like the speech": np.abs(said) * rng.normal(0, 1, len(said)),
        "reversed": late(said[::-1]),
        "half of it": late(said[: len(said) // 2]),
        "every fifth frame lost": late(gappy(said, 5, 1)),
        "drowned in the other voice": late(said + np.resize(other, len(said))),
        "half speed": late(np.repeat(said, 2)),
    }
    json.dump({name: compare(said, heard) for name, heard in cases.items()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
