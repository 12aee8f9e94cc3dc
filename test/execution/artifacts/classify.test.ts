import { describe, expect, it } from 'vitest'
import {
  type ArtifactType,
  isCheckpointFolder,
  isIgnored,
  stepOfName,
  typeOfFile,
} from '../../../src/execution/artifacts/classify.ts'

describe('typeOfFile', () => {
  it.each<[string, ArtifactType]>([
    ['events.out.tfevents.1732184400.node1.123.0', 'TENSORBOARD'],
    ['model.safetensors', 'MODEL'],
    ['model-00001-of-00004.safetensors', 'MODEL'],
    ['pytorch_model.bin', 'MODEL'],
    ['best.pt', 'MODEL'],
    ['weights.pth', 'MODEL'],
    ['model-q4_k_m.gguf', 'MODEL'],
    ['model.onnx', 'MODEL'],
    ['last.ckpt', 'CHECKPOINT'],
    ['epoch=3-step=500.ckpt', 'CHECKPOINT'],
    ['checkpoint_best.pt', 'CHECKPOINT'],
    ['ckpt.pt', 'CHECKPOINT'],
    ['eval_results.json', 'EVALUATION'],
    ['all_results.json', 'EVALUATION'],
    ['test_metrics.json', 'EVALUATION'],
    ['lm-eval-2026.json', 'EVALUATION'],
    ['retrieval.json', 'FILE'],
    ['config.json', 'CONFIG'],
    ['adapter_config.json', 'CONFIG'],
    ['tokenizer_config.json', 'CONFIG'],
    ['hparams.yaml', 'CONFIG'],
    ['run.yml', 'CONFIG'],
    ['training_args.bin', 'CONFIG'],
    ['optimizer.pt', 'FILE'],
    ['rng_state_0.pth', 'FILE'],
    ['trainer_state.json', 'FILE'],
    ['tokenizer.json', 'FILE'],
    ['model.safetensors.index.json', 'FILE'],
    ['README.md', 'FILE'],
  ])('%s is %s', (name, type) => {
    expect(typeOfFile(name)).toBe(type)
  })
})

describe('stepOfName', () => {
  it.each([
    ['checkpoint-500', 500],
    ['checkpoint_500', 500],
    ['step_1000', 1000],
    ['step_1000_loss_0.3', 1000],
    ['global_step250', 250],
    ['iter_0000500', 500],
    ['epoch=3-step=500.ckpt', 500],
    ['checkpoint-500.pt', 500],
    ['epoch_3', null],
    ['checkpoint-epoch-3', null],
    ['checkpoint_best', null],
    ['checkpoint-20261121', 20_261_121],
    ['checkpoint-99999999999', null],
    ['last.ckpt', null],
  ])('%s: %s', (name, step) => {
    expect(stepOfName(name)).toBe(step)
  })
})

describe('names', () => {
  it.each(['checkpoint-500', 'checkpoint_best', 'step_5', 'epoch_1', 'global_step500', 'iter_0000010'])(
    '%s is a folder of a checkpoint',
    (name) => expect(isCheckpointFolder(name)).toBe(true),
  )

  it.each(['checkpoints', 'stepwise', 'logs', 'epoch', 'step_size'])('%s is none', (name) =>
    expect(isCheckpointFolder(name)).toBe(false),
  )

  it.each(['.git', 'tmp-checkpoint-5', 'a.tmp', 'a.part', 'a.incomplete', 'a.lock', '__pycache__'])(
    '%s is ignored',
    (name) => expect(isIgnored(name)).toBe(true),
  )
})
