"""Trains a small GPT-2, from random weights, with the Trainer of Hugging Face transformers.

    python train.py config.yaml --dataset additions.jsonl --output output [--resume checkpoint-200]

Under Trainyard the flags are not needed: TRAINYARD_DATASET, TRAINYARD_OUTPUT_DIR and
TRAINYARD_RESUME_FROM say the same. A flag wins over its variable.

Exit codes: 0 trained to the end; 1 training failed; 2 bad config, dataset or checkpoint;
143 stopped by SIGTERM and 130 by SIGINT, in both cases after saving a checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
import yaml
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

END = 0  # the token that ends an answer, and that pads a batch
IGNORED = -100  # a label that transformers leaves out of the loss
SHAPE = {"d_model": "n_embd", "layers": "n_layer", "heads": "n_head"}  # our names, GPT-2's names


class UsageError(Exception):
    """A mistake that the person who starts the run can mend: one line on stderr, exit code 2."""


@dataclass
class Config:
    """The config file with its defaults. Keys that the script does not know are ignored."""

    learning_rate: float = 0.003
    batch_size: int = 64
    max_steps: int = 2000
    warmup_steps: int = 50
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    seed: int = 1
    eval_fraction: float = 0.1
    logging_steps: int = 20
    eval_steps: int = 200
    save_steps: int = 200
    save_total_limit: int = 0
    # None where the file is silent: a resumed run then takes the checkpoint's.
    d_model: int | None = None
    layers: int | None = None
    heads: int | None = None


MAY_BE_ZERO = {"warmup_steps", "weight_decay", "seed", "save_total_limit"}


def read_config(path: str) -> Config:
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read the config: {first_line(error)}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: expected a mapping of settings")
    config = Config()
    for field in fields(Config):
        value = document.get(field.name)
        if value is None:
            continue
        # YAML 1.1, which PyYAML reads, takes 3e-4 for a string: the dot is missing.
        kind = float if "float" in field.type else int
        try:
            number = kind(value)
            valid = number == float(value) and not isinstance(value, bool)
        except (TypeError, ValueError, OverflowError):
            valid = False
        if not valid or number < 0 or (number == 0 and field.name not in MAY_BE_ZERO):
            raise UsageError(f"{path}: {field.name} cannot be {value!r}")
        setattr(config, field.name, number)
    if config.eval_fraction >= 1:
        raise UsageError(f"{path}: eval_fraction must be below 1, got {config.eval_fraction}")
    return config


def read_dataset(path: str) -> list[dict[str, str]]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read the dataset: {error}") from error
    examples = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            example = json.loads(line)
            examples.append({key: example[key] + "" for key in ("question", "answer")})
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f'{path}:{number}: expected {{"question": "…", "answer": "…"}}'
            ) from error
    return examples


def split_dataset(examples: list[dict[str, str]], fraction: float):
    """An example's place follows from its question alone, so it is the same for every run."""

    def is_held_out(example: dict[str, str]) -> bool:
        return zlib.crc32(example["question"].encode()) / 2**32 < fraction

    train = [example for example in examples if not is_held_out(example)]
    held_out = [example for example in examples if is_held_out(example)]
    if not train or not held_out:
        raise UsageError("the dataset is too small: nothing to train on, or nothing to hold out")
    return train, held_out


class Tokenizer:
    """One token a character; 0 is the end mark."""

    def __init__(self, characters: str):
        self.characters = characters
        self.numbers = {character: i + 1 for i, character in enumerate(characters)}

    def encode(self, text: str) -> list[int]:
        try:
            return [self.numbers[character] for character in text]
        except KeyError as error:
            raise UsageError(f"the model does not know the character {error}") from error

    def encode_example(self, example: dict[str, str]) -> dict[str, list[int]]:
        """Only the answer and its end mark are learned: the question is given."""
        question, answer = self.encode(example["question"]), self.encode(example["answer"])
        return {
            "input_ids": [*question, *answer, END],
            "attention_mask": [1] * (len(question) + len(answer) + 1),
            "labels": [IGNORED] * len(question) + [*answer, END],
        }


