import { describe, expect, it } from 'vitest'
import { type LogLevel, levelOf } from '../../../src/execution/output/level.ts'
import type { OutputSource } from '../../../src/execution/output/text.ts'

describe('levelOf', () => {
  it.each<[LogLevel, OutputSource, string]>([
    ['WARNING', 'STDERR', 'WARNING:root:low disk'],
    ['INFO', 'STDERR', '[INFO|trainer.py:123] 2026-11-21 10:00:00,123 >> x'],
    ['ERROR', 'STDERR', '2026-11-21 10:00:00,123 - ERROR - x'],
    ['WARNING', 'STDOUT', '2026-11-21 10:00:00,123 - my.mod - WARNING - x'],
    ['INFO', 'STDOUT', '11/21/2026 10:00:00 - INFO - llamafactory.data - no ERROR'],
    ['WARNING', 'STDERR', '[rank0]:[W1121 10:00:00.123456 ProcessGroupNCCL.cpp:1250] Warning: x'],
    ['ERROR', 'STDERR', 'E1121 10:00:00.123000 140 torch/distributed/elastic/x.py:12] failed'],
    ['WARNING', 'STDERR', '[W socket.cpp:601] [c10d] x'],
    ['WARNING', 'STDOUT', '{"level":"warn","msg":"x"}'],
    ['ERROR', 'STDOUT', '{"severity":"ERROR"}'],
    ['INFO', 'STDOUT', '{"level":30,"time":1}'],
    ['ERROR', 'STDOUT', '{"level":50}'],
    ['ERROR', 'STDERR', 'Traceback (most recent call last):'],
    ['ERROR', 'STDERR', '[rank1]: Traceback (most recent call last):'],
    ['ERROR', 'STDERR', '  File "/a/b.py", line 3, in f'],
    ['ERROR', 'STDERR', 'RuntimeError: CUDA out of memory.'],
    ['ERROR', 'STDERR', 'torch.cuda.OutOfMemoryError: CUDA out of memory.'],
    ['ERROR', 'STDOUT', 'torch.OutOfMemoryError: x'],
    ['ERROR', 'STDERR', '[rank0]: ValueError: x'],
    ['ERROR', 'STDERR', 'KeyboardInterrupt'],
    ['WARNING', 'STDERR', '/a/b.py:12: UserWarning: foo'],
    ['WARNING', 'STDERR', '/a/b.py:12: FutureWarning: `torch.load`'],
    ['INFO', 'STDERR', '  warnings.warn('],
    ['DEBUG', 'STDOUT', 'DEBUG 11-21 10:00:00 x'],
    ['INFO', 'STDOUT', 'INFO 11-21 10:00:00 llm_engine.py:1] x'],
    ['WARNING', 'STDOUT', '[2026-11-21 10:00:00,123] [WARNING] [real_accelerator.py:158:get_accelerator] x'],
    ['ERROR', 'STDOUT', '[2026-11-21 10:00:00,123][root][ERROR] - x'],
    ['ERROR', 'STDERR', '2026-11-21 10:00:00.123 | CRITICAL | __main__:main:3 - x'],
    ['ERROR', 'STDERR', 'bash: foo: command not found'],
    ['ERROR', 'STDERR', 'train.sh: line 3: foo: command not found'],
    ['ERROR', 'STDERR', 'Segmentation fault (core dumped)'],
    ['INFO', 'STDOUT', 'bash: foo: command not found'],
    ['ERROR', 'STDERR', 'error: unrecognized arguments: --x'],
    ['ERROR', 'STDERR', 'train.py: error: unrecognized arguments: --x'],
    ['INFO', 'STDERR', 'no errors were found in 3 files'],
    ['INFO', 'STDERR', 'step 3 error 0.5'],
    ['INFO', 'STDOUT', 'INFORMATION about'],
    ['INFO', 'STDERR', 'An ERROR word in the middle'],
    ['INFO', 'STDERR', '  3%|▎  | 15/500 [00:10<05:30, 1.47it/s]'],
    ['ERROR', 'STDERR', '\u001b[31mERROR\u001b[0m: x'],
    ['ERROR', 'STDERR', '\u001b[32m2026-11-21 10:00:00\u001b[0m \u001b[31mERROR\u001b[0m x'],
    ['ERROR', 'STDERR', 'Killed'],
    ['ERROR', 'STDERR', 'train.sh: line 3: 12345 Killed                  python x.py'],
    ['INFO', 'STDOUT', 'Validation Error: 0.5'],
    ['WARNING', 'STDERR', 'Warning: x is deprecated'],
    ['ERROR', 'STDERR', 'Exception: x'],
    ['INFO', 'STDERR', 'ErrorHandler: ok'],
    ['ERROR', 'STDERR', "python: can't open file '/x.py': [Errno 2] No such file or directory"],
    ['WARNING', 'STDERR', '10:00:00 | WARNING  | x'],
    ['WARNING', 'STDERR', 'W1121 10:00:00.1 1 x.cc:3] y'],
    ['ERROR', 'STDERR', 'RuntimeError'],
  ])('%s on %s: %s', (level, source, line) => {
    expect(levelOf(line, source)).toBe(level)
  })

  it('looks at the beginning of a long line only', () => {
    expect(levelOf(`ERROR: ${'x'.repeat(1_000_000)}`, 'STDOUT')).toBe('ERROR')
    expect(levelOf(`${'x'.repeat(1_000_000)} CUDA error`, 'STDERR')).toBe('INFO')
  })
})
