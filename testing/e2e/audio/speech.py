"""Makes a spoken sentence: speech.py VOICE PITCH TEXT OUT.wav

48 kHz mono, 16 bits, peak at -6 dB, with 0.2 s of silence before and 0.3 s after.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np

import wav


def main(voice: str, pitch: str, text: str, out: str) -> None:
    fd, raw = tempfile.mkstemp(suffix=".wav")
    os.close(fd)
    try:
        subprocess.run(["espeak-ng", "-v", voice, "-p", pitch, "-s", "150", "-w", raw, text], check=True)
        speech = wav.read_at(raw, 48_000)
    finally:
        os.unlink(raw)
    loud = np.flatnonzero(np.abs(speech) > 0.01 * np.max(np.abs(speech)))
    speech = speech[loud[0] : loud[-1] + 1]
    speech *= 0.5 / np.max(np.abs(speech))
    wav.write(out, np.concatenate([np.zeros(9_600), speech, np.zeros(14_400)]), 48_000)


if __name__ == "__main__":
    main(*sys.argv[1:])