def collate(examples: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    length = max(len(example["input_ids"]) for example in examples)

    def padded(key: str, filler: int) -> torch.Tensor:
        return torch.tensor(
            [example[key] + [filler] * (length - len(example[key])) for example in examples]
        )

    return {
        "input_ids": padded("input_ids", END),
        "attention_mask": padded("attention_mask", 0),
        "labels": padded("labels", IGNORED),
    }


def choose_model_config(config: Config, examples, resume: str | None) -> GPT2Config:
    """The shape of the weights: the checkpoint's where there is one, otherwise the config's."""
    longest = max(len(e["question"]) + len(e["answer"]) + 1 for e in examples)
    if resume:
        if not (Path(resume) / "trainer_state.json").is_file():
            raise UsageError(f"{resume} is not a complete checkpoint")
        model_config = GPT2Config.from_pretrained(resume)
        for name, theirs in SHAPE.items():
            wanted, actual = getattr(config, name), getattr(model_config, theirs)
            if wanted not in (None, actual):
                raise UsageError(f"{name} is {wanted} in the config but {actual} in {resume}")
        if longest > model_config.n_positions:
            raise UsageError(f"the dataset's longest line does not fit the model in {resume}")
        return model_config
    d_model, heads = config.d_model or 64, config.heads or 4
    if d_model % heads:
        raise UsageError(f"d_model ({d_model}) must be a multiple of heads ({heads})")
    characters = "".join(sorted({c for e in examples for c in e["question"] + e["answer"]}))
    return GPT2Config(
        vocab_size=len(characters) + 1,
        n_positions=longest,
        n_embd=d_model,
        n_layer=config.layers or 2,
        n_head=heads,
        # The dataset is seen many times, but sums leave nothing to memorise.
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        use_cache=False,
        characters=characters,  # kept in config.json: whoever loads the model can write with it
    )


class StopOnSignal(TrainerCallback):
    """On SIGTERM or SIGINT: finish the step, save a checkpoint, stop."""

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.note)

    def note(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number

    def on_step_end(self, args, state, control, **_):
        if self.signal:
            control.should_save = True
            control.should_evaluate = False
            control.should_training_stop = True
        return control


class ObeyConfig(TrainerCallback):
    """A resumed Trainer would go on with the old run's intervals; these are the config's."""

    def on_train_begin(self, args, state, control, **_):
        state.logging_steps = args.logging_steps
        state.eval_steps = args.eval_steps
        state.save_steps = args.save_steps


class TrackedTrainer(Trainer):
    """The Trainer with two additions: its log lines name the step, and a resume obeys its config."""

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        place = {"step": self.state.global_step, "max_steps": self.state.max_steps}
        super().log({**logs, **place}, *args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Restores Adam's state, but not the old run's learning rate and weight decay with it."""
        decays = [group["weight_decay"] for group in self.optimizer.param_groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        scheduler = self.lr_scheduler
        scheduler.base_lrs = [self.args.learning_rate for _ in scheduler.base_lrs]
        factors = [factor(scheduler.last_epoch) for factor in scheduler.lr_lambdas]
        for group, decay, factor in zip(self.optimizer.param_groups, decays, factors, strict=True):
            group["initial_lr"] = self.args.learning_rate
            group["lr"] = self.args.learning_rate * factor
            group["weight_decay"] = decay


def exact_match(prediction) -> dict[str, float]:
    """Part of the held-out questions whose whole answer was right."""
    labels = prediction.label_ids[:, 1:]
    right = (prediction.predictions[:, :-1] == labels) | (labels == IGNORED)
    return {"accuracy": float(np.mean(right.all(axis=1)))}


def training_arguments(config: Config, output: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=output,
        max_steps=config.max_steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=128,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        logging_first_step=True,
        logging_steps=config.logging_steps,
        eval_strategy="steps",
        eval_steps=config.eval_steps,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit or None,
        report_to="none",
        disable_tqdm=True,  # the log lines say where the run is
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def main() -> int:
    stop = StopOnSignal()
    # Python keeps lines back when stdout is a file, and then no one could watch the run.
    sys.stdout.reconfigure(line_buffering=True)
    # The bar that shows a checkpoint being written reads like the progress of the run.
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description="Train a small GPT-2 on questions and answers.")
    parser.add_argument("config")
    # An empty variable counts as one that is not set.
    parser.add_argument("--dataset", default=os.environ.get("TRAINYARD_DATASET") or None)
    parser.add_argument("--output", default=os.environ.get("TRAINYARD_OUTPUT_DIR") or None)
    parser.add_argument("--resume", default=os.environ.get("TRAINYARD_RESUME_FROM") or None)
    options = parser.parse_args()
    if not options.dataset:
        raise UsageError("no dataset: set TRAINYARD_DATASET or pass --dataset FILE")
    if not options.output:
        raise UsageError("no output folder: set TRAINYARD_OUTPUT_DIR or pass --output FOLDER")

    config = read_config(options.config)
    examples = read_dataset(options.dataset)
    train, held_out = split_dataset(examples, config.eval_fraction)
    model_config = choose_model_config(config, examples, options.resume)
    tokenizer = Tokenizer(model_config.characters)
    set_seed(config.seed)
    model = GPT2LMHeadModel(model_config)
    say(
        f"{model.num_parameters()} parameters; {len(train)} examples to train on, "
        f"{len(held_out)} held out"
    )
    if options.resume:
        say(f"resuming {options.resume}")

    trainer = TrackedTrainer(
        model=model,
        args=training_arguments(config, options.output),
        train_dataset=[tokenizer.encode_example(example) for example in train],
        eval_dataset=[tokenizer.encode_example(example) for example in held_out],
        data_collator=collate,
        compute_metrics=exact_match,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(dim=-1),
        callbacks=[stop, ObeyConfig()],
    )
    trainer.train(resume_from_checkpoint=options.resume)
    if stop.signal and trainer.state.global_step < config.max_steps:
        say(f"stopped by {signal.Signals(stop.signal).name} after step {trainer.state.global_step}")
        return 128 + stop.signal
    metrics = trainer.evaluate()
    trainer.save_model()
    trainer.save_metrics("eval", {**metrics, "eval_examples": len(held_out)}, combined=False)
    say(f"answered {metrics['eval_accuracy']:.1%} of {len(held_out)} unseen questions right")
    return 0


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        say(f"train: {error}")
        sys.exit(2)
