"""A speech engine on the coqui-tts library: text in, audio out while it is being made (docs/engines.md)."""

import os

# All must be set before torch is imported. Its caches of compiled kernels keep one entry for every input length, and
# grow without these two (measured over 300 requests: 938 MB and rising, with them 430-484 MB; same speed).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
os.environ.setdefault("LRU_CACHE_CAPACITY", "16")
# Its threads wait for each other by spinning, which on cores that others use too made a sentence 10 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
