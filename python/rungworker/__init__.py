"""rung's training worker: trains LoRA adapters from rows of token ids and writes them as GGUF for llama.cpp.

Started by rung as ``python -m rungworker JOB.json``; reads one job, speaks JSON lines on standard output.
"""
