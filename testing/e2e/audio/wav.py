"""Reading and writing WAV files as float arrays between -1 and 1."""

import wave
from math import gcd

import numpy as np
from scipy.signal import resample_poly


def read(path: str) -> tuple[np.ndarray, int]:
    """Returns samples and rate; several channels are averaged. 16-bit PCM only."""
    with wave.open(path, "rb") as f:
        if f.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * f.getsampwidth()} bits per sample, 16 expected")
        data = np.frombuffer(f.readframes(f.getnframes()), dtype="<i2").astype(np.float64) / 32768
        channels, rate = f.getnchannels(), f.getframerate()
    return data.reshape(-1, channels).mean(axis=1), rate


def write(path: str, samples: np.ndarray, rate: int) -> None:
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    if rate == to or len(samples) == 0:
        return samples
    g = gcd(rate, to)
    return resample_poly(samples, to // g, rate // g)


def read_at(path: str, rate: int) -> np.ndarray:
    samples, own = read(path)
    return resample(samples, own, rate)
