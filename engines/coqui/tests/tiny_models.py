"""
Tiny models with random weights, made by the real library and loaded through the same code as a user's model.

They speak noise, but noise of the right length, rate and order: all but how it sounds can be tested with them.

    python tests/tiny_models.py DIR     writes DIR/model.pth and DIR/config.json: a VITS with three speakers
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import coqui_engine  # noqa: F401  (sets the memory caches' environment before torch is imported)

SPEAKERS = ("alice", "bob", "carol")

_CHARACTERS = {
    "characters_class": "TTS.tts.utils.text.characters.Graphemes",
    "pad": "<PAD>",
    "eos": "<EOS>",
    "bos": "<BOS>",
    "blank": "<BLNK>",
    "phonemes": None,
    "characters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "punctuations": "!'(),-.:;? ",
    "is_unique": False,
    "is_sorted": True,
}


def write_vits(folder: Path, speakers: Sequence[str] = SPEAKERS, *, config_speakers: Sequence[str] = ()) -> Path:
    """
    Writes a VITS of 0.3 million parameters; without `speakers`, one that knows no speakers at all.
    `config_speakers` puts other names into the config than the checkpoint has rows for.
    """
    import torch
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.shared_configs import CharactersConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    args = VitsArgs(
        hidden_channels=16,
        hidden_channels_ffn_text_encoder=16,
        num_heads_text_encoder=1,
        num_layers_text_encoder=1,
        num_layers_posterior_encoder=1,
        num_layers_flow=1,
        upsample_initial_channel_decoder=32,
        speaker_embedding_channels=8 if speakers else 0,
        use_speaker_embedding=bool(speakers),
        use_sdp=False,
        init_discriminator=False,
    )

    def config_for(names: Sequence[str]) -> Any:
        return VitsConfig(
            model_args=args,
            # Random weights are quiet: trimming silence would leave nothing.
            audio=BaseAudioConfig(sample_rate=22050, do_trim_silence=False),
            characters=CharactersConfig(**_CHARACTERS),
            text_cleaner="english_cleaners",
            use_phonemes=False,
            phoneme_language="en-us",
            add_blank=True,
            use_speaker_embedding=bool(names),
            speakers=list(names),
        )

    torch.manual_seed(1)
    config = config_for(speakers)
    model = Vits(config)
    with torch.no_grad():
        # About 6 frames (70 ms) a character, and loud enough to measure a level.
        model.duration_predictor.proj.bias.fill_(1.0)
        model.waveform_decoder.conv_post.weight.mul_(3.0)
        if speakers:
            model.emb_g.weight.mul_(3.0)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "config": config.to_dict()}, folder / "model.pth")
    config_for(config_speakers or speakers).save_json(str(folder / "config.json"))
    return folder


def write_xtts(folder: Path, *, speakers: Sequence[str] = ("ana", "boris"), audio_tokens: int = 24) -> Path:
    """
    Writes an XTTS directory with preset speakers (93 MB: its decoder and speaker encoder have fixed sizes). Every
    sentence comes out `audio_tokens` tokens long, for the stop token never wins.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import Whitespace
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder.mkdir(parents=True, exist_ok=True)
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[de]"]
    vocabulary = {token: number for number, token in enumerate([*special, *"abcdefghijklmnopqrstuvwxyzäöüß.,!?'"])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "vocab.json"))

    dim = 64
    args = XttsArgs(
        gpt_layers=2,
        gpt_n_model_channels=dim,
        gpt_n_heads=2,
        gpt_max_audio_tokens=audio_tokens,
        gpt_num_audio_tokens=130,
        gpt_start_audio_token=128,
        gpt_stop_audio_token=129,
        gpt_number_text_tokens=len(vocabulary),
        gpt_start_text_token=vocabulary["[START]"],
        gpt_stop_text_token=vocabulary["[STOP]"],
        gpt_use_perceiver_resampler=True,
        decoder_input_dim=dim,
    )
    config = XttsConfig(model_args=args, languages=["en", "de"])
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(2)
    model = Xtts(config)
    with torch.no_grad():
        model.gpt.mel_head.bias[args.gpt_stop_audio_token] = -1e4
    torch.save({"model": model.state_dict(), "config": config.to_dict()}, folder / "model.pth")
    presets = {
        name: {
            "gpt_cond_latent": torch.randn(1, 32, dim),
            "speaker_embedding": torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1),
        }
        for name in speakers
    }
    if presets:
        torch.save(presets, folder / "speakers_xtts.pth")
    return folder


def write_reference_wav(path: Path, seconds: float = 4.0, pitch_hz: float = 140.0) -> Path:
    """A buzzing voice-like tone, for cloning."""
    import numpy as np
    import soundfile

    rate = 22050
    t = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch_hz * n * t) / n for n in range(1, 12)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * wave, rate)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = write_vits(Path(sys.argv[1]))
    print(json.dumps({"checkpoint": str(target / "model.pth"), "config": str(target / "config.json")}))
