/** Test signals and what can be measured of them. Samples are floats from -1 to 1 unless named PCM. */

/** A sine as s16 PCM, of half the full scale unless told. */
export function tone(hz: number, sampleRateHz: number, seconds: number, amplitude = 0.5): Int16Array {
  const step = (2 * Math.PI * hz) / sampleRateHz;
  return Int16Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, index) =>
    Math.round(32_767 * amplitude * Math.sin(index * step)),
  );
}

/** Something like a voice: a gliding pitch, its harmonics, loud and soft. */
export function glide(sampleRateHz: number, seconds: number): Int16Array {
  let phase = 0;
  return Int16Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, index) => {
    const time = index / sampleRateHz;
    phase += (2 * Math.PI * (140 + 90 * Math.sin(3 * time))) / sampleRateHz;
    const loudness = 0.3 + 0.25 * Math.sin(11 * time);
    return Math.round(20_000 * loudness * (Math.sin(phase) + 0.5 * Math.sin(3 * phase) + 0.25 * Math.sin(7 * phase)));
  });
}

export function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

export function largestStep(samples: Float32Array): number {
  let largest = 0;
  for (let index = 1; index < samples.length; index++) {
    largest = Math.max(largest, Math.abs(samples[index]! - samples[index - 1]!));
  }
  return largest;
}

/** Largest step between neighbours that a sine of this pitch and amplitude has. */
export function stepOfTone(hz: number, sampleRateHz: number, amplitude = 0.5): number {
  return amplitude * 2 * Math.sin((Math.PI * hz) / sampleRateHz);
}

/** Pitch of a sine in Hz, from its rising zero crossings. */
export function pitch(samples: Float32Array, sampleRateHz: number): number {
  const crossings: number[] = [];
  for (let index = 1; index < samples.length; index++) {
    const before = samples[index - 1]!;
    const after = samples[index]!;
    if (before < 0 && after >= 0) crossings.push(index - after / (after - before));
  }
  return ((crossings.length - 1) * sampleRateHz) / (crossings.at(-1)! - crossings[0]!);
}

/** A sine that glides from 80 Hz to `topHz`, as many octaves in each second. */
export function sweep(topHz: number, sampleRateHz: number, seconds: number): Int16Array {
  const length = Math.round(seconds * sampleRateHz);
  let phase = 0;
  return Int16Array.from({ length }, (_, index) => {
    phase += (2 * Math.PI * 80 * (topHz / 80) ** (index / length)) / sampleRateHz;
    return Math.round(16_000 * Math.sin(phase));
  });
}
